"""Container images made from single programs: an OCI layout in a tar file, without a registry or an engine.

An image is a function of its content: the same program gives the same bytes, so it is made once into the cache and
named by a digest. Layers are not compressed: they go to a disk beside them, where compressing costs more than it
saves.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import tarfile
from dataclasses import dataclass
from pathlib import Path

from kamaji_core.testing.programs import cache_directory, program
from sandbox.build import kubernetes_version, version_of

_FORMAT = 1
"""Part of every digest: raise it when the layout changes."""
_OCI = "application/vnd.oci.image"
_DIRECTORIES = {"bin": 0o755, "etc": 0o755, "tmp": 0o1777, "usr/local/bin": 0o755, "var/run": 0o755}
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_APPLETS = ("sh", "sleep", "cat", "echo", "ls", "wget", "nslookup", "httpd", "nc", "ip", "true", "hostname", "env")
_NOBODY = "65534:65534"
_NONROOT = "65532:65532"

PAUSE = "registry.k8s.io/pause:3.10.2"
BUSYBOX = "kamaji.sandbox/busybox:1"
BUSYBOX_PROGRAM = Path("/bin/busybox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image of one program.

    Args:
        reference: the name that pods use, tag included.
        program: the file on this machine.
        target: its path in the image.
        entrypoint: what runs when a pod says nothing.
        links: further names of the program, paths in the image.
        environment: `NAME=value` of every container that runs it.
        files: further files, by their path in the image.
        user: numeric user and group of every container that runs it, `user:group`; root's when empty.
    """

    reference: str
    program: Path
    target: str
    entrypoint: tuple[str, ...]
    links: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    files: tuple[tuple[str, Path], ...] = ()
    user: str = ""

    def digest(self) -> str:
        """Digest of everything that the image's content follows from."""
        with self.program.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        rest = [_FORMAT, self.reference, self.target, self.entrypoint, self.links, _architecture(), *self.environment]
        digest.update(json.dumps([*rest, self.user] if self.user else rest).encode())
        for target, path in self.files:
            digest.update(target.encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def archive(self) -> Path:
        """The image's tar file in the cache, made now when it is not there."""
        name = self.reference.rsplit("/", 1)[-1].replace(":", "-")
        path = cache_directory() / "images" / f"{name}-{self.digest()[:16]}.tar"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}.{os.getpid()}")
            write_archive(self, unfinished)
            unfinished.replace(path)
        return path


def sandbox_images() -> tuple[Image, ...]:
    """All images of the sandbox: the pause container, a busybox, a control plane's components and what goes beside."""
    version = kubernetes_version()
    busybox = BUSYBOX_PROGRAM.resolve()
    applets = tuple(f"bin/{name}" for name in _APPLETS)
    components = [
        Image(
            reference=f"registry.k8s.io/{name}:{version}",
            program=program(name).resolve(),
            target=f"usr/local/bin/{name}",
            entrypoint=(f"/usr/local/bin/{name}",),
        )
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    ]
    return (
        Image(
            reference=PAUSE,
            program=busybox,
            target="bin/busybox",
            entrypoint=("/bin/busybox", "sleep", "infinity"),
        ),
        Image(
            reference=BUSYBOX,
            program=busybox,
            target="bin/busybox",
            entrypoint=("/bin/sh",),
            links=applets,
        ),
        *components,
        kine_image(),
        tunnel_image("proxy-server"),
    )


def tunnel_image(name: str) -> Image:
    """The image of one end of the tunnel, under its upstream's name and run by the same user.

    Args:
        name: `proxy-server` or `proxy-agent`.

    Raises:
        ProgramMissingError: when it is not built yet.
    """
    return Image(
        reference=f"registry.k8s.io/kas-network-proxy/{name}:{version_of('konnectivity')}",
        program=program(name).resolve(),
        target=name,
        entrypoint=(f"/{name}",),
        user=_NONROOT,
    )


def kine_image() -> Image:
    """The image of kine under its upstream's name: laid out as there and run as nobody; nothing else is in it.

    Raises:
        ProgramMissingError: when it is not built yet.
    """
    return Image(
        reference=f"docker.io/rancher/kine:{version_of('kine')}",
        program=program("kine").resolve(),
        target="bin/kine",
        entrypoint=("/bin/kine",),
        user=_NOBODY,
    )


def write_archive(image: Image, path: Path) -> None:
    """Write an image as a tar file that holds an OCI layout; equal images give equal bytes."""
    layer = _layer(image)
    layer_digest = _sha256(layer)
    configuration = _json(
        {
            "architecture": _architecture(),
            "os": "linux",
            "config": {
                "Entrypoint": image.entrypoint,
                "Env": [_PATH, *image.environment],
                **({"User": image.user} if image.user else {}),
            },
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        },
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": _descriptor("config.v1+json", configuration),
            "layers": [_descriptor("layer.v1.tar", layer)],
        },
    )
    names = {"io.containerd.image.name": image.reference, "org.opencontainers.image.ref.name": _tag(image.reference)}
    index = {"schemaVersion": 2, "manifests": [{**_descriptor("manifest.v1+json", manifest), "annotations": names}]}
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(archive, "index.json", _json(index))
        for blob in (configuration, manifest, layer):
            _add(archive, f"blobs/sha256/{_sha256(blob).removeprefix('sha256:')}", blob)


def _layer(image: Image) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as layer:
        directories = {str(Path(target).parent): 0o755 for target, _ in image.files}
        for name, mode in _parents({**directories, **_DIRECTORIES}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            layer.addfile(entry)
        _add(layer, image.target, image.program.read_bytes(), mode=0o755)
        for target, path in image.files:
            _add(layer, target, path.read_bytes(), mode=0o755)
        for link in image.links:
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"/{image.target}"
            layer.addfile(entry)
    return content.getvalue()


def _parents(directories: dict[str, int]) -> dict[str, int]:
    """The directories with those they stand in, outermost first."""
    complete: dict[str, int] = {}
    for name, mode in directories.items():
        for parent in reversed(Path(name).parents):
            if parent != Path():
                complete.setdefault(str(parent), 0o755)
        complete[name] = mode
    return complete


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _descriptor(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": f"{_OCI}.{kind}", "digest": _sha256(content), "size": len(content)}


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _tag(reference: str) -> str:
    return reference.rsplit(":", 1)[-1]


def _architecture() -> str:
    """The machine's architecture in OCI's spelling."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
