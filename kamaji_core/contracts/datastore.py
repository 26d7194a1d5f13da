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

    from kamaji_core.contracts.parts import ControlPlaneParts


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantView:
    """What a plugin may know of a tenant control plane; never a private key.

    Args:
        namespace: of the TenantControlPlane.
        name: of the TenantControlPlane.
        uid: of the TenantControlPlane.
        version: Kubernetes version with its leading `v`.
        replicas: wanted control plane pods.
    """

    namespace: str
    name: str
    uid: str
    version: str
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A tenant's share of a store.

    Args:
        tenant_uid: UID of the TenantControlPlane, recorded in the store as the owner.
        namespace: of the TenantControlPlane.
        name: of the TenantControlPlane.
        schema: database name or key prefix (without slashes).
        user: the tenant's own user at the store.
    """

    tenant_uid: str
    namespace: str
    name: str
    schema: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How a tenant logs into its share; persisted in Secrets before the store hears of them.

    Args:
        user: as in the claim.
        password: where the store wants one.
        files: certificates and keys in PEM, by file name.
        not_after: when the earliest certificate in `files` ends.
    """

    user: str
    password: str | None = field(default=None, repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
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
        config: holds `DB_SCHEMA`, `DB_USER` and `DB_PASSWORD`.
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

    @abc.abstractmethod
    async def revoke(self, claim: Claim) -> None:
        """Take the tenant's access away, live connections included; its data stays."""

    @abc.abstractmethod
    async def remove(self, claim: Claim) -> None:
        """Remove data, user and rights of the claim; succeeds when nothing is there."""

    @abc.abstractmethod
    async def aclose(self) -> None:
        """Close all connections."""


class DatastoreDriver(abc.ABC):
    """A kind of store. Instantiated once, without arguments."""

    NAME: ClassVar[str]
    """The value of `spec.driver` that selects this driver."""

    API_VERSION: ClassVar[tuple[int, int]]
    """The contract version it was written for."""

    @abc.abstractmethod
    def validate(self, store: StoreView) -> Sequence[str]:
        """Tell what is wrong with a DataStore's settings, a sentence each; no I/O."""

    @abc.abstractmethod
    def issue(self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime) -> Credentials:
        """Make a tenant's credentials, or return `current` when it is still good; CPU only, no I/O."""

    @abc.abstractmethod
    def open(self, store: StoreView) -> Session:
        """Prepare a session; connects lazily. May import the network library."""

    @abc.abstractmethod
    def parts(
        self, store: StoreView, tenant: TenantView, claim: Claim, *, secrets: SecretReferences
    ) -> ControlPlaneParts:
        """Tell what the tenant's pods need to reach their share of the store; pure."""
