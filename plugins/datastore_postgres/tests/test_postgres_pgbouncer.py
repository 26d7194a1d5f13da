"""Through PgBouncer: in session mode all works as without it; it must know each login by itself (auth_query)."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pwd
import secrets
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import pytest

from kamaji_core.contracts import BasicAuth, ProbeKind
from kamaji_core.pki import CertificateRequest, Usage, issue_certificate
from kamaji_core.testing import free_port
from kamaji_core.testing.files import write_key_pair, write_private
from kamaji_core.testing.process import ServerProcess
from kamaji_core.testing.programs import cache_directory
from kamaji_core.testing.server import Server, SocketReadiness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kamaji_core.contracts import Claim, Credentials, StoreView
    from kamaji_core.testing.postgres import PostgresServer

UNPACKED = cache_directory() / "debian" / "pooler" / "usr"
"""Where `make programs` lays PgBouncer and its libraries: its package, installed, would start a daemon."""

pytestmark = pytest.mark.real


class PgBouncer:
    """One PgBouncer before a server, with TLS on both sides and a login that may read others' verifiers.

    Args:
        server: where its connections lead.
        pool_mode: `session` or `transaction`.
    """

    def __init__(self, server: PostgresServer, *, pool_mode: str = "session") -> None:
        self._server = server
        self._directory = server.directory / f"pgbouncer-{pool_mode}"
        self.port = free_port()
        self.endpoint = f"127.0.0.1:{self.port}"
        self._configure(pool_mode)
        self.process = ServerProcess(
            Server(
                name="pgbouncer",
                argv=(*_as_account(), *self._program(), str(self._directory / "pgbouncer.ini")),
                log=self._directory / "pgbouncer.log",
                readiness=SocketReadiness(path=self._directory / f".s.PGSQL.{self.port}"),
                start_limit=20,
            )
        )

    def run(self, claim: Claim, credentials: Credentials, statement: str = "SELECT 1") -> Any:
        """Run a statement as a tenant, through it."""
        return self._server.psql(
            statement, database=claim.schema, user=credentials.user, password=credentials.password, port=self.port
        )

    def _program(self) -> tuple[str, ...]:
        """A copy that the account may read, with its libraries."""
        program = shutil.copy(UNPACKED / "sbin" / "pgbouncer", self._directory)
        libraries = [shutil.copy(path, self._directory) for path in UNPACKED.glob("lib/*/*.so.*")]
        assert libraries
        return ("env", f"LD_LIBRARY_PATH={self._directory}", str(program))

    def _configure(self, pool_mode: str) -> None:
        password = secrets.token_urlsafe(16)
        self._server.sql(f"CREATE ROLE pooler LOGIN SUPERUSER PASSWORD '{password}'")
        directory = self._directory
        request = CertificateRequest(
            common_name="pgbouncer", usages=frozenset({Usage.SERVER}), names=frozenset({"127.0.0.1"})
        )
        lifetime = timedelta(days=1)
        pair = issue_certificate(request, ca=self._server.ca, now=datetime.now(UTC), lifetime=lifetime)
        files = write_key_pair(directory, "server", pair, ca=self._server.ca.certificate)
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": directory,
            "pool_mode": pool_mode,
            "auth_type": "scram-sha-256",
            "auth_user": "pooler",
            "auth_file": write_private(directory / "users.txt", f'"pooler" "{password}"\n'.encode()),
            "auth_query": "SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1 AND rolcanlogin",
            "client_tls_sslmode": "require",
            "client_tls_cert_file": files.certificate,
            "client_tls_key_file": files.key,
            "server_tls_sslmode": "verify-ca",
            "server_tls_ca_file": files.ca,
            "server_login_retry": 1,
        }
        lines = "\n".join(f"{name} = {value}" for name, value in settings.items())
        databases = f"* = host=127.0.0.1 port={self._server.port}"
        write_private(directory / "pgbouncer.ini", f"[databases]\n{databases}\n[pgbouncer]\n{lines}\n".encode())
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            for path in (directory, *directory.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)

    def __enter__(self) -> Self:
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()


def _as_account() -> tuple[str, ...]:
    """PgBouncer does not run as root either."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=KILL", "--")


@pytest.fixture
def pooler(own_server: PostgresServer) -> Iterator[PgBouncer]:
    """In session mode."""
    with PgBouncer(own_server) as one:
        yield one


@pytest.fixture
def pooled(own_server: PostgresServer, pooler: PgBouncer, make_store: Callable[..., StoreView]) -> StoreView:
    """The server through it."""
    return make_store(own_server, endpoints=(pooler.endpoint,))


async def test_a_tenant_s_whole_life_in_session_mode(
    pooler: PgBouncer, pooled: StoreView, open_session: Any, issue: Any, claim: Claim
) -> None:
    """Made, used, its login renewed and settled, looked at, locked and removed."""
    session = open_session(pooled)
    probe = await session.probe()
    assert probe.ok, probe.sentence
    await session.reserve(claim)
    first = issue(claim, store=pooled)
    await session.ensure(claim, first)
    done = pooler.run(claim, first, "CREATE TABLE kine (name text); SELECT current_user")
    assert done.stdout.strip() == claim.user, done.stderr
    second = issue(claim, first, store=pooled, renew=True)
    await session.ensure(claim, second)
    assert [pooler.run(claim, one).returncode for one in (first, second)] == [0, 0]
    await session.settle(claim, second)
    assert [pooler.run(claim, one).returncode == 0 for one in (first, second)] == [False, True]
    assert await session.check(claim) is None
    assert (await session.usage(claim)).keys == 0
    await session.revoke(claim)
    assert pooler.run(claim, second).returncode != 0
    await session.remove(claim)
    assert await session.claims() == ()


async def test_many_at_once_in_session_mode(
    pooled: StoreView, open_session: Any, issue: Any, make_claim: Callable[..., Claim]
) -> None:
    """Connections are shared one after another, and what one caller set is not another's."""
    session = open_session(pooled)
    claims = [make_claim() for _ in range(8)]

    async def make(claim: Claim) -> None:
        await session.reserve(claim)
        await session.ensure(claim, issue(claim, store=pooled))

    await asyncio.gather(*(make(claim) for claim in claims))
    assert [await session.check(claim) for claim in claims] == [None] * len(claims)


async def test_a_wrong_password_is_told_as_such(pooled: StoreView, open_session: Any) -> None:
    """PgBouncer has one code for all of its own refusals; its words tell."""
    wrong = BasicAuth(username="operator", password="wrong")
    probe = await open_session(dataclasses.replace(pooled, basic_auth=wrong)).probe()
    assert probe.kind is ProbeKind.AUTH, probe.sentence
