"""The contract's outer shape: names, abstract classes, defaults. A change here is a change for every author."""

from __future__ import annotations

import dataclasses
import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest

from kamaji_core import contracts
from kamaji_core.contracts import (
    API_VERSION,
    Addon,
    BasicAuth,
    Capability,
    Claim,
    ControlPlaneParts,
    Credentials,
    DatastoreDriver,
    Probe,
    ProbeKind,
    Session,
    StoreError,
    TenantView,
    TlsMaterial,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

NAMES = [
    "API_VERSION",
    "Addon",
    "Applied",
    "AppliedObject",
    "BasicAuth",
    "Capability",
    "Certificate",
    "Claim",
    "ConfigMap",
    "ConfigurationError",
    "Container",
    "ControlPlaneParts",
    "Credentials",
    "DatastoreDriver",
    "Drift",
    "EndpointError",
    "EnvironmentVariable",
    "Flag",
    "HealthCheck",
    "IssuedCertificate",
    "Kubeconfig",
    "ManagerView",
    "Material",
    "Mount",
    "Outcome",
    "Probe",
    "ProbeKind",
    "RestartOn",
    "Route",
    "SecretReferences",
    "ServicePort",
    "Session",
    "StoreError",
    "StoreView",
    "TenantEvent",
    "TenantNetworks",
    "TenantObject",
    "TenantView",
    "TlsMaterial",
    "UnsupportedError",
    "Usage",
    "Volume",
    "VolumeClaim",
    "extra_settings",
    "hookimpl",
    "read_config",
]

ABSTRACT = {
    DatastoreDriver: {"validate", "issue", "open", "parts"},
    Session: {"probe", "reserve", "ensure", "revoke", "remove", "aclose"},
    Addon: {"config", "tenant_objects", "status"},
}

CLAIM = Claim(tenant_uid="u-1", namespace="team-a", name="shop", schema="a_shop", user="shop_user")

DATACLASSES = [value for name in NAMES if dataclasses.is_dataclass(value := getattr(contracts, name))]


class _Session(Session):
    """Only what must be there."""

    async def probe(self) -> Probe:
        return Probe(kind=ProbeKind.OK, sentence="It answers.")

    async def reserve(self, claim: Claim) -> None:
        pass

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        pass

    revoke = remove = reserve

    async def aclose(self) -> None:
        pass


class _Settings(msgspec.Struct):
    pass


class _Addon(Addon):
    """Only what must be there."""

    NAME: ClassVar[str] = "extra"
    SPEC_KEY: ClassVar[str] = "extra"
    API_VERSION: ClassVar[tuple[int, int]] = API_VERSION
    CONFIG: ClassVar[type[msgspec.Struct]] = _Settings
    STATUS: ClassVar[type[msgspec.Struct]] = _Settings

    def config(self, spec: Mapping[str, Any]) -> msgspec.Struct | None:
        return _Settings()

    def tenant_objects(self, *args: Any) -> list[Any]:
        return []

    def status(self, *args: Any) -> msgspec.Struct:
        return _Settings()


def test_the_names_are_these() -> None:
    """A name that goes breaks authors; one that comes is a promise: change the list on purpose."""
    assert contracts.__all__ == NAMES
    assert [name for name in NAMES if not hasattr(contracts, name)] == []


def test_the_version_is_a_major_and_a_minor() -> None:
    """Compared whole until 1.0."""
    assert API_VERSION == (1, 0)


@pytest.mark.parametrize("kind", ABSTRACT, ids=lambda kind: kind.__name__)
def test_what_must_be_implemented(kind: type) -> None:
    """No more and no less: a method that becomes abstract leaves every driver out that lacks it."""
    assert kind.__abstractmethods__ == ABSTRACT[kind]  # type: ignore[attr-defined]  # of ABCMeta
    with pytest.raises(TypeError, match="abstract"):
        kind()


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (
            lambda session: session.check(CLAIM),
            "This driver does not tell whether schema 'a_shop' and user 'shop_user' are as they were made.",
        ),
        (lambda session: session.usage(CLAIM), "This driver does not tell how much data is in the schema 'a_shop'."),
        (lambda session: session.claims(), "This driver does not tell whose claims are at the store."),
    ],
    ids=["check", "usage", "claims"],
)
async def test_what_a_session_need_not_tell(ask: Callable[[Session], Awaitable[Any]], sentence: str) -> None:
    """A typed error with a sentence, which asking again does not help."""
    with pytest.raises(UnsupportedError) as caught:
        await ask(_Session())
    assert (str(caught.value), caught.value.retry, caught.value.kind) == (sentence, False, ProbeKind.VERSION)
    assert isinstance(caught.value, StoreError)


