"""Addresses lead to exactly the object that is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.kube import DEPLOYMENTS, NAMESPACES, SERVICES, Resource

TENANTS = Resource("kamaji.clastix.io", "v1alpha1", "tenantcontrolplanes", "TenantControlPlane")


def test_the_core_group_has_no_name_in_api_version() -> None:
    """A core resource's apiVersion is its version alone, any other's begins with the group."""
    assert SERVICES.api_version == "v1"
    assert DEPLOYMENTS.api_version == "apps/v1"


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "subresource", "path"),
    [
        (SERVICES, None, None, None, "/api/v1/services"),
        (SERVICES, "a", None, None, "/api/v1/namespaces/a/services"),
        (SERVICES, "a", "b", None, "/api/v1/namespaces/a/services/b"),
        (NAMESPACES, None, "a", None, "/api/v1/namespaces/a"),
        (DEPLOYMENTS, "a", "b", "scale", "/apis/apps/v1/namespaces/a/deployments/b/scale"),
        (
            TENANTS,
            "a",
            "b",
            "status",
            "/apis/kamaji.clastix.io/v1alpha1/namespaces/a/tenantcontrolplanes/b/status",
        ),
    ],
)
def test_paths(resource: Resource, namespace: str | None, name: str | None, subresource: str | None, path: str) -> None:
    """Collections, objects and subresources have the addresses that an API server serves them at."""
    assert resource.path(namespace, name, subresource) == path


@given(st.text(min_size=1).filter(lambda name: name not in (".", "..")))
def test_no_name_leaves_its_place(name: str) -> None:
    """Whatever a name holds, it stays one segment of the path: slashes, question marks and percent signs are quoted."""
    try:
        path = SERVICES.path("a", name)
    except UnicodeEncodeError:
        return  # a lone surrogate, which no JSON from a server decodes to
    prefix, _, last = path.rpartition("/")
    assert prefix == "/api/v1/namespaces/a/services"
    assert not set(last) & set("/?# ")


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_names_that_mean_another_place_are_refused(name: str) -> None:
    """An empty name would be the collection, dots its parents: a deletion of those would be a catastrophe."""
    with pytest.raises(ValueError, match="is no name"):
        SERVICES.path("a", name)


def test_a_scope_that_does_not_fit_is_refused() -> None:
    """A namespace for a cluster-scoped kind, none for an object in namespaces, a subresource of nothing."""
    with pytest.raises(ValueError, match="cluster-scoped"):
        NAMESPACES.path("a", "b")
    with pytest.raises(ValueError, match="lives in namespaces"):
        SERVICES.path(None, "b")
    with pytest.raises(ValueError, match="belongs to one Service"):
        SERVICES.path("a", None, "status")
