"""The plugin's door: found by its entry point, and light until a store is opened."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from typing import TYPE_CHECKING

from kamaji_core.contracts import API_VERSION, Capability, DatastoreDriver, SecretReferences, TenantView
from kamaji_datastore_postgres import PostgresDriver, kamaji_datastores

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, StoreView

SECRETS = SecretReferences(credentials="tenant-certificate", config="tenant-config")
TENANT = TenantView(namespace="tenants", name="tenant", uid="uid", version="v1.36.0", replicas=2)


def test_the_entry_point_names_the_module() -> None:
    """The distribution registers the package in the group that the core looks at."""
    (entry_point,) = importlib.metadata.entry_points(group="kamaji", name="datastore-postgres")
    assert entry_point.load().kamaji_datastores is kamaji_datastores


def test_the_hook_hands_over_the_driver() -> None:
    """Under Kamaji's name for it; many tenants share a store and each may have many replicas."""
    assert kamaji_datastores() == [PostgresDriver]
    assert isinstance(PostgresDriver(), DatastoreDriver)
    assert (PostgresDriver.NAME, PostgresDriver.API_VERSION) == ("PostgreSQL", API_VERSION)
    assert {Capability.MANY_TENANTS, Capability.MANY_REPLICAS} < PostgresDriver.CAPABILITIES


def test_no_network_library_is_loaded_at_start() -> None:
    """Importing the entry module and using the pure half loads no asyncpg."""
    code = (
        "import sys, kamaji_datastore_postgres as plugin; "
        "from kamaji_core.contracts import StoreView; "
        "plugin.kamaji_datastores()[0]().validate(StoreView(name='s', endpoints=('a:1',))); "
        "print([name for name in sys.modules if name.partition('.')[0] == 'asyncpg'])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"


def test_pods_get_kine_and_nothing_secret_stands_in_them(
    driver: PostgresDriver, paper_store: StoreView, claim: Claim
) -> None:
    """The connection string is named by its Secret's key; the authority's certificate is mounted for kine alone."""
    parts = driver.parts(paper_store, TENANT, claim, secrets=SECRETS)
    (kine,) = parts.containers
    assert [(one.secret, one.key) for one in kine.environment if one.name == "KINE_ENDPOINT"] == [
        (SECRETS.config, "KINE_ENDPOINT")
    ]
    assert {(one.secret, one.key) for one in parts.restart_on} == {
        (SECRETS.config, "KINE_ENDPOINT"),
        (SECRETS.credentials, "ca.crt"),
    }
    assert "postgres" not in " ".join(kine.command)


def test_the_operator_s_own_login_is_in_no_part(driver: PostgresDriver, paper_store: StoreView, claim: Claim) -> None:
    """So that it can be renewed without any tenant's notice."""
    parts = driver.parts(paper_store, TENANT, claim, secrets=SECRETS)
    assert paper_store.basic_auth is not None
    assert paper_store.basic_auth.password not in repr(parts)
    assert paper_store.basic_auth.username not in repr(parts)
