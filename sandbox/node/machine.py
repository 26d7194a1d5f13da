"""One further machine: where everything of it lies, and making and taking it away.

Its two namespaces are bound like the sandbox's own, its link leads into the sandbox's network, and where programs
insist on fixed places its mount namespace has directories of its own.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError, run
from sandbox.namespaces import remember_change
from sandbox.places import LOGS, NAMESPACES, NETWORK, NODE_ADDRESS, RUN, SERVERS, STATE

_LIMIT = 20.0
_ENABLE_FORWARDING = "open('/proc/sys/net/ipv4/ip_forward', 'w').write('1')"

_FIREWALL = """\
table inet kamaji-sandbox-firewall {
  chain arriving {
    type filter hook prerouting priority mangle;
    iifname "eth0" ct state new drop
  }
}
"""
"""After conntrack, which tells new connections from answers, and before kube-proxy's rules, which give them away."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

MOST = 60
"""Machines that the addresses are enough for."""

OWN_DIRECTORIES = (
    Path("/etc/kubernetes"),
    Path("/run/containerd"),
    Path("/var/lib/cni"),
    Path("/var/lib/kubelet"),
    Path("/var/log/containers"),
    Path("/var/log/pods"),
)
"""Directories that kubeadm, kubelet and containerd insist on; inside the machine they are its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One further machine.

    Args:
        name: of its node; unique in the sandbox.
        number: which of the address ranges are its.
    """

    name: str
    number: int

    @property
    def state(self) -> Path:
        """What it keeps."""
        return STATE / "nodes" / self.name

    @property
    def running(self) -> Path:
        """Its sockets and what ends with it."""
        return RUN / "nodes" / self.name

    @property
    def network(self) -> Path:
        """Where its network namespace is bound."""
        return NAMESPACES / f"{self.name}.net"

    @property
    def mounts(self) -> Path:
        """Where its mount namespace is bound."""
        return NAMESPACES / f"{self.name}.mnt"

    @property
    def interface(self) -> str:
        """Its link's end in the sandbox; interfaces have at most 15 letters."""
        return f"kn{self.number}"

    @property
    def gateway(self) -> str:
        """The sandbox's address on the link."""
        return f"10.213.8.{4 * self.number + 1}"

    @property
    def address(self) -> str:
        """The machine's address."""
        return f"10.213.8.{4 * self.number + 2}"

    @property
    def pods(self) -> str:
        """The addresses of its pods."""
        return f"10.216.{self.number}.0/24"

    @property
    def containerd_socket(self) -> Path:
        """Where its containerd listens."""
        return self.running / "containerd" / "containerd.sock"

    @property
    def resolv_conf(self) -> Path:
        """What it asks for names."""
        return self.state / "resolv.conf"

    def inside(self, *argv: str | Path) -> tuple[str, ...]:
        """A command line that runs inside of it."""
        return ("nsenter", f"--net={self.network}", f"--mount={self.mounts}", "--", *map(str, argv))

    def log(self, server: str) -> Path:
        """The log of one of its servers."""
        return LOGS / f"{self.name}-{server}.log"


def known() -> list[Machine]:
    """The machines that there are, by number."""
    found = []
    for file in sorted((STATE / "nodes").glob("*/machine.json")):
        content = json.loads(file.read_text())
        found.append(Machine(name=content["name"], number=content["number"]))
    return sorted(found, key=lambda machine: machine.number)


def free_name(tenant: str) -> str:
    """A name for a tenant's next machine."""
    taken = {machine.name for machine in known()}
    return next(name for number in range(1, MOST + 2) if (name := f"{tenant}-{number}") not in taken)


def find(name: str) -> Machine:
    """Give a machine.

    Raises:
        SandboxError: when there is none of this name.
    """
    for machine in known():
        if machine.name == name:
            return machine
    names = ", ".join(machine.name for machine in known()) or "none"
    raise SandboxError(f"there is no machine {name!r} (there are: {names}): see `python -m sandbox node list`")


