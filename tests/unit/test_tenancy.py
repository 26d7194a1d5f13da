"""Who uses which store is known without listing tenants, and follows where the data is."""

from __future__ import annotations

from typing import Any

import msgspec

from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.tenancy import Tenancy


def tenant(*, wanted: str = "", recorded: str = "") -> TenantControlPlane:
    """A tenant that asks for one store and has its data in another."""
    manifest: dict[str, Any] = {
        "metadata": {"name": "shop", "namespace": "team-a"},
        "spec": {
            "dataStore": wanted,
            "controlPlane": {"service": {"serviceType": "ClusterIP"}},
            "kubernetes": {"version": "v1.37.1", "kubelet": {}},
        },
        "status": {"storage": {"dataStoreName": recorded}},
    }
    return msgspec.convert(manifest, TenantControlPlane)


def tenancy(told: list[str], default: str = "") -> Tenancy:
    """A tenancy that notes which stores it tells of."""
    return Tenancy(default_store=default, wake=lambda _key: None, store_used=told.append)


def test_the_data_decides_then_the_specification_then_the_default() -> None:
    """A tenant is never looked for on a store where its data is not."""
    known = tenancy([], default="common")
    assert known.store_of(tenant(wanted="new", recorded="old")) == "old"
    assert known.store_of(tenant(wanted="new")) == "new"
    assert known.store_of(tenant()) == "common"
    assert tenancy([]).store_of(tenant()) == ""


def test_a_stores_tenants_are_known_until_they_are_gone() -> None:
    """Each change is told once, for the store that it concerns."""
    told: list[str] = []
    known = tenancy(told)
    known.observe(("b", "y"), tenant(wanted="fast"))
    known.observe(("a", "x"), tenant(wanted="fast"))
    known.observe(("a", "x"), tenant(wanted="fast"))
    assert known.tenants_of("fast") == [("a", "x"), ("b", "y")]
    known.observe(("a", "x"), None)
    known.observe(("a", "x"), None)
    assert known.tenants_of("fast") == [("b", "y")]
    assert told == ["fast", "fast", "fast"]


def test_a_tenant_that_moves_counts_for_its_new_store() -> None:
    """Both stores are told."""
    told: list[str] = []
    known = tenancy(told)
    known.observe(("a", "x"), tenant(wanted="one"))
    known.observe(("a", "x"), tenant(wanted="one", recorded="two"))
    assert (known.tenants_of("one"), known.tenants_of("two")) == ([], [("a", "x")])
    assert told == ["one", "one", "two"]


def test_asking_for_an_unknown_store_leaves_no_trace() -> None:
    """Memory does not grow with questions."""
    known = tenancy([])
    assert known.tenants_of("nobody's") == []
    assert not known._tenants
