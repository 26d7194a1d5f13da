"""The sandbox's servers: which they are and what each is told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kamaji_core.testing import (
    ApiServerSettings,
    ControllerManagerSettings,
    EtcdSettings,
    HttpReadiness,
    SchedulerSettings,
    Server,
    SocketReadiness,
    etcd,
    kube_apiserver,
    kube_controller_manager,
    kube_scheduler,
    program,
)
from sandbox import postgres as postgresql
from sandbox.configuration import DNS_READY_PORT, KUBELET_HEALTH_PORT, PROXY_HEALTH_PORT
from sandbox.places import (
    API_PORT,
    AUDIT_LOG,
    CONFIGURATION,
    CONTAINERD_SOCKET,
    LOGS,
    NAME,
    NODE_ADDRESS,
    SERVICE_RANGE,
    STATE,
    STORE_PORT,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.debian import ContainerRuntime
    from sandbox.material import Material

STORE = "etcd-tenants"


def all_servers(runtime: ContainerRuntime, material: Material, *, postgres: bool = False) -> dict[str, Server]:
    """Every server of the sandbox by name, in the order that a reader expects.

    Args:
        runtime: where containerd and its companions are.
        material: of the sandbox.
        postgres: whether there is a PostgreSQL for tenants.

    Raises:
        ProgramMissingError: when a program is not built yet.
        SandboxError: when PostgreSQL is wanted and not installed.
    """
    servers = (
        _etcd(material),
        _store(material),
        *((postgresql.server(),) if postgres else ()),
        _api_server(material),
        _controller_manager(material),
        _scheduler(material),
        _containerd(runtime),
        _kubelet(material),
        _kube_proxy(),
        _coredns(),
    )
    return {server.name: server for server in servers}


def _etcd(material: Material) -> Server:
    return etcd(
        EtcdSettings(
            name="etcd",
            address=NODE_ADDRESS,
            client_port=2389,
            peer_port=2390,
            health_port=2391,
            data=STATE / "etcd",
            log=_log("etcd"),
            tls=material.tls("etcd"),
        ),
    )


def store_settings(material: Material) -> EtcdSettings:
    """The tenants' shared store."""
    return EtcdSettings(
        name=STORE,
        address=NODE_ADDRESS,
        client_port=STORE_PORT,
        peer_port=2380,
        health_port=2381,
        data=STATE / STORE,
        log=_log(STORE),
        tls=material.tls("store-server"),
        auto_compaction_retention="5m",
    )


def _store(material: Material) -> Server:
    return etcd(store_settings(material))


def _api_server(material: Material) -> Server:
    kubelet, front_proxy = material.tls("kubelet-client"), material.tls("front-proxy-client")
    settings = ApiServerSettings(
        address=NODE_ADDRESS,
        port=API_PORT,
        etcd_endpoint=f"https://{NODE_ADDRESS}:2389",
        etcd_client=material.tls("etcd-client"),
        tls=material.tls("apiserver"),
        service_account_key=material.service_account_key,
        service_account_public_key=material.service_account_public_key,
        service_range=SERVICE_RANGE,
        log=_log("kube-apiserver"),
        extra={
            "enable-admission-plugins": "NodeRestriction",
            "enable-bootstrap-token-auth": True,
            "kubelet-client-certificate": kubelet.certificate,
            "kubelet-client-key": kubelet.key,
            "kubelet-certificate-authority": kubelet.ca,
            "kubelet-preferred-address-types": "InternalIP",  # nobody resolves the node's name
            "requestheader-client-ca-file": front_proxy.ca,
            "requestheader-allowed-names": "front-proxy-client",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-username-headers": "X-Remote-User",
            "proxy-client-cert-file": front_proxy.certificate,
            "proxy-client-key-file": front_proxy.key,
            "audit-policy-file": CONFIGURATION / "audit.yaml",
            "audit-log-path": AUDIT_LOG,
            "audit-log-maxsize": 100,
            "audit-log-maxbackup": 3,
        },
    )
    return kube_apiserver(settings)


def _controller_manager(material: Material) -> Server:
    return kube_controller_manager(
        ControllerManagerSettings(
            address=NODE_ADDRESS,
            port=10257,
            kubeconfig=material.kubeconfig("kube-controller-manager"),
            tls=material.tls("node"),
            ca_key=material.ca_key,
            service_account_key=material.service_account_key,
            log=_log("kube-controller-manager"),
            extra={
                "flex-volume-plugin-dir": STATE / "volume-plugins",
                # At the default of 20 requests a second its controllers take five seconds to start.
                "kube-api-qps": 200,
                "kube-api-burst": 400,
            },
        ),
    )


def _scheduler(material: Material) -> Server:
    return kube_scheduler(
        SchedulerSettings(
            address=NODE_ADDRESS,
            port=10259,
            kubeconfig=material.kubeconfig("kube-scheduler"),
            tls=material.tls("node"),
            log=_log("kube-scheduler"),
        ),
    )


def _containerd(runtime: ContainerRuntime) -> Server:
    return Server(
        name="containerd",
        argv=(str(runtime.containerd), f"--config={CONFIGURATION / 'containerd.toml'}", "--log-level=warn"),
        log=_log("containerd"),
        readiness=SocketReadiness(path=CONTAINERD_SOCKET),
        environment={"PATH": f"{runtime.containerd.parent}:{runtime.runc.parent}:{os.environ.get('PATH', os.defpath)}"},
    )


def _kubelet(material: Material) -> Server:
    return Server(
        name="kubelet",
        argv=(
            str(program("kubelet")),
            f"--config={CONFIGURATION / 'kubelet.yaml'}",
            f"--kubeconfig={material.kubeconfig('kubelet')}",
            f"--hostname-override={NAME}",
            f"--node-ip={NODE_ADDRESS}",
        ),
        log=_log("kubelet"),
        readiness=HttpReadiness(url=f"http://{NODE_ADDRESS}:{KUBELET_HEALTH_PORT}/healthz"),
    )


def _kube_proxy() -> Server:
    return Server(
        name="kube-proxy",
        argv=(str(program("kube-proxy")), f"--config={CONFIGURATION / 'kube-proxy.yaml'}"),
        log=_log("kube-proxy"),
        readiness=HttpReadiness(url=f"http://{NODE_ADDRESS}:{PROXY_HEALTH_PORT}/healthz"),
    )


def _coredns() -> Server:
    return Server(
        name="coredns",
        argv=(str(program("coredns")), f"-conf={CONFIGURATION / 'Corefile'}", "-quiet"),
        log=_log("coredns"),
        readiness=HttpReadiness(url=f"http://{NODE_ADDRESS}:{DNS_READY_PORT}/ready"),
    )


def _log(name: str) -> Path:
    return LOGS / f"{name}.log"
