"""`make demo`: from nothing to a tenant whose machine runs a pod, with a line for each step and its time.

It does what a user would do, with the tools a user would use: `helm install` of the two charts, `kubectl apply` of
two examples, then a look at the conditions. Running it again on a sandbox that is up shows the same, and running it
for another store shows another tenant beside the first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sandbox import places
from sandbox.errors import SandboxError, run
from sandbox.images import BUSYBOX
from sandbox.node.join import add
from sandbox.node.machine import known
from sandbox.operator import image, pods, process
from sandbox.up import up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
NAMESPACE = "default"
TENANT_KUBECONFIG = ROOT / "tenant.conf"
KUBECTL = Path(sys.executable).parent / "kubectl"
_LIMIT = 180.0
_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "hello", "namespace": "default"},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "hello",
                "image": BUSYBOX,
                "imagePullPolicy": "Never",
                "command": ["sh", "-c", "echo Hello from a tenant; exec sleep infinity"],
            }
        ],
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is shown.

    Args:
        datastore: the kind of store, as `python -m sandbox up --datastore` names it.
        store: file of the example DataStore.
        manifest: file of the example tenant on it.
        tenant: the tenant's name.
    """

    datastore: str
    store: str
    manifest: str
    tenant: str

    @property
    def node(self) -> str:
        """Name of the machine that joins."""
        return f"{self.tenant}-1"


SCENES = {
    scene.datastore: scene
    for scene in (
        Scene(datastore="etcd", store="datastore-etcd.yaml", manifest="tenant.yaml", tenant="tenant"),
        Scene(
            datastore="postgres",
            store="datastore-postgres.yaml",
            manifest="tenant-postgres.yaml",
            tenant="tenant-postgres",
        ),
    )
}


@click.command()
@click.option(
    "--datastore", type=click.Choice(list(SCENES)), default="etcd", show_default=True, help="Where its data lives."
)
def main(*, datastore: str) -> None:
    """Show one tenant coming to life on a real management cluster."""
    try:
        demo(SCENES[datastore], click.echo)
    except SandboxError as error:
        raise click.ClickException(str(error)) from error


def demo(scene: Scene, say: Callable[[str], None]) -> None:
    """Run the demo.

    Args:
        scene: what is shown.
        say: takes a line of progress.

    Raises:
        SandboxError: when a step does not come to its end.
    """
    clock = _Clock()
    say("1. A management cluster on this machine")
    up(say, with_postgres=scene.datastore == "postgres")
    clock.lap("management cluster")
    say("2. The operator's image, from the Dockerfile")
    image.bring(say)
    clock.lap("image")
    say("3. The definitions and two operators: helm install charts/kamaji-crds and charts/kamaji")
    process.stop()
    pods.install(say)
    _tell(say, _kubectl("get", "pods", f"--namespace={pods.NAMESPACE}"))
    clock.lap("helm install")
    say("4. A DataStore and a tenant: kubectl apply -f examples/")
    _tell(say, _kubectl("apply", f"--filename={ROOT}/examples/{scene.store}"))
    _tell(say, _kubectl("apply", f"--filename={ROOT}/examples/{scene.manifest}"))
    _follow(scene, say)
    clock.lap("tenant Ready")
    say("5. The tenant's own API server")
    _ask_tenant(scene, say)
    clock.lap("tenant answers")
    say("6. A machine joins the tenant with the real kubeadm, and runs a pod")
    _join(scene, say)
    clock.lap("machine and pod")
    say("")
    for name, seconds in clock.laps:
        say(f"  {name:20} {seconds:6.1f} s")
    say(f"  {'altogether':20} {clock.total:6.1f} s")
    say(_epilogue(scene))


