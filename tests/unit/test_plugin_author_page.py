"""docs/plugins/authors.md is a whole plugin: what stands there is installed, loaded and made to talk to a server."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import re
import sys
import tomllib
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.cli.plugins import as_table
from kamaji_core.contracts import (
    Claim,
    DatastoreDriver,
    ProbeKind,
    SecretReferences,
    Session,
    StoreError,
    StoreView,
    TenantView,
    TlsMaterial,
    UnsupportedError,
)
from kamaji_core.datastore import controller, orphans, samples
from kamaji_core.pki import issue_ca, read_certificate
from kamaji_core.plugins import PluginState, load_plugins, store_problems
from kamaji_core.tenant import act, deletion
from kamaji_core.testing.datastore import Feature

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "plugins" / "authors.md").read_text()

NOW = datetime(2030, 1, 1, tzinfo=UTC)
AUTHORITY = issue_ca(common_name="cellar", now=NOW, lifetime=timedelta(days=3650))
TLS = TlsMaterial(ca_certificate=AUTHORITY.certificate, ca_key=AUTHORITY.key)

CLAIM = Claim(tenant_uid="u-1", namespace="team-a", name="shop", schema="a_shop", user="shop")
OTHER = Claim(tenant_uid="u-2", namespace="team-b", name="shop", schema="a_shop", user="shop")


def blocks(language: str) -> list[str]:
    """The page's code blocks in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[importlib.metadata.EntryPoint]:
    """The page's files in a folder of `sys.path`, and the entry point that its pyproject.toml declares."""
    for source in blocks("python"):
        name = source.splitlines()[0].removeprefix("# ")
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    (project,) = blocks("toml")
    ((name, module),) = tomllib.loads(project)["project"]["entry-points"]["kamaji"].items()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.metadata.EntryPoint(name=name, value=module, group="kamaji")
    for loaded in [one for one in sys.modules if one.partition(".")[0] == module]:
        del sys.modules[loaded]


@pytest.fixture
def driver(entry_point: importlib.metadata.EntryPoint) -> DatastoreDriver:
    """The page's driver, loaded as the operator does."""
    return load_plugins([entry_point], disabled=()).datastores["cellar"]


