"""Names of resources and the addresses where an API server serves them.

An address is built in one place, with every part quoted, so that no name from a user's object can ever lead a request
to another resource than the one that was meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object of the API.

    Args:
        group: API group, empty for the core group.
        version: version within the group.
        plural: name in addresses.
        kind: name in objects.
        namespaced: whether its objects live in namespaces.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The value of `apiVersion` in its objects: `apps/v1`, or `v1` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Build the address of the collection, or of one object or its subresource.

        Args:
            namespace: None for a cluster-scoped resource, or for the collection over all namespaces.
            name: of the object; None for the collection.
            subresource: such as `status`; needs a name.

        Raises:
            ValueError: when the scope does not fit or a part cannot stand in an address.
        """
        if not self.namespaced and namespace is not None:
            raise ValueError(f"{self.kind} is cluster-scoped: leave out the namespace {namespace!r}")
        if self.namespaced and name is not None and namespace is None:
            raise ValueError(f"{self.kind} lives in namespaces: say in which one {name!r} is")
        if subresource is not None and name is None:
            raise ValueError(f"the subresource {subresource!r} belongs to one {self.kind}: say its name")
        parts = ["apis", self.group] if self.group else ["api"]
        parts.append(self.version)
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "".join(f"/{_segment(part)}" for part in parts)


def _segment(part: str) -> str:
    if part in ("", ".", ".."):
        raise ValueError(f"{part!r} is no name of an object, a namespace or a subresource")
    return quote(part, safe="")


SERVICES = Resource("", "v1", "services", "Service")
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
PODS = Resource("", "v1", "pods", "Pod")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
PERSISTENT_VOLUME_CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
EVENTS = Resource("", "v1", "events", "Event")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
