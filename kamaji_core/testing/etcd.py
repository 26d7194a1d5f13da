"""etcd: the server's command line, its authentication, and one server for tests.

A store of tenants is an etcd with client certificates and authentication, where `root` is a certificate's common
name: users have no password. It compacts by itself, since tenants' API servers run with their own compaction off.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kamaji_core.pki import CertificateRequest, KeyPair, Usage, issue_ca, issue_certificate
from kamaji_core.testing.files import TlsFiles, write_key_pair
from kamaji_core.testing.ports import free_port
from kamaji_core.testing.process import ServerProcess
from kamaji_core.testing.programs import program
from kamaji_core.testing.server import HttpReadiness, Server, flags

if TYPE_CHECKING:
    from types import TracebackType

_LIFETIME = timedelta(days=30)
_ETCDCTL_LIMIT = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdSettings:
    """What one single-member etcd is told.

    Args:
        name: unique among the servers that run together.
        address: the IP address that clients reach.
        client_port: TCP port for clients.
        peer_port: TCP port on the loopback interface; nobody but the server itself uses it.
        health_port: TCP port of `/health` and `/metrics`, plain HTTP.
        data: directory of its data.
        log: file of its log.
        tls: serving certificate and the authority of its clients; without it clients need none.
        auto_compaction_retention: history kept, such as `5m`; nothing is compacted without it.
        unsafe_no_fsync: do not wait for the disk: for tests only.
        quota_bytes: size of the database at which etcd takes no more; its own default where None.
    """

    name: str
    address: str
    client_port: int
    peer_port: int
    health_port: int
    data: Path
    log: Path
    tls: TlsFiles | None = None
    auto_compaction_retention: str | None = None
    unsafe_no_fsync: bool = False
    quota_bytes: int | None = None

    @property
    def endpoint(self) -> str:
        """The URL for clients."""
        return f"{'https' if self.tls else 'http'}://{self.address}:{self.client_port}"


def etcd(settings: EtcdSettings) -> Server:
    """The server that these settings describe.

    Raises:
        ProgramMissingError: when etcd is not built yet.
    """
    peer = f"http://127.0.0.1:{settings.peer_port}"
    health = f"http://{settings.address}:{settings.health_port}"
    tls = settings.tls
    told: dict[str, object] = {
        "name": settings.name,
        "data-dir": settings.data,
        "listen-client-urls": settings.endpoint,
        "advertise-client-urls": settings.endpoint,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"{settings.name}={peer}",
        "listen-metrics-urls": health,
        "log-level": "warn",
        "auto-compaction-mode": "periodic" if settings.auto_compaction_retention else None,
        "auto-compaction-retention": settings.auto_compaction_retention,
        "unsafe-no-fsync": True if settings.unsafe_no_fsync else None,
        "quota-backend-bytes": settings.quota_bytes,
    }
    if tls is not None:
        told |= {
            "cert-file": tls.certificate,
            "key-file": tls.key,
            "trusted-ca-file": tls.ca,
            "client-cert-auth": True,
        }
    return Server(
        name=settings.name,
        argv=(str(program("etcd")), *flags(told)),
        log=settings.log,
        readiness=HttpReadiness(url=f"{health}/health"),
        start_limit=30,
    )


def enable_authentication(endpoint: str, client: TlsFiles, *, prefix: tuple[str, ...] = ()) -> None:
    """Make the user `root`, without a password, and turn authentication on; harmless when both are done.

    Args:
        endpoint: URL of a server that serves.
        client: a client certificate whose common name is `root`.
        prefix: command that puts etcdctl where the server can be reached.

    Raises:
        RuntimeError: when etcdctl fails; the message carries what it said.
    """
    status = _etcdctl(endpoint, client, prefix, "auth", "status")
    if status.returncode == 0 and "Authentication Status: true" in status.stdout:
        return
    for command, done in (
        (("user", "add", "root", "--no-password"), "user name already exists"),
        (("user", "grant-role", "root", "root"), ""),
        (("auth", "enable"), ""),
    ):
        result = _etcdctl(endpoint, client, prefix, *command)
        if result.returncode != 0 and not (done and done in result.stderr):
            said = (result.stderr or result.stdout).strip()
            raise RuntimeError(f"etcdctl {' '.join(command)} failed at {endpoint}: {said}")


class EtcdServer:
    """One etcd on free loopback ports with a private directory; a context manager, with or without `async`.

    Owns its process and its directory, which is removed on leaving. `start` and `stop` restart it with its data.

    Args:
        tls: serve TLS, ask for client certificates, and turn authentication on with the user `root`.
        auto_compaction_retention: history kept, such as `5m`.
        quota_bytes: size of the database at which it takes no more; etcd's own default where None.

    Attributes:
        endpoints: URLs for clients, one.
        ca: authority of the server's and its clients' certificates; with `tls` only.
        root: client certificate of the user `root`; with `tls` only.
        files: the same on disk, for programs that read files; with `tls` only.
    """

    def __init__(
        self, *, tls: bool = False, auto_compaction_retention: str | None = "5m", quota_bytes: int | None = None
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="kamaji-etcd-"))
        self.ca: KeyPair | None = None
        self.root: KeyPair | None = None
        self.files: TlsFiles | None = None
        serving = self._issue() if tls else None
        settings = EtcdSettings(
            name="etcd",
            address="127.0.0.1",
            client_port=free_port(),
            peer_port=free_port(),
            health_port=free_port(),
            data=self.directory / "data",
            log=self.directory / "etcd.log",
            tls=serving,
            auto_compaction_retention=auto_compaction_retention,
            unsafe_no_fsync=True,
            quota_bytes=quota_bytes,
        )
        self.endpoints: tuple[str, ...] = (settings.endpoint,)
        try:
            self.process = ServerProcess(etcd(settings))
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    def issue_client(self, common_name: str) -> KeyPair:
        """A client certificate for the etcd user of this name, good for 30 days."""
        if self.ca is None:
            raise RuntimeError("this etcd takes no client certificates: start it with tls=True")
        request = CertificateRequest(common_name=common_name, usages=frozenset({Usage.CLIENT}))
        return issue_certificate(request, ca=self.ca, now=datetime.now(UTC), lifetime=_LIFETIME)

    def start(self) -> None:
        """Start it, or start it again with its data, and wait until it serves."""
        self.process.start()

    def stop(self) -> None:
        """End it; its data stays until the context is left."""
        self.process.stop()

    def _issue(self) -> TlsFiles:
        now = datetime.now(UTC)
        self.ca = issue_ca(common_name="etcd-ca", now=now, lifetime=_LIFETIME)
        request = CertificateRequest(
            common_name="etcd",
            usages=frozenset({Usage.SERVER, Usage.CLIENT}),
            names=frozenset({"127.0.0.1", "localhost"}),
        )
        serving = issue_certificate(request, ca=self.ca, now=now, lifetime=_LIFETIME)
        self.root = self.issue_client("root")
        self.files = write_key_pair(self.directory, "root", self.root, ca=self.ca.certificate)
        return write_key_pair(self.directory, "server", serving, ca=self.ca.certificate)

    def _authenticate(self) -> None:
        if self.files is not None:
            enable_authentication(self.endpoints[0], self.files)

    def _remove(self) -> None:
        self.process.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.process.start()
            self._authenticate()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    async def __aenter__(self) -> Self:
        try:
            await self.process.__aenter__()
            self._authenticate()  # three short commands, 0.2 s together
        except BaseException:
            self._remove()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()


def _etcdctl(
    endpoint: str,
    client: TlsFiles,
    prefix: tuple[str, ...],
    *command: str,
) -> subprocess.CompletedProcess[str]:
    told = flags({"endpoints": endpoint, "cacert": client.ca, "cert": client.certificate, "key": client.key})
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ETCDCTL_")}
    return subprocess.run(
        [*prefix, str(program("etcdctl")), *told, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=_ETCDCTL_LIMIT,
        env=clean,
    )
