"""A real kine on a real file, started as the driver's parts say, and an API server that finds it there.

What differs from a pod is the place alone: the directories of the two volumes are folders of the test.
"""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kamaji_core.contracts import Claim, SecretReferences, StoreView, TenantView
from kamaji_core.testing import Server, ServerProcess, SocketReadiness, free_port, program
from kamaji_core.testing.programs import programs_directory
from kamaji_datastore_sqlite import SqliteDriver
from kamaji_datastore_sqlite.driver import DIRECTORY
from kamaji_kine.parts import METRICS, SOCKET_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = ("kine", "etcd", "kube-apiserver")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs real programs where there are none."""
    missing = [name for name in PROGRAMS if not os.access(programs_directory() / name, os.X_OK)]
    for item in items:
        if missing and item.get_closest_marker("real"):
            item.add_marker(pytest.mark.skip(f"no {', '.join(missing)}: set KAMAJI_PROGRAMS to a folder that has them"))


class Kine:
    """One tenant's kine and its file.

    Args:
        folder: takes the volume, the socket and the log.
    """

    def __init__(self, folder: Path) -> None:
        self.volume, sockets = folder / "volume", folder / "run"
        for made in (self.volume, sockets):
            made.mkdir()
        driver = SqliteDriver()
        store = StoreView(name="sqlite", endpoints=("none:0",))
        claim = Claim(tenant_uid="u-1", namespace="team-a", name="shop", schema="shop", user="shop")
        tenant = TenantView(namespace="team-a", name="shop", uid="u-1", version="v1.37.1", replicas=1)
        secrets = SecretReferences(credentials="files", config="config")
        settings = driver.issue(store, claim, current=None, now=datetime.now(UTC)).settings
        parts = driver.parts(store, tenant, claim, secrets=secrets)
        (container,), (flag,) = parts.containers, parts.flags
        places = {
            DIRECTORY: str(self.volume),
            SOCKET_DIRECTORY: str(sockets),
            METRICS: f"127.0.0.1:{free_port()}",
            "/bin/kine": str(program("kine")),
        }
        self.address = _moved(flag.value, places)
        self.process = ServerProcess(
            Server(
                name="kine",
                argv=tuple(_moved(word, places) for word in container.command),
                environment={one.name: _moved(settings[one.key], places) for one in container.environment},
                log=folder / "kine.log",
                readiness=SocketReadiness(path=sockets / "kine.sock"),
            )
        )

    @property
    def log(self) -> str:
        """What kine said."""
        return self.process.server.log.read_text()


def _moved(word: str, places: dict[str, str]) -> str:
    for place, instead in places.items():
        word = word.replace(place, instead)
    return word


@pytest.fixture
def kine() -> Iterator[Kine]:
    """A kine that runs; its paths are short, since those of sockets must be."""
    with tempfile.TemporaryDirectory(prefix="sqlite-") as folder:
        kine = Kine(Path(folder))
        with kine.process:
            yield kine
