"""A tenant, a store with a driver of the tests' own, and waves folded as the API server would answer them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest

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
from kamaji_core.tenant.claim import ensure_checksum
from kamaji_core.tenant.facts import Facts
from kamaji_core.tenant.judge import Assessment, assess
from kamaji_core.tenant.material import make_material
from kamaji_core.tenant.plan import AddFinalizer, Change, EnsureStore, ReserveClaim, Scale, SettleStore, plan

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = datetime(2030, 1, 1, tzinfo=UTC)
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


@pytest.fixture
def tenant() -> TenantControlPlane:
    """A new tenant, as the API server first shows it."""
    return msgspec.convert(MANIFEST, TenantControlPlane)


@pytest.fixture
def store() -> StoreState:
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


@pytest.fixture
def facts(tenant: TenantControlPlane, store: StoreState) -> Facts:
    """What is known at the first look."""
    return Facts(tenant=tenant, store_name="fast", store=store)


@dataclass
class Course:
    """Passes without a server: plans a wave and folds it in as the API server and the store would answer."""

    facts: Facts
    version: int = 1

    def assess(self, now: datetime = NOW) -> Assessment:
        """Judge what is known now."""
        return assess(self.facts, now=now)

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
        return names(changes)

    def settle(self) -> None:
        """Go on until nothing differs."""
        while self.wave():
            pass

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
        elif isinstance(change, Scale):
            live = self.facts.deployment
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


@pytest.fixture
def course(facts: Facts) -> Course:
    """A tenant's course from its first look."""
    return Course(facts)


def names(changes: Iterable[Change]) -> list[str]:
    """Changes by name: what is done, and to which object."""
    return sorted(
        f"{type(change).__name__} {change.manifest['kind']} {change.manifest['metadata']['name']}"
        if not isinstance(change, AddFinalizer | ReserveClaim | EnsureStore | SettleStore | Scale)
        else type(change).__name__
        for change in changes
    )
