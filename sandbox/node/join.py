"""`python -m sandbox node add`: a further machine that runs the real `kubeadm join` against a tenant.

There is no systemd, so the kubelet is started here as soon as kubeadm has written what it starts with; the rest, from
the preflight checks to the wait for the node's certificate, is kubeadm's own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kamaji_core.testing import HttpReadiness, Server, SocketReadiness, program
from kamaji_core.testing.server import log_tail
from sandbox import cgroups, host, processes
from sandbox.debian import CNI_PLUGINS, container_runtime
from sandbox.errors import SandboxError, require_up, run
from sandbox.node import configuration
from sandbox.node.images import node_images
from sandbox.node.machine import Machine, find, make, next_machine, take_away
from sandbox.places import KUBECONFIG, PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.debian import ContainerRuntime

_JOIN_LIMIT = 180.0
_POLL = 0.05
_LINE = re.compile(r"kubeadm join (?P<endpoint>\S+) --token (?P<token>\S+) --discovery-token-ca-cert-hash (?P<pin>\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What `kamaji token create` prints, in parts."""

    endpoint: str
    token: str
    pin: str


def add(name: str, *, tenant: str, namespace: str, is_open: bool, say: Callable[[str], None]) -> None:
    """Make a machine and join it to a tenant.

    Args:
        name: of the node.
        tenant: that it joins.
        namespace: of the tenant.
        is_open: others may begin connections to it.
        say: takes a line of progress.

    Raises:
        SandboxError: when a step does not come to its end; the machine stays, so that it can be looked at.
    """
    started = time.monotonic()

    def told(what: str) -> None:
        say(f"  {what} after {time.monotonic() - started:.1f} s")

    require_up()
    machine = next_machine(name)
    invitation = invite(tenant, namespace)
    host.prepare_for_machines()
    make(machine, is_open=is_open)
    told(f"{name} is there")
    runtime, groups = container_runtime(), cgroups.detect()
    cgroups.add_group(groups, machine.name)
    _configure(machine, runtime, invitation)
    _launch(_containerd(machine, runtime), groups)
    told("containerd serves")
    _import_images(machine, runtime)
    told("images are there")
    _join(machine, groups)
    told("kubeadm join is done")


def leave(name: str, say: Callable[[str], None]) -> None:
    """End everything on a machine and take it away; its Node object is the tenant's, and stays.

    Raises:
        SandboxError: when there is none of this name or a process does not die.
    """
    machine = find(name)
    stubborn = processes.end_those_in(namespaces=(machine.network, machine.mounts), group=machine.name)
    if stubborn:
        raise SandboxError(f"the processes {', '.join(map(str, stubborn))} do not die: look at `ps` and try again")
    take_away(machine)
    cgroups.remove_group(cgroups.detect(), machine.name)
    say(f"{name} is gone.")


def invite(tenant: str, namespace: str) -> Invitation:
    """Make a bootstrap token for a tenant, as its administrator would.

    Raises:
        SandboxError: when there is no such tenant or its API server does not answer.
    """
    command = (sys.executable, "-m", "kamaji_core", "token", "create", f"--namespace={namespace}", "--ttl=1h", tenant)
    try:
        line = run(command, limit=30, environment={**os.environ, "KUBECONFIG": str(KUBECONFIG)})
    except SandboxError as error:  # the command's own sentence is what the user needs
        raise SandboxError(str(error).rpartition("Error: ")[2]) from error
    match = _LINE.match(line)
    if match is None:
        raise SandboxError(f"`kamaji token create` printed what is no invitation: {line}")
    return Invitation(**match.groupdict())


def _configure(machine: Machine, runtime: ContainerRuntime, invitation: Invitation) -> None:
    patches = machine.state / "patches"
    files = {
        machine.state / "containerd.toml": configuration.containerd(machine, runtime),
        machine.state / "cni" / "10-machine.conflist": configuration.cni(machine),
        patches / "kubeletconfiguration+merge.yaml": configuration.kubelet_patch(machine),
        machine.state / "join.yaml": configuration.join_configuration(
            machine, endpoint=invitation.endpoint, token=invitation.token, pin=invitation.pin, patches=patches
        ),
    }
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(content)


