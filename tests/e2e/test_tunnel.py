"""A machine that nobody can reach works through the tunnel, through it alone, and goes on when either end dies."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from kamaji_core.pki import CertificateRequest, Usage, issue_ca, issue_certificate
from kamaji_core.testing import free_port
from sandbox.images import BUSYBOX
from sandbox.node.machine import find

from . import tenant_server
from .conftest import AS_PROCESS, LIMIT, NAMESPACE, SESSION, condition, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Operator, SandboxCommand, Tenant

pytestmark = [pytest.mark.root, AS_PROCESS]
NAME = "hidden"
NODE = f"{NAME}-1"
SYSTEM = "--namespace=kube-system"
AGENTS = "--selector=k8s-app=konnectivity-agent"
OURS = f"--namespace={NAMESPACE}"
PODS = f"--selector=kamaji.clastix.io/name={NAME}"
BACK = 10.0
"""Seconds after which the tunnel works again when one of its ends was killed."""

GAP = 20.0
"""Seconds after which an agent has found a new server: it tries one a second, any of those that there are."""

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "web",
                "image": BUSYBOX,
                "imagePullPolicy": "Never",
                "command": ["sh", "-c", "echo it serves; echo hello > /tmp/index.html; exec httpd -f -h /tmp"],
            }
        ],
    },
}


@pytest.fixture(scope="module")
def hidden(management: SandboxCommand, make_tenant: Callable[..., Tenant]) -> Iterator[Tenant]:
    """A tenant without the tunnel, and a machine that lets nobody in."""
    tenant = make_tenant(NAME, addons={"kubeProxy": {}})
    management.run("node", "add", NAME, OURS, "--unreachable")
    tenant.kubectl("wait", f"node/{NODE}", "--for=create", f"--timeout={LIMIT}s")
    tenant.kubectl("wait", f"node/{NODE}", "--for=condition=Ready", f"--timeout={LIMIT}s")
    tenant.kubectl("apply", "--filename=-", sends=json.dumps(POD))
    tenant.kubectl("wait", "pod/web", "--for=condition=Ready", f"--timeout={LIMIT}s")
    yield tenant
    management.run("node", "remove", NODE)


def patch(sandbox: SandboxCommand, spec: dict[str, Any]) -> None:
    """Change what is asked for."""
    sandbox.kubectl("patch", "tcp", NAME, OURS, "--type=merge", f"--patch={json.dumps({'spec': spec})}")


def wait_for_agents(tenant: Tenant, kind: str = "daemonset") -> None:
    """They run, and have found a server."""
    tenant.kubectl("wait", f"{kind}/konnectivity-agent", SYSTEM, "--for=create", f"--timeout={LIMIT}s")
    tenant.kubectl("rollout", "status", f"{kind}/konnectivity-agent", SYSTEM, f"--timeout={LIMIT}s")


def wait_for_rest(sandbox: SandboxCommand) -> None:
    """The control plane's pods are as they are asked for."""
    sandbox.kubectl("rollout", "status", f"deployment/{NAME}", OURS, f"--timeout={LIMIT}s")


@pytest.fixture(scope="module")
def tunnel(hidden: Tenant, management: SandboxCommand) -> Tenant:
    """The same tenant, its tunnel on."""
    generation = deployment(management)["metadata"]["generation"]
    patch(management, {"addons": {"konnectivity": {"server": {"port": 8132}}}})
    until(lambda: deployment(management)["metadata"]["generation"] > generation, "the Deployment to change")
    wait_for_rest(management)
    wait_for_agents(hidden)
    until(lambda: logs(hidden) == "it serves", "the tunnel")
    return hidden


def deployment(sandbox: SandboxCommand) -> dict[str, Any]:
    """That of the control plane."""
    return dict(json.loads(sandbox.kubectl("get", "deployment", NAME, OURS, "--output=json")))


def command(tenant: Tenant, *arguments: str) -> list[str]:
    """A command line that asks the tenant's API server."""
    return [str(Path(sys.executable).parent / "kubectl"), f"--kubeconfig={tenant.kubeconfig}", *arguments]