def next_machine(name: str) -> Machine:
    """Give the machine of this name that can be made; nothing is made yet.

    Raises:
        SandboxError: when no node can be called so, when there is one of this name, or too many.
    """
    if not _NAME.fullmatch(name):
        raise SandboxError(f"a machine cannot be called {name!r}: use up to 63 lower-case letters, digits and dashes")
    taken = {machine.number for machine in known()}
    if any(machine.name == name for machine in known()):
        raise SandboxError(f"there is a machine {name!r} already: remove it or choose another name")
    number = next((number for number in range(MOST) if number not in taken), None)
    if number is None:
        raise SandboxError(f"there are {MOST} machines already: remove one")
    return Machine(name=name, number=number)


def make(machine: Machine, *, is_open: bool) -> None:
    """Make a machine with its link and its directories.

    Args:
        machine: that is not there yet.
        is_open: others may begin connections to it and to its pods.
    """
    machine.state.mkdir(parents=True, mode=0o700)
    (machine.state / "machine.json").write_text(json.dumps({"name": machine.name, "number": machine.number}))
    machine.running.mkdir(parents=True, exist_ok=True, mode=0o700)
    machine.network.touch()
    machine.mounts.touch()
    run(
        ["unshare", f"--net={machine.network}", f"--mount={machine.mounts}", "--propagation=slave", "true"],
        limit=_LIMIT,
    )
    _furnish(machine)
    _connect(machine)
    if not is_open:
        _shut(machine)


def take_away(machine: Machine) -> None:
    """Remove a machine whose processes have ended; harmless when it is half gone."""
    for point in (machine.network, machine.mounts):
        with contextlib.suppress(SandboxError):
            run(["umount", "--lazy", point], limit=_LIMIT)
        point.unlink(missing_ok=True)
    with contextlib.suppress(SandboxError):
        run(["nsenter", f"--net={NETWORK}", "ip", "link", "delete", machine.interface], limit=_LIMIT)
    for file in SERVERS.glob(f"{machine.name}-*.json"):
        file.unlink()
    for directory in (machine.running, machine.state):
        shutil.rmtree(directory, ignore_errors=True)


def _furnish(machine: Machine) -> None:
    for directory in OWN_DIRECTORIES:
        for ancestor in (*reversed(directory.parents), directory):
            if not ancestor.exists():
                remember_change("directory", str(ancestor), "")
                ancestor.mkdir()
        own = machine.state / "own" / directory.relative_to("/")
        own.mkdir(parents=True, exist_ok=True, mode=0o755)
        _mount(machine, "--bind", own, directory)
    # A name server that answers at once: kubeadm looks its own name up, and would wait ten seconds for the host's.
    machine.resolv_conf.write_text(f"nameserver {NODE_ADDRESS}\n")
    if (place := Path("/etc/resolv.conf")).exists():
        _mount(machine, "--bind", machine.resolv_conf, place.resolve())
    _mount(machine, "--make-rshared", "/")  # kubelet hands mounts on to containers


def _connect(machine: Machine) -> None:
    inside_sandbox = ("nsenter", f"--net={NETWORK}", "ip")
    peer = ("peer", "name", "eth0", "netns", str(machine.network))
    run([*inside_sandbox, "link", "add", machine.interface, "type", "veth", *peer], limit=_LIMIT)
    outer = [
        f"address add {machine.gateway}/30 dev {machine.interface}",
        f"link set {machine.interface} up",
        f"route add {machine.pods} via {machine.address}",
    ]
    run([*inside_sandbox, "-batch", "-"], limit=_LIMIT, sends="\n".join(outer) + "\n")
    inner = [
        "link set lo up",
        f"address add {machine.address}/30 dev eth0",
        "link set eth0 up",
        f"route add default via {machine.gateway}",
    ]
    here = ("nsenter", f"--net={machine.network}")
    run([*here, "ip", "-batch", "-"], limit=_LIMIT, sends="\n".join(inner) + "\n")
    run([*here, sys.executable, "-ISc", _ENABLE_FORWARDING], limit=_LIMIT)


def _shut(machine: Machine) -> None:
    """Let nothing in that the machine has not asked for, as behind a firewall that hides addresses."""
    here = ("nsenter", f"--net={machine.network}")
    run([*here, "nft", "--file", "-"], limit=_LIMIT, sends=_FIREWALL)


def _mount(machine: Machine, *arguments: str | Path) -> None:
    run(["nsenter", f"--mount={machine.mounts}", "--", "mount", *arguments], limit=_LIMIT)
