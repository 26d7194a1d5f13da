"""A ConfigMap with a greeting, which everybody in the tenant's cluster may read: an add-on with nothing left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from kamaji_core.contracts import (
    Addon,
    Applied,
    ConfigurationError,
    Material,
    TenantObject,
    TenantView,
    extra_settings,
    read_config,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMESPACE = "kube-system"
NAME = "hello"
RBAC = "rbac.authorization.k8s.io"


class HelloConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Settings under `spec.addons.extra.hello`.

    Args:
        greeting: what is said.
        readable: whether everybody who is known to the cluster may read it.
    """

    greeting: str = "Hello"
    readable: bool = True


class HelloStatus(msgspec.Struct, frozen=True, rename="camel"):
    """`status.addons.extra.hello`."""

    greeting: str
    config_map: str


class Hello(Addon):
    """Says hello in a tenant's cluster."""

    NAME: ClassVar[str] = "hello"
    SPEC_KEY: ClassVar[str] = "hello"
    API_VERSION: ClassVar[tuple[int, int]] = (1, 0)
    CONFIG: ClassVar[type[msgspec.Struct]] = HelloConfig
    STATUS: ClassVar[type[msgspec.Struct]] = HelloStatus

    def config(self, spec: Mapping[str, Any]) -> HelloConfig | None:
        """Read the settings.

        Raises:
            ConfigurationError: when they cannot be used.
        """
        settings = extra_settings(spec, self.SPEC_KEY)
        if settings is None:
            return None
        config = read_config(HelloConfig, settings, field="spec.addons.extra.hello")
        if not config.greeting.strip():
            raise ConfigurationError("spec.addons.extra.hello.greeting is empty: say something or remove the add-on.")
        return config

    def tenant_objects(self, tenant: TenantView, config: msgspec.Struct, material: Material) -> Sequence[TenantObject]:
        """Tell the objects; rights before what they are about."""
        del material
        assert isinstance(config, HelloConfig)  # noqa: S101 - the core hands back what `config` gave
        rights = (TenantObject(manifest=_role()), TenantObject(manifest=_binding())) if config.readable else ()
        greeting = {"greeting": f"{config.greeting}, {tenant.name}!", "signature": "The platform team"}
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _named(), "data": greeting}
        return (*rights, TenantObject(manifest=manifest, watch=True, yield_fields=("data.signature",)))

    def status(self, tenant: TenantView, config: msgspec.Struct, applied: Applied) -> HelloStatus:
        """Say what is said, and where."""
        del applied
        assert isinstance(config, HelloConfig)  # noqa: S101 - as above
        return HelloStatus(greeting=f"{config.greeting}, {tenant.name}!", config_map=f"{NAMESPACE}/{NAME}")


def _named() -> dict[str, str]:
    return {"name": NAME, "namespace": NAMESPACE}


def _role() -> dict[str, Any]:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [NAME], "verbs": ["get"]}
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": _named(), "rules": [rule]}


def _binding() -> dict[str, Any]:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": _named(),
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": NAME},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": "system:authenticated"}],
    }