def attempt(tenant: Tenant, *arguments: str, limit: float = 5.0) -> str:
    """What kubectl says; empty when it fails or takes too long."""
    argv = command(tenant, *arguments)
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=limit).stdout.strip()
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return ""


def logs(tenant: Tenant) -> str:
    """What the pod has said."""
    return attempt(tenant, "logs", "web")


def execute(tenant: Tenant) -> str:
    """What a command in the pod says."""
    return attempt(tenant, "exec", "web", "--", "echo", "inside")


def test_without_it_nothing_reaches_the_machine(hidden: Tenant) -> None:
    """So that what follows proves the tunnel: logs and commands come by no other way."""
    assert logs(hidden) == ""
    assert execute(hidden) == ""


def test_logs_and_commands_come(tunnel: Tenant) -> None:
    """The first through a request, the second through an upgraded one."""
    assert logs(tunnel) == "it serves"
    assert execute(tunnel) == "inside"


def test_a_port_is_forwarded(tunnel: Tenant) -> None:
    """To the pod's own server."""
    port = free_port()
    argv = command(tunnel, "port-forward", "pod/web", f"{port}:80")
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as forward:
        try:
            assert forward.stdout is not None
            assert b"Forwarding" in forward.stdout.readline()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=20) as answer:
                assert answer.read().decode().strip() == "hello"
        finally:
            forward.terminate()


@pytest.fixture(scope="module")
def server(hidden: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    """An HTTPS server on the machine, behind the Service `server`; gives its authority's certificate."""
    now = datetime.now(UTC)
    authority = issue_ca(common_name="server", now=now, lifetime=timedelta(days=1))
    names = frozenset({"server.default.svc"})
    request = CertificateRequest(common_name="server", usages=frozenset({Usage.SERVER}), names=names)
    pair = issue_certificate(request, ca=authority, now=now, lifetime=timedelta(days=1))
    file = tmp_path_factory.mktemp("server") / "server.pem"
    file.touch(mode=0o600)
    file.write_bytes(pair.certificate + pair.key)
    machine = find(NODE)
    ports = [{"name": "https", "port": 443, "targetPort": 8443, "protocol": "TCP"}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "server"}, "spec": {"ports": ports}}
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "server", "labels": {"kubernetes.io/service-name": "server"}},
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": 8443, "protocol": "TCP"}],
        "endpoints": [{"addresses": [machine.address], "conditions": {"ready": True}}],
    }
    argv = machine.inside(sys.executable, tenant_server.__file__, machine.address, "8443", file)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"serves\n"
            for manifest in (service, slice_):
                hidden.kubectl("apply", "--filename=-", sends=json.dumps(manifest))
            yield authority.certificate
        finally:
            process.terminate()


def test_an_aggregated_api_is_served(tunnel: Tenant, server: bytes) -> None:
    """As metrics-server's is: the API server finds it available, and hands requests on."""
    bundle = base64.b64encode(server).decode()
    group, version = tenant_server.GROUP, "v1"
    service = {"name": "server", "namespace": "default", "port": 443}
    manifest = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}"},
        "spec": {
            "group": group,
            "version": version,
            "service": service,
            "caBundle": bundle,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }
    tunnel.kubectl("apply", "--filename=-", sends=json.dumps(manifest))
    try:
        name = f"apiservice/{version}.{group}"
        tunnel.kubectl("wait", name, "--for=condition=Available", f"--timeout={LIMIT}s")
        answer = tunnel.kubectl("get", "--raw", f"/apis/{group}/{version}/greetings/hello")
        assert json.loads(answer)["metadata"]["name"] == "hello"
    finally:
        tunnel.kubectl("delete", "apiservice", f"{version}.{group}")


