"""The example's README is the tutorial for driver authors: what it quotes is what the example's files say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from kamaji_core.api.datastore import DataStore
from kamaji_core.api.rules import tenant_problems
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.contracts import StoreView
from kamaji_core.plugins import store_problems
from kamaji_datastore_sqlite import SqliteDriver

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugins" / "kamaji-datastore-sqlite"
PAGE = (EXAMPLE / "README.md").read_text()
QUOTED = re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def manifest(name: str) -> Any:
    """A manifest of the example."""
    return yaml.safe_load((EXAMPLE / "deploy" / name).read_text())


def test_every_quotation_names_its_file() -> None:
    """No block of Python or YAML stands there that could grow old unseen."""
    assert len(QUOTED) == len(re.findall(r"^```(?:python|yaml)$", PAGE, flags=re.MULTILINE)) > 0


@pytest.mark.parametrize(("path", "text"), QUOTED)
def test_what_is_quoted_is_there(path: str, text: str) -> None:
    """Word for word."""
    assert text in (EXAMPLE / path).read_text()


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", PAGE))))
def test_links_lead_somewhere(link: str) -> None:
    """Every file and folder that the page points to is there."""
    assert (EXAMPLE / link).exists()


def test_its_datastore_is_right() -> None:
    """The driver finds nothing wrong with it."""
    spec = msgspec.convert(manifest("datastore.yaml"), DataStore).spec
    assert spec.driver == SqliteDriver.NAME
    store = StoreView(name="sqlite", endpoints=spec.endpoints, config=spec.config)
    assert store_problems(SqliteDriver(), store) == ()


def test_its_tenant_is_right() -> None:
    """One replica, on that DataStore."""
    tenant = msgspec.convert(manifest("tenant.yaml"), TenantControlPlane)
    assert tenant.spec.control_plane.deployment.replicas == 1
    assert tenant.spec.data_store == manifest("datastore.yaml")["metadata"]["name"]
    assert list(tenant_problems(tenant)) == []


def test_the_sandbox_s_volume_is_large_enough() -> None:
    """A claim of the DataStore's size is bound to it, by a group that kine has."""
    assert (
        manifest("sandbox-volume.yaml")["spec"]["capacity"]["storage"]
        == manifest("datastore.yaml")["spec"]["config"]["size"]
    )
