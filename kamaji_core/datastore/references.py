"""From a DataStore's references to their content: inline, or a key of a Secret.

Every way in which a reference can be wrong gets its own sentence, naming the field: these are what users see first.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.api.conditions import DataStoreReason
from kamaji_core.contracts import BasicAuth, StoreView, TlsMaterial

if TYPE_CHECKING:
    from kamaji_core.api.datastore import ContentRef, DataStore, DataStoreSpec
    from kamaji_core.datastore.secrets import ReferencedSecrets
    from kamaji_core.kube import Key


class DanglingReferenceError(Exception):
    """A reference of a DataStore leads nowhere.

    Args:
        sentence: which field, and what to do.
        reason: of the condition.
    """

    def __init__(self, sentence: str, *, reason: str) -> None:
        super().__init__(sentence)
        self.reason = reason


async def resolve(store: DataStore, secrets: ReferencedSecrets) -> StoreView:
    """Read everything that a DataStore refers to.

    Args:
        store: the DataStore.
        secrets: where its Secrets are read.

    Raises:
        DanglingReferenceError: for the first reference that has no content.
        ApiError: when the API server cannot be asked.
    """
    spec, reader = store.spec, _Reader(store.metadata.name, secrets)
    try:
        basic_auth = await _basic_auth(spec, reader)
        tls = await _tls(spec, reader)
    finally:
        await secrets.keep(store.metadata.name, reader.read_from)
    content = (spec.driver, spec.endpoints, spec.config, basic_auth, tls)
    return StoreView(
        name=store.metadata.name,
        endpoints=tuple(spec.endpoints),
        tls=tls,
        basic_auth=basic_auth,
        config=spec.config,
        content_digest=hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest(),
    )


async def _basic_auth(spec: DataStoreSpec, reader: _Reader) -> BasicAuth | None:
    if spec.basic_auth is None:
        return None
    reason = DataStoreReason.BASIC_AUTH_VALIDATION_FAILED
    username = await reader.read(spec.basic_auth.username, "spec.basicAuth.username", reason)
    password = await reader.read(spec.basic_auth.password, "spec.basicAuth.password", reason)
    # Values in Secrets often come from files: a trailing newline belongs to neither.
    return BasicAuth(username=username.decode().rstrip("\r\n"), password=password.decode().rstrip("\r\n"))


async def _tls(spec: DataStoreSpec, reader: _Reader) -> TlsMaterial | None:
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
            material[name] = await reader.read(reference, f"spec.tlsConfig.{field}", reason)
    return TlsMaterial(**material)


class _Reader:
    """Reads one DataStore's references and notes which Secrets they lead to."""

    def __init__(self, store: str, secrets: ReferencedSecrets) -> None:
        self._store = store
        self._secrets = secrets
        self.read_from: set[Key] = set()

    async def read(self, reference: ContentRef, field: str, reason: str) -> bytes:
        """The content of one reference."""
        if reference.content:
            return reference.content
        target = reference.secret_reference
        if target is None or not target.name or not target.namespace:
            raise DanglingReferenceError(
                f"{field} has neither content nor a secretReference with name, namespace and keyPath: fill in one of "
                f"them.",
                reason=reason,
            )
        where = f"Secret {target.namespace}/{target.name}"
        self.read_from.add((target.namespace, target.name))
        data = await self._secrets.read(self._store, target.namespace, target.name)
        if data is None:
            raise DanglingReferenceError(
                f"{field} refers to {where}, which does not exist: create it or correct the reference.", reason=reason
            )
        content = data.get(target.key_path)
        if not content:
            raise DanglingReferenceError(
                f"{field} refers to key {target.key_path!r} of {where}, which is missing or empty: correct either.",
                reason=reason,
            )
        return content
