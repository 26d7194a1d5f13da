"""The CustomResourceDefinitions in a real kube-apiserver."""

import json
from typing import Any

import pytest

from kamaji_core.api.crds import crd_manifests
from kamaji_core.kube import CUSTOM_RESOURCE_DEFINITIONS, KubeClient

pytestmark = pytest.mark.real

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MANIFESTS = pytest.mark.parametrize("manifest", crd_manifests(), ids=lambda manifest: manifest["metadata"]["name"])


@MANIFESTS
async def test_a_definition_is_established_and_structural(client: KubeClient, manifest: dict[str, Any]) -> None:
    """The API server serves the resource and has nothing to say against its schema."""
    installed = await client.get(CUSTOM_RESOURCE_DEFINITIONS, manifest["metadata"]["name"])
    conditions = {condition["type"]: condition["status"] for condition in installed["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert installed["status"]["storedVersions"] == ["v1alpha1"]


@MANIFESTS
async def test_the_api_server_keeps_the_schema_as_it_is(client: KubeClient, manifest: dict[str, Any]) -> None:
    """Nothing of the schema is dropped or rewritten, so that applying it again changes nothing."""
    name = manifest["metadata"]["name"]
    before = await client.get(CUSTOM_RESOURCE_DEFINITIONS, name)
    assert before["spec"]["versions"][0]["schema"] == manifest["spec"]["versions"][0]["schema"]
    after = await client.apply(CUSTOM_RESOURCE_DEFINITIONS, manifest)
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


@MANIFESTS
async def test_kubectl_apply_can_install_a_definition(client: KubeClient, manifest: dict[str, Any]) -> None:
    """The annotation in which `kubectl apply` keeps the whole object is not too long."""
    group = {**manifest["spec"], "group": "apply.example.com"}
    name = f"{manifest['spec']['names']['plural']}.{group['group']}"
    metadata = {"name": name, "annotations": {LAST_APPLIED: json.dumps(manifest)}}
    created = await client.create(
        CUSTOM_RESOURCE_DEFINITIONS, {**manifest, "metadata": metadata, "spec": group}, dry_run=True
    )
    assert created["metadata"]["annotations"][LAST_APPLIED] == json.dumps(manifest)
