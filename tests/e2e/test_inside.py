"""Inside a tenant's cluster: what kubeadm leaves there and the add-ons are made, kept and removed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from .conftest import LIMIT, NAMESPACE, SESSION, condition, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Operator, SandboxCommand, Tenant

pytestmark = pytest.mark.root
ADDONS: dict[str, Any] = {"coreDNS": {}, "kubeProxy": {}}


@pytest.fixture(scope="module")
def inside(management: SandboxCommand, make_tenant: Callable[..., Tenant]) -> Tenant:
    """A tenant with add-ons."""
    tenant = make_tenant("inside", addons=ADDONS)
    management.kubectl(
        "wait", "tcp/inside", f"--namespace={NAMESPACE}", "--for=condition=AddonsReady", f"--timeout={LIMIT}s"
    )
    return tenant


def names(tenant: Tenant, kind: str) -> set[str]:
    """What of a kind is in kube-system."""
    return set(tenant.kubectl("get", kind, "--namespace=kube-system", "--output=name").split())


def test_its_conditions_say_so(inside: Tenant) -> None:
    """With the generation that is carried out, and the add-ons at Kamaji's paths."""
    assert condition(inside, "Bootstrapped")["status"] == "True"
    addons = condition(inside, "AddonsReady")
    assert (addons["status"], addons["observedGeneration"]) == ("True", inside.object()["metadata"]["generation"])
    status = inside.object()["status"]["addons"]
    assert [status[name]["enabled"] for name in ADDONS] == [True, True]


def test_its_administrator_has_rights(inside: Tenant, management: SandboxCommand) -> None:
    """admin.conf is of a group that gets them from an object of ours."""
    command = ("kamaji", "kubeconfig", f"--namespace={NAMESPACE}", "--key=admin.conf", "inside")
    content = management.execute(*command).stdout
    user = yaml.safe_load(content)["users"][0]["name"]
    assert user == "kubernetes-admin"
    can = ("auth", "can-i", "*", "*", f"--as={user}", "--as-group=kubeadm:cluster-admins")
    assert inside.kubectl(*can).strip() == "yes"


def test_a_token_joins(inside: Tenant, management: SandboxCommand) -> None:
    """The line is one that kubeadm takes, and the tenant's controller manager has signed cluster-info for the token."""
    line = management.execute("kamaji", "token", "create", f"--namespace={NAMESPACE}", "--ttl=1h", "inside").stdout
    pattern = r"kubeadm join \S+:6443 --token (\w{6})\.\w{16} --discovery-token-ca-cert-hash sha256:[0-9a-f]{64}\n"
    match = re.fullmatch(pattern, line)
    assert match, line

    def is_signed() -> bool:
        found = json.loads(inside.kubectl("get", "cm", "cluster-info", "--namespace=kube-public", "--output=json"))
        return f"jws-kubeconfig-{match[1]}" in found["data"]

    until(is_signed, "the signature")


def test_a_deleted_addon_comes_back(inside: Tenant) -> None:
    """Whoever deletes it, and at once."""
    inside.kubectl("delete", "deployment", "coredns", "--namespace=kube-system")
    until(lambda: "deployment.apps/coredns" in names(inside, "deployment"), "CoreDNS", limit=5)


def test_an_operator_that_starts_again_changes_nothing(inside: Tenant, operator: Operator) -> None:
    """Neither inside, where the tenant's own controllers write into the same objects, nor in the status."""
    kinds = "configmap,deployment,daemonset,service,serviceaccount,role,rolebinding"
    ours = "{.metadata.managedFields[?(@.manager=='kamaji')].time}"
    written = f"--output=jsonpath={{range .items[*]}}{{.kind}}/{{.metadata.name}}:{ours} {{end}}"
    selected = ("get", kinds, "--namespace=kube-system", "--selector=kamaji.clastix.io/project=kamaji", written)
    inside.kubectl("rollout", "status", "daemonset/kube-proxy", "--namespace=kube-system", f"--timeout={LIMIT}s")
    before = inside.kubectl(*selected), inside.object()["metadata"]["resourceVersion"]
    operator.start()
    until(lambda: any(SESSION in line and '"inside"' in line for line in operator.log().splitlines()), "its session")
    assert (inside.kubectl(*selected), inside.object()["metadata"]["resourceVersion"]) == before


def test_an_addon_that_is_turned_off_goes(inside: Tenant, management: SandboxCommand) -> None:
    """And nothing of the other one."""
    patch = json.dumps({"spec": {"addons": {"coreDNS": None}}})
    management.kubectl("patch", "tcp", "inside", f"--namespace={NAMESPACE}", "--type=merge", f"--patch={patch}")
    until(lambda: "deployment.apps/coredns" not in names(inside, "deployment"), "CoreDNS to go")
    until(lambda: "service/kube-dns" not in names(inside, "service"), "its Service to go")
    until(lambda: not inside.object()["status"]["addons"]["coreDNS"]["enabled"], "its status")
    assert "daemonset.apps/kube-proxy" in names(inside, "daemonset")