class Cellar:
    """A server that the page's session can talk to: owners by schema and by user, and who is let in."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}
        self.allowed: set[str] = set()
        self.silent = False
        self.serving: set[asyncio.Task[None] | None] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one line, or nothing until the client leaves."""
        self.serving.add(asyncio.current_task())
        request = json.loads(await reader.readline())
        if self.silent:
            await reader.read()
        else:
            writer.write(json.dumps(self.answer(request)).encode() + b"\n")
        writer.close()
        await writer.wait_closed()

    async def idle(self) -> None:
        """Wait until every client has left."""
        async with asyncio.timeout(5):
            await asyncio.gather(*(task for task in self.serving if task))

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked for."""
        names = [f"{kind} {request[kind]}" for kind in ("schema", "user") if kind in request]
        if any(self.owners.get(name, request["owner"]) != request["owner"] for name in names):
            return {"refused": f"The {names[0]} belongs to another tenant: choose another."}
        match request["do"]:
            case "own":
                self.owners |= dict.fromkeys(names, request["owner"])
            case "allow":
                self.allowed.add(request["user"])
            case "deny":
                self.allowed.discard(request["user"])
            case "forget":
                self.allowed.discard(request["user"])
                self.owners = {name: owner for name, owner in self.owners.items() if name not in names}
        return {"version": "1.0"}


@asynccontextmanager
async def opened(driver: DatastoreDriver, cellar: Cellar) -> AsyncIterator[Session]:
    """A session to a running Cellar."""
    async with await asyncio.start_server(cellar.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        session = driver.open(StoreView(name="prod", endpoints=(f"127.0.0.1:{port}",), tls=TLS))
        yield session
        await session.aclose()
        await cellar.idle()


def test_the_plugin_is_ok(entry_point: importlib.metadata.EntryPoint) -> None:
    """As it stands on the page, for the contract that this operator speaks."""
    plugins = load_plugins([entry_point], disabled=())
    (found,) = plugins.listed
    assert (found.state, found.sentence) == (PluginState.OK, "")
    assert (found.name, found.drivers, found.contract) == ("datastore-cellar", ("cellar",), "1.0")


def test_the_list_is_shown_as_it_is_printed(entry_point: importlib.metadata.EntryPoint) -> None:
    """With the distribution that pyproject.toml names."""
    project = tomllib.loads(blocks("toml")[0])["project"]
    (found,) = load_plugins([entry_point], disabled=()).listed
    installed = replace(found, distribution=project["name"], version=project["version"])
    assert f"$ kamaji plugins\n{as_table([(installed, ())])}\n" in PAGE


def test_the_session_is_imported_when_a_store_is_opened(driver: DatastoreDriver) -> None:
    """The page does what it asks for."""
    assert "kamaji_datastore_cellar.session" not in sys.modules
    driver.open(StoreView(name="prod", endpoints=("127.0.0.1:1",), tls=TLS))
    assert "kamaji_datastore_cellar.session" in sys.modules


def test_settings_are_judged(driver: DatastoreDriver) -> None:
    """By the type, then by the driver."""
    assert store_problems(driver, StoreView(name="prod", endpoints=("a:1",), tls=TLS, config={"shelf": "b"})) == ()
    (sentence,) = store_problems(driver, StoreView(name="prod", endpoints=("a:1",), tls=TLS, config={"shelve": "b"}))
    assert sentence.startswith("spec.config.shelve is unknown")
    (sentence,) = store_problems(driver, StoreView(name="prod", endpoints=("a:1",)))
    assert sentence.startswith("spec.tlsConfig.certificateAuthority needs")


def test_credentials_are_kept_while_they_are_good(driver: DatastoreDriver) -> None:
    """And renewed before they end, and when the authority is another."""
    store = StoreView(name="prod", endpoints=("a:1",), tls=TLS)
    first = driver.issue(store, CLAIM, current=None, now=NOW)
    assert read_certificate(first.files["client.crt"]).common_name == "shop"
    assert driver.issue(store, CLAIM, current=first, now=NOW + timedelta(days=200)) is first
    assert driver.issue(store, CLAIM, current=first, now=NOW + timedelta(days=300)).files != first.files
    other = issue_ca(common_name="cellar", now=NOW, lifetime=timedelta(days=3650))
    moved = StoreView(
        name="prod", endpoints=("a:1",), tls=TlsMaterial(ca_certificate=other.certificate, ca_key=other.key)
    )
    assert driver.issue(moved, CLAIM, current=first, now=NOW).files["ca.crt"] == other.certificate


def test_parts_lead_to_the_tenants_share(driver: DatastoreDriver) -> None:
    """The same tenant always gets the same answer, and every file that a flag names is mounted."""
    store = StoreView(name="prod", endpoints=("a:1", "b:2"), tls=TLS)
    tenant = TenantView(namespace="team-a", name="shop", uid="u-1", version="v1.37.0", replicas=2)
    secrets = SecretReferences(credentials="shop-store-certificate", config="shop-store-config")
    parts = driver.parts(store, tenant, CLAIM, secrets=secrets)
    assert parts == driver.parts(store, tenant, CLAIM, secrets=secrets)
    values = {flag.name: flag.value for flag in parts.flags}
    assert (values["--etcd-servers"], values["--etcd-prefix"]) == ("https://a:1,https://b:2", "/a_shop")
    files = driver.issue(store, CLAIM, current=None, now=NOW).files
    named = {value.rpartition("/")[2] for name, value in values.items() if name.endswith("file")}
    assert named == set(files)
    assert {volume.secret for volume in parts.volumes} == {secrets.credentials}


async def test_a_tenants_life(driver: DatastoreDriver) -> None:
    """Every request may be repeated; what was given is taken away, and the end leaves nothing."""
    cellar = Cellar()
    credentials = driver.issue(StoreView(name="prod", endpoints=("a:1",), tls=TLS), CLAIM, current=None, now=NOW)
    async with opened(driver, cellar) as session:
        assert (await session.probe()).ok
        for _ in range(2):
            await session.reserve(CLAIM)
        assert cellar.allowed == set()
        for _ in range(2):
            await session.ensure(CLAIM, credentials)
        assert cellar.allowed == {"shop"}
        for _ in range(2):
            await session.revoke(CLAIM)
        assert (cellar.allowed, cellar.owners) == (set(), {"schema a_shop": "u-1", "user shop": "u-1"})
        for _ in range(2):
            await session.remove(CLAIM)
        assert cellar.owners == {}


async def test_another_tenants_share_is_refused(driver: DatastoreDriver) -> None:
    """With a sentence, for good."""
    async with opened(driver, Cellar()) as session:
        await session.reserve(CLAIM)
        with pytest.raises(StoreError, match="belongs to another tenant") as caught:
            await session.reserve(OTHER)
        assert not caught.value.retry
        with pytest.raises(UnsupportedError):
            await session.claims()


async def test_a_store_that_is_not_there_is_an_answer(driver: DatastoreDriver) -> None:
    """A probe raises nothing."""
    session = driver.open(StoreView(name="prod", endpoints=("127.0.0.1:1",), tls=TLS))
    probe = await session.probe()
    assert (probe.ok, probe.kind) == (False, ProbeKind.REFUSED)


async def test_a_silent_store_is_given_up(driver: DatastoreDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the session's own limit."""
    cellar = Cellar()
    cellar.silent = True
    async with opened(driver, cellar) as session:
        monkeypatch.setattr(sys.modules["kamaji_datastore_cellar.session"], "LIMIT_SECONDS", 0.1)
        assert (await session.probe()).kind is ProbeKind.TIMEOUT


