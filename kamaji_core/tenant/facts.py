"""What is: everything that a pass needs to know of one tenant, gathered once from caches.

Nothing is read from the API server here, and nothing is listed: each object has a known name. What an own write
answers is folded in, so that the next wave of the same pass knows it without reading.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from kamaji_core.certificates import AUTHORITIES, SecretFacts, read_secret, secret_data
from kamaji_core.contracts import Credentials
from kamaji_core.pki import KeyPair
from kamaji_core.render import object_name
from kamaji_core.render.kubeadm import COMPONENT as KUBEADM_CONFIG

if TYPE_CHECKING:
    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.datastore import StoreState
    from kamaji_core.tenancy import TenantState
    from kamaji_core.tenant.strays import Stray, Strays

STORE_CONFIG = "datastore-config"
STORE_CERTIFICATE = "datastore-certificate"
SECRET_SUFFIXES = (
    "ca",
    "front-proxy-ca-certificate",
    "sa-certificate",
    "api-server-certificate",
    "api-server-kubelet-client-certificate",
    "front-proxy-client-certificate",
    "admin-kubeconfig",
    "controller-manager-kubeconfig",
    "scheduler-kubeconfig",
    STORE_CONFIG,
    STORE_CERTIFICATE,
)

PRIVATE_SUFFIXES = frozenset({*AUTHORITIES, STORE_CONFIG, STORE_CERTIFICATE})
"""Secrets whose content a pass may need: to sign, or to tell the store."""

Key = tuple[str, str]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches:
    """The informers' stores that facts are gathered from, by namespace and name."""

    services: Mapping[Key, dict[str, Any]]
    deployments: Mapping[Key, dict[str, Any]]
    config_maps: Mapping[Key, dict[str, Any]]
    volume_claims: Mapping[Key, dict[str, Any]]
    secrets: Mapping[Key, SecretFacts]
    strays: Strays