def test_a_webhook_is_asked(tunnel: Tenant, server: bytes) -> None:
    """And its answer counts."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    webhook = {
        "name": "server.greetings.example",
        "clientConfig": {
            "service": {"name": "server", "namespace": "default", "path": "/validate", "port": 443},
            "caBundle": base64.b64encode(server).decode(),
        },
        "rules": [rule],
        "objectSelector": {"matchLabels": {"asked": "yes"}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "timeoutSeconds": 5,
    }
    manifest = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "server"},
        "webhooks": [webhook],
    }
    asked = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "asked", "labels": {"asked": "yes"}}}
    tunnel.kubectl("apply", "--filename=-", sends=json.dumps(manifest))
    try:

        def refused() -> bool:
            with contextlib.suppress(AssertionError):
                tunnel.kubectl("create", "--dry-run=server", "--filename=-", sends=json.dumps(asked))
                return False
            return True

        until(refused, "the webhook to refuse")
    finally:
        tunnel.kubectl("delete", "validatingwebhookconfiguration", "server")


def test_it_stands_in_the_status(tunnel: Tenant) -> None:
    """At Kamaji's paths."""
    until(lambda: condition(tunnel, "AddonsReady")["status"] == "True", "the add-ons")
    status = tunnel.object()["status"]["addons"]["konnectivity"]
    assert status["enabled"]
    assert status["agent"] == {"name": "konnectivity-agent", "namespace": "kube-system", "mode": "DaemonSet"}
    assert status["certificate"]["secretName"] == f"{NAME}-konnectivity-certificate"
    assert status["service"] == {"name": NAME, "namespace": NAMESPACE, "port": 8132}


def versions(tenant: Tenant, sandbox: SandboxCommand) -> dict[str, str]:
    """Resource versions of all that the operator keeps on both sides, by kind and name."""
    inside = "serviceaccounts,roles,rolebindings,configmaps"
    found = [
        *json.loads(tenant.kubectl("get", inside, SYSTEM, "--output=json"))["items"],
        *json.loads(tenant.kubectl("get", "clusterroles,clusterrolebindings", "--output=json"))["items"],
        *json.loads(sandbox.kubectl("get", "secrets,configmaps,services", OURS, "--output=json"))["items"],
    ]
    versions = {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in found}
    workloads = json.loads(tenant.kubectl("get", "daemonsets,deployments", SYSTEM, "--output=json"))["items"]
    generations = [*workloads, deployment(sandbox)]
    return versions | {
        f"{one['kind']}/{one['metadata']['name']}": str(one["metadata"]["generation"]) for one in generations
    }


def test_an_operator_that_starts_anew_writes_nothing(
    tunnel: Tenant, management: SandboxCommand, operator: Operator
) -> None:
    """On neither side."""
    before = versions(tunnel, management)
    operator.start()
    until(lambda: any(SESSION in line and NAME in line for line in operator.log().splitlines()), "its session")
    assert versions(tunnel, management) == before


def pods(sandbox: SandboxCommand) -> dict[str, int]:
    """The control plane's Ready pods, and how often their containers were started anew."""
    found = json.loads(sandbox.kubectl("get", "pods", OURS, PODS, "--output=json"))["items"]
    return {
        pod["metadata"]["name"]: sum(
            one["restartCount"]
            for one in (*pod["status"]["containerStatuses"], *pod["status"].get("initContainerStatuses", ()))
        )
        for pod in found
        if any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
    }


def figure(tenant: Tenant, name: str) -> float:
    """One of an agent's own figures, which come through the tunnel; -1 while it tells none."""
    agent = attempt(tenant, "get", "pods", SYSTEM, AGENTS, "--output=jsonpath={.items[0].metadata.name}")
    text = attempt(tenant, "get", "--raw", f"/api/v1/namespaces/kube-system/pods/{agent}:8134/proxy/metrics")
    lines = [line for line in text.splitlines() if line.startswith(f"konnectivity_network_proxy_agent_{name} ")]
    return float(lines[0].split()[1]) if lines else -1.0


