"""The operator as Helm installs it: one of two pods works, and tenants notice neither an upgrade nor its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sandbox.errors import SandboxError
from sandbox.helm import tell_helm
from sandbox.operator import pods

from .conftest import LIMIT, NAMESPACE, SESSION, condition, until

if TYPE_CHECKING:
    from .conftest import Operator, SandboxCommand, Tenant

pytestmark = [pytest.mark.root, pytest.mark.parametrize("operator", ["pods"], indirect=True, scope="module")]
INTO = f"--namespace={pods.NAMESPACE}"
DEPLOYMENT = f"deployment/{pods.RELEASE}"
OURS = f"--selector=app.kubernetes.io/instance={pods.RELEASE}"
ROLE = ("clusterrole", pods.RELEASE)


def rendered(*values: str) -> dict[str, dict[str, Any]]:
    """The chart's objects by kind, with these values; of several of a kind the last."""
    text = tell_helm("template", pods.RELEASE, pods.CHARTS / pods.RELEASE, INTO, *(f"--set={one}" for one in values))
    return {one["kind"]: one for one in yaml.safe_load_all(text) if one}


def names(management: SandboxCommand) -> set[str]:
    """The operator's pods."""
    found = management.kubectl("get", "pods", INTO, OURS, "--output=jsonpath={.items[*].metadata.name}")
    return set(found.split())


def leader(management: SandboxCommand) -> str:
    """The pod that holds the Lease; empty when nobody does."""
    holder = management.kubectl("get", "lease/kamaji.clastix.io", INTO, "--output=jsonpath={.spec.holderIdentity}")
    return holder.rpartition("_")[0]


def state(management: SandboxCommand) -> tuple[str, ...]:
    """What a rollout, a write or a restart of a tenant would change."""
    uids = "--output=jsonpath={.items[*].metadata.uid}"
    versions = "--output=jsonpath={range .items[*]}{.metadata.name}:{.metadata.resourceVersion} {end}"
    inside = f"--namespace={NAMESPACE}"
    return (
        management.kubectl("get", "pods", inside, uids),
        management.kubectl("get", "tenantcontrolplanes,secrets,configmaps,services", inside, versions),
        management.kubectl("get", "deployments", inside, "--output=jsonpath={.items[*].metadata.generation}"),
    )


def test_of_two_pods_one_leads(tenant: Tenant, management: SandboxCommand) -> None:
    """And the other does as soon as that one is deleted."""
    assert tenant.kubectl("get", "--raw", "/readyz") == "ok"
    first = leader(management)
    assert first in names(management)
    assert len(names(management)) == 2
    management.kubectl("delete", "pod", first, INTO)
    until(lambda: leader(management) in names(management) - {first}, "the other one to lead", limit=10)
    management.kubectl("rollout", "status", DEPLOYMENT, INTO, f"--timeout={LIMIT}s")


def test_they_are_nobody_and_write_nowhere(management: SandboxCommand, operator: Operator) -> None:
    """Whatever may run in them."""
    assert operator
    script = "id -u; touch /opt/kamaji/x /x 2>&1; echo; grep CapEff /proc/self/status"
    said = management.kubectl("exec", DEPLOYMENT, INTO, "--", "sh", "-c", script)
    assert said.splitlines()[0] == "65532"
    assert said.count("Read-only file system") == 2
    assert int(said.split()[-1], 16) == 0


def test_metrics_are_a_service(management: SandboxCommand, operator: Operator) -> None:
    """Under a name that a Prometheus can be told."""
    assert operator
    url = f"http://{pods.RELEASE}-metrics-service.{pods.NAMESPACE}.svc:8080/metrics"
    assert "kamaji_build_info" in management.execute("busybox", "wget", "-q", "-O-", url).stdout


def test_its_role_has_no_wildcard(tenant: Tenant, management: SandboxCommand) -> None:
    """That nothing is missing is asserted after every module that runs with pods."""
    assert tenant
    rules = json.loads(management.kubectl("get", *ROLE, "--output=json"))["rules"]
    assert not [rule for rule in rules if "*" in str(rule)]


def test_an_upgrade_rolls_no_tenant(tenant: Tenant, management: SandboxCommand, operator: Operator) -> None:
    """The operator's own pods are others then; nothing of a tenant is written."""
    tenant.kubectl("get", "namespaces")
    until(lambda: leader(management) in names(management), "one to lead")
    before, pods_before = state(management), names(management)
    pods.install(print, "log.level=debug", "maxConcurrentBoots=3")
    until(lambda: not pods_before & names(management), "the old ones to go")
    until(lambda: leader(management) in names(management), "a new one to lead")
    until(lambda: SESSION in operator.log(), "it to have looked at the tenant")
    assert state(management) == before


def test_plugins_are_chosen(tenant: Tenant, management: SandboxCommand) -> None:
    """Those that are not named are as if they were not installed: what they made stays."""
    pods.install(print, "plugins.enabled={datastore-etcd,addon-coredns}")
    listed = management.kubectl("exec", DEPLOYMENT, INTO, "--", "kamaji", "plugins")
    states = {line.split()[0]: line for line in listed.splitlines()[1:]}
    assert "disabled" in states["addon-kubeproxy"]
    assert [name for name, line in states.items() if " ok" in line] == ["addon-coredns", "datastore-etcd"]
    until(lambda: "brings" in condition(tenant, "AddonsReady")["message"], "the tenant to be told")
    assert "daemonset.apps/kube-proxy" in tenant.kubectl("get", "daemonsets", "--all-namespaces", "--output=name")
    pods.install(print)
    until(lambda: condition(tenant, "AddonsReady")["status"] == "True", "it to be well again")


def test_an_end_keeps_tenants(tenant: Tenant, management: SandboxCommand, operator: Operator) -> None:
    """`helm uninstall` says so; and when it is installed again, there is nothing to do."""
    until(lambda: SESSION in operator.log(), "it to have looked at the tenant")
    before = state(management)
    said = pods.uninstall()
    assert "kept" in said
    assert "customresourcedefinition" in said.lower()
    assert state(management) == before
    assert tenant.kubectl("get", "--raw", "/readyz") == "ok"
    until(lambda: not names(management), "its pods to be gone")
    # They could not give it up, their rights having gone first: the next ones would wait 15 seconds for it to end.
    management.kubectl("delete", "lease/kamaji.clastix.io", INTO)
    operator.start()
    until(lambda: SESSION in operator.log(), "it to have looked at the tenant")
    assert state(management) == before


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("replicaCount=two", "/replicaCount"),
        ("replicas=2", "replicas"),
        ("log.level=loud", "/log/level"),
        ("plugins.enabled=etcd", "/plugins/enabled"),
        ("imagePullSecrets={registry}", "/imagePullSecrets/0"),
    ],
)
def test_a_wrong_value_is_named(operator: Operator, value: str, named: str) -> None:
    """Before anything is installed."""
    assert operator
    with pytest.raises(SandboxError, match=named):
        rendered(value)


def test_pull_secrets_reach_the_pods(operator: Operator) -> None:
    """Kamaji's chart hands them to the service account alone; a pod of another account would pull nothing."""
    assert operator
    found = rendered("imagePullSecrets[0].name=registry")
    for spec in (found["Deployment"]["spec"]["template"]["spec"], found["ServiceAccount"]):
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
