"""The DataStore: where tenants' data lives and how the operator logs in there.

`driver` is an open string, since drivers are plugins. Rules about TLS and authentication are Kamaji's and apply to
the four drivers that Kamaji knows; a driver of somebody else's judges its own settings, which are `config`.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from kamaji_core.api.conditions import Conditions
from kamaji_core.api.metadata import ObjectMeta
from kamaji_core.api.model import Model, Rule, Written, described

VALIDATION_CONDITION = "kamaji.clastix.io/DataStoreValidation"
"""Type of the condition that tells whether tenants can be served; `status.ready` follows it."""

DELETION_CONDITION = "kamaji.clastix.io/DataStoreAllowedDeletion"
"""Type of the condition that tells, once deletion is asked for, whether anything still uses the store."""

_SQL_AND_NATS = "['MySQL', 'PostgreSQL', 'NATS']"


class SecretReference(Model, frozen=True, kw_only=True):
    """A key of a Secret."""

    name: Annotated[str, described("Name of the Secret.")] = ""
    namespace: Annotated[str, described("Namespace of the Secret.")] = ""
    key_path: Annotated[str, described("Key in the Secret's data.", minLength=1)]


class ContentRef(Model, frozen=True, kw_only=True):
    """Content given inline or as a key of a Secret; inline content wins. It is not shown by `repr`."""

    content: Annotated[bytes, described("The content itself, in base64.")] = b""
    secret_reference: Annotated[SecretReference | None, described("Where the content is.", map_type="atomic")] = None

    def __repr__(self) -> str:
        """Show where the content is, never what it is: it may be a key or a password."""
        source = "inline" if self.content else repr(self.secret_reference)
        return f"ContentRef({source})"


class BasicAuth(Model, frozen=True, kw_only=True):
    """User name and password."""

    username: Annotated[ContentRef, described("User name.")]
    password: Annotated[ContentRef, described("Password.")]


class CertificateAuthority(Model, frozen=True, kw_only=True):
    """The authority of the store's certificates."""

    certificate: Annotated[ContentRef, described("Certificate of the authority, PEM.")]
    private_key: Annotated[
        ContentRef | None, described("Its key, PEM; etcd needs it to sign tenants' client certificates.")
    ] = None


class ClientCertificate(Model, frozen=True, kw_only=True):
    """The operator's own client certificate at the store."""

    certificate: Annotated[ContentRef, described("Certificate, PEM.")]
    private_key: Annotated[ContentRef, described("Key, PEM.")]


class TLSConfig(Model, frozen=True, kw_only=True):
    """Material for TLS connections to the store."""

    certificate_authority: Annotated[
        CertificateAuthority, described("Authority that the store's server certificates are checked against.")
    ]
    client_certificate: Annotated[
        ClientCertificate | None, described("Certificate that the operator logs in with.")
    ] = None


class DataStoreSpec(Model, frozen=True, kw_only=True):
    """How to reach a store."""

    driver: Annotated[
        str,
        described(
            "Kind of store: etcd, MySQL, PostgreSQL, NATS, or the name of another installed driver. Cannot be changed.",
            minLength=1,
            maxLength=63,
            rules=(
                Rule("self == oldSelf", "driver cannot be changed: create another DataStore for another driver."),
                Rule(
                    "!(self.lowerAscii() in ['etcd', 'mysql', 'postgresql', 'nats']) "
                    f"|| self == 'etcd' || self in {_SQL_AND_NATS}",
                    "driver is case-sensitive: write etcd, MySQL, PostgreSQL or NATS.",
                ),
            ),
        ),
    ]
    endpoints: Annotated[
        tuple[str, ...], described("Addresses of the store, host:port each, without a scheme.", minItems=1)
    ]
    basic_auth: Annotated[BasicAuth | None, described("Login with user name and password.")] = None
    tls_config: Annotated[TLSConfig | None, described("TLS and login with a client certificate.")] = None
    config: Annotated[
        Mapping[str, Any],
        described("Settings of the driver; each driver documents its own.", preserve_unknown_fields=True),
    ] = msgspec.field(default_factory=dict)


class DataStoreStatus(Written, frozen=True, kw_only=True):
    """What the operator found out about a store."""

    ready: Annotated[bool, described("Whether tenants can be served.")]
    used_by: Annotated[tuple[str, ...], described("TenantControlPlanes that use the store, namespace/name each.")] = ()
    observed_generation: Annotated[int, described("Generation that was looked at last.", format="int64")] = 0
    conditions: Conditions = ()


def _has_source(path: str) -> str:
    return f"(has({path}.secretReference) || has({path}.content))"


_RULES = (
    Rule(
        "self.driver != 'etcd' || (has(self.tlsConfig) && has(self.tlsConfig.certificateAuthority.privateKey) && "
        f"{_has_source('self.tlsConfig.certificateAuthority.privateKey')})",
        "etcd needs the key of its certificate authority, to sign tenants' client certificates: fill in "
        "tlsConfig.certificateAuthority.privateKey with content or secretReference.",
    ),
    Rule(
        "self.driver != 'etcd' || (has(self.tlsConfig) && has(self.tlsConfig.clientCertificate) && "
        f"{_has_source('self.tlsConfig.clientCertificate.certificate')})",
        "etcd needs a client certificate to log in with: fill in tlsConfig.clientCertificate.certificate with "
        "content or secretReference.",
    ),
    Rule(
        "self.driver != 'etcd' || (has(self.tlsConfig) && has(self.tlsConfig.clientCertificate) && "
        f"{_has_source('self.tlsConfig.clientCertificate.privateKey')})",
        "etcd needs the key of the client certificate: fill in tlsConfig.clientCertificate.privateKey with content "
        "or secretReference.",
    ),
    Rule(
        f"!(self.driver in {_SQL_AND_NATS}) || !has(self.tlsConfig) || !has(self.tlsConfig.clientCertificate) || "
        f"{_has_source('self.tlsConfig.clientCertificate.certificate')}",
        "tlsConfig.clientCertificate.certificate is empty: fill in content or secretReference, or leave "
        "tlsConfig.clientCertificate out.",
    ),
    Rule(
        f"!(self.driver in {_SQL_AND_NATS}) || !has(self.basicAuth) || {_has_source('self.basicAuth.username')}",
        "basicAuth.username is empty: fill in content or secretReference, or leave basicAuth out.",
    ),
    Rule(
        f"!(self.driver in {_SQL_AND_NATS}) || !has(self.basicAuth) || {_has_source('self.basicAuth.password')}",
        "basicAuth.password is empty: fill in content or secretReference, or leave basicAuth out.",
    ),
    Rule(
        f"!(self.driver in {_SQL_AND_NATS}) || has(self.tlsConfig) || has(self.basicAuth)",
        "this driver needs a way to log in: fill in tlsConfig, basicAuth or both.",
    ),
)


class DataStore(Model, frozen=True, kw_only=True):
    """A store that tenants' data lives in."""

    metadata: ObjectMeta
    spec: Annotated[DataStoreSpec, described("How to reach the store.", rules=_RULES)]
    status: Annotated[DataStoreStatus, described("What the operator found out.")] = DataStoreStatus(ready=False)
