"""A Lease is written so that every elector understands it, and read whoever wrote it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.kube import LeaseSettings
from kamaji_core.kube.lease import LeaseRecord, StoredLease, micro_time, new_lease, patch_of

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
LATER = NOW + timedelta(seconds=2)
SETTINGS = LeaseSettings(namespace="kamaji-system")


def record(**fields: Any) -> LeaseRecord:
    """A Lease that `a` holds."""
    held = {
        "holder_identity": "a",
        "lease_duration_seconds": 15,
        "acquire_time": micro_time(NOW),
        "renew_time": micro_time(NOW),
        "lease_transitions": 4,
    }
    return LeaseRecord(**(held | fields))


def test_the_lease_is_kamaji_s() -> None:
    """Kamaji's own name and client-go's patience are the defaults, so that the two never lead together."""
    assert (SETTINGS.name, SETTINGS.duration, SETTINGS.give_up, SETTINGS.retry) == ("kamaji.clastix.io", 15, 10, 2)
    assert SETTINGS.called == "kamaji-system/kamaji.clastix.io"


@pytest.mark.parametrize(
    "patience",
    [
        {"retry": 0.0},
        {"retry": -1.0},
        {"retry": 9.0},  # jittered by a fifth it may be later than `give_up`
        {"give_up": 15.0},
        {"give_up": 20.0},
        {"duration": 10},
        {"duration": 0},
    ],
    ids=str,
)
def test_patience_that_loses_the_lease_is_refused(patience: dict[str, Any]) -> None:
    """A leader must be able to renew before it gives up, and to give up before others count it as gone."""
    with pytest.raises(ValueError, match=r"retry \* 1\.2 < give_up < duration"):
        LeaseSettings(namespace="n", **patience)


def test_patience_that_just_fits() -> None:
    """The order is all that is asked for."""
    settings = LeaseSettings(namespace="n", duration=3, give_up=2, retry=0.3)
    assert settings.give_up + 1 == settings.duration


def test_a_new_lease() -> None:
    """It is held from its beginning, and nobody changed hands yet."""
    assert new_lease(SETTINGS, "a", NOW) == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": "kamaji-system", "name": "kamaji.clastix.io"},
        "spec": {
            "holderIdentity": "a",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-03-04T05:06:07.000089Z",
            "renewTime": "2026-03-04T05:06:07.000089Z",
            "leaseTransitions": 0,
        },
    }


def test_renewing() -> None:
    """A renewal moves its own time alone; the duration is what the holder now says."""
    assert record(lease_duration_seconds=99).renewed(SETTINGS, LATER) == record(renew_time=micro_time(LATER))


@pytest.mark.parametrize(
    ("before", "transitions"),
    [
        (record(holder_identity="b"), 5),
        (record(holder_identity="a"), 4),  # our own, after its answer was lost
        (record(holder_identity=""), 5),  # released
        (record(holder_identity=None), 5),
        (LeaseRecord(), 1),
    ],
    ids=["another's", "own", "released", "nobody's", "empty"],
)
def test_taking(before: LeaseRecord, transitions: int) -> None:
    """Taking a Lease from another one or from nobody is counted; taking one's own is not."""
    taken = before.taken("a", SETTINGS, LATER)
    moment = micro_time(LATER)
    assert taken == record(acquire_time=moment, renew_time=moment, lease_transitions=transitions)


def test_releasing() -> None:
    """What is released has no holder, is valid (a duration above 0), runs out soon and keeps its count."""
    moment = micro_time(LATER)
    released = record().released(LATER)
    assert released == record(holder_identity="", lease_duration_seconds=1, acquire_time=moment, renew_time=moment)


def test_a_patch_holds_for_what_was_read() -> None:
    """The resourceVersion is the precondition, and an empty holder is written, not left out."""
    patch = patch_of(record().released(LATER), "77")
    assert patch["metadata"] == {"resourceVersion": "77"}
    assert patch["spec"]["holderIdentity"] == ""
    assert patch["spec"]["leaseTransitions"] == 4


def test_a_patch_leaves_alone_what_we_do_not_know() -> None:
    """Fields of others (`strategy`, `preferredHolder`) are neither read nor written."""
    stored = {
        "metadata": {"name": "l", "resourceVersion": "7", "labels": {"a": "b"}},
        "spec": {"holderIdentity": "a", "strategy": "OldestEmulationVersion", "preferredHolder": "b"},
    }
    lease = msgspec.convert(stored, StoredLease)
    assert lease.version == "7"
    assert lease.spec == LeaseRecord(holder_identity="a")
    assert patch_of(lease.spec, lease.version)["spec"] == {"holderIdentity": "a"}


@pytest.mark.parametrize("spec", [{}, {"spec": {}}], ids=["none", "empty"])
def test_a_lease_without_a_record(spec: dict[str, Any]) -> None:
    """One that somebody made by hand has no holder."""
    assert msgspec.convert({"metadata": {"resourceVersion": "1"}, **spec}, StoredLease).spec == LeaseRecord()


def test_a_lease_of_another_shape() -> None:
    """What is no Lease is an error and no Lease without a holder."""
    with pytest.raises(msgspec.ValidationError, match="holderIdentity"):
        msgspec.convert({"metadata": {}, "spec": {"holderIdentity": 5}}, StoredLease)


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00.000000Z"),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "2026-12-31T23:59:59.999999Z"),
        (NOW, "2026-03-04T05:06:07.000089Z"),
    ],
)
def test_micro_time(moment: datetime, written: str) -> None:
    """All six digits are there, a whole second's too: a reader that insists on them would fail otherwise."""
    assert micro_time(moment) == written


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 1, 1)))  # noqa: DTZ001 - UTC is added
def test_micro_time_is_read_back(naive: datetime) -> None:
    """Every time has Kubernetes' form and is the same when read."""
    moment = naive.replace(tzinfo=UTC)
    written = micro_time(moment)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", written)
    assert datetime.fromisoformat(written) == moment


HOLDERS = st.sampled_from(["a", "b", "c"])
DEEDS = st.lists(st.tuples(st.sampled_from(["taken", "renewed", "released"]), HOLDERS), max_size=20)


@given(DEEDS)
def test_transitions_count_changes_of_hands(deeds: list[tuple[str, str]]) -> None:
    """Through any life of a Lease the count never falls, and grows by one with each new holder."""
    lease, holder, transitions = LeaseRecord(), "", 0
    for deed, identity in deeds:
        if deed == "taken":
            transitions += holder != identity
            lease, holder = lease.taken(identity, SETTINGS, NOW), identity
        elif holder:
            lease = lease.renewed(SETTINGS, LATER) if deed == "renewed" else lease.released(LATER)
            holder = "" if deed == "released" else holder
        assert (lease.holder_identity or "") == holder
        assert (lease.lease_transitions or 0) == transitions
        assert lease.lease_duration_seconds is None or lease.lease_duration_seconds > 0
