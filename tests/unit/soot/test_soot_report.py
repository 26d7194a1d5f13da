"""What is told of a look changes when something is to be told, and not with each look."""

from __future__ import annotations

from typing import Any

import msgspec

from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.contracts import AppliedObject, Outcome
from kamaji_core.plugins import load_plugins
from kamaji_core.render import tenant_view
from kamaji_core.soot.apply import Look
from kamaji_core.soot.plan import Plan, plan
from kamaji_core.soot.report import state_of


def planned() -> Plan:
    """What a tenant with both add-ons wants."""
    raw = {
        "metadata": {"name": "shop", "namespace": "team", "uid": "u", "generation": 1},
        "spec": {
            "controlPlane": {"service": {"serviceType": "ClusterIP"}},
            "kubernetes": {"version": "v1.37.1", "kubelet": {}},
            "addons": {"coreDNS": {}, "kubeProxy": {}},
        },
    }
    tenant = msgspec.convert(raw, TenantControlPlane)
    view = tenant_view(tenant, endpoint="10.0.0.1:6443", ca_cert=b"PEM", secret_names={})
    return plan(tenant, view, endpoint="10.0.0.1:6443", ca_cert=b"PEM", addons=load_plugins().addons)


def look(wanted: Plan, **status: Any) -> Look:
    """All is there, with this status."""
    objects = {
        one.key: AppliedObject(
            manifest=one.object.manifest, outcome=Outcome.UNCHANGED, live={**one.object.manifest, "status": status}
        )
        for one in wanted.objects
    }
    return Look(objects=objects)


def test_pods_that_come_and_go_are_no_news() -> None:
    """A node more is a pod of kube-proxy more: nothing that the tenant's status would have to be written for."""
    wanted = planned()
    before = state_of(wanted, look(wanted, numberReady=1, desiredNumberScheduled=1, readyReplicas=1))
    after = state_of(wanted, look(wanted, numberReady=1, desiredNumberScheduled=2, readyReplicas=2))
    assert before == after
    assert before.addons is not None
    assert before.addons.sentence == "coreDNS is applied. kubeProxy is applied."
