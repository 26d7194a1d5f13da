"""From a DataStore's references to their content: inline, or a key of a Secret.

Every way in which a reference can be wrong gets its own sentence, naming the field: these are what users see first.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.api.conditions import DataStoreReason
from kamaji_core.certificates import secret_data
from kamaji_core.contracts import BasicAuth, StoreView, TlsMaterial
from kamaji_core.kube import SECRETS, KubeClient, NotFoundError

if TYPE_CHECKING:
    from kamaji_core.api.datastore import ContentRef, DataStore, DataStoreSpec


class DanglingReferenceError(Exception):
    """A reference of a DataStore leads nowhere.

    Args:
        sentence: which field, and what to do.
        reason: of the condition.
    """

    def __init__(self, sentence: str, *, reason: str) -> None:
        super().__init__(sentence)
        self.reason = reason


async def resolve(store: DataStore, client: KubeClient) -> StoreView:
    """Read everything that a DataStore refers to.

    Raises:
        DanglingReferenceError: for the first reference that has no content.
        ApiError: when the API server cannot be asked.
    """
    spec = store.spec
    basic_auth = await _basic_auth(spec, client)
    tls = await _tls(spec, client)
    content = (spec.driver, spec.endpoints, spec.config, basic_auth, tls)
    return StoreView(
        name=store.metadata.name,
        endpoints=tuple(spec.endpoints),
        tls=tls,
        basic_auth=basic_auth,
        config=spec.config,
        content_digest=hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest(),
    )


async def _basic_auth(spec: DataStoreSpec, client: KubeClient) -> BasicAuth | None:
    if spec.basic_auth is None:
        return None
    reason = DataStoreReason.BASIC_AUTH_VALIDATION_FAILED
    username = await _read(client, spec.basic_auth.username, "spec.basicAuth.username", reason)
    password = await _read(client, spec.basic_auth.password, "spec.basicAuth.password", reason)
    # Values in Secrets often come from files: a trailing newline belongs to neither.
    return BasicAuth(username=username.decode().rstrip("\r\n"), password=password.decode().rstrip("\r\n"))


async def _tls(spec: DataStoreSpec, client: KubeClient) -> TlsMaterial | None:
    if spec.tls_config is None:
        return None
    authority, identity = spec.tls_config.certificate_authority, spec.tls_config.client_certificate
    references: dict[str, tuple[str, ContentRef | None]] = {
        "ca_certificate": ("certificateAuthority.certificate", authority.certificate),
        "ca_key": ("certificateAuthority.privateKey", authority.private_key),
        "client_certificate": ("clientCertificate.certificate", identity.certificate if identity else None),
        "client_key": ("clientCertificate.privateKey", identity.private_key if identity else None),
    }
    material: dict[str, Any] = {}
    for name, (field, reference) in references.items():
        if reference is not None:
            reason = DataStoreReason.TLS_CONFIGURATION_VALIDATION_FAILED
            material[name] = await _read(client, reference, f"spec.tlsConfig.{field}", reason)
    return TlsMaterial(**material)


async def _read(client: KubeClient, reference: ContentRef, field: str, reason: str) -> bytes:
    if reference.content:
        return reference.content
    target = reference.secret_reference
    if target is None or not target.name or not target.namespace:
        raise DanglingReferenceError(
            f"{field} has neither content nor a secretReference with name, namespace and keyPath: fill in one of them.",
            reason=reason,
        )
    where = f"Secret {target.namespace}/{target.name}"
    try:
        secret = await client.get(SECRETS, target.name, target.namespace)
    except NotFoundError:
        raise DanglingReferenceError(
            f"{field} refers to {where}, which does not exist: create it or correct the reference.", reason=reason
        ) from None
    content = secret_data(secret).get(target.key_path)
    if not content:
        raise DanglingReferenceError(
            f"{field} refers to key {target.key_path!r} of {where}, which is missing or empty: correct one of them.",
            reason=reason,
        )
    return content