def _containerd(machine: Machine, runtime: ContainerRuntime) -> Server:
    config = machine.state / "containerd.toml"
    return Server(
        name=f"{machine.name}-containerd",
        argv=machine.inside(runtime.containerd, f"--config={config}", "--log-level=warn"),
        log=machine.log("containerd"),
        readiness=SocketReadiness(path=machine.containerd_socket),
        environment={"PATH": f"{runtime.containerd.parent}:{runtime.runc.parent}:{os.environ.get('PATH', os.defpath)}"},
    )


def _kubelet(machine: Machine) -> Server:
    flags = _kubeadm_flags(machine)
    return Server(
        name=f"{machine.name}-kubelet",
        argv=machine.inside(
            program("kubelet"),
            "--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf",
            "--kubeconfig=/etc/kubernetes/kubelet.conf",
            "--config=/var/lib/kubelet/config.yaml",
            *flags,
        ),
        log=machine.log("kubelet"),
        readiness=HttpReadiness(url="http://127.0.0.1:10248/healthz"),
    )


def _kubeadm_flags(machine: Machine) -> list[str]:
    """The flags that kubeadm wrote for the kubelet, as its systemd unit would read them."""
    content = (machine.state / "own/var/lib/kubelet/kubeadm-flags.env").read_text()
    _, _, value = content.partition("=")
    return value.strip().strip('"').split()


def _launch(server: Server, groups: cgroups.Cgroups) -> None:
    record = processes.launch(server, groups, enters=False)
    deadline = time.monotonic() + server.start_limit
    while (problem := server.readiness.problem()) is not None:
        if not record.is_alive or time.monotonic() > deadline:
            raise SandboxError(f"{server.name} does not serve: {problem}; its log ends:\n{log_tail(server.log)}")
        time.sleep(_POLL)


def _import_images(machine: Machine, runtime: ContainerRuntime) -> None:
    ctr = (runtime.ctr, f"--address={machine.containerd_socket}", "--namespace=k8s.io", "images", "import")
    for image in node_images():
        run([*ctr, image.archive()], limit=120)


def _join(machine: Machine, groups: cgroups.Cgroups) -> None:
    """Run kubeadm, and the kubelet that it waits for."""
    kubeadm = machine.inside(program("kubeadm"), "join", f"--config={machine.state / 'join.yaml'}")
    tools = f"{PROGRAMS}:{CNI_PLUGINS}:{os.environ.get('PATH', os.defpath)}"
    log = machine.log("kubeadm")
    with log.open("wb") as output:
        process = subprocess.Popen(
            kubeadm, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env={"PATH": tools}
        )
        try:
            _start_kubelet(machine, groups, process)
            code = process.wait(timeout=_JOIN_LIMIT)
        except subprocess.TimeoutExpired:
            raise SandboxError(
                f"kubeadm join did not end within {_JOIN_LIMIT:.0f} s; its log {log} ends:\n{log_tail(log)}"
            ) from None
        finally:
            process.kill()
    if code != 0:
        raise SandboxError(f"kubeadm join failed; its log {log} ends:\n{log_tail(log)}")


def _start_kubelet(machine: Machine, groups: cgroups.Cgroups, kubeadm: subprocess.Popen[bytes]) -> None:
    """Start it as soon as kubeadm has written what it starts with; nothing happens when kubeadm gives up before."""
    own = machine.state / "own"
    needed: list[Path] = [
        own / "var/lib/kubelet/config.yaml",
        own / "var/lib/kubelet/kubeadm-flags.env",
        own / "etc/kubernetes/bootstrap-kubelet.conf",
    ]
    deadline = time.monotonic() + _JOIN_LIMIT
    while not all(path.exists() for path in needed):
        if kubeadm.poll() is not None or time.monotonic() > deadline:
            return
        time.sleep(_POLL)
    processes.launch(_kubelet(machine), groups, enters=False)
