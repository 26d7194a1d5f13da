"""The settings of `spec.addons.konnectivity`, field by field Kamaji's."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads annotations
from typing import Any, Literal

import msgspec

from kamaji_addon_konnectivity.versions import is_too_old
from kamaji_core.contracts import ConfigurationError, read_config

FIELD = "spec.addons.konnectivity"
REPOSITORY = "registry.k8s.io/kas-network-proxy"
PORTS = range(1, 65536)
ADMIN_PORT = 8133
"""Of the server and of the agent, each on its own loopback."""
HEALTH_PORT = 8134
TAKEN = {
    ADMIN_PORT: "the tunnel's own administration",
    HEALTH_PORT: "the tunnel's own health",
    10257: "the controller manager",
    10259: "the scheduler",
}


class Resources(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What a container gets of its node, quantities by resource."""

    requests: Mapping[str, str | int] = msgspec.field(default_factory=dict)
    limits: Mapping[str, str | int] = msgspec.field(default_factory=dict)


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The end in the tenant's control plane pods.

    Args:
        image: without a tag.
        version: its tag; empty for what belongs to the tenant's Kubernetes.
        port: of the pods and of the tenant's Service, where agents come in.
        resources: of its container.
        security_context: of its container.
        extra_args: further flags, `--name=value`; those that the tunnel depends on win over them.
    """

    port: int = 8132
    image: str = f"{REPOSITORY}/proxy-server"
    version: str = ""
    resources: Resources = Resources()
    security_context: Mapping[str, Any] = msgspec.field(default_factory=dict)
    extra_args: tuple[str, ...] = ()


class Agent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The end on the tenant's nodes.

    Args:
        image: without a tag.
        version: its tag; empty for what belongs to the tenant's Kubernetes.
        mode: on every node, or a number of them.
        replicas: of a Deployment; 0 leaves it to the tenant's users, who begin with one.
        host_network: agents see the network as their node does.
        tolerations: nodes with these taints get agents too.
        extra_args: further flags, `--name=value`; they win.
    """

    image: str = f"{REPOSITORY}/proxy-agent"
    version: str = ""
    mode: Literal["DaemonSet", "Deployment"] = "DaemonSet"
    replicas: int = 0
    host_network: bool = False
    tolerations: tuple[Mapping[str, Any], ...] = ({"key": "CriticalAddonsOnly", "operator": "Exists"},)
    extra_args: tuple[str, ...] = ()


class KonnectivityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """`spec.addons.konnectivity`; `{}` is enough."""

    server: Server = Server()
    agent: Agent = Agent()


def read(settings: Mapping[str, Any]) -> KonnectivityConfig:
    """Read the settings, and refuse what could not work.

    Args:
        settings: as they stand in the tenant's specification.

    Raises:
        ConfigurationError: naming the field that is wrong.
    """
    config = read_config(KonnectivityConfig, settings, field=FIELD)
    check_port(config.server.port, TAKEN)
    if config.agent.replicas < 0:
        raise ConfigurationError(f"{FIELD}.agent.replicas is {config.agent.replicas}: set a number above 0.")
    if config.agent.mode == "DaemonSet" and config.agent.replicas:
        raise ConfigurationError(
            f"{FIELD}.agent.replicas means nothing in mode DaemonSet: remove it or set mode to Deployment."
        )
    for end, extra_args, version in (
        ("server", config.server.extra_args, config.server.version),
        ("agent", config.agent.extra_args, config.agent.version),
    ):
        if is_too_old(version):
            raise ConfigurationError(
                f"{FIELD}.{end}.version is {version}, which cannot count servers by Leases: set v0.31.4 or newer."
            )
        for argument in extra_args:
            if not argument.startswith("--"):
                raise ConfigurationError(f"{FIELD}.{end}.extraArgs: {argument!r} is no flag: write --name=value.")
    return config


def check_port(port: int, taken: Mapping[int, str]) -> None:
    """Refuse a port of the server that cannot be, or that somebody in the pod has.

    Raises:
        ConfigurationError: saying who has it.
    """
    if port not in PORTS:
        raise ConfigurationError(f"{FIELD}.server.port is {port}: set one between 1 and 65535.")
    if port in taken:
        raise ConfigurationError(f"{FIELD}.server.port {port} is taken by {taken[port]}: set another.")
