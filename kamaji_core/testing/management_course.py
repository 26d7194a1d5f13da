"""A tenant's passes without any server: waves are planned, and folded in as the API server and the store would answer.

So it is seen, in milliseconds, what a tenant's control plane comes to in the management cluster: for tests of the
planning and of what plugins add to it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from kamaji_core.api import labels as wire
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.contracts import (
    API_VERSION,
    ControlPlaneParts,
    Credentials,
    DatastoreDriver,
    Flag,
    Mount,
    Probe,
    ProbeKind,
    RestartOn,
    Session,
    StoreView,
    Volume,
)
from kamaji_core.datastore import StoreState
from kamaji_core.extensions import Extensions
from kamaji_core.tenant.claim import ensure_checksum
from kamaji_core.tenant.facts import Facts
from kamaji_core.tenant.judge import Assessment, assess
from kamaji_core.tenant.material import make_material
from kamaji_core.tenant.plan import (
    AddFinalizer,
    Apply,
    Change,
    CreateSecret,
    EnsureStore,
    Remove,
    ReplaceSecret,
    ReserveClaim,
    Scale,
    SettleStore,
    plan,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = datetime(2030, 1, 1, tzinfo=UTC)
"""The time of all passes that are given no other."""

MANIFEST: dict[str, Any] = {
    "metadata": {"name": "shop", "namespace": "team-a", "uid": "1-2-3", "generation": 1, "resourceVersion": "1"},
    "spec": {
        "dataStore": "fast",
        "controlPlane": {"deployment": {"replicas": 1}, "service": {"serviceType": "ClusterIP"}},
        "kubernetes": {"version": "v1.37.1", "kubelet": {}},
    },
}


class PaperDriver(DatastoreDriver):
    """A driver that needs no store: it only says what it is asked for."""

    NAME: ClassVar[str] = "paper"
    API_VERSION: ClassVar[tuple[int, int]] = API_VERSION

    def validate(self, store: Any) -> Any:
        """Everything is fine."""
        return []

    def issue(self, store: Any, claim: Any, *, current: Any, now: Any, renew: bool = False) -> Credentials:
        """A password that stays."""
        return current or Credentials(user=claim.user, password="paper", files={"ca.crt": b"paper"})

    def open(self, store: Any) -> Session:
        """Nothing to open."""
        raise NotImplementedError

    def parts(self, store: Any, tenant: Any, claim: Any, *, secrets: Any) -> ControlPlaneParts:
        """One of each part."""
        return ControlPlaneParts(
            flags=(Flag(component="kube-apiserver", name="--paper-prefix", value=claim.schema),),
            volumes=(Volume(name="paper", secret=secrets.credentials, items={"ca.crt": "ca.crt"}),),
            mounts=(Mount(component="kube-apiserver", volume="paper", path="/paper"),),
            restart_on=(RestartOn(name="paper-ca", secret=secrets.credentials, key="ca.crt"),),
        )


class SilentSession(Session):
    """A session that is never asked."""

    async def probe(self) -> Probe:
        """Well."""
        return Probe(kind=ProbeKind.OK, sentence="Well.")

    async def ensure(self, claim: Any, credentials: Any) -> None:
        """Not asked in pure tests."""
        raise NotImplementedError

    reserve = revoke = remove = ensure  # type: ignore[assignment]  # never called either

    async def aclose(self) -> None:
        """Nothing to close."""


def paper_store() -> StoreState:
    """A store that is ready."""
    view = StoreView(name="fast", endpoints=("store:1",), content_digest="first")
    return StoreState(
        name="fast",
        ready=True,
        reason="DataStoreIsValid",
        sentence="Well.",
        driver=PaperDriver(),
        view=view,
        session=SilentSession(),
    )


def a_tenant(**spec: Any) -> TenantControlPlane:
    """The tenant `team-a/shop` as the API server first shows it, with these fields in its specification."""
    return msgspec.convert({**MANIFEST, "spec": {**MANIFEST["spec"], **spec}}, TenantControlPlane)


@dataclass
class ManagementCourse:
    """Passes without a server: plans a wave and folds it in as the API server and the store would answer.

    Args:
        facts: what is known at the first look.
        extensions: what plugins add.
    """

    facts: Facts
    extensions: Extensions = field(default_factory=Extensions)
    version: int = 1

    @classmethod
    def begin(cls, tenant: TenantControlPlane, extensions: Extensions | None = None) -> ManagementCourse:
        """A tenant's course from its first look, on a store that is ready."""
        facts = Facts(tenant=tenant, store_name="fast", store=paper_store())
        return cls(facts, extensions or Extensions())

    def assess(self, now: datetime = NOW) -> Assessment:
        """Judge what is known now."""
        return assess(self.facts, now=now, extensions=self.extensions)

    def plan(self, now: datetime = NOW) -> tuple[Change, ...]:
        """Plan one wave; authorities that must sign have been folded in by earlier waves."""
        assessment = self.assess(now)
        material = asyncio.run(make_material(self.facts, assessment, now=now))
        return plan(self.facts, assessment, material)

    def wave(self, now: datetime = NOW) -> list[str]:
        """Plan one wave, fold it in, and name its changes."""
        changes = self.plan(now)
        for change in changes:
            self.fold(change)
        return change_names(changes)

    def settle(self) -> None:
        """Go on until nothing differs."""
        while self.wave():
            pass

    def change(self, **spec: Any) -> None:
        """Have somebody change these fields of the specification."""
        live = self.facts.tenant
        wanted = msgspec.convert(
            {**msgspec.to_builtins(live), "spec": {**msgspec.to_builtins(live.spec), **spec}}, TenantControlPlane
        )
        metadata = msgspec.structs.replace(live.metadata, generation=live.metadata.generation + 1)
        self.facts = replace(self.facts, tenant=msgspec.structs.replace(wanted, metadata=metadata))

    def run(self) -> None:
        """Have the pods be as the Deployment asks for them."""
        live = self.facts.deployment or {}
        generation, replicas = live["metadata"]["generation"], live["spec"]["replicas"]
        status = {"observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas}
        self.facts = replace(self.facts, deployment={**live, "status": status})

    def fold(self, change: Change) -> None:
        """Take a change as carried out."""
        if isinstance(change, AddFinalizer):
            metadata = msgspec.structs.replace(self.facts.tenant.metadata, finalizers=("finalizer.kamaji.clastix.io",))
            self.facts = replace(self.facts, tenant=msgspec.structs.replace(self.facts.tenant, metadata=metadata))
        elif isinstance(change, ReserveClaim):
            self.facts = replace(self.facts, reserved=True)
        elif isinstance(change, EnsureStore):
            self.facts = replace(self.facts, ensured=ensure_checksum(self.facts, change.claim))
        elif isinstance(change, SettleStore):
            annotations = dict(change.config.annotations)
            del annotations[wire.UNSETTLED_ANNOTATION]
            settled = replace(change.config, annotations=annotations)
            self.facts = replace(self.facts, secrets={**self.facts.secrets, "datastore-config": settled})
        elif isinstance(change, Remove):
            left = tuple(stray for stray in self.facts.strays if stray != change.stray)
            self.facts = replace(self.facts, strays=left)
        elif isinstance(change, Scale):
            live = self.facts.deployment or {}
            self.facts = self.facts.with_object({**live, "spec": {**live["spec"], "replicas": change.replicas}})
        else:
            self.facts = self.facts.with_object(self.answer(change.manifest))

    def answer(self, manifest: Any) -> dict[str, Any]:
        """The object as the API server would store it."""
        self.version += 1
        metadata = {**manifest["metadata"], "resourceVersion": str(self.version), "uid": f"uid-{self.version}"}
        answer = {**manifest, "metadata": metadata}
        if manifest["kind"] == "Service":
            answer["spec"] = {**manifest["spec"], "clusterIP": "10.0.0.7"}
        if manifest["kind"] == "Deployment":
            metadata["generation"] = 1
        return answer


def change_names(changes: Iterable[Change]) -> list[str]:
    """Changes by name: what is done, and to which object."""
    return sorted(
        f"{type(change).__name__} {change.manifest['kind']} {change.manifest['metadata']['name']}"
        if isinstance(change, CreateSecret | ReplaceSecret | Apply)
        else type(change).__name__
        for change in changes
    )