class _Clock:
    """Seconds from lap to lap."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()
        self.laps: list[tuple[str, float]] = []

    def lap(self, name: str) -> None:
        """Note the end of a phase."""
        now = time.monotonic()
        self.laps.append((name, now - self._last))
        self._last = now

    @property
    def total(self) -> float:
        """Seconds in all."""
        return self._last - self._started


def _follow(scene: Scene, say: Callable[[str], None]) -> None:
    """Show each condition as it turns, until the tenant is Ready."""
    started = time.monotonic()
    shown: dict[str, tuple[str, str]] = {}
    for tenant in _watched(scene.tenant):
        for condition in tenant.get("status", {}).get("conditions", []):
            state = (condition["status"], condition["message"])
            if shown.get(condition["type"]) != state:
                shown[condition["type"]] = state
                elapsed = time.monotonic() - started
                say(f"  {elapsed:5.1f} s  {condition['type']:22} {condition['status']:6} {condition['message']}")
        if shown.get("Ready", ("", ""))[0] == "True":
            return
    message = shown.get("Ready", ("", "it has no conditions"))[1]
    raise SandboxError(
        f"the tenant is not Ready after {_LIMIT:.0f} s: {message} See "
        f"KUBECONFIG={places.KUBECONFIG} kubectl logs --namespace {pods.NAMESPACE} deployment/{pods.RELEASE} and "
        f"kubectl describe pods"
    )


def _watched(tenant: str) -> Iterator[dict[str, Any]]:
    """The tenant each time it changes, beginning with how it is; ends after the limit."""
    argv = _argv("get", "tenantcontrolplane", tenant, f"--namespace={NAMESPACE}", "--watch", "--output=json")
    argv = ("timeout", str(int(_LIMIT)), *argv)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as watch:
        try:
            yield from _objects(watch)
        finally:
            watch.terminate()


def _objects(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """Decode the JSON objects, of several lines each, that a program writes one after the other."""
    text = ""
    for line in process.stdout or ():
        text += line
        if line.rstrip() == "}":
            yield json.loads(text)
            text = ""


def _ask_tenant(scene: Scene, say: Callable[[str], None]) -> None:
    # The operator has been inside: the Service's address leads there, and the administrator has rights.
    _kubectl("wait", f"tcp/{scene.tenant}", f"--namespace={NAMESPACE}", "--for=condition=Bootstrapped", "--timeout=30s")
    command = (sys.executable, "-m", "kamaji_core", "kubeconfig", f"--namespace={NAMESPACE}", scene.tenant)
    environment = {**os.environ, "KUBECONFIG": str(places.KUBECONFIG)}
    content = run(command, limit=30, environment=environment)
    TENANT_KUBECONFIG.touch(mode=0o600)
    TENANT_KUBECONFIG.write_text(content)
    kubectl = (KUBECTL, f"--kubeconfig={TENANT_KUBECONFIG}")
    answer = run([*kubectl, "get", "--raw", "/readyz"], limit=30)
    say(f"  kubectl --kubeconfig tenant.conf get --raw /readyz: {answer}")
    version = json.loads(run([*kubectl, "version", "--output=json"], limit=30))
    say(f"  its Kubernetes version: {version['serverVersion']['gitVersion']}")


def _join(scene: Scene, say: Callable[[str], None]) -> None:
    _kubectl("wait", f"tcp/{scene.tenant}", f"--namespace={NAMESPACE}", "--for=condition=AddonsReady", "--timeout=30s")
    if scene.node not in {machine.name for machine in known()}:
        add(scene.node, tenant=scene.tenant, namespace=NAMESPACE, is_open=True, say=say)
    kubectl = (KUBECTL, f"--kubeconfig={TENANT_KUBECONFIG}")
    for what in ("create", "condition=Ready"):  # kubeadm has ended before the kubelet's first word to the API server
        run([*kubectl, "wait", f"node/{scene.node}", f"--for={what}", "--timeout=60s"], limit=70)
    run([*kubectl, "apply", "--filename=-"], limit=30, sends=json.dumps(_POD))
    run([*kubectl, "wait", "pod/hello", "--for=condition=Ready", "--timeout=60s"], limit=70)
    _tell(say, run([*kubectl, "get", "pods", "--all-namespaces", "--output=wide"], limit=30))


def _argv(*arguments: str) -> tuple[str, ...]:
    return (str(KUBECTL), f"--kubeconfig={places.KUBECONFIG}", *arguments)


def _kubectl(*arguments: str) -> str:
    return run(_argv(*arguments), limit=60)


def _tell(say: Callable[[str], None], output: str) -> None:
    for line in output.splitlines():
        say(f"  {line}")


def _epilogue(scene: Scene) -> str:
    return f"""
The tenant's administrator: kubectl --kubeconfig tenant.conf get nodes,pods --all-namespaces
Another machine:            .venv/bin/python -m sandbox node add {scene.tenant}
The management cluster:     export KUBECONFIG={places.KUBECONFIG}
                            kubectl get tenantcontrolplanes,datastores,pods
kubectl and kamaji:         . .venv/bin/activate
The operator's log:         kubectl logs --namespace {pods.NAMESPACE} deployment/{pods.RELEASE} --all-pods
Delete the tenant:          kubectl delete tenantcontrolplane {scene.tenant}
Remove everything:          make clean"""


if __name__ == "__main__":
    main()
