"""The tenant that is made for a check is an ordinary one under a name of its own."""

from __future__ import annotations

from kamaji_core.check import StandSettings
from kamaji_core.check.stand import tenant_manifest

FOLLOWED = {
    "dataStore": "another",
    "dataStoreSchema": "theirs",
    "dataStoreUsername": "theirs",
    "controlPlane": {"deployment": {"replicas": 2}, "service": {"serviceType": "NodePort"}},
    "networkProfile": {"address": "192.0.2.1"},
}


def test_the_smallest_one() -> None:
    """One pod at a cluster IP, of the version that was asked for."""
    manifest = tenant_manifest("fast", StandSettings(version="v1.37.1", namespace="team-a"))
    assert manifest["metadata"]["namespace"] == "team-a"
    assert manifest["metadata"]["name"].startswith("datastore-check-")
    assert manifest["spec"] == {
        "dataStore": "fast",
        "controlPlane": {"deployment": {"replicas": 1}, "service": {"serviceType": "ClusterIP"}},
        "kubernetes": {"version": "v1.37.1", "kubelet": {}},
    }


def test_each_has_another_name() -> None:
    """Two checks at a time do not meet."""
    settings = StandSettings(version="v1.37.1")
    assert len({tenant_manifest("fast", settings)["metadata"]["name"] for _ in range(20)}) == 20


def test_a_specification_that_is_followed_never_says_where_the_data_is() -> None:
    """A check must not get at another tenant's schema, whatever the file says."""
    spec = tenant_manifest("fast", StandSettings(version="v1.37.1", spec=FOLLOWED))["spec"]
    assert spec["dataStore"] == "fast"
    assert not {"dataStoreSchema", "dataStoreUsername"} & spec.keys()
    assert spec["controlPlane"]["service"]["serviceType"] == "NodePort"
    assert spec["networkProfile"] == {"address": "192.0.2.1"}
    assert spec["kubernetes"]["version"] == "v1.37.1"
