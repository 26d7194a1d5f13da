"""The pure half: what is refused and in which words, what a tenant is given and what its pod needs."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from kamaji_core.contracts import (
    API_VERSION,
    BasicAuth,
    Capability,
    Claim,
    Mount,
    SecretReferences,
    StoreView,
    TenantView,
    TlsMaterial,
    Volume,
    VolumeClaim,
)
from kamaji_core.extensions import checked_parts
from kamaji_core.plugins import store_problems
from kamaji_datastore_sqlite import SqliteDriver, kamaji_datastores

STORE = StoreView(name="sqlite", endpoints=("none:0",))
TENANT = TenantView(namespace="team-a", name="shop", uid="u-1", version="v1.37.1", replicas=1)
CLAIM = Claim(tenant_uid="u-1", namespace="team-a", name="shop", schema="shop", user="shop")
SECRETS = SecretReferences(credentials="shop-datastore-certificate", config="shop-datastore-config")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def store(**config: Any) -> StoreView:
    """A DataStore with these settings."""
    return replace(STORE, config=config)


def test_the_entry_point_names_the_module() -> None:
    """The operator finds the driver by the distribution's entry point."""
    (entry_point,) = importlib.metadata.entry_points(group="kamaji", name="datastore-sqlite")
    assert entry_point.load().kamaji_datastores is kamaji_datastores
    assert kamaji_datastores() == [SqliteDriver]
    assert SqliteDriver.API_VERSION == API_VERSION


def test_one_api_server_at_a_time() -> None:
    """The operator refuses a second replica of a tenant whose driver does not say that it bears several."""
    assert Capability.MANY_REPLICAS not in SqliteDriver.CAPABILITIES


@pytest.mark.parametrize("config", [{}, {"size": "500Mi", "storageClass": "fast", "kine": {"limits": {"cpu": "1"}}}])
def test_what_is_right(config: dict[str, Any]) -> None:
    """Nothing has to be set, and all that can be set is taken."""
    assert store_problems(SqliteDriver(), store(**config)) == ()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            replace(STORE, endpoints=("db:5432",)),
            "spec.endpoints is db:5432, but SQLite has no server: write ['none:0'].",
        ),
        (
            replace(STORE, basic_auth=BasicAuth(username="a", password="b")),
            "spec.basicAuth is set, but SQLite knows no login: remove it.",
        ),
        (replace(STORE, tls=TlsMaterial()), "spec.tlsConfig is set, but SQLite has no connections: remove it."),
        (store(size="big"), "spec.config.size is 'big': write a quantity such as 1Gi."),
        (store(size="0Gi"), "spec.config.size is '0Gi': write a quantity such as 1Gi."),
        (
            store(storageClass="Fast"),
            "spec.config.storageClass is 'Fast': write the name of a StorageClass, or remove it.",
        ),
        (
            store(path="/data"),
            "spec.config.path is unknown (settings: size, storageClass, kine): correct or remove it.",
        ),
    ],
)
def test_what_is_wrong(wrong: StoreView, sentence: str) -> None:
    """Each mistake is one sentence with the field and the remedy, as the condition of the DataStore shows it."""
    assert store_problems(SqliteDriver(), wrong) == (sentence,)


def test_kine_s_settings_are_judged_too() -> None:
    """They are a part of this driver's."""
    (problem,) = store_problems(SqliteDriver(), store(kine={"image": ""}))
    assert problem.startswith("spec.config.kine.image ")


def test_there_is_nothing_to_log_in_with() -> None:
    """A tenant is told its file, and no password is made; what it has is kept, also when a new login is asked for."""
    driver = SqliteDriver()
    issued = driver.issue(STORE, CLAIM, current=None, now=NOW)
    assert (issued.user, issued.password, dict(issued.files), issued.not_after) == ("shop", None, {}, None)
    assert issued.settings["KINE_ENDPOINT"].startswith("sqlite:///var/lib/kine/state.db?_journal_mode=WAL&")
    assert driver.issue(STORE, CLAIM, current=issued, now=NOW, renew=True) is issued


def test_an_earlier_file_is_replaced() -> None:
    """Credentials of an earlier release of the driver are issued anew."""
    driver = SqliteDriver()
    issued = driver.issue(STORE, CLAIM, current=None, now=NOW)
    earlier = replace(issued, settings={"KINE_ENDPOINT": "sqlite://elsewhere"})
    assert driver.issue(STORE, CLAIM, current=earlier, now=NOW) == issued


def test_the_pod_brings_its_volume() -> None:
    """A claimed volume that kine can write to and nobody else sees, beside what every kine needs."""
    parts = checked_parts(SqliteDriver().parts(store(size="2Gi", storageClass="fast"), TENANT, CLAIM, secrets=SECRETS))
    assert parts.claims == (VolumeClaim(suffix="sqlite", size="2Gi", storage_class="fast", group=65534),)
    assert Volume(name="sqlite", claim="sqlite") in parts.volumes
    assert [mount for mount in parts.mounts if mount.volume == "sqlite"] == [
        Mount(component="kine", volume="sqlite", path="/var/lib/kine", read_only=False)
    ]
    assert [container.name for container in parts.containers] == ["kine"]
    assert [(flag.component, flag.name) for flag in parts.flags] == [("kube-apiserver", "--etcd-servers")]


def test_the_file_is_in_the_volume() -> None:
    """The connection string and the mount name the same place."""
    driver = SqliteDriver()
    endpoint = driver.issue(STORE, CLAIM, current=None, now=NOW).settings["KINE_ENDPOINT"]
    mounts = driver.parts(STORE, TENANT, CLAIM, secrets=SECRETS).mounts
    (path,) = [mount.path for mount in mounts if mount.volume == "sqlite"]
    assert endpoint.startswith(f"sqlite://{path}/")
