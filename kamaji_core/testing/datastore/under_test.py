"""What a driver's author fills in: one running store, seen as its operator, as its tenants and from inside.

The kit knows no store. Everything that differs between stores (how a tenant logs in, what a row is, where to look for
what was left behind) is asked for here, and what a store cannot do is named with the reason, so that a test which does
not run says why.
"""

from __future__ import annotations

import abc
import contextlib
import enum
from typing import TYPE_CHECKING, ClassVar

from kamaji_core.contracts import ProbeKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from kamaji_core.contracts import Claim, Credentials, DatastoreDriver, StoreView


class Feature(enum.StrEnum):
    """What stores differ in; a store that lacks one names it in `StoreUnderTest.CANNOT`."""

    SERVER = "server"
    """It listens at endpoints, so it can be gone, slow and silent."""

    LOGINS = "logins"
    """Tenants log in, with the credentials that `issue` makes."""

    OWNERS = "owners"
    """It records who owns a schema and a user."""

    MANY_TENANTS = "many_tenants"
    """Tenants share it and must not reach each other."""

    TAKEOVER = "takeover"
    """What lies there without an owner's record can be taken over by a claim that is recorded."""

    EXPIRY = "expiry"
    """Credentials end by themselves at a time."""

    SETTLE = "settle"
    """Earlier credentials of a tenant can be ended while new ones work."""

    USAGE = "usage"
    """`Session.usage` tells keys."""

    CHECK = "check"
    """`Session.check` looks."""

    CLAIMS = "claims"
    """`Session.claims` lists."""


class RefusedError(Exception):
    """The store does not let a tenant: its login or its rights are refused, or its connection was ended."""


class TenantClient(abc.ABC):
    """A tenant that is logged in; keeps its connection until it is closed."""

    @abc.abstractmethod
    async def write(self, key: str, value: bytes) -> None:
        """Write one key, or row, of the tenant's own share.

        Raises:
            RefusedError: when it may not any more.
        """

    @abc.abstractmethod
    async def read(self, key: str) -> bytes | None:
        """Read what `write` wrote; None when there is none.

        Raises:
            RefusedError: when it may not any more.
        """

    @abc.abstractmethod
    async def reach(self, other: Claim, key: str) -> Sequence[str]:
        """Try everything that the store's protocol offers against another tenant's share, to which `key` was written.

        Returns:
            What succeeded, in words; nothing when tenants are kept apart.
        """

    @abc.abstractmethod
    async def aclose(self) -> None:
        """Leave; harmless when the connection has ended."""


class StoreUnderTest(abc.ABC):
    """One running store that a driver is held against; shared by all tests, which use names of their own."""

    CANNOT: ClassVar[Mapping[Feature | ProbeKind, str]] = {}
    """Features that the store lacks and kinds of probe result that it never has, each with the reason, a sentence."""

    ENTRY: ClassVar[str]
    """The driver's entry module."""

    NETWORK_LIBRARIES: ClassVar[tuple[str, ...]]
    """Top names of the modules that must not be loaded before a store is opened."""

    @abc.abstractmethod
    def driver(self) -> DatastoreDriver:
        """Make the driver."""

    @abc.abstractmethod
    def store(self, *, endpoints: tuple[str, ...] = ()) -> StoreView:
        """Tell the DataStore that names this store with the operator's own login.

        Args:
            endpoints: instead of the server's own; the same server is behind them.
        """

    def wrong_stores(self) -> Mapping[str, StoreView]:
        """Tell DataStores with one wrong setting each, by the field that `validate` must name."""
        return {}

    def operator_user(self) -> str:
        """Tell the name of the operator's own user at the store, empty when it has none that a tenant could ask for."""
        return ""

    @contextlib.asynccontextmanager
    async def probed(self, kind: ProbeKind) -> AsyncIterator[StoreView]:
        """Give a DataStore whose probe tells this kind; asked for all but those that `CANNOT` names.

        `REFUSED`, `TIMEOUT` and `OK` are made by the kit where the store has a server.
        """
        if kind is not ProbeKind.OK:
            raise NotImplementedError(f"say in `probed` how to make {kind}, or in CANNOT why it never is")
        yield self.store()

    async def log_in(self, claim: Claim, credentials: Credentials) -> TenantClient:
        """Log in as a tenant does, past the kit's own door.

        Raises:
            RefusedError: when the store does not let it in.
        """
        raise NotImplementedError("say in `log_in` how a tenant logs in, or name Feature.LOGINS in CANNOT")

    @abc.abstractmethod
    async def leftovers(self, claim: Claim) -> Sequence[str]:
        """Look, with an administrator's rights, for all that the store holds of a claim: data, users, rights, records.

        Returns:
            Names of what there is; nothing when there is nothing.
        """

    async def lay(self, claim: Claim) -> None:
        """Put there, as another operator would have, what belongs to a claim, without an owner's record."""
        raise NotImplementedError("say in `lay` how Kamaji would have made it, or name Feature.TAKEOVER in CANNOT")

    async def spoil(self, claim: Claim, what: str) -> None:
        """Change a claim's things behind the driver's back.

        Args:
            claim: that was made.
            what: `user` (its login is gone), `rights` (it may more than its own) or `owner` (the record names another
                tenant's UID).
        """
        raise NotImplementedError(f"say in `spoil` how to change the {what}, or name Feature.CHECK in CANNOT")

    def secrets_of(self, credentials: Credentials) -> Sequence[bytes]:
        """Tell what of credentials must be seen nowhere; private keys, passwords and settings are found by themselves.

        Override to leave out a setting that is no secret.
        """
        password = [credentials.password.encode()] if credentials.password else []
        keys = [content for content in credentials.files.values() if b"PRIVATE KEY" in content]
        return [*password, *keys, *(value.encode() for value in credentials.settings.values())]
