"""Images that a tenant's nodes run: what they need is on no registry here, so it is made from programs and packages."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from kamaji_core.testing.programs import program
from sandbox.build import kubernetes_version
from sandbox.errors import SandboxError, run
from sandbox.images import BUSYBOX, PAUSE, Image, sandbox_images, tunnel_image

COREDNS = "registry.k8s.io/coredns/coredns:v1.14.6"
"""The name under which the sandbox's CoreDNS goes: the one that the tenants' minor asks for."""

_TABLES = tuple(f"{family}{tool}" for family in ("iptables", "ip6tables") for tool in ("", "-save", "-restore"))

TOOLS = ("nft", "conntrack", *_TABLES)
"""Programs that kube-proxy calls, from Debian's packages with their libraries."""

_LIBRARY = re.compile(r"(/\S+)")


def node_images() -> tuple[Image, ...]:
    """Pause, busybox, CoreDNS, kube-proxy and the tunnel's agent.

    Raises:
        SandboxError: when a tool that kube-proxy calls is not installed.
    """
    plain = tuple(image for image in sandbox_images() if image.reference in {PAUSE, BUSYBOX})
    coredns = Image(reference=COREDNS, program=program("coredns").resolve(), target="coredns", entrypoint=("/coredns",))
    kube_proxy = Image(
        reference=f"registry.k8s.io/kube-proxy:{kubernetes_version()}",
        program=program("kube-proxy").resolve(),
        target="usr/local/bin/kube-proxy",
        entrypoint=("/usr/local/bin/kube-proxy",),
        files=tuple(sorted(_tools().items())),
    )
    return (*plain, coredns, kube_proxy, tunnel_image("proxy-agent"))


def _tools() -> dict[str, Path]:
    """Paths in the image and the files that go there: the tools, what they link to, and iptables' extensions."""
    files: dict[str, Path] = {}
    for name in TOOLS:
        found = shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
        if found is None:
            raise SandboxError(f"the command {name} is missing: run `make programs`")
        files[f"usr/sbin/{name}"] = Path(found).resolve()
    extensions = list(Path("/usr/lib").glob("*/xtables/*.so"))
    for path in [*files.values(), *extensions]:
        for library in _LIBRARY.findall(run(["ldd", path], limit=20)):
            files[library.lstrip("/")] = Path(library).resolve()
    files |= {str(path).lstrip("/"): path.resolve() for path in extensions}
    return files
