"""A real kube-apiserver on a real kine on a real PostgreSQL, told what the driver tells a tenant's pod."""

from __future__ import annotations

import contextlib
import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import SecretReferences, TenantView
from kamaji_core.testing import (
    ApiServer,
    Server,
    ServerProcess,
    SocketReadiness,
    free_port,
    program,
    until,
    write_private,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from kamaji_core.contracts import Claim, Credentials, Session, StoreView
    from kamaji_core.testing import PostgresServer
    from kamaji_datastore_postgres import PostgresDriver

pytestmark = pytest.mark.real

SECRETS = SecretReferences(credentials="one-datastore-certificate", config="one-datastore-config")
TENANT = TenantView(namespace="tenants", name="one", uid="uid", version="v1.37.1", replicas=2)

_numbers = itertools.count(1)


@pytest.fixture
def start_kine(driver: PostgresDriver, tmp_path: Path) -> Callable[..., contextlib.AbstractAsyncContextManager[str]]:
    """Run kine as a pod does: the container's command, its environment, its files; gives kube-apiserver's address."""

    @contextlib.asynccontextmanager
    async def start(store: StoreView, claim: Claim, credentials: Credentials) -> AsyncIterator[str]:
        parts = driver.parts(store, TENANT, claim, secrets=SECRETS)
        (container,) = parts.containers
        (address,) = (flag.value for flag in parts.flags if flag.name == "--etcd-servers")
        folder = tmp_path / str(next(_numbers))
        folder.mkdir()
        mounts = {mount.volume: mount.path for mount in parts.mounts if mount.component == container.name}
        places = {path: str(folder / volume) for volume, path in mounts.items()}
        for volume in parts.volumes:
            (folder / volume.name).mkdir()
            for key, path in volume.items.items():
                write_private(folder / volume.name / path, credentials.files[key])

        def here(text: str) -> str:
            for path, place in places.items():
                text = text.replace(path, place)
            return text.replace("127.0.0.1:2381", f"127.0.0.1:{free_port()}")

        secrets = {variable.name: credentials.settings[variable.key] for variable in container.environment}
        socket = here(address)
        server = Server(
            name=f"kine-{folder.name}",
            argv=(str(program("kine")), *(here(argument) for argument in container.command[1:])),
            log=folder / "kine.log",
            readiness=SocketReadiness(path=folder / socket.removeprefix(f"unix://{folder}/")),
            environment={name: here(value) for name, value in secrets.items()},
        )
        async with ServerProcess(server):
            yield socket
        log = server.log.read_text()
        assert credentials.password not in log
        assert "panic" not in log

    return start


def rows(server: PostgresServer, claim: Claim) -> int:
    """How many rows kine's table has."""
    ((count,),) = server.sql("SELECT count(*) FROM kine", database=claim.schema)
    return int(count)


async def test_kube_apiserver_becomes_ready_in_its_database(
    make: Any, start_kine: Any, session: Session, server: PostgresServer, store: StoreView, claim: Claim
) -> None:
    """The rights that the driver gives are enough: kine makes its table, kube-apiserver writes, both see it again."""
    credentials = await make(claim)
    async with start_kine(store, claim, credentials) as address, ApiServer(extra={"etcd-servers": address}):
        assert rows(server, claim) > 100
    ((owner,),) = server.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'kine'", database=claim.schema)
    assert owner == claim.user
    usage = await session.usage(claim)
    assert usage.keys > 50
    assert usage.bytes > 10_000
    assert await session.check(claim) is None
    await session.remove(claim)


async def test_a_renewed_login_serves_the_same_objects(
    make: Any, start_kine: Any, issue: Any, session: Session, server: PostgresServer, store: StoreView, claim: Claim
) -> None:
    """Pods with either login run beside each other; when the earlier one is settled, the later one goes on."""
    first = await make(claim)
    async with start_kine(store, claim, first) as old, ApiServer(extra={"etcd-servers": old}):
        before = rows(server, claim)
        second = issue(claim, first, renew=True)
        await session.ensure(claim, second)
        async with start_kine(store, claim, second) as new, ApiServer(extra={"etcd-servers": new}):
            assert rows(server, claim) > before
            await session.settle(claim, second)

            def connected() -> set[str]:
                found = server.sql(f"SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = '{claim.schema}'")
                return {name for (name,) in found}

            await until(lambda: connected() == {second.user}, "the earlier login's connections to end")
    await session.remove(claim)


async def test_revoking_stops_a_running_kine(
    make: Any, start_kine: Any, session: Session, server: PostgresServer, store: StoreView, claim: Claim
) -> None:
    """It loses its connections and gets no new ones; the data stays."""
    credentials = await make(claim)
    async with start_kine(store, claim, credentials) as address, ApiServer(extra={"etcd-servers": address}):
        before = rows(server, claim)
        await session.revoke(claim)
        found = server.sql(f"SELECT count(*) FROM pg_stat_activity WHERE usename LIKE '{claim.user}%'")
        assert found == [("0",)]
        assert rows(server, claim) >= before
    await session.remove(claim)


async def test_several_endpoints_are_tried_in_turn(
    make: Any, start_kine: Any, driver: PostgresDriver, make_store: Any, server: PostgresServer, claim: Claim
) -> None:
    """Kine starts although nobody listens at the first."""
    store = make_store(server, endpoints=(f"127.0.0.1:{free_port()}", server.endpoint))
    credentials = driver.issue(store, claim, current=None, now=datetime.now(UTC))
    await make(claim, credentials)
    async with start_kine(store, claim, credentials):
        await until(lambda: rows(server, claim) >= 0, "kine's table")
