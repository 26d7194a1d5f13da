"""Images are functions of their content, and laid out as containerd reads them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.images import Image, sandbox_images, write_archive

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """An image of a small program with another name for it."""
    program = tmp_path / "server"
    program.write_bytes(b"\x7fELF something")
    return Image(
        reference="registry.example/server:v1.2.3",
        program=program,
        target="usr/local/bin/server",
        entrypoint=("/usr/local/bin/server",),
        links=("bin/serve",),
    )


def members(archive: bytes) -> dict[str, bytes]:
    """Content of a tar file by name, files only."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isfile()}  # type: ignore[union-attr]  # files have content


def blob(files: dict[str, bytes], digest: str) -> bytes:
    """A blob of a layout, its digest verified."""
    content = files[f"blobs/sha256/{digest.removeprefix('sha256:')}"]
    assert "sha256:" + hashlib.sha256(content).hexdigest() == digest
    return content


def manifest(files: dict[str, bytes]) -> dict[str, Any]:
    """The only manifest of a layout."""
    (entry,) = json.loads(files["index.json"])["manifests"]
    content: dict[str, Any] = json.loads(blob(files, entry["digest"]))
    return content


def test_equal_images_give_equal_bytes(image: Image, tmp_path: Path) -> None:
    """No time and no owner of this machine gets into an archive."""
    write_archive(image, tmp_path / "a.tar")
    image.program.touch()
    write_archive(image, tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_the_layout_holds_together(image: Image, tmp_path: Path) -> None:
    """Index, manifest, configuration and layer name each other by digest and size."""
    write_archive(image, tmp_path / "image.tar")
    files = members((tmp_path / "image.tar").read_bytes())
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (layer,) = manifest(files)["layers"]
    assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar"
    content = blob(files, layer["digest"])
    assert len(content) == layer["size"]
    configuration = json.loads(blob(files, manifest(files)["config"]["digest"]))
    assert configuration["rootfs"]["diff_ids"] == [layer["digest"]]
    assert configuration["config"]["Entrypoint"] == ["/usr/local/bin/server"]


def test_containerd_learns_the_name(image: Image, tmp_path: Path) -> None:
    """The annotation is the reference that pods use."""
    write_archive(image, tmp_path / "image.tar")
    (entry,) = json.loads(members((tmp_path / "image.tar").read_bytes())["index.json"])["manifests"]
    assert entry["annotations"]["io.containerd.image.name"] == "registry.example/server:v1.2.3"
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "v1.2.3"


def test_the_layer_holds_the_program_and_its_links(image: Image, tmp_path: Path) -> None:
    """The program is executable, its directory is there before it, and a link leads to it."""
    write_archive(image, tmp_path / "image.tar")
    files = members((tmp_path / "image.tar").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(blob(files, manifest(files)["layers"][0]["digest"]))) as layer:
        names = layer.getnames()
        assert names.index("usr/local/bin") < names.index("usr/local/bin/server")
        assert layer.getmember("usr/local/bin/server").mode == 0o755
        assert layer.getmember("bin/serve").linkname == "/usr/local/bin/server"
        assert layer.getmember("tmp").mode == 0o1777


def test_the_digest_follows_everything_that_counts(image: Image, tmp_path: Path) -> None:
    """Another program, name, entrypoint or link is another image."""
    other = tmp_path / "other"
    other.write_bytes(b"other")
    variants = [
        image,
        replace(image, program=other),
        replace(image, reference="registry.example/server:v1.2.4"),
        replace(image, entrypoint=("/usr/local/bin/server", "--help")),
        replace(image, links=()),
        replace(image, environment=("GOGC=25",)),
        replace(image, user="65534:65534"),
    ]
    assert len({variant.digest() for variant in variants}) == len(variants)


def test_an_image_may_set_environment_variables(image: Image, tmp_path: Path) -> None:
    """They stand beside the search path, which every image has."""
    write_archive(replace(image, environment=("GOGC=25",)), tmp_path / "image.tar")
    files = members((tmp_path / "image.tar").read_bytes())
    configuration = json.loads(blob(files, manifest(files)["config"]["digest"]))
    search_path, *others = configuration["config"]["Env"]
    assert search_path.startswith("PATH=")
    assert others == ["GOGC=25"]


def test_an_image_may_have_a_user(image: Image, tmp_path: Path) -> None:
    """One that does not say runs as root."""
    for user in ("65534:65534", ""):
        write_archive(replace(image, user=user), tmp_path / "image.tar")
        files = members((tmp_path / "image.tar").read_bytes())
        configuration = json.loads(blob(files, manifest(files)["config"]["digest"]))
        assert configuration["config"].get("User", "") == user


def test_an_archive_is_made_once(image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second call returns the file that is there, and no unfinished one stays."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = image.archive()
    written = first.stat().st_mtime_ns
    assert image.archive() == first
    assert first.stat().st_mtime_ns == written
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_the_components_carry_their_upstream_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant's pods find the images under the names that kubeadm gives them."""
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kine", "proxy-server"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("KAMAJI_PROGRAMS", str(tmp_path))
    references = {image.reference.rpartition(":")[0] for image in sandbox_images()}
    assert {"registry.k8s.io/kube-apiserver", "registry.k8s.io/kube-scheduler", "registry.k8s.io/pause"} <= references
    (kine,) = (image for image in sandbox_images() if "kine" in image.reference)
    assert kine.reference == "docker.io/rancher/kine:v0.17.5"
    assert kine.user == "65534:65534"  # what is not nobody's to read or write fails here as it does elsewhere
