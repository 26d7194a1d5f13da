"""A tenant's objects that no plan makes any more, found without listing: an index kept from the watches.

Only what carries our labels and names the tenant itself, by UID, as its controller counts: what a user made, or what
an earlier tenant of the same name left to the garbage collector, is nobody's to remove here.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from kamaji_core.kube import CONFIG_MAPS, DEPLOYMENTS, SECRETS, SERVICES, Resource
from kamaji_core.render.kubeadm import COMPONENT as KUBEADM_CONFIG
from kamaji_core.tenant.facts import SECRET_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Key = tuple[str, str]


class Stray(NamedTuple):
    """One object that nothing asks for.

    Args:
        resource: what kind of object.
        name: of the object, in the tenant's namespace.
        uid: of the object.
        owner_uid: of the tenant that it was made for.
    """

    resource: Resource
    name: str
    uid: str
    owner_uid: str


PLANNED_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    SERVICES.kind: ("",),
    DEPLOYMENTS.kind: ("",),
    CONFIG_MAPS.kind: (KUBEADM_CONFIG,),
    SECRETS.kind: SECRET_SUFFIXES,
}
"""What a plan makes of each kind, by the end of its name."""


class Strays:
    """The index; owned by the manager, which hands it every change of an owned object."""

    def __init__(self) -> None:
        self._by_tenant: defaultdict[Key, dict[tuple[str, str], Stray]] = defaultdict(dict)

    def observe(self, resource: Resource, key: Key, *, tenant: str, uid: str, owner_uid: str) -> None:
        """Take note of an object as it is now.

        Args:
            resource: what kind of object.
            key: its namespace and name.
            tenant: name of the tenant that its label tells.
            uid: of the object; empty when it is gone.
            owner_uid: of its controller; empty for none.
        """
        if resource.kind not in PLANNED_SUFFIXES:
            return  # what is claimed for data is nobody's to remove before its tenant
        namespace, name = key
        planned = {f"{tenant}-{suffix}" if suffix else tenant for suffix in PLANNED_SUFFIXES[resource.kind]}
        strays = self._by_tenant[namespace, tenant]
        if uid and owner_uid and name not in planned:
            strays[resource.kind, name] = Stray(resource, name, uid, owner_uid)
        else:
            strays.pop((resource.kind, name), None)
        if not strays:
            del self._by_tenant[namespace, tenant]

    def of(self, key: Key, *, uid: str) -> tuple[Stray, ...]:
        """The strays of one tenant, in the order of their kinds and names."""
        strays = self._by_tenant.get(key, {})
        return tuple(stray for _, stray in sorted(strays.items()) if stray.owner_uid == uid)


def mounted(deployment: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Kind and name of every Secret and ConfigMap that a Deployment's pods need."""
    found: set[tuple[str, str]] = set()
    pod = deployment.get("spec", {}).get("template", {}).get("spec", {})
    for volume in pod.get("volumes") or ():
        found.update(_sources(volume))
        for source in (volume.get("projected") or {}).get("sources") or ():
            found.update(_sources(source))
    for container in (*(pod.get("containers") or ()), *(pod.get("initContainers") or ())):
        found.update(_environment(container))
    return found


def _sources(volume: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if secret := volume.get("secret"):
        yield SECRETS.kind, secret.get("secretName") or secret.get("name", "")
    if config_map := volume.get("configMap"):
        yield CONFIG_MAPS.kind, config_map.get("name", "")


def _environment(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        yield SECRETS.kind, (source.get("secretRef") or {}).get("name", "")
        yield CONFIG_MAPS.kind, (source.get("configMapRef") or {}).get("name", "")
    for variable in container.get("env") or ():
        chosen = variable.get("valueFrom") or {}
        yield SECRETS.kind, (chosen.get("secretKeyRef") or {}).get("name", "")
        yield CONFIG_MAPS.kind, (chosen.get("configMapKeyRef") or {}).get("name", "")
