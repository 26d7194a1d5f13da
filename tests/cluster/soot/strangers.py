"""A stranger's add-on that wants whatever objects a test gives it, and such objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from kamaji_core.contracts import Addon, TenantObject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ON: dict[str, Any] = {"addons": {"extra": {"stranger": {}}}}
"""The part of a specification that turns it on."""


def named(api_version: str, kind: str, name: str = "stranger", **fields: Any) -> dict[str, Any]:
    """A manifest of an object in kube-system."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "kube-system"}, **fields}


def definition(kind: str, *versions: str) -> dict[str, Any]:
    """A definition of a kind of the group `example.org`, which holds whatever it is given."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    singular = kind.lower()
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{singular}s.example.org"},
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": {"plural": f"{singular}s", "singular": singular, "kind": kind, "listKind": f"{kind}List"},
            "versions": [
                {"name": one, "served": True, "storage": one == versions[0], "schema": schema} for one in versions
            ],
        },
    }


class NoSettings(msgspec.Struct, frozen=True):
    """It has none."""


class Stranger(Addon):
    """Wants the objects of some manifests.

    Args:
        manifests: what it wants; may be changed.
        name: what it is called.
    """

    NAME: ClassVar[str] = "stranger"
    SPEC_KEY: ClassVar[str] = "stranger"
    API_VERSION: ClassVar[tuple[int, int]] = (1, 0)
    CONFIG: ClassVar[type[msgspec.Struct]] = NoSettings
    STATUS: ClassVar[type[msgspec.Struct]] = NoSettings

    def __init__(self, *manifests: Any) -> None:
        self.manifests = list(manifests)

    def config(self, spec: Mapping[str, Any]) -> NoSettings | None:
        """On when the specification names it."""
        return NoSettings() if "stranger" in (spec.get("extra") or {}) else None

    def tenant_objects(self, *_: object) -> Sequence[TenantObject]:
        """All of them, none watched."""
        return [TenantObject(manifest=one) for one in self.manifests]

    def status(self, *_: object) -> NoSettings:
        """Say that it is on."""
        return NoSettings()
