"""A DataStore's settings for PostgreSQL: `spec.config`, and what follows from it and from `spec.tlsConfig` together.

How a connection is protected is never guessed: where no authority is named the user says in so many words what is
wanted instead, since a default that falls back to plain text is noticed by nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from kamaji_core.contracts import TlsMaterial, read_config
from kamaji_core.pki import CertificateError, read_certificate
from kamaji_kine import KineConfig

if TYPE_CHECKING:
    from kamaji_core.contracts import StoreView

SslMode = Literal["disable", "require", "verify-ca", "verify-full"]
"""Of libpq's modes those that mean the same whatever the server says."""


class PostgresConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Settings of `spec.config`.

    Args:
        database: that the operator itself connects to; tenants' databases are made from there.
        sslmode: how connections are protected, the operator's and the tenants'; None for `verify-full`.
        connection_limit: how many connections a tenant's login may have at the same time.
        share_client_certificate: give tenants the operator's own client certificate where the DataStore has no key
            of an authority that could sign certificates of their own.
        kine: the container between kube-apiserver and PostgreSQL.
    """

    database: Annotated[str, msgspec.Meta(min_length=1, max_length=63)] = "postgres"
    sslmode: SslMode | None = None
    connection_limit: Annotated[int, msgspec.Meta(ge=4, le=100_000)] = 100
    share_client_certificate: bool = False
    kine: KineConfig = msgspec.field(default_factory=KineConfig)

    @property
    def protection(self) -> SslMode:
        """The mode that is in force."""
        return self.sslmode or "verify-full"


def config_of(store: StoreView) -> PostgresConfig:
    """Read `spec.config`.

    Raises:
        ConfigurationError: naming the first field that is wrong.
    """
    return read_config(PostgresConfig, store.config)


def login_of(store: StoreView) -> str:
    """Tell the role that the operator logs in as: as `spec.basicAuth` says, or as its client certificate is named.

    Empty when neither tells.
    """
    if store.basic_auth is not None:
        return store.basic_auth.username
    try:
        return read_certificate((store.tls or TlsMaterial()).client_certificate).common_name
    except CertificateError:
        return ""
