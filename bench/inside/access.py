"""A way of the bench's own into a tenant's cluster, and what the operator wants to be there.

The plan is the operator's own, made from the same objects, so that who writes by hand writes the very same.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from bench.errors import BenchError
from bench.fleet import NAMESPACE
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.certificates import secret_data
from kamaji_core.kube import SECRETS, ClusterConfig, KubeClient, config_from_kubeconfig
from kamaji_core.plugins import load_plugins
from kamaji_core.render import assigned_address, endpoint, tenant_view
from kamaji_core.soot.plan import Plan, plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.observer import Observer

_KUBECONFIG = "super-admin.conf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One tenant's cluster.

    Args:
        name: of the tenant.
        address: of its API server in the management cluster.
        port: of it.
        config: as its administrator.
        plan: what the operator wants inside.
    """

    name: str
    address: str
    port: int
    config: ClusterConfig = field(repr=False)
    plan: Plan = field(repr=False)

    def client(self) -> KubeClient:
        """Make a client, which the caller closes."""
        return KubeClient(self.config, user_agent="bench/1")


async def access_to(client: KubeClient, observer: Observer, name: str) -> Access:
    """Find the way into a tenant of the fleet whose Deployment is made.

    Args:
        client: of the management cluster.
        observer: the fleet as watches show it.
        name: of the tenant.

    Raises:
        BenchError: when its Service has no address or a Secret lacks what it should hold.
        NotFoundError: when a Secret is missing.
    """
    key = (NAMESPACE, name)
    kubeconfig = secret_data(await client.get(SECRETS, f"{name}-admin-kubeconfig", NAMESPACE)).get(_KUBECONFIG)
    authority = secret_data(await client.get(SECRETS, f"{name}-ca", NAMESPACE)).get("ca.crt")
    tenant = msgspec.convert(observer.tenants[key], TenantControlPlane)
    address = assigned_address(tenant, observer.services.get(key))
    if not kubeconfig or not authority or not address:
        raise BenchError(f"the tenant {name} has no way in yet: see `kubectl describe tenantcontrolplane {name}`")
    return Access(
        name=name,
        address=address,
        port=tenant.spec.network_profile.port,
        config=config_from_kubeconfig(kubeconfig),
        plan=planned(tenant, address=address, ca_cert=authority),
    )


def planned(tenant: TenantControlPlane, *, address: str, ca_cert: bytes) -> Plan:
    """Plan what the operator wants inside a tenant's cluster.

    Args:
        tenant: whose.
        address: of its API server.
        ca_cert: of its authority, PEM.

    Raises:
        BenchError: when an add-on that is turned on is not installed here, or fails.
    """
    where = endpoint(address, tenant.spec.network_profile.port)
    view = tenant_view(tenant, endpoint=where, ca_cert=ca_cert, secret_names={})
    made = plan(tenant, view, endpoint=where, ca_cert=ca_cert, addons=_addons())
    problems = [made.bootstrap_problem, *(one.problem for one in made.addons)]
    if any(problems):
        raise BenchError(f"what belongs inside a tenant cannot be planned: {' '.join(filter(None, problems))}")
    return made


@functools.cache
def _addons() -> Mapping[str, Any]:
    return load_plugins().addons