class OwnSecrets(Mapping[str, SecretFacts]):
    """A tenant's Secrets by suffix, each looked up when it is asked for.

    Which Secrets there are beside the usual ones, plugins say, and what they say depends on the facts: so no list of
    suffixes is needed. Only the usual ones are told by iterating.

    Args:
        known: Secrets by namespace and name.
        namespace: of the tenant.
        tenant: its name.
    """

    def __init__(self, known: Mapping[Key, SecretFacts], *, namespace: str, tenant: str) -> None:
        self._known = known
        self._namespace = namespace
        self._tenant = tenant

    def __getitem__(self, suffix: str) -> SecretFacts:
        return self._known[self._namespace, f"{self._tenant}-{suffix}"]

    def __iter__(self) -> Iterator[str]:
        return (suffix for suffix in SECRET_SUFFIXES if (self._namespace, f"{self._tenant}-{suffix}") in self._known)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one tenant during one pass.

    Args:
        tenant: the object itself.
        store_name: its DataStore, empty when none is named.
        store: the state of that DataStore; None while it does not exist.
        service: the live Service.
        deployment: the live Deployment.
        kubeadm_config: the live ConfigMap.
        config_maps: looks a live ConfigMap up by its namespace and name.
        volume_claims: the same for a PersistentVolumeClaim.
        native_sidecars: whether the management cluster knows init containers that go on running.
        secrets: by suffix.
        private: content of Secrets of `PRIVATE_SUFFIXES` that were written or read in this pass, by suffix.
        reserved: the store has recorded the tenant as its claim's owner, in this pass.
        ensured: checksum of what the store was last told, empty when it was told nothing.
        strays: its objects that no plan makes any more.
        inside: what is known of the inside of its cluster, None while nothing is.
    """

    tenant: TenantControlPlane
    store_name: str
    store: StoreState | None
    service: dict[str, Any] | None = None
    deployment: dict[str, Any] | None = None
    kubeadm_config: dict[str, Any] | None = None
    config_maps: Mapping[Key, dict[str, Any]] = field(default_factory=dict)
    volume_claims: Mapping[Key, dict[str, Any]] = field(default_factory=dict)
    native_sidecars: bool = True
    secrets: Mapping[str, SecretFacts] = field(default_factory=dict)
    private: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)
    reserved: bool = False
    ensured: str = ""
    strays: tuple[Stray, ...] = ()
    inside: TenantState | None = None

    @property
    def provisioned(self) -> bool:
        """Whether the control plane has run: from then on, lost authorities may not be made anew."""
        return bool(self.tenant.status.kubernetes_resources.version.version) or self.deployment is not None

    def authority(self, suffix: str) -> KeyPair:
        """The key pair of an authority among `private`."""
        data, file = self.private[suffix], AUTHORITIES[suffix].file
        return KeyPair(certificate=data.get(f"{file}.crt", b""), key=data.get(f"{file}.key", b""))

    @property
    def credentials(self) -> Credentials | None:
        """The tenant's credentials at its store, when both of their Secrets are among `private`."""
        if not {STORE_CONFIG, STORE_CERTIFICATE} <= self.private.keys():
            return None
        config = {name: value.decode(errors="replace") for name, value in self.private[STORE_CONFIG].items()}
        return Credentials(
            user=config.get("DB_LOGIN") or config.get("DB_USER", ""),
            password=config.get("DB_PASSWORD") or None,
            files=self.private[STORE_CERTIFICATE],
            settings={name: value for name, value in config.items() if not name.startswith("DB_")},
        )

    def with_object(self, manifest: Mapping[str, Any]) -> Facts:
        """Fold in an object as the API server answered it."""
        match manifest["kind"]:
            case "Secret":
                return self._with_secret(manifest)
            case "Service":
                return replace(self, service=dict(manifest))
            case "ConfigMap" if manifest["metadata"]["name"] == object_name(self.tenant, KUBEADM_CONFIG):
                return replace(self, kubeadm_config=dict(manifest))
            case "ConfigMap":
                return replace(self, config_maps=_with(self.config_maps, _key(manifest), dict(manifest)))
            case "Deployment":
                return replace(self, deployment=dict(manifest))
            case "PersistentVolumeClaim":
                return replace(self, volume_claims=_with(self.volume_claims, _key(manifest), dict(manifest)))
            case kind:
                raise ValueError(f"no facts are kept of a {kind}")

    def _with_secret(self, manifest: Mapping[str, Any]) -> Facts:
        facts = read_secret(manifest)
        suffix = facts.name.removeprefix(f"{self.tenant.metadata.name}-")
        private = dict(self.private)
        if suffix in PRIVATE_SUFFIXES:
            private[suffix] = secret_data(manifest)
        return replace(self, secrets=_with(self.secrets, suffix, facts), private=private)


def _key(manifest: Mapping[str, Any]) -> Key:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _with(known: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    """What is known with one thing as an own write was answered; what the caches hold is looked up as before."""
    maps: list[Any] = known.maps if isinstance(known, ChainMap) else [{}, known]  # of which only the first is ours
    return ChainMap({**maps[0], key: value}, *maps[1:])


def gather(
    tenant: TenantControlPlane,
    *,
    caches: Caches,
    store_name: str,
    store: StoreState | None,
    inside: TenantState | None = None,
    native_sidecars: bool = True,
) -> Facts:
    """Gather what is known of a tenant.

    Args:
        tenant: the object.
        caches: where its objects are.
        store_name: name of its DataStore.
        store: the state of that DataStore.
        inside: what is known of the inside of its cluster.
        native_sidecars: whether the management cluster knows init containers that go on running.
    """
    namespace = tenant.metadata.namespace
    return Facts(
        tenant=tenant,
        store_name=store_name,
        store=store,
        service=caches.services.get((namespace, object_name(tenant))),
        deployment=caches.deployments.get((namespace, object_name(tenant))),
        kubeadm_config=caches.config_maps.get((namespace, object_name(tenant, KUBEADM_CONFIG))),
        config_maps=caches.config_maps,
        volume_claims=caches.volume_claims,
        native_sidecars=native_sidecars,
        secrets=OwnSecrets(caches.secrets, namespace=namespace, tenant=tenant.metadata.name),
        ensured=tenant.status.storage.setup.checksum,
        strays=caches.strays.of((namespace, tenant.metadata.name), uid=tenant.metadata.uid),
        inside=inside,
    )
