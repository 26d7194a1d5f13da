"""What is read from metrics and from the operator's connections."""

from __future__ import annotations

from bench.consumption import Connection
from bench.inside.sessions import by_tenant, writes_in
from bench.inside.standing import standing, standing_in
from bench.prometheus import samples

METRICS = """\
# HELP apiserver_request_total Requests.
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",resource="configmaps",subresource="",verb="APPLY"} 5
apiserver_request_total{code="201",resource="configmaps",subresource="",verb="APPLY"} 2
apiserver_request_total{code="200",resource="configmaps",subresource="",verb="LIST"} 70
apiserver_request_total{code="200",resource="leases",subresource="",verb="PUT"} 1.2e+01
apiserver_request_total_other{code="200",resource="configmaps",verb="APPLY"} 9
kamaji_tenant_sessions{state="standing"} 3.0
kamaji_tenant_sessions{state="trying"} 1.0
"""


def test_samples_are_of_one_metric_alone() -> None:
    """One whose name goes on is another."""
    found = list(samples(METRICS, "apiserver_request_total"))
    assert len(found) == 4
    assert found[0] == ({"code": "200", "resource": "configmaps", "subresource": "", "verb": "APPLY"}, 5.0)
    assert list(samples("up 1\n", "up")) == [({}, 1.0)]


def test_writes_are_counted_but_for_the_servers_own() -> None:
    """Over all codes; reading is no writing, and a Lease is nobody's."""
    assert writes_in(METRICS) == {"APPLY configmaps": 7}


def test_sessions_that_try_do_not_stand() -> None:
    """An operator that does not answer has none."""
    assert standing_in(METRICS) == 3
    assert standing_in("") == 0
    assert standing("http://127.0.0.1:9/metrics") == 0


def test_connections_are_counted_by_tenant() -> None:
    """Those to others are not."""
    found = [
        Connection(port=port, peer=peer, peer_port=6443) for port, peer in ((1, "a"), (2, "a"), (3, "b"), (4, "x"))
    ]
    assert by_tenant(found, {"a": "one", "b": "two"}) == {"one": 2, "two": 1}
