"""Where a tenant's API server serves the kinds that are kept there: the usual ones are known, others are asked for."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import msgspec

from kamaji_core.kube import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, SECRETS, SERVICES, NotFoundError, Resource

if TYPE_CHECKING:
    from kamaji_core.kube import KubeClient

_RBAC = "rbac.authorization.k8s.io"

SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
DAEMON_SETS = Resource("apps", "v1", "daemonsets", "DaemonSet")
ROLES = Resource(_RBAC, "v1", "roles", "Role")
ROLE_BINDINGS = Resource(_RBAC, "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES = Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)

USUAL = (
    SERVICE_ACCOUNTS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    ROLES,
    ROLE_BINDINGS,
    CONFIG_MAPS,
    SERVICES,
    DEPLOYMENTS,
    DAEMON_SETS,
)
"""Kinds that are looked through in each full look, so that what an add-on left behind is found after a restart too."""

_KNOWN = {(one.api_version, one.kind): one for one in (*USUAL, NAMESPACES, SECRETS)}


class UnknownKindError(Exception):
    """The tenant's API server does not serve a kind, perhaps not yet; the message is a sentence."""

    def __init__(self, api_version: str, kind: str) -> None:
        super().__init__(f"The tenant's API server does not serve {kind} of {api_version}: its definition is missing.")


class Kinds:
    """Knows where kinds are served; of one tenant.

    Args:
        client: of the tenant's cluster.
    """

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._asked: dict[tuple[str, str], Resource] = {}

    async def resource(self, api_version: str, kind: str) -> Resource:
        """Tell where a kind is served.

        Raises:
            UnknownKindError: when it is not.
            ApiError: when the server cannot be asked.
        """
        place = (api_version, kind)
        known = _KNOWN.get(place) or self._asked.get(place)
        if known is None:
            known = self._asked[place] = await self._ask(api_version, kind)
        return known

    async def find(self, group: str, kind: str, *, version: str) -> Resource | None:
        """Tell where a kind is served in whatever version, the given one first; None when in none.

        Raises:
            ApiError: when the server cannot be asked.
        """
        with contextlib.suppress(UnknownKindError):
            return await self.resource(f"{group}/{version}" if group else version, kind)
        for other in await self._versions(group):
            with contextlib.suppress(UnknownKindError):
                return await self.resource(f"{group}/{other}", kind)
        return None

    async def _versions(self, group: str) -> tuple[str, ...]:
        """Tell which versions of a group are served; none of the core group, which has had a single one for ever."""
        if not group:
            return ()
        try:
            answer = await self._client.raw(f"/apis/{group}")
        except NotFoundError:
            return ()
        return tuple(one.version for one in msgspec.json.decode(answer, type=_ServedGroup).versions)

    async def _ask(self, api_version: str, kind: str) -> Resource:
        # Add-ons and tenants can name anything, and it becomes part of an address.
        if not _API_VERSION.fullmatch(str(api_version)):
            raise UnknownKindError(api_version, kind)
        group, _, version = api_version.rpartition("/")
        try:
            answer = await self._client.raw(f"/apis/{api_version}" if group else f"/api/{api_version}")
        except NotFoundError:
            raise UnknownKindError(api_version, kind) from None
        for one in msgspec.json.decode(answer, type=_Served).resources:
            if one.kind == kind and "/" not in one.name:
                return Resource(group, version, one.name, kind, namespaced=one.namespaced)
        raise UnknownKindError(api_version, kind)


class _ServedKind(msgspec.Struct):
    name: str
    kind: str
    namespaced: bool


class _Served(msgspec.Struct):
    resources: tuple[_ServedKind, ...] = ()


class _ServedVersion(msgspec.Struct):
    version: str


class _ServedGroup(msgspec.Struct):
    versions: tuple[_ServedVersion, ...] = ()


_API_VERSION = re.compile(r"([a-z0-9][-a-z0-9.]*/)?[a-z][-a-z0-9]*")