async def test_a_call_may_be_cancelled(driver: DatastoreDriver) -> None:
    """At once, whatever it waits for, and its connection is closed: the server sees the end."""
    cellar = Cellar()
    cellar.silent = True
    async with opened(driver, cellar) as session:
        call = asyncio.create_task(session.reserve(CLAIM))
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await cellar.idle()
        cellar.silent = False
        await session.reserve(CLAIM)


@pytest.mark.parametrize("method", sorted(DatastoreDriver.__abstractmethods__ | {"CONFIG", "CAPABILITIES"}))
def test_every_method_of_a_driver_has_a_line(method: str) -> None:
    """When it is called and what it must."""
    assert re.search(rf"^\| `{method}` \| ", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize("method", sorted(name for name in vars(Session) if not name.startswith("_")))
def test_every_method_of_a_session_has_a_line(method: str) -> None:
    """The same."""
    assert re.search(rf"^\| .*`Session\.{method}`.* \| ", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize("feature", Feature)
def test_every_feature_of_the_kit_has_a_line(feature: Feature) -> None:
    """What a store may lack is told with what that means."""
    assert re.search(rf"^\| (`\w+`, )*`{feature}`(, `\w+`)* \| ", PAGE, flags=re.MULTILINE)


def test_the_kit_is_inherited_as_shown(driver: DatastoreDriver) -> None:
    """The page's test file is whole: it is imported, and has the kit's tests, its driver and its DataStore."""
    (source,) = (block for block in blocks("python") if block.startswith("# tests/test_contract.py"))
    names: dict[str, Any] = {"__name__": "page_test_contract"}
    exec(compile(source, "authors.md", "exec", dont_inherit=True), names)  # noqa: S102 - the page's own text
    made = names["TestCellar"]
    assert len([name for name in dir(made) if name.startswith("test_")]) > 100
    under_test = names["CellarUnderTest"](4117)
    assert type(under_test.driver()) is type(driver)
    assert under_test.store().endpoints == ("127.0.0.1:4117",)


@pytest.mark.parametrize("state", PluginState)
def test_every_state_has_a_line(state: PluginState) -> None:
    """Whatever `kamaji plugins` shows is told."""
    assert re.search(rf"^\| {state} \| ", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("method", "seconds"),
    [
        ("probe", controller.PROBE_LIMIT_SECONDS),
        ("reserve", act.STORE_LIMIT_SECONDS),
        ("ensure", act.STORE_LIMIT_SECONDS),
        ("revoke", deletion.REVOKE_LIMIT_SECONDS),
        ("remove", deletion.REMOVE_LIMIT_SECONDS),
        ("claims", orphans.LIMIT_SECONDS),
        ("check", samples.LIMIT_SECONDS),
    ],
)
def test_time_limits_are_those_of_the_code(method: str, seconds: float) -> None:
    """An author sets limits below them."""
    (line,) = re.findall(rf"^\| `Session\.{method}` \| .*$", PAGE, flags=re.MULTILINE)
    assert f"; {seconds:.0f} s at most |" in line
