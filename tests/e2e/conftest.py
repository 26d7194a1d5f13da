"""The sandbox for end-to-end tests: brought up once, and taken down again unless it was up before."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import yaml

import kamaji_core
from sandbox import audit
from sandbox.operator import pods, process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
UP_LIMIT = 300
DEFINITIONS = Path(kamaji_core.__file__).parent / "api" / "crds"
NAMESPACE = "tenant-test"
LIMIT = 120
SESSION = "keeps the tenant's cluster"
"""What an operator's log says when it has looked at a tenant's cluster for the first time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxCommand:
    """The command line of the sandbox, as a user runs it.

    Args:
        was_up: whether somebody had it up before the tests.
    """

    was_up: bool

    @property
    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig of the management cluster."""
        return Path("/var/lib/kamaji-sandbox/admin.kubeconfig")

    def run(self, *arguments: str, check: bool = True, sends: str = "") -> subprocess.CompletedProcess[str]:
        """Run `python -m sandbox` with these arguments; its output is shown when it fails."""
        argv = [sys.executable, "-m", "sandbox", *arguments]
        result = subprocess.run(
            argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=UP_LIMIT, input=sends
        )
        if check:
            assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
        return result

    def execute(self, *command: str, check: bool = True, sends: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command inside the sandbox's network."""
        return self.run("exec", "--", *command, check=check, sends=sends)

    def kubectl(self, *arguments: str, check: bool = True, sends: str = "") -> str:
        """Run kubectl against the management cluster and return its standard output."""
        return self.execute("kubectl", *arguments, check=check, sends=sends).stdout


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxCommand]:
    """The management cluster, up and well.

    What is left of one that does not run, as after tests that were killed, goes first: `up` would heal it with all
    that those tests had made.
    """
    if os.geteuid() != 0:
        pytest.skip("the sandbox needs root")
    was_up = SandboxCommand(was_up=False).run("status", check=False).returncode == 0
    command = SandboxCommand(was_up=was_up)
    if not was_up:
        command.run("down")
    command.run("up")
    yield command
    if not was_up:
        command.run("down")


def server_pids(sandbox: SandboxCommand) -> dict[str, int]:
    """Process ids of the sandbox's servers that run, by name."""
    servers = json.loads(sandbox.run("status", "--json").stdout)["servers"]
    return {server["name"]: server["pid"] for server in servers if server["pid"]}


class Tenant:
    """One tenant, seen from the management cluster and from inside."""

    def __init__(self, sandbox: SandboxCommand, name: str, kubeconfig: Path) -> None:
        self.name = name
        self._sandbox = sandbox
        self.kubeconfig = kubeconfig

    def object(self) -> dict[str, Any]:
        """The TenantControlPlane."""
        content = self._sandbox.kubectl("get", "tcp", self.name, f"--namespace={NAMESPACE}", "--output=json")
        return dict(json.loads(content))

    def client_context(self) -> ssl.SSLContext:
        """TLS with the administrator's client certificate, for a server whose own is not verified."""
        user = yaml.safe_load(self.kubeconfig.read_text())["users"][0]["user"]
        file = self.kubeconfig.with_suffix(".pem")
        file.write_bytes(b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(file)
        return context

    def kubectl(self, *arguments: str, sends: str = "") -> str:
        """Ask the tenant's API server from the host, as its administrator."""
        kubectl = Path(sys.executable).parent / "kubectl"
        argv = [str(kubectl), f"--kubeconfig={self.kubeconfig}", *arguments]
        result = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=LIMIT, input=sends)
        assert result.returncode == 0, result.stderr
        return result.stdout


def condition(tenant: Tenant, kind: str) -> dict[str, Any]:
    """One of its conditions."""
    return next(one for one in tenant.object()["status"]["conditions"] if one["type"] == kind)


def until(condition: Callable[[], Any], what: str, *, limit: float = LIMIT) -> None:
    """Wait for a condition, but not for ever."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit:.0f} s in vain for {what}"
        time.sleep(0.1)


class Operator(Protocol):
    """The operator, in one of the two ways in which it runs here."""

    def start(self) -> None:
        """Start it, anew when it runs already, and wait until it works."""

    def stop(self) -> None:
        """Take it away, and see that it lacked no right."""

    def log(self) -> str:
        """What it said since its start."""


class AsProcess:
    """A process of this tree's code, an administrator to the management cluster."""

    def __init__(self, sandbox: SandboxCommand) -> None:
        self._sandbox = sandbox

    def start(self) -> None:
        """Start it, anew when it runs already."""
        self._sandbox.kubectl("apply", "--server-side", "--force-conflicts", f"--filename={DEFINITIONS}")
        self._sandbox.kubectl("wait", "--for=condition=Established", f"--filename={DEFINITIONS}", "--timeout=30s")
        process.start()

    def stop(self) -> None:
        """End it."""
        process.stop()

    def log(self) -> str:
        """What it said since its start."""
        lines = process.operator().log.read_text().splitlines()
        started = max(index for index, line in enumerate(lines) if "working" in line)
        return "\n".join(lines[started:])