def test_more_replicas_are_no_rollout(tunnel: Tenant, management: SandboxCommand) -> None:
    """Pods that run go on, and agents know all servers within half a minute."""
    before, generation = pods(management), deployment(management)["metadata"]["generation"]
    patch(management, {"controlPlane": {"deployment": {"replicas": 3}}})
    until(lambda: len(pods(management)) == 3, "three pods")
    began = time.monotonic()
    until(lambda: figure(tunnel, "known_server_count") == 3, "the servers to be counted", limit=30)
    until(lambda: figure(tunnel, "open_server_connections") == 3, "the servers to be found", limit=30)
    print(f"\n  three servers known after {time.monotonic() - began:.1f} s")  # noqa: T201 - a figure for whoever looks
    assert before.items() <= pods(management).items()
    assert deployment(management)["metadata"]["generation"] == generation + 1
    patch(management, {"controlPlane": {"deployment": {"replicas": 1}}})
    until(lambda: len(pods(management)) == 1, "one pod")


def test_it_is_back_when_the_agent_was_killed(tunnel: Tenant) -> None:
    """The kubelet starts it anew."""
    assert kill(find(NODE).inside("pkill", "-KILL", "-x", "proxy-agent"))
    recovers(tunnel, "the agent")


def test_it_is_back_when_the_server_was_killed(tunnel: Tenant, management: SandboxCommand) -> None:
    """Without the API server beside it being started anew."""
    kill(["pkill", "-KILL", "-x", "proxy-server"])
    recovers(tunnel, "the server")
    until(lambda: list(pods(management).values()) == [1], "the pod to be Ready, its server started once more")


def kill(argv: tuple[str, ...] | list[str]) -> bool:
    """Kill a program; whether there was one."""
    return subprocess.run(argv, check=False).returncode == 0


def recovers(tenant: Tenant, what: str) -> None:
    """Commands work again in time."""
    began = time.monotonic()
    until(lambda: execute(tenant) == "inside", f"the tunnel without {what}", limit=BACK + 5)
    taken = time.monotonic() - began
    print(f"\n  back {taken:.1f} s after {what} was killed")  # noqa: T201 - as above
    assert taken < BACK


@dataclass
class Sessions:
    """Commands in the pod, begun one after the other for as long as the context is entered."""

    tenant: Tenant
    begun: int = 0
    failed: list[tuple[float, str]] = field(default_factory=list)
    is_failing: bool = False

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._go_on) for _ in range(2)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _go_on(self) -> None:
        while not self._stop.is_set():
            self.begun += 1
            began = time.time()
            argv = command(self.tenant, "exec", "web", "--", "echo", "inside")
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
            self.is_failing = done.stdout.strip() != "inside"
            if self.is_failing:
                self.failed.append((began, done.stderr.strip()))


def ready_since(sandbox: SandboxCommand) -> dict[str, float]:
    """When the control plane's pods that are Ready and stay became so, in the seconds of this machine's clock."""
    found = json.loads(sandbox.kubectl("get", "pods", OURS, PODS, "--output=json"))["items"]
    return {
        pod["metadata"]["name"]: datetime.fromisoformat(one["lastTransitionTime"]).timestamp()
        for pod in found
        for one in pod["status"].get("conditions", ())
        if (one["type"], one["status"]) == ("Ready", "True") and "deletionTimestamp" not in pod["metadata"]
    }


def test_commands_in_a_rollout(tunnel: Tenant, management: SandboxCommand) -> None:
    """What is begun fails only where a pod is so new that no agent has found it; what runs ends with its own pod."""
    patch(management, {"controlPlane": {"deployment": {"replicas": 2}}})
    until(lambda: len(pods(management)) == 2, "two pods")
    until(lambda: figure(tunnel, "open_server_connections") == 2, "the servers to be found", limit=30)
    before, since = set(pods(management)), ready_since(management)
    argv = command(tunnel, "exec", "web", "--", "sh", "-c", "while sleep 0.2; do echo goes on; done")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as old, Sessions(tunnel) as sessions:
        assert old.stdout is not None
        assert old.stdout.readline() == b"goes on\n"
        until(lambda: sessions.begun > 4, "the first commands")
        secret = f"{NAME}-konnectivity-certificate"
        management.kubectl("annotate", "secret", secret, OURS, "certs.kamaji.clastix.io/rotate=")

        def is_done() -> bool:
            ended = old.poll() is not None
            ready = ready_since(management)
            assert not (ended and before <= ready.keys()), "a session ended before any pod was told to"
            since.update(ready)
            return len(ready) == 2 and not before & ready.keys()

        until(is_done, "two other pods")
        until(lambda: old.poll() is not None, "the earlier session to end")
        old.stdout.close()
    late = [began - max(one for one in since.values() if one <= began + 1) for began, _ in sessions.failed]
    told = f"{len(late)} of {sessions.begun} commands begun in a rollout failed"
    print(f"\n  {told}, at most {max(late, default=0):.1f} s after a pod was Ready")  # noqa: T201 - as above
    # Agents find a server through the Service, which leads to Ready pods alone: upstream's gap (docs/benchmarks.md).
    assert {words.rpartition(": ")[2] for _, words in sessions.failed} <= {"No agent available"}
    assert max(late, default=0) < GAP


