"""The examples' READMEs are the tutorials for authors: what they quote is what the examples' files say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from kamaji_addon_hello import Hello
from kamaji_core.api.datastore import DataStore
from kamaji_core.api.rules import tenant_problems
from kamaji_core.api.tenant_control_plane import TenantControlPlane
from kamaji_core.contracts import StoreView
from kamaji_core.plugins import store_problems
from kamaji_datastore_sqlite import SqliteDriver

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"
SQLITE = EXAMPLES / "kamaji-datastore-sqlite"
HELLO = EXAMPLES / "kamaji-addon-hello"
PAGES = {folder: (folder / "README.md").read_text() for folder in sorted(EXAMPLES.iterdir()) if folder.is_dir()}


def quoted(page: str) -> list[tuple[str, str]]:
    """The files that are quoted from, and what is quoted."""
    return re.findall(r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


def links(page: str) -> set[str]:
    """What a page points to in this repository."""
    return set(re.findall(r"\]\(([^)#:]+)\)", page))


def manifest(name: str, folder: Path = SQLITE) -> Any:
    """A manifest of an example."""
    return yaml.safe_load((folder / "deploy" / name).read_text())


@pytest.mark.parametrize("page", PAGES.values(), ids=[folder.name for folder in PAGES])
def test_every_quotation_names_its_file(page: str) -> None:
    """No block of Python or YAML stands there that could grow old unseen."""
    assert len(quoted(page)) == len(re.findall(r"^```(?:python|yaml)$", page, flags=re.MULTILINE))


def test_the_tutorials_quote() -> None:
    """So that the tests below look at something."""
    assert all(quoted(PAGES[folder]) for folder in (SQLITE, HELLO))


@pytest.mark.parametrize(
    ("file", "text"), [(folder / path, text) for folder, page in PAGES.items() for path, text in quoted(page)]
)
def test_what_is_quoted_is_there(file: Path, text: str) -> None:
    """Word for word."""
    assert text in file.read_text()


@pytest.mark.parametrize("target", sorted(folder / link for folder, page in PAGES.items() for link in links(page)))
def test_links_lead_somewhere(target: Path) -> None:
    """Every file and folder that a page points to is there."""
    assert target.exists()


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


def test_the_add_ons_tenant_is_right() -> None:
    """The add-on is on, with settings that it takes."""
    tenant = msgspec.convert(manifest("tenant.yaml", HELLO), TenantControlPlane)
    assert Hello().config({"extra": tenant.spec.addons.extra}) is not None
    assert list(tenant_problems(tenant)) == []


def test_the_sandbox_s_volume_is_large_enough() -> None:
    """A claim of the DataStore's size is bound to it, by a group that kine has."""
    assert (
        manifest("sandbox-volume.yaml")["spec"]["capacity"]["storage"]
        == manifest("datastore.yaml")["spec"]["config"]["size"]
    )
