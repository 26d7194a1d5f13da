"""The tenants that are measured are valid, alike and easily found again."""

from __future__ import annotations

import re

import msgspec
import pytest

from bench import fleet
from bench.fleet import MOST_TENANTS, Datastore, Fleet, Shape
from bench.images import ANSWERER, REGISTRY
from kamaji_core.api import admission_plugins
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from sandbox.configuration import MAXIMUM_PODS


@pytest.fixture(params=list(Shape))
def tenants(request: pytest.FixtureRequest) -> Fleet:
    """A fleet of each shape."""
    return Fleet(size=12, shape=request.param, version="v1.37.1")


def test_names_sort_in_the_order_of_creation(tenants: Fleet) -> None:
    """Also for the largest fleet that a node can run."""
    assert tenants.names == sorted(tenants.names)
    assert len(set(tenants.names)) == 12
    largest = Fleet(size=MOST_TENANTS, shape=Shape.FULL, version="v1.37.1").names
    assert largest == sorted(largest)


def test_a_rollout_fits_beside_the_largest_fleet() -> None:
    """A kubelet refuses what is more than its most pods."""
    assert MOST_TENANTS < MAXIMUM_PODS


def test_a_tenant_is_what_the_operator_reads(tenants: Fleet) -> None:
    """One pod, no load balancer, the fleet's own store and names there that begin alike."""
    tenant = msgspec.convert(tenants.tenant("tenant-007"), TenantControlPlane)
    assert tenant.metadata.namespace == fleet.NAMESPACE
    assert tenant.spec.data_store == fleet.STORE
    assert tenant.spec.data_store_schema == tenant.spec.data_store_username == f"{fleet.STORE_PREFIX}tenant_007"
    assert tenant.spec.control_plane.deployment.replicas == 1
    assert tenant.spec.control_plane.service.service_type == "ClusterIP"
    assert tenant.spec.kubernetes.version == "v1.37.1"


def test_addons_are_kept_where_they_are_asked_for(tenants: Fleet) -> None:
    """Both of them; a fleet that does not say has none."""
    assert "addons" not in tenants.tenant("tenant-007")["spec"]
    kept = Fleet(size=1, shape=tenants.shape, version="v1.37.1", addons=True).tenant("tenant-001")
    assert kept["spec"]["addons"] == {"coreDNS": {}, "kubeProxy": {}}


def test_the_shape_is_a_matter_of_images(tenants: Fleet) -> None:
    """The API server is the real one in both shapes."""
    tenant = msgspec.convert(tenants.tenant("tenant-007"), TenantControlPlane)
    images = tenant.spec.control_plane.deployment.registry_settings
    assert (images.registry, images.api_server_image) == (REGISTRY, "kube-apiserver")
    stands_in = images.controller_manager_image == images.scheduler_image == ANSWERER
    assert stands_in is (tenants.shape is Shape.API_ONLY)


@pytest.mark.parametrize(("kind", "driver"), [(Datastore.ETCD, "etcd"), (Datastore.POSTGRES, "PostgreSQL")])
def test_the_store_is_the_examples_under_another_name(kind: Datastore, driver: str) -> None:
    """A user's own DataStore is left alone."""
    store = fleet.data_store(kind)
    assert store["metadata"]["name"] == fleet.STORE
    assert store["spec"]["driver"] == driver


def test_names_at_the_store_are_any_databases(tenants: Fleet) -> None:
    """Lower-case letters, digits and underscores need no quoting anywhere."""
    spec = tenants.tenant("tenant-007")["spec"]
    assert re.fullmatch("[a-z0-9_]+", spec["dataStoreSchema"])


def test_a_change_is_another_specification() -> None:
    """It names every plugin of the default and one more that the API allows."""
    changed = fleet.change()["spec"]["kubernetes"]["admissionControllers"]
    assert set(changed) == {*admission_plugins.DEFAULT, fleet.CHANGED_PLUGIN}
    assert fleet.CHANGED_PLUGIN in admission_plugins.KNOWN
    assert fleet.CHANGED_PLUGIN not in admission_plugins.DEFAULT