def test_a_renewed_authority_is_nobodys_work(tunnel: Tenant, management: SandboxCommand) -> None:
    """Asked for by an annotation: both ends follow by themselves, and the machine goes on without joining again."""
    generation, agents = deployment(management)["metadata"]["generation"], agents_generation(tunnel)
    with Sessions(tunnel) as sessions:
        until(lambda: sessions.begun > 4, "the first commands")
        management.kubectl("annotate", "secret", f"{NAME}-ca", OURS, "certs.kamaji.clastix.io/rotate=")
        until(lambda: deployment(management)["metadata"]["generation"] > generation, "the Deployment to change")
        wait_for_rest(management)
        until(lambda: agents_generation(tunnel) > agents, "the agents to be told")
        wait_for_agents(tunnel)
        until(lambda: not sessions.is_failing, "commands to work again")
    began = [one for one, _ in sessions.failed]
    broken = max(began, default=0.0) - min(began, default=0.0)
    told = f"{len(began)} of {sessions.begun} commands failed, all within {broken:.1f} s"
    print(f"\n  a renewed authority: {told}")  # noqa: T201 - as above
    assert {words.rpartition(": ")[2] for _, words in sessions.failed} <= {"No agent available"}
    assert broken < BACK
    assert deployment(management)["metadata"]["generation"] == generation + 1
    assert execute(tunnel) == "inside"
    tunnel.kubectl("wait", f"node/{NODE}", "--for=condition=Ready", "--timeout=60s")


def agents_generation(tenant: Tenant) -> int:
    """How often their pods were asked for otherwise."""
    found = tenant.kubectl("get", "daemonset", "konnectivity-agent", SYSTEM, "--output=jsonpath={.metadata.generation}")
    return int(found)


def test_agents_may_run_otherwise(tunnel: Tenant, management: SandboxCommand) -> None:
    """The kind that is not wanted any more goes."""
    patch(management, {"addons": {"konnectivity": {"agent": {"mode": "Deployment", "replicas": 1}}}})
    wait_for_agents(tunnel, "deployment")
    until(lambda: tunnel.kubectl("get", "daemonsets", SYSTEM, AGENTS, "--output=name") == "", "the DaemonSet to go")
    until(lambda: execute(tunnel) == "inside", "the tunnel")


def test_it_goes_on_both_sides(tunnel: Tenant, management: SandboxCommand) -> None:
    """Nothing of it stays, and what it carried comes no more."""
    patch(management, {"addons": {"konnectivity": None}})
    secrets = ("get", "secrets,configmaps", OURS, "--output=name")
    until(lambda: "konnectivity" not in management.kubectl(*secrets), "its Secrets to go")
    wait_for_rest(management)
    service = json.loads(management.kubectl("get", "service", NAME, OURS, "--output=json"))
    assert [port["name"] for port in service["spec"]["ports"]] == ["kube-apiserver"]
    inside = "deployments,daemonsets,serviceaccounts,roles,rolebindings,configmaps"
    until(lambda: "konnectivity" not in tunnel.kubectl("get", inside, SYSTEM, "--output=name"), "its objects to go")
    wide = tunnel.kubectl("get", "clusterroles,clusterrolebindings", "--output=name")
    assert "konnectivity" not in wide
    until(lambda: logs(tunnel) == "", "the direct way, which is none")
    assert tunnel.object()["status"]["addons"]["konnectivity"].get("enabled") is False
