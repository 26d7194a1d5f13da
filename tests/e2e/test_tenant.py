"""A tenant on real programs: it comes up, its control plane does its work, and it goes without a trace."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import kamaji_core
from sandbox import operator
from sandbox.store import etcdctl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import SandboxCommand

pytestmark = pytest.mark.root

ROOT = Path(__file__).parents[2]
DEFINITIONS = Path(kamaji_core.__file__).parent / "api" / "crds"
NAMESPACE = "tenant-test"
LIMIT = 120


class Tenant:
    """One tenant, seen from the management cluster and from inside."""

    def __init__(self, sandbox: SandboxCommand, name: str, kubeconfig: Path) -> None:
        self.name = name
        self._sandbox = sandbox
        self._kubeconfig = kubeconfig

    def object(self) -> dict[str, Any]:
        """The TenantControlPlane."""
        content = self._sandbox.kubectl("get", "tcp", self.name, f"--namespace={NAMESPACE}", "--output=json")
        return dict(json.loads(content))

    def kubectl(self, *arguments: str, sends: str = "") -> str:
        """Ask the tenant's API server from the host, as its administrator."""
        kubectl = Path(sys.executable).parent / "kubectl"
        argv = [str(kubectl), f"--kubeconfig={self._kubeconfig}", *arguments]
        result = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=LIMIT, input=sends)
        assert result.returncode == 0, result.stderr
        return result.stdout


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for a condition, but not for ever."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"waited {LIMIT} s in vain for {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def management(sandbox: SandboxCommand) -> Iterator[SandboxCommand]:
    """The sandbox with our definitions, the example DataStore and a running operator."""
    sandbox.kubectl("apply", "--server-side", f"--filename={DEFINITIONS}")
    sandbox.kubectl("wait", "--for=condition=Established", f"--filename={DEFINITIONS}", "--timeout=30s")
    sandbox.kubectl("apply", f"--filename={ROOT}/examples/datastore-etcd.yaml")
    sandbox.kubectl("create", "namespace", NAMESPACE)
    operator.start()
    yield sandbox
    sandbox.kubectl("delete", "namespace", NAMESPACE, f"--timeout={LIMIT}s")
    operator.stop()


@pytest.fixture(scope="module")
def tenant(management: SandboxCommand, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    """The example tenant, Ready, with the kubeconfig that a user gets."""
    manifest = yaml.safe_load((ROOT / "examples" / "tenant.yaml").read_text())
    manifest["metadata"] |= {"name": "shop", "namespace": NAMESPACE}
    management.kubectl("apply", "--filename=-", sends=yaml.safe_dump(manifest))
    management.kubectl("wait", "tcp/shop", f"--namespace={NAMESPACE}", "--for=condition=Ready", f"--timeout={LIMIT}s")
    content = management.execute("kamaji", "kubeconfig", f"--namespace={NAMESPACE}", "shop").stdout
    file = tmp_path_factory.mktemp("tenant") / "tenant.conf"
    file.write_text(content)
    return Tenant(management, "shop", file)


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


def test_a_restart_of_the_operator_changes_nothing(tenant: Tenant, management: SandboxCommand) -> None:
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
