"""The sandbox is a real cluster: its pods run, find each other by name, and reach the tenants' store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from kamaji_core.pki import read_kubeconfig

from .conftest import server_pids, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import SandboxCommand

pytestmark = pytest.mark.root

NAMESPACE = "sandbox-test"
WEB = {"app": "web"}
CONTAINER = {
    "name": "web",
    "image": "kamaji.sandbox/busybox:1",
    "command": ["sh", "-c", "mkdir /www && echo hello >/www/index.html && exec httpd -f -p 8080 -h /www"],
    "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}},
    "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
}
OBJECTS = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": WEB},
            "template": {
                "metadata": {"labels": WEB},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [CONTAINER]},
            },
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {"selector": WEB, "ports": [{"port": 80, "targetPort": 8080}]},
    },
]


@pytest.fixture(scope="module")
def pod(sandbox: SandboxCommand) -> Iterator[str]:
    """A pod of a Deployment of two behind a Service, all of them ready."""
    sandbox.kubectl("apply", "-f", "-", sends=yaml.safe_dump_all(OBJECTS))
    sandbox.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/web", "--timeout=60s")
    yield sandbox.kubectl("-n", NAMESPACE, "get", "pods", "-o", "name").split()[0]
    sandbox.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_everything_is_well(sandbox: SandboxCommand) -> None:
    """Each server serves and the node is Ready."""
    answer = json.loads(sandbox.run("status", "--json").stdout)
    assert answer["well"] is True
    assert {"etcd", "etcd-tenants", "kubelet", "node"} <= {server["name"] for server in answer["servers"]}


def test_up_again_changes_nothing(sandbox: SandboxCommand) -> None:
    """No server is started anew when all are well."""
    before = server_pids(sandbox)
    sandbox.run("up")
    assert server_pids(sandbox) == before


def test_a_pod_resolves_a_service_and_reaches_it(sandbox: SandboxCommand, pod: str) -> None:
    """By its short name, and by its full one through the Service's address, more often than there are pods."""

    def answer(name: str, *, check: bool = True) -> str:
        fetch = ("exec", pod, "--", "wget", "-q", "-O", "-", f"http://{name}/")
        return sandbox.kubectl("-n", NAMESPACE, *fetch, check=check)

    # kube-proxy has its rules a moment after the pods are ready; until then the Service refuses.
    until(lambda: answer("web", check=False) == "hello\n", "the Service to answer", limit=10)
    for name in ("web", f"web.{NAMESPACE}.svc.cluster.local", "web", "web"):
        assert answer(name) == "hello\n"


def test_a_pod_reaches_the_api_and_the_store(sandbox: SandboxCommand, pod: str) -> None:
    """The two Services that a tenant's control plane depends on accept connections."""
    for name, port in (("kubernetes.default.svc", "443"), ("etcd.kamaji-system.svc", "2379")):
        sandbox.kubectl("-n", NAMESPACE, "exec", pod, "--", "sh", "-c", f"nc -w 2 {name} {port} </dev/null")


def test_a_pod_is_limited(sandbox: SandboxCommand, pod: str) -> None:
    """Its memory limit stands in a cgroup of the sandbox."""
    uid = sandbox.kubectl("-n", NAMESPACE, "get", pod, "-o", "jsonpath={.metadata.uid}")
    limits = Path("/sys/fs/cgroup").glob(f"**/kamaji-sandbox/**/pod{uid}/*memory*limit_in_bytes")
    limits_2 = Path("/sys/fs/cgroup").glob(f"kamaji-sandbox/**/pod{uid}/memory.max")
    assert str(64 * 2**20) in {path.read_text().strip() for path in (*limits, *limits_2)}


def test_logs_are_shown(sandbox: SandboxCommand, pod: str) -> None:
    """kubelet's certificate is one that the API server trusts."""  # noqa: D403 - the program's name
    sandbox.kubectl("-n", NAMESPACE, "logs", pod)


def test_the_host_reaches_a_service(sandbox: SandboxCommand, pod: str) -> None:
    """A Service's address answers outside of the sandbox's namespaces too."""
    address = sandbox.kubectl("-n", NAMESPACE, "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{address}/", timeout=10) as answer:
        assert answer.read() == b"hello\n"


def test_a_command_inside_resolves_services(sandbox: SandboxCommand, pod: str) -> None:
    """`name.namespace.svc` is enough, and what is not in the cluster is refused at once."""
    assert f"web.{NAMESPACE}.svc" in sandbox.execute("getent", "hosts", f"web.{NAMESPACE}.svc").stdout
    assert sandbox.execute("getent", "hosts", "example.org", check=False).returncode == 2


def test_a_command_inside_keeps_its_exit_code(sandbox: SandboxCommand) -> None:
    """Also one that no error of ours has."""
    assert sandbox.execute("sh", "-c", "exit 42", check=False).returncode == 42


def test_a_command_inside_gets_its_signals(sandbox: SandboxCommand) -> None:
    """The command is the process that was started: nobody stands between."""
    argv = [
        sys.executable,
        "-m",
        "sandbox",
        "exec",
        "--",
        "sh",
        "-c",
        "trap 'exit 9' TERM; echo; while :; do sleep 1; done",
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 9


def test_the_store_wants_certificates_and_knows_root(sandbox: SandboxCommand) -> None:
    """The Secret's certificate is root's; without one nobody gets in."""
    directory = Path("/var/lib/kamaji-sandbox/pki")
    etcdctl = ("etcdctl", "--endpoints=https://etcd.kamaji-system.svc:2379", f"--cacert={directory}/store.crt")
    root = (f"--cert={directory}/store-root.crt", f"--key={directory}/store-root.key")
    assert "Authentication Status: true" in sandbox.execute(*etcdctl, *root, "auth", "status").stdout
    assert sandbox.execute(*etcdctl, "--command-timeout=2s", "get", "a", check=False).returncode != 0


def test_the_kubeconfig_works_on_the_host(sandbox: SandboxCommand) -> None:
    """What `kubeconfig` prints is the file that `--path` names."""
    path = Path(sandbox.run("kubeconfig", "--path").stdout.strip())
    printed = sandbox.run("kubeconfig").stdout
    assert path.read_text() == printed
    assert read_kubeconfig(printed.encode()).server == "https://10.213.0.2:6443"
    kubectl = str(Path(sys.executable).parent / "kubectl")
    subprocess.run([kubectl, f"--kubeconfig={path}", "get", "nodes"], check=True, capture_output=True, timeout=30)


def test_requests_are_counted_by_user(sandbox: SandboxCommand) -> None:
    """The administrator's own request is among them."""
    sandbox.kubectl("get", "namespaces")
    counts = json.loads(sandbox.run("requests", "--since", "60", "--json").stdout)
    assert any(one["user"] == "kubernetes-admin" and one["resource"] == "namespaces" for one in counts)


def test_what_died_is_started_again(sandbox: SandboxCommand) -> None:
    """`status` names the dead, `up` brings them back with their data, and the others are left alone."""
    before = server_pids(sandbox)
    for name in ("kube-scheduler", "etcd-tenants"):
        end(before[name])
    answer = sandbox.run("status", check=False)
    assert answer.returncode == 1
    assert answer.stdout.count("NOT WELL: its process has ended") == 2
    sandbox.run("up")
    after = server_pids(sandbox)
    changed = {name for name, pid in after.items() if pid != before[name]}
    assert changed == {"kube-scheduler", "etcd-tenants"}


def end(pid: int) -> None:
    """Kill a process and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
