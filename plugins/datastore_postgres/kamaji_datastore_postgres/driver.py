"""The driver's pure half: settings checked, credentials made, and what a tenant's pods need to reach their database.

It is imported at every start, so the half that talks to PostgreSQL is imported only when a store is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kamaji_core.contracts import Capability, ControlPlaneParts, Credentials, DatastoreDriver, ProbeKind, StoreError
from kamaji_datastore_postgres.credentials import issue_credentials, tls_files
from kamaji_datastore_postgres.names import check_names
from kamaji_datastore_postgres.settings import PostgresConfig, config_of, login_of
from kamaji_datastore_postgres.validation import problems_of
from kamaji_kine import kine_parts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import msgspec

    from kamaji_core.contracts import Claim, SecretReferences, Session, StoreView, TenantView


class StoreUnusableError(StoreError):
    """The DataStore's settings are wrong; the sentences are those of `validate`."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems), kind=ProbeKind.TLS, retry=False)


class PostgresDriver(DatastoreDriver):
    """A database of a shared PostgreSQL per tenant, reached through kine."""

    NAME: ClassVar[str] = "PostgreSQL"
    API_VERSION: ClassVar[tuple[int, int]] = (1, 0)
    CONFIG: ClassVar[type[msgspec.Struct] | None] = PostgresConfig
    CAPABILITIES: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.MANY_TENANTS, Capability.MANY_REPLICAS, Capability.USAGE_BYTES}
    )

    def validate(self, store: StoreView) -> Sequence[str]:
        """Tell what is wrong with endpoints, login, certificates and settings."""
        return problems_of(store)

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        """Make a login with its password and connection string; `current` stays as far as it is good.

        With `renew` it is the other one of the claim's two logins. Nothing of the operator's own login is in it, so
        that this may change without any tenant's notice.

        Raises:
            StoreError: when the names or the settings cannot be used, or the store's authority cannot sign.
        """
        self._refuse_problems(store)
        check_names(claim, login=login_of(store), database=config_of(store).database)
        issued = issue_credentials(store, claim, current=current, now=now, renew=renew)
        return current if current == issued else issued

    def open(self, store: StoreView) -> Session:
        """Prepare a session.

        Raises:
            StoreError: when the settings are wrong.
        """
        from kamaji_datastore_postgres.session import open_session  # noqa: PLC0415 - the network library is loaded on first use only

        self._refuse_problems(store)
        return open_session(store)

    def parts(
        self,
        store: StoreView,
        tenant: TenantView,  # noqa: ARG002 - the contract's signature
        claim: Claim,  # noqa: ARG002 - its database and login stand in the connection string
        *,
        secrets: SecretReferences,
    ) -> ControlPlaneParts:
        """Put kine beside kube-apiserver; it reads the connection string from the tenant's Secret."""
        return kine_parts(config_of(store).kine, secrets=secrets, tls=tls_files(store))

    def _refuse_problems(self, store: StoreView) -> None:
        problems = self.validate(store)
        if problems:
            raise StoreUnusableError(problems)
