"""The sandbox's network and mount namespace, made by name-less binds of its own.

`ip netns` is not used: it leaves a shared mount on `/run/netns` behind and hides the cgroups from what it runs. The
mount namespace makes every mount of containerd and kubelet vanish with the last process, whatever happened before.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import sys
import time
from pathlib import Path

from sandbox.errors import SandboxError, run
from sandbox.places import (
    BORROWED_DIRECTORIES,
    HOST_ADDRESS,
    HOST_CHANGES,
    LINK_LENGTH,
    LINK_RANGE,
    MOUNTS,
    NAME,
    NAMESPACES,
    NETWORK,
    NODE_ADDRESS,
    POD_RANGE,
    RUN,
    SERVICE_RANGE,
    STATE,
)

_LIMIT = 20.0
_INTERFACE = "eth0"
_ENABLE_FORWARDING = "open('/proc/sys/net/ipv4/ip_forward', 'w').write('1')"


def exist() -> bool:
    """Whether both namespaces are there, bound where they should be."""
    points = _mount_points()
    return str(NETWORK) in points and str(MOUNTS) in points


def create() -> None:
    """Make both namespaces and the link to the host; what is there already stays, what is half made is remade.

    Raises:
        SandboxError: when the kernel or an address that is in use does not let it.
    """
    if not exist():
        drop()
        NAMESPACES.mkdir(parents=True, mode=0o700)
        run(["mount", "--bind", NAMESPACES, NAMESPACES], limit=_LIMIT)
        run(["mount", "--make-private", NAMESPACES], limit=_LIMIT)
        NETWORK.touch()
        MOUNTS.touch()
        run(["unshare", f"--net={NETWORK}", f"--mount={MOUNTS}", "--propagation=slave", "true"], limit=_LIMIT)
        _furnish()
    _connect()


def drop() -> None:
    """Take the link and both namespaces away; harmless when they are not there."""
    if NAME in _links():
        run(["ip", "link", "delete", NAME], limit=_LIMIT)
    inner = [point for point in _mount_points() if NAMESPACES in Path(point).parents]  # further machines' too
    for point in (*inner, *([str(NAMESPACES)] * _mount_points().count(str(NAMESPACES)))):
        run(["umount", "--lazy", point], limit=_LIMIT)
    with contextlib.suppress(FileNotFoundError):
        for path in NAMESPACES.iterdir():
            path.unlink()
        NAMESPACES.rmdir()


def occupied_ranges() -> list[str]:
    """Routes of the host, not ours, that overlap the sandbox's addresses."""
    ours = [ipaddress.ip_network(text) for text in (LINK_RANGE, POD_RANGE, SERVICE_RANGE)]
    found = []
    for route in json.loads(run(["ip", "-json", "-4", "route", "show"], limit=_LIMIT) or "[]"):
        if route["dst"] == "default" or route.get("dev") == NAME:
            continue
        if any(ipaddress.ip_network(route["dst"], strict=False).overlaps(own) for own in ours):
            found.append(f"{route['dst']} ({route.get('dev', '?')})")
    return found


_NO_WAY_OUT = f"""
table ip {NAME}
delete table ip {NAME}
table ip {NAME} {{
    chain forward {{
        type filter hook forward priority filter
        oifname {_INTERFACE} ip daddr != {HOST_ADDRESS} meta l4proto tcp reject with tcp reset
        oifname {_INTERFACE} ip daddr != {HOST_ADDRESS} reject with icmp net-unreachable
    }}
}}
"""
"""What would leave the sandbox is refused at once. Where it vanished instead, a pod that asks for a Service a moment
before kube-proxy has its rules would keep asking in vain: the kernel remembers for two minutes that this connection's
address is not to be rewritten."""


def remember_change(kind: str, name: str, old: str) -> None:
    """Record something of the host's that is about to be changed, once; `down` reads it."""
    changes = remembered_changes()
    changes.setdefault(kind, {}).setdefault(name, old)
    RUN.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = HOST_CHANGES.with_name(f".{HOST_CHANGES.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(changes))
    unfinished.replace(HOST_CHANGES)


def remembered_changes() -> dict[str, dict[str, str]]:
    """What was recorded: by kind (`directory`, `sysctl`) the old value by name."""
    try:
        changes: dict[str, dict[str, str]] = json.loads(HOST_CHANGES.read_text())
    except (OSError, ValueError):
        return {}
    return changes


def _furnish() -> None:
    """Put directories of the sandbox's own where programs insist on fixed places."""
    for directory in BORROWED_DIRECTORIES:
        _make_missing(directory)
        own = STATE / "borrowed" / directory.relative_to("/")
        own.mkdir(parents=True, exist_ok=True, mode=0o700)
        _inside("mount", "--bind", own, directory)
    _inside("mount", "--make-rshared", "/")  # kubelet hands mounts on to containers


def _make_missing(directory: Path) -> None:
    for ancestor in (*reversed(directory.parents), directory):
        if not ancestor.exists():
            remember_change("directory", str(ancestor), "")
            ancestor.mkdir()


def _connect() -> None:
    if NAME not in _links():
        peer = ["peer", "name", _INTERFACE, "netns", str(NETWORK)]
        run(["ip", "link", "add", NAME, "type", "veth", *peer], limit=_LIMIT)
    run(["ip", "address", "replace", f"{HOST_ADDRESS}/{LINK_LENGTH}", "dev", NAME], limit=_LIMIT)
    run(["ip", "link", "set", NAME, "up"], limit=_LIMIT)
    inner = [
        "link set lo up",
        f"address replace {NODE_ADDRESS}/{LINK_LENGTH} dev {_INTERFACE}",
        f"link set {_INTERFACE} up",
        # Service addresses need some route before nftables may rewrite them; there is no way out behind it.
        f"route replace default via {HOST_ADDRESS}",
    ]
    run(["nsenter", f"--net={NETWORK}", "ip", "-batch", "-"], limit=_LIMIT, sends="\n".join(inner) + "\n")
    run(["nsenter", f"--net={NETWORK}", sys.executable, "-ISc", _ENABLE_FORWARDING], limit=_LIMIT)
    run(["nsenter", f"--net={NETWORK}", "nft", "--file", "-"], limit=_LIMIT, sends=_NO_WAY_OUT)
    for destination in (POD_RANGE, SERVICE_RANGE):
        run(["ip", "route", "replace", destination, "via", NODE_ADDRESS, "dev", NAME], limit=_LIMIT)


def _inside(*argv: str | Path) -> None:
    run(["nsenter", f"--mount={MOUNTS}", "--", *argv], limit=_LIMIT)


def _links() -> list[str]:
    links = json.loads(run(["ip", "-json", "link", "show"], limit=_LIMIT) or "[]")
    return [str(link.get("ifname")) for link in links]


def _mount_points() -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:  # noqa: PTH123 - a stream of the kernel's
        return [line.split(" ")[4] for line in mounts]


def wait_until_gone(limit: float = 5.0) -> None:
    """Wait until the link is gone: the kernel takes a network namespace apart in the background.

    Raises:
        SandboxError: when it is still there after `limit` seconds.
    """
    deadline = time.monotonic() + limit
    while NAME in _links():
        if time.monotonic() > deadline:
            raise SandboxError(f"the interface {NAME} does not go away: look at `ip link show {NAME}`")
        time.sleep(0.05)
