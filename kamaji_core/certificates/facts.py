"""What is kept in memory of a Secret: digests, public certificates and their facts, never a private key.

A thousand tenants have more than ten thousand Secrets. Each is reduced as soon as it arrives, so that the cache holds
nothing that would be worth stealing and judging needs no further reading.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kamaji_core.pki import decode_key, public_key_digest, read_kubeconfig

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAIN_KEYS = frozenset({"DB_SCHEMA", "DB_USER"})
"""Keys of the store configuration that are no secrets and are needed to recognise a tenant's claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeconfigFacts:
    """A kubeconfig without its private key.

    Args:
        server: URL of the API server.
        ca: embedded authority, PEM.
        certificate: embedded client certificate, PEM; empty when named by a file.
        key: digest of the public half of the embedded key; empty when there is none or it is unreadable.
    """

    server: str
    ca: bytes
    certificate: bytes
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFacts:
    """One Secret, reduced.

    Args:
        namespace: of the Secret.
        name: of the Secret.
        uid: of the Secret.
        resource_version: precondition for replacing it.
        labels: as they are.
        annotations: as they are.
        owner_uid: of its controller, empty without one.
        checksum: Kamaji's checksum of the data (MD5 over the values in the order of their keys).
        digests: SHA-256 of each value, hex, by key.
        certificates: values of keys ending in `.crt` or `.pub`, PEM.
        keys: digest of the public half of each value whose key ends in `.key`; empty for an unreadable one.
        kubeconfigs: values that are kubeconfigs, by key.
        plain: values of `PLAIN_KEYS`.
    """

    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner_uid: str = ""
    checksum: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    certificates: Mapping[str, bytes] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    kubeconfigs: Mapping[str, KubeconfigFacts] = field(default_factory=dict)
    plain: Mapping[str, str] = field(default_factory=dict)


def checksum(data: Mapping[str, bytes]) -> str:
    """Kamaji's checksum, part of its wire format: MD5, hex, over the values joined in the order of their keys."""
    digest = hashlib.md5(usedforsecurity=False)
    for key in sorted(data):
        digest.update(data[key])
    return digest.hexdigest()


def secret_data(secret: Mapping[str, Any]) -> dict[str, bytes]:
    """Decode a Secret's data; a value that is no base64 counts as absent."""
    data: dict[str, bytes] = {}
    for key, value in (secret.get("data") or {}).items():
        try:
            data[key] = base64.b64decode(value or "", validate=True)
        except (binascii.Error, ValueError):
            continue
    return data


def read_secret(secret: Mapping[str, Any]) -> SecretFacts:
    """Reduce a Secret, as the API server gives it, to its facts."""
    metadata = secret["metadata"]
    data = secret_data(secret)
    owners = [owner["uid"] for owner in metadata.get("ownerReferences", ()) if owner.get("controller")]
    return SecretFacts(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        owner_uid=owners[0] if owners else "",
        checksum=checksum(data),
        digests={key: hashlib.sha256(value).hexdigest() for key, value in data.items()},
        certificates={key: value for key, value in data.items() if key.endswith((".crt", ".pub"))},
        keys={key: _public_half(value) for key, value in data.items() if key.endswith(".key")},
        kubeconfigs=_kubeconfigs(data),
        plain={key: value.decode(errors="replace") for key, value in data.items() if key in PLAIN_KEYS},
    )


def _public_half(pem: bytes) -> str:
    try:
        return public_key_digest(decode_key(pem))
    except ValueError:
        return ""


def _kubeconfigs(data: Mapping[str, bytes]) -> dict[str, KubeconfigFacts]:
    found: dict[str, KubeconfigFacts] = {}
    for key, value in data.items():
        if not key.endswith((".conf", ".svc")):
            continue
        try:
            content = read_kubeconfig(value)
        except ValueError:
            continue
        found[key] = KubeconfigFacts(
            server=content.server,
            ca=content.ca,
            certificate=content.certificate,
            key=_public_half(content.key) if content.key else "",
        )
    return found
