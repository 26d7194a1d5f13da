"""The tunnel's end in the tenant's control plane pods: a container beside kube-apiserver, which sends through it.

Each pod has a server of its own, reached by a socket that the two containers share; agents come in by a port of the
tenant's Service. It reads its certificate and its kubeconfig once, so another of either rolls the pods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_addon_konnectivity.arguments import command, flags_of
from kamaji_addon_konnectivity.config import ADMIN_PORT, HEALTH_PORT, check_port
from kamaji_addon_konnectivity.versions import version_for
from kamaji_core.contracts import (
    Certificate,
    ConfigMap,
    Container,
    ControlPlaneParts,
    Flag,
    HealthCheck,
    Kubeconfig,
    Mount,
    RestartOn,
    Route,
    ServicePort,
    Volume,
)
from kamaji_core.pki import Usage

if TYPE_CHECKING:
    from kamaji_addon_konnectivity.config import KonnectivityConfig
    from kamaji_core.contracts import TenantView

NAME = "konnectivity-server"
USER = "system:konnectivity-server"
"""Common name of both certificates, and the audience of agents' tokens."""

AGENT = "konnectivity-agent"
AGENT_NAMESPACE = "kube-system"

CERTIFICATE = "konnectivity-certificate"
KUBECONFIG = "konnectivity-kubeconfig"
EGRESS = "konnectivity-egress-selector-configuration"
EGRESS_FILE = "egress-selector-configuration.yaml"
KUBECONFIG_FILE = "konnectivity-server.conf"

SOCKETS = "/run/konnectivity"
SOCKET = f"{SOCKETS}/konnectivity-server.socket"
DIRECTORY = "/etc/kubernetes/konnectivity"
EGRESS_DIRECTORY = f"{DIRECTORY}/configurations"
CERTIFICATE_DIRECTORY = f"{DIRECTORY}/pki"
KUBECONFIG_DIRECTORY = f"{DIRECTORY}/kubeconfig"

KEEPALIVE = "30s"
"""How long a silent connection is believed; upstream believes one for an hour, and sends into it for as long."""

EGRESS_CONFIGURATION = f"""\
apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: GRPC
    transport:
      uds:
        udsName: {SOCKET}
"""


def parts(tenant: TenantView, config: KonnectivityConfig) -> ControlPlaneParts:
    """Tell what the tenant's pods need.

    Raises:
        ConfigurationError: when the API server has the port.
    """
    port = config.server.port
    check_port(port, {int((tenant.spec.get("networkProfile") or {}).get("port", 0)): "the API server"})
    way_in = ControlPlaneParts(
        service_ports=(ServicePort(name=NAME, port=port),),
        routes=(Route(suffix="konnectivity", port_name=NAME),),
    )
    if not tenant.endpoint:
        return way_in  # agents verify the server by the address that the Service will have
    host = tenant.endpoint.rpartition(":")[0].strip("[]")
    return ControlPlaneParts(
        flags=(
            Flag(
                component="kube-apiserver",
                name="--egress-selector-config-file",
                value=f"{EGRESS_DIRECTORY}/{EGRESS_FILE}",
            ),
        ),
        containers=(_container(tenant, config),),
        certificates=(
            Certificate(
                suffix=CERTIFICATE, common_name=USER, usages=frozenset({Usage.SERVER}), names=frozenset({host})
            ),
        ),
        kubeconfigs=(Kubeconfig(suffix=KUBECONFIG, key=KUBECONFIG_FILE, user=USER),),
        config_maps=(ConfigMap(suffix=EGRESS, data={EGRESS_FILE: EGRESS_CONFIGURATION}),),
        service_ports=way_in.service_ports,
        routes=way_in.routes,
        volumes=(
            Volume(name="konnectivity-uds", medium="Memory"),
            Volume(name="egress-selector-configuration", config_map=f"{tenant.name}-{EGRESS}"),
            Volume(name=CERTIFICATE, secret=f"{tenant.name}-{CERTIFICATE}"),
            Volume(
                name="konnectivity-server-kubeconfig",
                secret=f"{tenant.name}-{KUBECONFIG}",
                items={KUBECONFIG_FILE: KUBECONFIG_FILE},
            ),
        ),
        mounts=(
            Mount(component="kube-apiserver", volume="konnectivity-uds", path=SOCKETS, read_only=False),
            Mount(component="kube-apiserver", volume="egress-selector-configuration", path=EGRESS_DIRECTORY),
            Mount(component=NAME, volume="konnectivity-uds", path=SOCKETS, read_only=False),
            Mount(component=NAME, volume=CERTIFICATE, path=CERTIFICATE_DIRECTORY),
            Mount(component=NAME, volume="konnectivity-server-kubeconfig", path=KUBECONFIG_DIRECTORY),
        ),
        restart_on=(
            RestartOn(name=CERTIFICATE, secret=f"{tenant.name}-{CERTIFICATE}", key="tls.crt"),
            RestartOn(name=KUBECONFIG, secret=f"{tenant.name}-{KUBECONFIG}", key=KUBECONFIG_FILE),
        ),
    )


def _container(tenant: TenantView, config: KonnectivityConfig) -> Container:
    server = config.server
    managed = {
        "--admin-port": f"={ADMIN_PORT}",
        "--agent-namespace": f"={AGENT_NAMESPACE}",
        "--agent-port": f"={server.port}",
        "--agent-service-account": f"={AGENT}",
        "--authentication-audience": f"={USER}",
        "--cluster-cert": f"={CERTIFICATE_DIRECTORY}/tls.crt",
        "--cluster-key": f"={CERTIFICATE_DIRECTORY}/tls.key",
        "--enable-lease-controller": "=true",
        "--health-port": f"={HEALTH_PORT}",
        "--kubeconfig": f"={KUBECONFIG_DIRECTORY}/{KUBECONFIG_FILE}",
        "--lease-namespace": f"={AGENT_NAMESPACE}",
        "--mode": "=grpc",
        "--server-port": "=0",
        "--uds-name": f"={SOCKET}",
    }
    flags = {"--keepalive-time": f"={KEEPALIVE}"} | flags_of(server.extra_args) | managed
    return Container(
        name=NAME,
        image=f"{server.image}:{server.version or version_for(tenant.version)}",
        command=command("/proxy-server", flags),
        requests={name: str(value) for name, value in server.resources.requests.items()},
        limits={name: str(value) for name, value in server.resources.limits.items()},
        health=HealthCheck(path="/healthz", port=HEALTH_PORT),
        security_context=server.security_context,
    )
