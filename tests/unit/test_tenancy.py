"""Who uses which store is known without listing tenants, and follows where the data is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from kamaji_core.api.metadata import ObjectMeta
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.kube import Leadership, NotLeaderError
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


def test_uids_follow_what_exists() -> None:
    """A tenant of the same name is another one; what is gone is forgotten, and what is being deleted still exists."""
    known = tenancy([])
    first, second = (msgspec.structs.replace(tenant(), metadata=metadata(uid)) for uid in ("u1", "u2"))
    known.observe(("a", "x"), first)
    known.observe(("a", "y"), second)
    assert known.uids() == {"u1", "u2"}
    known.observe(("a", "x"), msgspec.structs.replace(tenant(), metadata=metadata("u3", deleted=True)))
    assert known.uids() == {"u2", "u3"}
    known.observe(("a", "x"), None)
    known.observe(("a", "x"), None)
    assert known.uids() == {"u2"}


def metadata(uid: str, *, deleted: bool = False) -> ObjectMeta:
    """A tenant's metadata."""
    moment = datetime(2030, 1, 1, tzinfo=UTC) if deleted else None
    return ObjectMeta(name="shop", namespace="team-a", uid=uid, deletion_timestamp=moment)


def test_without_an_election_everything_is_ours() -> None:
    """A single operator asks nobody."""
    known = tenancy([])
    known.begin_term(None)
    assert known.leadership is None
    assert known.owns(tenant())
    known.check()


def test_a_term_decides_what_is_ours() -> None:
    """Until it runs out; a little before, what is ours may be looked at and not be written to a store any more."""
    now = 0.0
    known = tenancy([])
    term = Leadership("n/l", until=15.0, clock=lambda: now)
    known.begin_term(term)
    assert known.leadership is term
    assert known.owns(tenant())
    known.check()
    now = 14.0
    assert known.owns(tenant())
    with pytest.raises(NotLeaderError, match="too short"):
        known.check()
    now = 15.0
    assert not known.owns(tenant())
    with pytest.raises(NotLeaderError, match="not ours any more"):
        known.check()


def test_a_lost_term_stays_lost_until_the_next_begins() -> None:
    """Nothing is ours between two terms."""
    known = tenancy([])
    first = Leadership("n/l", until=15.0, clock=lambda: 0.0)
    known.begin_term(first)
    first.end()
    assert not known.owns(tenant())
    known.begin_term(Leadership("n/l", until=15.0, clock=lambda: 0.0))
    assert known.owns(tenant())


def test_a_share_in_doubt_wakes_its_tenant_until_the_store_was_told_again() -> None:
    """And is forgotten with the tenant."""
    woken: list[tuple[str, str]] = []
    tenancy = Tenancy(default_store="", wake=woken.append, store_used=lambda _name: None)
    key = ("team-a", "shop")
    assert not tenancy.doubts(key)
    tenancy.doubt(key)
    assert (tenancy.doubts(key), woken) == (True, [key])
    tenancy.trust(key)
    assert not tenancy.doubts(key)
    tenancy.doubt(key)
    tenancy.observe(key, None)
    assert not tenancy.doubts(key)
