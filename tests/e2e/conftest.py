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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import kamaji_core
from sandbox import operator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
UP_LIMIT = 300
DEFINITIONS = Path(kamaji_core.__file__).parent / "api" / "crds"
NAMESPACE = "tenant-test"
LIMIT = 120


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
    """The management cluster, up and well."""
    if os.geteuid() != 0:
        pytest.skip("the sandbox needs root")
    was_up = SandboxCommand(was_up=False).run("status", check=False).returncode == 0
    command = SandboxCommand(was_up=was_up)
    command.run("up")
    yield command
    if not was_up:
        command.run("down")


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


def until(condition: Callable[[], Any], what: str, *, limit: float = LIMIT) -> None:
    """Wait for a condition, but not for ever."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit:.0f} s in vain for {what}"
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
