"""The CustomResourceDefinitions: names, scope, columns and subresources around the models' schemas.

`python -m kamaji_core.api.schema` writes them to `crds/`. Descriptions are short: `kubectl apply` keeps the whole
object in an annotation, which may hold 256 KiB.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from kamaji_core.api import crds
from kamaji_core.api.datastore import DataStore
from kamaji_core.api.labels import GROUP, VERSION
from kamaji_core.api.structural import Schema, structural_schema
from kamaji_core.api.tenant_control_plane import TenantControlPlane

COMMAND = "python -m kamaji_core.api.schema"
_LINE_WIDTH = 4096
"""Characters after which YAML folds a line: more than any rule or sentence has."""

_HEADER = f"# Generated from the models in kamaji_core/api by `{COMMAND}`: change those and run it again.\n"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`.

    Args:
        name: its head.
        path: JSON path of its value.
        type: OpenAPI type of the value, or `date`.
        description: shown by `kubectl explain`-like tools.
    """

    name: str
    path: str
    type: str = "string"
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Paths that the scale subresource reads and writes."""

    replicas: str
    status_replicas: str
    selector: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomResource:
    """One kind of object of ours.

    Args:
        model: of the whole object; its name is the kind.
        plural: name in addresses.
        description: of the kind.
        namespaced: whether its objects live in namespaces.
        short_names: for `kubectl`.
        categories: groups for `kubectl get`.
        columns: of `kubectl get`, in order.
        scale: when the scale subresource is served.
    """

    model: type[msgspec.Struct]
    plural: str
    description: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    scale: Scale | None = None

    @property
    def kind(self) -> str:
        """The value of `kind` in its objects."""
        return self.model.__name__

    @property
    def file_name(self) -> str:
        """Name of its file in `crds/`."""
        return f"{GROUP}_{self.plural}{crds.SUFFIX}"


AGE = Column("Age", ".metadata.creationTimestamp", "date", "Age")

TENANT_CONTROL_PLANES = CustomResource(
    model=TenantControlPlane,
    plural="tenantcontrolplanes",
    description="A tenant's control plane, run as pods of the management cluster.",
    namespaced=True,
    short_names=("tcp",),
    categories=("kamaji",),
    columns=(
        Column("Version", ".spec.kubernetes.version", "string", "Version asked for"),
        Column("Installed Version", ".status.kubernetesResources.version.version", "string", "Version that runs"),
        Column("Status", ".status.kubernetesResources.version.status", "string", "State of the control plane"),
        Column("Control-Plane endpoint", ".status.controlPlaneEndpoint", "string", "Address of the API server"),
        Column("Kubeconfig", ".status.kubeconfig.admin.secretName", "string", "Secret of the admin kubeconfig"),
        Column("Datastore", ".status.storage.dataStoreName", "string", "DataStore that holds the data"),
        AGE,
    ),
    scale=Scale(
        replicas=".spec.controlPlane.deployment.replicas",
        status_replicas=".status.kubernetesResources.deployment.replicas",
        selector=".status.kubernetesResources.deployment.selector",
    ),
)

DATA_STORES = CustomResource(
    model=DataStore,
    plural="datastores",
    description="A store that tenants' data lives in.",
    namespaced=False,
    columns=(
        Column("Driver", ".spec.driver", "string", "Kind of store"),
        Column("Ready", ".status.ready", "boolean", "Whether tenants can be served"),
        AGE,
    ),
)

CUSTOM_RESOURCES = (DATA_STORES, TENANT_CONTROL_PLANES)


def definition(resource: CustomResource) -> dict[str, Any]:
    """Build the CustomResourceDefinition."""
    names: dict[str, Any] = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
    }
    if resource.short_names:
        names["shortNames"] = list(resource.short_names)
    if resource.categories:
        names["categories"] = list(resource.categories)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "conversion": {"strategy": "None"},
            "versions": [_version(resource)],
        },
    }


def _version(resource: CustomResource) -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [
            {"name": column.name, "jsonPath": column.path, "type": column.type, "description": column.description}
            for column in resource.columns
        ],
        "subresources": _subresources(resource),
        "schema": {"openAPIV3Schema": _root(resource)},
    }


def _subresources(resource: CustomResource) -> dict[str, Any]:
    subresources: dict[str, Any] = {"status": {}}
    if resource.scale:
        subresources["scale"] = {
            "specReplicasPath": resource.scale.replicas,
            "statusReplicasPath": resource.scale.status_replicas,
            "labelSelectorPath": resource.scale.selector,
        }
    return subresources


def _root(resource: CustomResource) -> Schema:
    """The schema of the whole object; the API server itself knows what `metadata` is."""
    schema = structural_schema(resource.model)
    properties: Schema = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    properties |= {**schema["properties"], "metadata": {"type": "object"}}
    required = [name for name in schema["required"] if name != "metadata"]
    return {"description": resource.description, "type": "object", "properties": properties, "required": required}


def render(resource: CustomResource) -> str:
    """Write the CustomResourceDefinition as YAML, with a header that tells where it comes from."""
    return _HEADER + yaml.dump(
        definition(resource), Dumper=_Dumper, sort_keys=False, width=_LINE_WIDTH, allow_unicode=True
    )


class _Dumper(yaml.SafeDumper):
    """Writes what is used twice twice: anchors would be hard to read, and not every tool takes them."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def write(directory: Path) -> list[Path]:
    """Write all CustomResourceDefinitions to a directory and tell the files."""
    files = []
    for resource in CUSTOM_RESOURCES:
        file = directory / resource.file_name
        file.write_text(render(resource))
        files.append(file)
    return files


if __name__ == "__main__":
    for written in write(Path(crds.__file__).parent):
        sys.stdout.write(f"{written}\n")