class AsPods:
    """Two pods of the real image, installed by the real Helm, with the chart's own rights."""

    _SELECTED = (f"--namespace={pods.NAMESPACE}", f"--selector=app.kubernetes.io/instance={pods.RELEASE}")

    def __init__(self, sandbox: SandboxCommand) -> None:
        self._sandbox = sandbox
        self._began = datetime.now(UTC)

    def start(self) -> None:
        """Install it, or have all pods begin anew."""
        if pods.RELEASE not in pods.releases():
            self._began = datetime.now(UTC)
            pods.install(print)
            return
        deployment = (f"deployment/{pods.RELEASE}", f"--namespace={pods.NAMESPACE}")
        before = self._pods()
        self._sandbox.kubectl("rollout", "restart", *deployment)
        self._sandbox.kubectl("rollout", "status", *deployment, f"--timeout={LIMIT}s")
        # A rollout is done while the pods before it still end: what they said is not what the new ones say.
        until(lambda: before.isdisjoint(self._pods()), "the pods before them to be gone")

    def stop(self) -> None:
        """Uninstall it after its pods, which give the Lease up, and see by the audit log that it lacked no right."""
        scale = ("scale", f"deployment/{pods.RELEASE}", f"--namespace={pods.NAMESPACE}", "--replicas=0")
        self._sandbox.kubectl(*scale)
        self._sandbox.kubectl("wait", "pod", *self._SELECTED, "--for=delete", f"--timeout={LIMIT}s")
        refused = [request for request in audit.refused_since(self._began) if request.user == pods.ACCOUNT]
        pods.uninstall()
        assert refused == []

    def log(self) -> str:
        """What its pods said since their start."""
        return self._sandbox.kubectl("logs", *self._SELECTED, "--tail=-1")

    def _pods(self) -> set[str]:
        return set(self._sandbox.kubectl("get", "pods", *self._SELECTED, "--output=name").split())


WAYS: dict[str, Callable[[SandboxCommand], Operator]] = {"process": AsProcess, "pods": AsPods}


AS_PROCESS = pytest.mark.parametrize("operator", ["process"], indirect=True, scope="module")
"""For modules in which it does not count what rights the operator's pods have."""


@pytest.fixture(scope="module", params=["pods"])
def operator(request: pytest.FixtureRequest, sandbox: SandboxCommand) -> Iterator[Operator]:
    """A running operator, as its users have it unless a module asks for a process."""
    one = WAYS[request.param](sandbox)
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def management(sandbox: SandboxCommand, operator: Operator) -> Iterator[SandboxCommand]:
    """The sandbox with a running operator, the example DataStore and a namespace for tenants."""
    assert operator
    sandbox.kubectl("apply", f"--filename={ROOT}/examples/datastore-etcd.yaml")
    remove_tenants(sandbox)  # of tests that were killed while somebody's sandbox was up
    sandbox.kubectl("create", "namespace", NAMESPACE)
    yield sandbox
    remove_tenants(sandbox)


def remove_tenants(sandbox: SandboxCommand) -> None:
    """Delete the tests' tenants and their namespace, where there are any, and wait until they are gone."""
    # First the tenants: the namespace controller looks again after some seconds only.
    sandbox.kubectl("delete", "tcp", "--all", f"--namespace={NAMESPACE}", f"--timeout={LIMIT}s")
    sandbox.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", f"--timeout={LIMIT}s")


@pytest.fixture(scope="module")
def make_tenant(management: SandboxCommand, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Tenant]:
    """Make the example tenant under another name, Ready, with the kubeconfig that a user gets."""

    def make(name: str, **spec: Any) -> Tenant:
        manifest = yaml.safe_load((ROOT / "examples" / "tenant.yaml").read_text())
        manifest["metadata"] |= {"name": name, "namespace": NAMESPACE}
        manifest["spec"] |= spec
        management.kubectl("apply", "--filename=-", sends=yaml.safe_dump(manifest))
        for condition in ("Ready", "Bootstrapped"):
            wait = ("wait", f"tcp/{name}", f"--namespace={NAMESPACE}", f"--for=condition={condition}")
            management.kubectl(*wait, f"--timeout={LIMIT}s")
        content = management.execute("kamaji", "kubeconfig", f"--namespace={NAMESPACE}", name).stdout
        file = tmp_path_factory.mktemp("tenant") / "tenant.conf"
        file.write_text(content)
        return Tenant(management, name, file)

    return make


@pytest.fixture(scope="module")
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    """One that is as in the example."""
    return make_tenant("shop")
