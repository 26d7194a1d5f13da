"""What a datastore driver is: a class with pure methods, and a session that talks to one store.

The split is the contract's point. Pure methods (`validate`, `issue`, `parts`) take and return frozen data and are
called in the reconcile path; a `Session` does the I/O, is shared by all tenants of the store and is opened lazily.
Every session method is idempotent, bounded in time and may be cancelled at any await: the core calls it again.
"""

from __future__ import annotations

import abc
import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import msgspec

    from kamaji_core.contracts.parts import ControlPlaneParts


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantNetworks:
    """The networks inside a tenant's cluster, defaults filled in.

    Args:
        cluster_domain: DNS domain.
        services: CIDRs of Services, the primary one first.
        pods: CIDRs of pods, the primary one first; may be empty.
        dns_addresses: of the cluster's DNS; empty when the CIDRs of Services cannot be used.
    """

    cluster_domain: str = "cluster.local"
    services: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    dns_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantView:
    """What a plugin may know of a tenant control plane; never a private key.

    Args:
        namespace: of the TenantControlPlane.
        name: of the TenantControlPlane.
        uid: of the TenantControlPlane.
        version: Kubernetes version with its leading `v`.
        replicas: wanted control plane pods.
        generation: counts the changes of its specification.
        spec: its specification, as the API server shows it.
        endpoint: `host:port` under which its nodes reach its API server; empty before there is one.
        networks: those inside its cluster.
        ca_cert: certificate of its authority in PEM; empty before there is one.
        secret_names: names of its Secrets by the suffix that follows the tenant's name.
        phase: its state in words, such as `Ready`; empty before its first.
    """

    namespace: str
    name: str
    uid: str
    version: str
    replicas: int
    generation: int = 0
    spec: Mapping[str, Any] = field(default_factory=dict)
    endpoint: str = ""
    networks: TenantNetworks = TenantNetworks()
    ca_cert: bytes = b""
    secret_names: Mapping[str, str] = field(default_factory=dict)
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A tenant's share of a store.

    Args:
        tenant_uid: UID of the TenantControlPlane, recorded in the store as the owner.
        namespace: of the TenantControlPlane.
        name: of the TenantControlPlane.
        schema: database name or key prefix (without slashes).
        user: the tenant's own user at the store.
        recorded: the tenant's own status names this schema and user, or it holds a key with a certificate for the user
            that the store's authority signed. Only then may a driver take over what lies at the store without an
            owner's record: a specification proves nothing, since anybody may write any name there.
    """

    tenant_uid: str
    namespace: str
    name: str
    schema: str
    user: str
    recorded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How a tenant logs into its share; persisted in Secrets before the store hears of them.

    Args:
        user: that logs in: as in the claim, or a login of the claim's user where a store needs several of them.
        password: where the store wants one.
        files: certificates and keys in PEM, by file name.
        settings: what the pods need besides and may be secret, such as a connection string; kept in the same Secret as
            user and password, so that they change together, each under its name. Names that begin with `DB_` are the
            core's.
        not_after: when the earliest certificate in `files` ends.
    """

    user: str
    password: str | None = field(default=None, repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsMaterial:
    """TLS settings of a DataStore, all PEM, empty where the DataStore names none."""

    ca_certificate: bytes = b""
    ca_key: bytes = field(default=b"", repr=False)
    client_certificate: bytes = b""
    client_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    """User name and password of the operator's own login at a store."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreView:
    """A DataStore with its references resolved.

    Args:
        name: of the DataStore.
        endpoints: `host:port` each, at least one.
        tls: None when the DataStore has no `tlsConfig`.
        basic_auth: None when the DataStore has no `basicAuth`.
        config: the driver's own settings, `spec.config`.
        content_digest: changes whenever anything above changes.
    """

    name: str
    endpoints: tuple[str, ...]
    tls: TlsMaterial | None = None
    basic_auth: BasicAuth | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    content_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReferences:
    """Names, in the tenant's namespace, of the Secrets that hold a claim's credentials.

    Args:
        credentials: holds `Credentials.files`, one key per file.
        config: holds `DB_SCHEMA`, `DB_USER`, `DB_PASSWORD`, `DB_LOGIN` where it is not the claim's user that logs in,
            and `Credentials.settings`.
    """

    credentials: str
    config: str


class ProbeKind(enum.StrEnum):
    """What a login attempt at a store came to."""

    OK = "ok"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TLS = "tls"
    AUTH = "auth"
    VERSION = "version"
    PERMISSION = "permission"
    FULL = "full"
    """It answers and takes nothing more: no space, no quota or no connection is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Result of a real login at a store.

    Args:
        kind: `ProbeKind.OK` when tenants can be served.
        sentence: what is wrong and what to do about it, or what is right; shown unchanged in conditions.
        server_version: as the server tells it, empty when unknown.
    """

    kind: ProbeKind
    sentence: str
    server_version: str = ""

    @property
    def ok(self) -> bool:
        """Whether the store can serve tenants."""
        return self.kind is ProbeKind.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of a store one tenant's data takes.

    Args:
        keys: how many keys or rows.
        bytes: their names and contents as the tenant sees them; history, indexes and free pages are not counted.
        exact: False when `bytes` is estimated from a sample or data changed while it was measured.
    """

    keys: int
    bytes: int
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What at the store differs from a claim.

    Args:
        what: short constant in lower case such as `owner`, `user` or `rights`, for metrics and reasons.
        sentence: what differs and what to do, or that the next `ensure` mends it.
    """

    what: str
    sentence: str


class Capability(enum.StrEnum):
    """What a driver can do beyond the least; the core offers nothing that a driver does not name here."""

    MANY_TENANTS = "many_tenants"
    """Tenants share one store and cannot reach each other."""

    OVERRIDES = "overrides"
    """Resources of one tenant may lie on another store than the rest (`spec.dataStoreOverrides`)."""

    MANY_REPLICAS = "many_replicas"
    """Several API servers of one tenant may work on it at the same time."""

    RELOAD_CREDENTIALS = "reload_credentials"
    """New credentials are taken up by running pods without a restart."""

    USAGE_BYTES = "usage_bytes"
    """`Session.usage` tells bytes."""

    COPY = "copy"
    """A tenant's data can be copied to another store."""

    BACKUP = "backup"
    """A tenant's data can be saved and restored by itself."""


class StoreError(Exception):
    """A store refused or could not be reached; the message is a sentence for the user.

    Args:
        sentence: what is wrong and what to do; reaches the condition unchanged.
        kind: what sort of trouble it is.
        retry: False when only a change of the DataStore or of the tenant can help.
    """

    def __init__(self, sentence: str, *, kind: ProbeKind, retry: bool = True) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.retry = retry


class EndpointError(StoreError):
    """A store's server at an endpoint answered with an error or could not be reached.

    A driver has a subclass for each thing that can be told apart, with its sentence and what follows from it.

    Args:
        endpoint: the `host:port` that was asked, or several.
        detail: the server's or the library's own words; they name no secret.
    """

    SENTENCE: ClassVar[str]
    """With `{endpoint}` and `{detail}` where they stand."""

    KIND: ClassVar[ProbeKind] = ProbeKind.REFUSED
    RETRY: ClassVar[bool] = True

    def __init__(self, *, endpoint: str, detail: str = "") -> None:
        super().__init__(self.SENTENCE.format(endpoint=endpoint, detail=detail), kind=self.KIND, retry=self.RETRY)
        self.endpoint = endpoint
        self.detail = detail


class UnsupportedError(StoreError):
    """The driver was written before the core asked for this, or cannot tell it.

    Args:
        what: what it does not tell, as the object of a sentence.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"This driver does not tell {what}.", kind=ProbeKind.VERSION, retry=False)


class Session(abc.ABC):
    """An open connection to one store with the operator's own login, shared by all its tenants.

    All methods are idempotent, bounded in time and safe to cancel at any await. They raise `StoreError`.
    """

    @abc.abstractmethod
    async def probe(self) -> Probe:
        """Log in for real and tell whether tenants can be served; never raises `StoreError`."""

    @abc.abstractmethod
    async def reserve(self, claim: Claim) -> None:
        """Record the tenant as the owner of the claim's schema and user; nobody can log in by it yet.

        Called before credentials are issued: whoever names another tenant's user must not be given its credentials.

        Raises:
            StoreError: also when the schema or user belongs to another tenant (`retry` is False then).
        """

    @abc.abstractmethod
    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        """Make the claim's schema and user exist with exactly the claim's rights.

        Raises:
            StoreError: also when the schema or user belongs to another tenant (`retry` is False then).
        """

    async def settle(self, claim: Claim, credentials: Credentials) -> None:  # noqa: B027 - most have nothing to end
        """End every login of the claim but the one given: all of the tenant's pods run with it now.

        Called after credentials were renewed and the pods that knew the earlier ones are gone; does nothing unless a
        driver says otherwise.
        """

    @abc.abstractmethod
    async def revoke(self, claim: Claim) -> None:
        """Take the tenant's access away, live connections included; its data stays."""

    @abc.abstractmethod
    async def remove(self, claim: Claim) -> None:
        """Remove data, user and rights of the claim; succeeds when nothing is there."""

    async def check(self, claim: Claim) -> Drift | None:
        """Compare what is at the store with a claim that was made before; writes nothing.

        Returns:
            The gravest difference, None when there is none.

        Raises:
            StoreError: when the store cannot be asked; `UnsupportedError` when the driver does not look.
        """
        raise UnsupportedError(f"whether schema {claim.schema!r} and user {claim.user!r} are as they were made")

    async def usage(self, claim: Claim) -> Usage:
        """Measure a tenant's data; of bounded cost, however much there is.

        Raises:
            StoreError: when the store cannot be asked; `UnsupportedError` when the driver cannot measure.
        """
        raise UnsupportedError(f"how much data is in the schema {claim.schema!r}")

    async def claims(self) -> Sequence[Claim]:
        """List the claims whose owners the store has recorded, to find those whose tenants are gone.

        Returns:
            Claims that may be handed to `revoke` and `remove`; what has no record or an unreadable one is left out.

        Raises:
            StoreError: when the store cannot be asked; `UnsupportedError` when the driver cannot list.
        """
        raise UnsupportedError("whose claims are at the store")

    @abc.abstractmethod
    async def aclose(self) -> None:
        """Close all connections."""


class DatastoreDriver(abc.ABC):
    """A kind of store. Instantiated once, without arguments."""

    NAME: ClassVar[str]
    """The value of `spec.driver` that selects this driver."""

    API_VERSION: ClassVar[tuple[int, int]]
    """The contract version it was written for."""

    CONFIG: ClassVar[type[msgspec.Struct] | None] = None
    """Type of `spec.config`, checked by the core before `validate`; None leaves checking it to `validate`."""

    CAPABILITIES: ClassVar[frozenset[Capability]] = frozenset({Capability.MANY_TENANTS, Capability.MANY_REPLICAS})
    """What it can do; the default is what every driver could before it was asked."""

    @abc.abstractmethod
    def validate(self, store: StoreView) -> Sequence[str]:
        """Tell what is wrong with a DataStore's settings, a sentence each; no I/O."""

    @abc.abstractmethod
    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        """Make a tenant's credentials, or return `current` when it is still good; CPU only, no I/O.

        Args:
            store: as it is now.
            claim: of the tenant.
            current: those that it has.
            now: the present time, UTC.
            renew: new ones were asked for. Those in `current` must work until `Session.settle`, since pods run with
                them until then.
        """

    @abc.abstractmethod
    def open(self, store: StoreView) -> Session:
        """Prepare a session; connects lazily. May import the network library."""

    @abc.abstractmethod
    def parts(
        self, store: StoreView, tenant: TenantView, claim: Claim, *, secrets: SecretReferences
    ) -> ControlPlaneParts:
        """Tell what the tenant's pods need to reach their share of the store; pure."""
