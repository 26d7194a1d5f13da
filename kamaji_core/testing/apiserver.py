"""kube-apiserver: its command line, and one server with its own etcd for tests.

The test server has no controllers: nothing garbage-collects, no default ServiceAccount appears, and the admission
plugin that waits for one is off.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kamaji_core.pki import (
    CertificateRequest,
    KeyAlgorithm,
    KeyPair,
    Usage,
    decode_key,
    encode_key,
    encode_public_key,
    generate_key,
    issue_ca,
    issue_certificate,
    kubeconfig,
)
from kamaji_core.testing.etcd import EtcdServer
from kamaji_core.testing.files import TlsFiles, write_key_pair, write_private
from kamaji_core.testing.ports import free_port
from kamaji_core.testing.process import ServerProcess
from kamaji_core.testing.programs import program
from kamaji_core.testing.server import HttpReadiness, Server, flags

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerSettings:
    """What one kube-apiserver is told.

    Args:
        address: the IP address that it listens on and advertises.
        port: TCP port.
        etcd_endpoint: URL of its etcd.
        etcd_client: client certificate for that etcd, when it asks for one.
        tls: serving certificate and the authority of its clients.
        service_account_key: private key that tokens are signed with, PEM on disk.
        service_account_public_key: its public half, PEM on disk.
        service_range: CIDR of Service addresses.
        log: file of its log.
        extra: further flags, without dashes; they win over those made here, and None takes one away.
    """

    address: str
    port: int
    etcd_endpoint: str
    tls: TlsFiles
    service_account_key: Path
    service_account_public_key: Path
    service_range: str
    log: Path
    etcd_client: TlsFiles | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"https://{self.address}:{self.port}"


def kube_apiserver(settings: ApiServerSettings) -> Server:
    """The server that these settings describe.

    Raises:
        ProgramMissingError: when kube-apiserver is not built yet.
    """
    told: dict[str, object] = {
        "etcd-servers": settings.etcd_endpoint,
        "bind-address": settings.address,
        "advertise-address": settings.address,
        "secure-port": settings.port,
        "tls-cert-file": settings.tls.certificate,
        "tls-private-key-file": settings.tls.key,
        "client-ca-file": settings.tls.ca,
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": settings.service_account_public_key,
        "service-account-signing-key-file": settings.service_account_key,
        "service-cluster-ip-range": settings.service_range,
        "authorization-mode": "Node,RBAC",
        "allow-privileged": True,
        "profiling": False,
    }
    if settings.etcd_client is not None:
        told |= {
            "etcd-cafile": settings.etcd_client.ca,
            "etcd-certfile": settings.etcd_client.certificate,
            "etcd-keyfile": settings.etcd_client.key,
        }
    told |= settings.extra
    return Server(
        name="kube-apiserver",
        argv=(str(program("kube-apiserver")), *flags(told)),
        log=settings.log,
        readiness=HttpReadiness(url=f"{settings.url}/readyz", ca=settings.tls.ca.read_bytes()),
        start_limit=60,
        # It waits for its open watches before it ends, and a minute when its etcd is gone.
        stop_grace=2,
    )


class ApiServer:
    """One kube-apiserver with its own etcd on free loopback ports; a context manager, with or without `async`.

    Serves about 2.5 s after entering. Owns both processes and its directory, which is removed on leaving.

    Args:
        extra: further flags of kube-apiserver, see `ApiServerSettings`.

    Attributes:
        url: URL for clients.
        ca: authority of its serving certificate and of its clients.
        kubeconfig: of an administrator (`system:masters`).
    """

    def __init__(self, *, extra: Mapping[str, object] | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="kamaji-apiserver-"))
        try:
            self.etcd = EtcdServer()
            self.ca = issue_ca(common_name="kubernetes", now=datetime.now(UTC), lifetime=_LIFETIME)
            settings = self._settings(extra or {})
            self.url = settings.url
            self.kubeconfig = self.issue_kubeconfig("kubernetes-admin", "system:masters")
            self.process = ServerProcess(kube_apiserver(settings))
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    def issue_client(self, user: str, *groups: str) -> KeyPair:
        """A client certificate for this user in these groups, good for 30 days."""
        request = CertificateRequest(common_name=user, organizations=groups, usages=frozenset({Usage.CLIENT}))
        return issue_certificate(request, ca=self.ca, now=datetime.now(UTC), lifetime=_LIFETIME)

    def issue_kubeconfig(self, user: str, *groups: str) -> bytes:
        """A kubeconfig for this user in these groups, its certificate embedded."""
        client = self.issue_client(user, *groups)
        return kubeconfig(cluster="test", server=self.url, ca=self.ca.certificate, user=user, client=client)

    def start(self) -> None:
        """Start kube-apiserver again, on the same port with the same data, and wait until it serves."""
        self.process.start()

    def stop(self) -> None:
        """End kube-apiserver; its etcd goes on."""
        self.process.stop()

    def _settings(self, extra: Mapping[str, object]) -> ApiServerSettings:
        request = CertificateRequest(
            common_name="kube-apiserver",
            usages=frozenset({Usage.SERVER}),
            names=frozenset({"127.0.0.1", "localhost", "kubernetes.default.svc"}),
        )
        serving = issue_certificate(request, ca=self.ca, now=datetime.now(UTC), lifetime=_LIFETIME)
        signing, public = write_service_account_keys(self.directory)
        return ApiServerSettings(
            address="127.0.0.1",
            port=free_port(),
            etcd_endpoint=self.etcd.endpoints[0],
            tls=write_key_pair(self.directory, "serving", serving, ca=self.ca.certificate),
            service_account_key=signing,
            service_account_public_key=public,
            service_range="10.0.0.0/24",
            log=self.directory / "kube-apiserver.log",
            # A loopback address cannot stand in the endpoints of the Service `kubernetes`.
            extra={
                "disable-admission-plugins": "ServiceAccount",
                "advertise-address": "192.0.2.1",
                "endpoint-reconciler-type": "none",
                **extra,
            },
        )

    def _remove(self) -> None:
        self.process.stop()  # before its etcd: without one it lingers
        self.etcd.stop()
        shutil.rmtree(self.etcd.directory, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.etcd.process.launch()
            self.process.launch()
            self.etcd.process.wait_ready()
            self.process.wait_ready()
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
            self.etcd.process.launch()
            await self.process.__aenter__()
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


def write_service_account_keys(directory: Path) -> tuple[Path, Path]:
    """Write `sa.key` and `sa.pub`, the key that service account tokens are signed with; existing ones are kept."""
    signing, public = directory / "sa.key", directory / "sa.pub"
    if not signing.exists():
        write_private(signing, encode_key(generate_key(KeyAlgorithm.ECDSA_P256)))
    write_private(public, encode_public_key(decode_key(signing.read_bytes())))
    return signing, public
