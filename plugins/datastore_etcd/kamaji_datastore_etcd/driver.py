"""The driver's pure half: settings checked, certificates signed, and what a tenant's pods need to reach their share.

It is imported at every start, so the half that talks to etcd is imported only when a store is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from kamaji_core.contracts import (
    Capability,
    ControlPlaneParts,
    Credentials,
    DatastoreDriver,
    Flag,
    Mount,
    ProbeKind,
    RestartOn,
    StoreError,
    TlsMaterial,
    Volume,
)
from kamaji_core.pki import CertificateError, read_certificate
from kamaji_datastore_etcd.credentials import CA_FILE, CERTIFICATE_FILE, KEY_FILE, are_good, issue_credentials
from kamaji_datastore_etcd.names import check_names
from kamaji_datastore_etcd.validation import problems_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kamaji_core.contracts import Claim, SecretReferences, Session, StoreView, TenantView

DIRECTORY = "/etc/kubernetes/pki/etcd"
"""Where kube-apiserver finds its certificate for etcd; Kamaji's and kubeadm's place."""

VOLUME = "datastore-certificate"


class StoreUnusableError(StoreError):
    """The DataStore's settings are wrong; the sentences are those of `validate`."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems), kind=ProbeKind.TLS, retry=False)


class EtcdConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `spec.config`: there are none, so that a setting meant for another driver is told instead of lost."""


class EtcdDriver(DatastoreDriver):
    """A key prefix of a shared etcd per tenant, guarded by a role and a user known by its certificate."""

    NAME: ClassVar[str] = "etcd"
    API_VERSION: ClassVar[tuple[int, int]] = (1, 0)
    CONFIG: ClassVar[type[msgspec.Struct] | None] = EtcdConfig
    CAPABILITIES: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.MANY_TENANTS,
            Capability.MANY_REPLICAS,
            Capability.RELOAD_CREDENTIALS,
            Capability.USAGE_BYTES,
        }
    )

    def validate(self, store: StoreView) -> Sequence[str]:
        """Tell what is wrong with endpoints, certificates and keys; basic authentication is not looked at."""
        return problems_of(store)

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        """Sign a client certificate for the claim's user, or return `current` when it is still good.

        An earlier certificate is not ended by a new one.

        Raises:
            StoreError: when the user's name must not get a certificate or the store's authority cannot sign.
        """
        tls = store.tls or TlsMaterial()
        check_names(claim, login=login_of(store))
        if current is not None and not renew and are_good(current, tls, user=claim.user, now=now):
            return current
        return issue_credentials(tls, user=claim.user, now=now)

    def open(self, store: StoreView) -> Session:
        """Prepare a session.

        Raises:
            StoreError: when the settings are wrong.
        """
        from kamaji_datastore_etcd.session import open_session  # noqa: PLC0415 - the network library is loaded on first use only

        problems = self.validate(store)
        if problems or store.tls is None:
            raise StoreUnusableError(problems)
        return open_session(store.endpoints, store.tls, login=login_of(store))

    def parts(
        self,
        store: StoreView,
        tenant: TenantView,  # noqa: ARG002 - the contract's signature
        claim: Claim,
        *,
        secrets: SecretReferences,
    ) -> ControlPlaneParts:
        """Tell the flags and files with which kube-apiserver reaches its prefix.

        The client certificate is reloaded by kube-apiserver, the authority's is not. Compaction is off because it needs
        rights on keys outside of the prefix: the store compacts itself.
        """
        servers = ",".join(f"https://{endpoint}" for endpoint in store.endpoints)
        flags = {
            "--etcd-servers": servers,
            "--etcd-prefix": f"/{claim.schema}",
            "--etcd-cafile": f"{DIRECTORY}/{CA_FILE}",
            "--etcd-certfile": f"{DIRECTORY}/{CERTIFICATE_FILE}",
            "--etcd-keyfile": f"{DIRECTORY}/{KEY_FILE}",
            "--etcd-compaction-interval": "0",
        }
        return ControlPlaneParts(
            flags=tuple(Flag(component="kube-apiserver", name=name, value=value) for name, value in flags.items()),
            volumes=(Volume(name=VOLUME, secret=secrets.credentials),),
            mounts=(Mount(component="kube-apiserver", volume=VOLUME, path=DIRECTORY),),
            restart_on=(RestartOn(name="datastore-ca", secret=secrets.credentials, key=CA_FILE),),
        )


def login_of(store: StoreView) -> str:
    """Tell the user of the operator's own login: its certificate's common name, empty when it cannot be read."""
    try:
        return read_certificate((store.tls or TlsMaterial()).client_certificate).common_name
    except CertificateError:
        return ""
