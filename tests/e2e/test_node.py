"""A machine joins a tenant with the real kubeadm, and pods run there as in any cluster."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.testing import free_port
from sandbox.images import BUSYBOX

from .conftest import LIMIT, NAMESPACE, SESSION, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Operator, SandboxCommand, Tenant

pytestmark = pytest.mark.root
NAME = "noded"
NODE = f"{NAME}-1"
SYSTEM = "--namespace=kube-system"
DNS = "--selector=k8s-app=kube-dns"
WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": "web",
                        "image": BUSYBOX,
                        "imagePullPolicy": "Never",
                        "command": ["sh", "-c", "echo it serves; hostname > /tmp/index.html; exec httpd -f -h /tmp"],
                        "readinessProbe": {"httpGet": {"path": "/index.html", "port": 80}},
                    }
                ],
            },
        },
    },
}


@pytest.fixture(scope="module")
def noded(management: SandboxCommand, make_tenant: Callable[..., Tenant]) -> Iterator[Tenant]:
    """A tenant with add-ons and one machine."""
    tenant = make_tenant("noded", addons={"coreDNS": {}, "kubeProxy": {}})
    management.kubectl(
        "wait", "tcp/noded", f"--namespace={NAMESPACE}", "--for=condition=AddonsReady", f"--timeout={LIMIT}s"
    )
    management.run("node", "add", "noded", f"--namespace={NAMESPACE}")
    yield tenant
    management.run("node", "remove", NODE)


def wait_until_ready(tenant: Tenant) -> None:
    """The machine's Node is there, a moment after kubeadm has ended, and Ready."""
    for what in ("create", "condition=Ready"):
        tenant.kubectl("wait", f"node/{NODE}", f"--for={what}", f"--timeout={LIMIT}s")


def running(tenant: Tenant, *selected: str) -> list[str]:
    """Names of the pods that are Ready."""
    pods = json.loads(tenant.kubectl("get", "pods", *selected, "--output=json"))["items"]
    return [
        pod["metadata"]["name"]
        for pod in pods
        if any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
    ]


@pytest.fixture(scope="module")
def web(noded: Tenant) -> list[str]:
    """Three pods behind a Service."""
    noded.kubectl("apply", "--filename=-", sends=json.dumps(WEB))
    noded.kubectl("expose", "deployment", "web", "--port=80")
    noded.kubectl("rollout", "status", "deployment/web", f"--timeout={LIMIT}s")
    return running(noded, "--selector=app=web")


def test_the_node_is_ready(noded: Tenant) -> None:
    """With the tenant's version, and its client certificate approved by the tenant's own controllers."""
    wait_until_ready(noded)
    node = json.loads(noded.kubectl("get", "node", NODE, "--output=json"))
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.37.1"


def test_the_addons_run_there(noded: Tenant) -> None:
    """CoreDNS and kube-proxy, as pods of the tenant."""
    noded.kubectl("rollout", "status", "daemonset/kube-proxy", SYSTEM, f"--timeout={LIMIT}s")
    noded.kubectl("rollout", "status", "deployment/coredns", SYSTEM, f"--timeout={LIMIT}s")
    assert running(noded, SYSTEM, "--selector=k8s-app=kube-proxy")


def answer(tenant: Tenant, pod: str) -> str:
    """What the Service says to a pod that asks it by its name; empty when it says nothing."""
    command = ("exec", pod, "--", "sh", "-c", "wget -q -O- http://web.default.svc.cluster.local || true")
    return tenant.kubectl(*command).strip()


def test_pods_and_their_service_answer(noded: Tenant, web: list[str]) -> None:
    """By the Service's name, which the tenant's DNS resolves, under its virtual address."""
    assert len(web) == 3
    # Rules and names reach the machine a moment after the pods are there.
    until(lambda: answer(noded, web[0]) in web, "the Service to answer by its name")
    answers = {answer(noded, web[0]) for _ in range(12)}
    assert answers <= set(web)
    assert len(answers) > 1