def test_a_driver_that_names_no_capabilities_has_the_first_ones() -> None:
    """What every driver could before it was asked, and no settings of a type."""
    assert set(DatastoreDriver.CAPABILITIES) == {Capability.MANY_TENANTS, Capability.MANY_REPLICAS}
    assert DatastoreDriver.CONFIG is None


def test_an_addon_needs_nothing_in_pods_unless_it_says_so() -> None:
    """Its parts are the empty ones."""
    tenant = TenantView(namespace="a", name="b", uid="u", version="v1.37.0", replicas=1)
    assert _Addon().parts(tenant, _Settings()) == ControlPlaneParts()
    assert ControlPlaneParts() == ControlPlaneParts(flags=(), volumes=(), mounts=(), restart_on=())


@pytest.mark.parametrize("kind", DATACLASSES, ids=lambda kind: kind.__name__)
def test_data_is_frozen_and_named(kind: Any) -> None:
    """Nobody changes what another holds, and a field can be added without breaking a caller's order."""
    assert kind.__dataclass_params__.frozen
    assert kind.__dataclass_params__.eq
    assert all(field.kw_only for field in dataclasses.fields(kind))
    assert "__slots__" in vars(kind)


@pytest.mark.parametrize("kind", DATACLASSES, ids=lambda kind: kind.__name__)
def test_every_field_is_told(kind: Any) -> None:
    """Where a docstring tells arguments it tells them all."""
    told = inspect.getdoc(kind) or ""
    if "Args:" in told:
        assert [field.name for field in dataclasses.fields(kind) if f"\n    {field.name}: " not in told] == []


@pytest.mark.parametrize("kind", [DatastoreDriver, Session, Addon], ids=lambda kind: kind.__name__)
def test_every_method_is_told(kind: type) -> None:
    """What it promises stands beside it."""
    methods = {name: value for name, value in vars(kind).items() if inspect.isfunction(value)}
    assert methods
    assert [name for name, value in methods.items() if not inspect.getdoc(value)] == []


def test_what_talks_to_a_store_is_asynchronous_and_the_rest_is_not() -> None:
    """A session waits; a driver and an add-on compute."""
    assert all(inspect.iscoroutinefunction(value) for value in vars(Session).values() if inspect.isfunction(value))
    pure = [value for kind in (DatastoreDriver, Addon) for value in vars(kind).values() if inspect.isfunction(value)]
    assert not [value for value in pure if inspect.iscoroutinefunction(value)]


@pytest.mark.parametrize(
    "value",
    [
        Credentials(
            user="u", password="hunter2", files={"tls.key": b"hunter2"}, not_after=datetime(2030, 1, 1, tzinfo=UTC)
        ),
        BasicAuth(username="u", password="hunter2"),
        TlsMaterial(ca_key=b"hunter2", client_key=b"hunter2"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_secret_shows_in_a_log(value: object) -> None:
    """Data that holds one hides it from `repr`, which is what logs and tracebacks print."""
    assert "hunter2" not in repr(value)


@pytest.mark.parametrize("kind", ProbeKind)
def test_only_one_kind_of_probe_is_well(kind: ProbeKind) -> None:
    """Everything else keeps tenants from being served."""
    assert Probe(kind=kind, sentence="").ok is (kind is ProbeKind.OK)


def test_a_store_error_is_tried_again_unless_it_says_otherwise() -> None:
    """Its words are the sentence."""
    error = StoreError("The store is full: make room.", kind=ProbeKind.PERMISSION)
    assert (str(error), error.retry, error.kind) == ("The store is full: make room.", True, ProbeKind.PERMISSION)
