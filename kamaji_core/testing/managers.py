"""kube-controller-manager and kube-scheduler: their command lines.

Both come without leader election: there is one of each, and an election costs two seconds at every start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kamaji_core.testing.programs import program
from kamaji_core.testing.server import HttpReadiness, Server, flags

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kamaji_core.testing.files import TlsFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """What kube-scheduler is told.

    Args:
        address: the IP address that it listens on.
        port: TCP port of its health and metrics.
        kubeconfig: of the user `system:kube-scheduler`, on disk.
        tls: serving certificate and the cluster's authority.
        log: file of its log.
        extra: further flags, without dashes; they win over those made here, and None takes one away.
    """

    address: str
    port: int
    kubeconfig: Path
    tls: TlsFiles
    log: Path
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerManagerSettings:
    """What kube-controller-manager is told.

    Args:
        address: the IP address that it listens on.
        port: TCP port of its health and metrics.
        kubeconfig: of the user `system:kube-controller-manager`, on disk.
        tls: serving certificate and the cluster's authority.
        ca_key: the authority's key, for certificate signing requests.
        service_account_key: private key that tokens are signed with, PEM on disk.
        log: file of its log.
        extra: further flags, without dashes; they win over those made here, and None takes one away.
    """

    address: str
    port: int
    kubeconfig: Path
    tls: TlsFiles
    ca_key: Path
    service_account_key: Path
    log: Path
    extra: Mapping[str, object] = field(default_factory=dict)


def kube_scheduler(settings: SchedulerSettings) -> Server:
    """The scheduler that these settings describe.

    Raises:
        ProgramMissingError: when kube-scheduler is not built yet.
    """
    return _manager("kube-scheduler", settings, {})


def kube_controller_manager(settings: ControllerManagerSettings) -> Server:
    """The controller manager that these settings describe.

    Raises:
        ProgramMissingError: when kube-controller-manager is not built yet.
    """
    told = {
        "cluster-signing-cert-file": settings.tls.ca,
        "cluster-signing-key-file": settings.ca_key,
        "root-ca-file": settings.tls.ca,
        "service-account-private-key-file": settings.service_account_key,
        "use-service-account-credentials": True,  # without, the controllers lack most of their rights
        "controllers": "*,bootstrapsigner,tokencleaner",
    }
    return _manager("kube-controller-manager", settings, told)


def _manager(name: str, settings: SchedulerSettings | ControllerManagerSettings, own: Mapping[str, object]) -> Server:
    told: dict[str, object] = {
        "kubeconfig": settings.kubeconfig,
        "authentication-kubeconfig": settings.kubeconfig,
        "authorization-kubeconfig": settings.kubeconfig,
        "bind-address": settings.address,
        "secure-port": settings.port,
        "tls-cert-file": settings.tls.certificate,
        "tls-private-key-file": settings.tls.key,
        "leader-elect": False,
        "profiling": False,
        **own,
        **settings.extra,
    }
    health = f"https://{settings.address}:{settings.port}/healthz"
    return Server(
        name=name,
        argv=(str(program(name)), *flags(told)),
        log=settings.log,
        readiness=HttpReadiness(url=health, ca=settings.tls.ca.read_bytes()),
        start_limit=30,
        stop_grace=3,
    )
