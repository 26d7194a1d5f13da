"""A tenant on real programs: it comes up, its control plane does its work, and it goes without a trace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sandbox.store import etcdctl

from .conftest import LIMIT, NAMESPACE, until

if TYPE_CHECKING:
    from .conftest import Operator, SandboxCommand, Tenant

pytestmark = pytest.mark.root


def test_the_tenants_api_server_answers(tenant: Tenant) -> None:
    """From the host, with the kubeconfig that a user downloads."""
    assert tenant.kubectl("get", "--raw", "/readyz") == "ok"
    version = json.loads(tenant.kubectl("version", "--output=json"))
    assert version["serverVersion"]["gitVersion"] == "v1.37.1"


def test_it_answers_under_its_service_name(tenant: Tenant, management: SandboxCommand) -> None:
    """Inside the management cluster, as a pod there would ask: the certificate holds the name."""
    inside = management.execute(
        "kamaji", "kubeconfig", f"--namespace={NAMESPACE}", "--key=super-admin.svc", "shop"
    ).stdout
    assert "server: https://shop.tenant-test.svc:6443" in inside
    script = "cat >/dev/shm/shop.svc && kubectl --kubeconfig /dev/shm/shop.svc get --raw /readyz; rm /dev/shm/shop.svc"
    assert management.execute("sh", "-c", script, sends=inside).stdout == "ok"


def test_its_controller_manager_works(tenant: Tenant) -> None:
    """A new namespace gets its default ServiceAccount and the root certificates."""
    tenant.kubectl("create", "namespace", "fresh")
    until(lambda: "default" in tenant.kubectl("get", "serviceaccounts", "--namespace=fresh"), "the ServiceAccount")
    until(lambda: "kube-root-ca.crt" in tenant.kubectl("get", "configmaps", "--namespace=fresh"), "the certificates")


def test_its_scheduler_works(tenant: Tenant) -> None:
    """Without nodes, a pod is told to be unschedulable."""
    until(lambda: "default" in tenant.kubectl("get", "serviceaccounts"), "the default ServiceAccount")
    tenant.kubectl("run", "waiting", "--image=example.org/none:1")
    condition = "--for=jsonpath={.status.conditions[0].reason}=Unschedulable"
    tenant.kubectl("wait", "pod/waiting", condition, f"--timeout={LIMIT}s")


def test_tokens_are_signed_with_its_own_key(tenant: Tenant) -> None:
    """A ServiceAccount's token logs in, and says who it is."""
    token = tenant.kubectl("create", "token", "default").strip()
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token},
    }
    answer = json.loads(tenant.kubectl("create", "--filename=-", "--output=json", sends=json.dumps(review)))
    assert answer["status"]["user"]["username"] == "system:serviceaccount:default:default"


def test_its_pods_restart_nothing(tenant: Tenant, management: SandboxCommand) -> None:
    """No container had to be started twice, and the Deployment was written once."""
    pods = json.loads(management.kubectl("get", "pods", f"--namespace={NAMESPACE}", "--output=json"))["items"]
    restarts = [status["restartCount"] for pod in pods for status in pod["status"]["containerStatuses"]]
    assert restarts == [0, 0, 0]
    deployment = json.loads(
        management.kubectl("get", "deployment", "shop", f"--namespace={NAMESPACE}", "--output=json")
    )
    assert deployment["metadata"]["generation"] == 1


def test_its_keys_stay_in_its_own_range(tenant: Tenant) -> None:
    """Everything that it stored lies below its prefix; the store's other keys are owners' records."""
    schema = tenant.object()["status"]["storage"]["setup"]["schema"]
    keys = [line for line in etcdctl("get", "--prefix", "", "--keys-only").splitlines() if line]
    assert any(key.startswith(f"/{schema}/") for key in keys)


def test_a_restart_of_the_operator_changes_nothing(tenant: Tenant, operator: Operator) -> None:
    """The tenant's object is not written, its pods go on."""
    before = tenant.object()["metadata"]["resourceVersion"]
    operator.start()
    assert tenant.object()["metadata"]["resourceVersion"] == before
    assert tenant.kubectl("get", "--raw", "/readyz") == "ok"


def test_a_deleted_tenant_leaves_nothing(tenant: Tenant, management: SandboxCommand) -> None:
    """No object, no pod, no etcd key, user or role. Runs last: it takes the tenant of the tests above."""
    schema = tenant.object()["status"]["storage"]["setup"]["schema"]
    management.kubectl("delete", "tcp", "shop", f"--namespace={NAMESPACE}", f"--timeout={LIMIT}s")
    assert schema not in etcdctl("get", "--prefix", "", "--keys-only")
    assert schema not in etcdctl("user", "list")
    assert schema not in etcdctl("role", "list")

    def leftovers() -> str:
        kinds = "pods,replicasets,deployments,services,secrets,configmaps"
        names = management.kubectl("get", kinds, f"--namespace={NAMESPACE}", "--output=name")
        return names.replace("configmap/kube-root-ca.crt", "").strip()

    until(lambda: leftovers() == "", "everything to be collected")
