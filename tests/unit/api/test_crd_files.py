"""The CustomResourceDefinitions that are shipped."""

import json
from pathlib import Path
from typing import Any

import pytest

from kamaji_core.api import crds, schema
from kamaji_core.api.crds import crd_manifests
from kamaji_core.api.schema import COMMAND, CUSTOM_RESOURCES, CustomResource

DIRECTORY = Path(crds.__file__).parent
APPLY_LIMIT = 256 * 1024
"""Bytes that all annotations of an object may have together; `kubectl apply` keeps the whole object in one."""


def crd(plural: str) -> dict[str, Any]:
    """The definition of one resource."""
    (found,) = (manifest for manifest in crd_manifests() if manifest["spec"]["names"]["plural"] == plural)
    return found


def root_of(plural: str) -> dict[str, Any]:
    """The schema of its objects."""
    root: dict[str, Any] = crd(plural)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return root


def walk(node: Any) -> list[dict[str, Any]]:
    """Every object of a JSON document."""
    if isinstance(node, dict):
        return [node, *(found for value in node.values() for found in walk(value))]
    return [found for value in node for found in walk(value)] if isinstance(node, list) else []


@pytest.mark.parametrize("resource", CUSTOM_RESOURCES, ids=lambda resource: resource.plural)
def test_the_files_follow_the_models(resource: CustomResource) -> None:
    """Whoever changes a model generates the files again."""
    stored = (DIRECTORY / resource.file_name).read_text()
    assert stored == schema.render(resource), f"out of date: run `{COMMAND}`"


def test_there_is_no_file_too_many() -> None:
    """A kind that goes takes its file with it."""
    files = {file.name for file in DIRECTORY.glob("*.yaml")}
    assert files == {resource.file_name for resource in CUSTOM_RESOURCES}
    assert len(crd_manifests()) == len(CUSTOM_RESOURCES)


def test_writing_gives_the_files(tmp_path: Path) -> None:
    """The command writes one file for each kind, and nothing else."""
    files = schema.write(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(files)
    for file in files:
        assert file.read_text() == (DIRECTORY / file.name).read_text()
        assert COMMAND in file.read_text().splitlines()[0]


@pytest.mark.parametrize("manifest", crd_manifests(), ids=lambda manifest: manifest["metadata"]["name"])
def test_definitions_are_small_enough_for_kubectl_apply(manifest: dict[str, Any]) -> None:
    """Half of the limit is left for the fields that are still to come."""
    assert len(json.dumps(manifest)) < APPLY_LIMIT // 2


@pytest.mark.parametrize("manifest", crd_manifests(), ids=lambda manifest: manifest["metadata"]["name"])
def test_definitions_keep_kamajis_names(manifest: dict[str, Any]) -> None:
    """One version, served and stored, in Kamaji's group, without a conversion webhook."""
    spec = manifest["spec"]
    assert manifest["metadata"]["name"] == f"{spec['names']['plural']}.kamaji.clastix.io"
    assert spec["group"] == "kamaji.clastix.io"
    assert spec["conversion"] == {"strategy": "None"}
    assert [(version["name"], version["served"], version["storage"]) for version in spec["versions"]] == [
        ("v1alpha1", True, True)
    ]
    assert spec["versions"][0]["subresources"]["status"] == {}


def test_kinds_have_kamajis_scope_and_short_names() -> None:
    """`kubectl get tcp` and `kubectl get kamaji` go on working."""
    assert crd("tenantcontrolplanes")["spec"]["scope"] == "Namespaced"
    assert crd("tenantcontrolplanes")["spec"]["names"] == {
        "kind": "TenantControlPlane",
        "listKind": "TenantControlPlaneList",
        "plural": "tenantcontrolplanes",
        "singular": "tenantcontrolplane",
        "shortNames": ["tcp"],
        "categories": ["kamaji"],
    }
    assert crd("datastores")["spec"]["scope"] == "Cluster"
    assert crd("datastores")["spec"]["names"] == {
        "kind": "DataStore",
        "listKind": "DataStoreList",
        "plural": "datastores",
        "singular": "datastore",
    }


@pytest.mark.parametrize(
    ("plural", "heads"),
    [
        (
            "tenantcontrolplanes",
            "Version, Installed Version, Status, Control-Plane endpoint, Kubeconfig, Datastore, Age",
        ),
        ("datastores", "Driver, Ready, Age"),
    ],
)
def test_columns_are_kamajis_in_its_order(plural: str, heads: str) -> None:
    """People and scripts read the columns by position."""
    columns = crd(plural)["spec"]["versions"][0]["additionalPrinterColumns"]
    assert ", ".join(column["name"] for column in columns) == heads


@pytest.mark.parametrize("resource", CUSTOM_RESOURCES, ids=lambda resource: resource.plural)
def test_columns_and_scale_point_at_fields_that_exist(resource: CustomResource) -> None:
    """A path that leads nowhere would show an empty column for ever."""
    paths = [column.path for column in resource.columns]
    if resource.scale:
        paths += [resource.scale.replicas, resource.scale.status_replicas, resource.scale.selector]
    for path in paths:
        node = root_of(resource.plural)
        for name in path.strip(".").split("."):
            if name == "metadata":
                break
            node = node["properties"][name]


@pytest.mark.parametrize("plural", ["tenantcontrolplanes", "datastores"])
def test_every_field_of_ours_is_described(plural: str) -> None:
    """`kubectl explain` says something about each field, in few words."""
    root = root_of(plural)
    for part in ("spec", "status"):
        for node in walk(root["properties"][part]):
            for name, field in node.get("properties", {}).items():
                assert 3 <= len(field["description"]) <= 160, name
                assert field["description"].endswith("."), name


@pytest.mark.parametrize("plural", ["tenantcontrolplanes", "datastores"])
def test_every_rule_tells_what_to_do(plural: str) -> None:
    """A rule has a message of its own, a sentence that ends and does not quote the rule."""
    rules = [rule for node in walk(root_of(plural)) for rule in node.get("x-kubernetes-validations", ())]
    assert rules
    for rule in rules:
        assert rule["message"].endswith(".")
        assert "self" not in rule["message"]


def test_a_structural_schema_has_no_references() -> None:
    """What structural schemas forbid is not there."""
    for manifest in crd_manifests():
        for node in walk(manifest):
            assert not {"$ref", "$defs", "title", "oneOf"} & node.keys()