def test_a_deleted_addon_comes_back(noded: Tenant) -> None:
    """Though it was the tenant's administrator who deleted it, and its pods run again."""
    before = set(running(noded, SYSTEM, DNS))
    noded.kubectl("delete", "deployment", "coredns", SYSTEM)
    until(lambda: "coredns" in noded.kubectl("get", "deployments", SYSTEM, "--output=name"), "CoreDNS", limit=5)
    until(lambda: set(running(noded, SYSTEM, DNS)) - before, "its new pods to run")


def test_an_edited_configuration_comes_back(noded: Tenant) -> None:
    """What kube-proxy is told is nobody's to change but by the specification."""
    wanted = configuration(noded, "kube-proxy")
    patch = json.dumps({"data": {"config.conf": "mode: userspace"}})
    noded.kubectl("patch", "configmap", "kube-proxy", SYSTEM, "--type=merge", f"--patch={patch}")
    until(lambda: configuration(noded, "kube-proxy") == wanted, "the configuration", limit=5)


def test_a_users_own_corefile_stays(noded: Tenant, web: list[str], operator: Operator) -> None:
    """It is the users' as soon as they write it, through an operator's restart too, and names resolve by it."""
    text = configuration(noded, "coredns")["Corefile"]
    own = text.replace(
        "    ready\n", "    ready\n    hosts {\n        192.0.2.9 mine.example\n        fallthrough\n    }\n"
    )
    assert own != text
    patch = json.dumps({"data": {"Corefile": own}})
    noded.kubectl("patch", "configmap", "coredns", SYSTEM, "--type=merge", f"--patch={patch}")
    noded.kubectl("rollout", "restart", "deployment/coredns", SYSTEM)
    operator.start()
    until(lambda: any(SESSION in line and NAME in line for line in operator.log().splitlines()), "its session")
    noded.kubectl("rollout", "status", "deployment/coredns", SYSTEM, f"--timeout={LIMIT}s")
    ask = ("exec", web[0], "--", "sh", "-c", "nslookup mine.example || true")
    until(lambda: "192.0.2.9" in noded.kubectl(*ask), "the user's own name to resolve")
    assert configuration(noded, "coredns")["Corefile"] == own


def configuration(tenant: Tenant, name: str) -> dict[str, str]:
    """What a ConfigMap of an add-on says."""
    return dict(json.loads(tenant.kubectl("get", "configmap", name, SYSTEM, "--output=json"))["data"])


def test_logs_come(noded: Tenant, web: list[str]) -> None:
    """Over the direct route from the tenant's API server to the machine."""
    assert noded.kubectl("logs", web[0]).strip() == "it serves"


def test_a_port_is_forwarded(noded: Tenant, web: list[str]) -> None:
    """The same route, upgraded."""
    port = free_port()
    kubectl = (str(Path(sys.executable).parent / "kubectl"), f"--kubeconfig={noded.kubeconfig}")
    with subprocess.Popen([*kubectl, "port-forward", f"pod/{web[0]}", f"{port}:80"], stdout=subprocess.PIPE) as forward:
        try:
            assert forward.stdout is not None
            assert b"Forwarding" in forward.stdout.readline()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=20) as answer:
                assert answer.read().decode().strip() == web[0]
        finally:
            forward.terminate()


def test_a_node_leaves_and_joins_again(noded: Tenant, management: SandboxCommand, web: list[str]) -> None:
    """Taken away and forgotten, it comes back under the same name."""
    assert web
    management.run("node", "remove", NODE)
    noded.kubectl("delete", "node", NODE)
    began = time.monotonic()
    management.run("node", "add", "noded", f"--namespace={NAMESPACE}", f"--name={NODE}")
    wait_until_ready(noded)
    print(f"\n  joined again after {time.monotonic() - began:.1f} s")  # noqa: T201 - a figure for whoever looks
    until(lambda: len(running(noded, "--selector=app=web")) == 3, "the pods to run again")
