"""PostgreSQL: the server's command line, who may log in, and one server for tests.

A store of tenants is a PostgreSQL that takes passwords over TLS alone and lets nobody into its maintenance databases
but those who are named. The server refuses to run as root, so it is started as the user `postgres` then; its Unix
socket lies in its own directory and is the witness's way in.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kamaji_core.pki import CertificateRequest, KeyPair, Usage, issue_ca, issue_certificate
from kamaji_core.testing.files import TlsFiles, write_key_pair, write_private
from kamaji_core.testing.ports import free_port
from kamaji_core.testing.process import ServerProcess
from kamaji_core.testing.programs import ProgramMissingError
from kamaji_core.testing.server import Server, SocketReadiness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

DIRECTORY_VARIABLE = "KAMAJI_POSTGRES"
"""Names the directory with `postgres`, `initdb` and `psql`; without it Debian's newest is taken."""

SUPERUSER = "postgres"

PASSWORDS_OVER_TLS = (
    "hostssl all all 127.0.0.1/32 scram-sha-256",
    "hostssl all all ::1/128 scram-sha-256",
)
"""Lines of pg_hba.conf: whoever has a password may come, encrypted."""

_LIFETIME = timedelta(days=30)
_COMMAND_LIMIT = 60.0
_ACCOUNT = "postgres"

_FOR_TESTS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "16MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "autovacuum": "off",
    "log_min_messages": "warning",
    "log_line_prefix": "%t [%p] %u@%d ",
}


def postgres_directory() -> Path:
    """The directory of PostgreSQL's programs: `$KAMAJI_POSTGRES`, or Debian's of the newest version.

    Raises:
        ProgramMissingError: when there is none.
    """
    named = os.environ.get(DIRECTORY_VARIABLE)
    if named:
        return Path(named)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if not found:
        raise ProgramMissingError(
            f"PostgreSQL is not installed: run `apt-get install postgresql`, or set {DIRECTORY_VARIABLE} to the "
            f"directory of its programs",
        )
    return found[-1].parent


class PostgresServer:
    """One PostgreSQL on a free loopback port with a private directory; a context manager, with or without `async`.

    Owns its process and its directory, which is removed on leaving. `start` and `stop` restart it with its data.

    Args:
        hba: lines of pg_hba.conf for TCP; the Unix socket, which only the owner of the directory and root reach,
            trusts everybody.
        settings: of postgresql.conf, over those that make it fast and not durable.
        open_to_all: leave everybody the right to connect to the databases `postgres` and `template1`, as PostgreSQL
            does by itself.

    Attributes:
        port: TCP port on 127.0.0.1.
        endpoint: `host:port`.
        ca: authority of the server's certificate, and of its clients' where these need one.
        password: of the superuser `postgres`.
        files: the superuser's client certificate on disk, for programs that read files.
    """

    def __init__(
        self,
        *,
        hba: Sequence[str] = PASSWORDS_OVER_TLS,
        settings: Mapping[str, str] | None = None,
        open_to_all: bool = False,
    ) -> None:
        self._programs = postgres_directory()
        self.directory = Path(tempfile.mkdtemp(prefix="kamaji-pg-"))
        self.port = free_port()
        self.endpoint = f"127.0.0.1:{self.port}"
        self.password = secrets.token_urlsafe(24)
        self._hba = ("local all all trust", *hba)
        self._settings = {**_FOR_TESTS, **(settings or {})}
        self._open_to_all = open_to_all
        now = datetime.now(UTC)
        self.ca = issue_ca(common_name="postgres-ca", now=now, lifetime=_LIFETIME)
        self.files = write_key_pair(
            self.directory / "client", SUPERUSER, self.issue_client(SUPERUSER), ca=self.ca.certificate
        )
        self._serving = self._issue_serving(now)
        self.log = self.directory / "postgres.log"
        self.process = ServerProcess(
            Server(
                name="postgres",
                argv=(*_as_account(), *self._command()),
                log=self.log,
                readiness=SocketReadiness(path=self.directory / f".s.PGSQL.{self.port}"),
                start_limit=30,
                stop_grace=10,
            )
        )

    def issue_client(self, common_name: str) -> KeyPair:
        """A client certificate for the role of this name, good for 30 days."""
        request = CertificateRequest(common_name=common_name, usages=frozenset({Usage.CLIENT}))
        return issue_certificate(request, ca=self.ca, now=datetime.now(UTC), lifetime=_LIFETIME)

    def start(self) -> None:
        """Start it, or start it again with its data, and wait until it serves."""
        self.process.start()
        self._await_recovery()

    def stop(self) -> None:
        """End it with whatever its clients do; its data stays until the context is left."""
        pid = self.process.pid
        if pid is not None:
            os.kill(pid, signal.SIGINT)  # TERM would wait until the last client has gone
        self.process.stop()

    def sql(self, statement: str, *, database: str = "postgres", user: str = SUPERUSER) -> list[tuple[str, ...]]:
        """Run a statement through the Unix socket, as any role and without its password.

        Args:
            statement: one or several; what the last one answers is told.
            database: to connect to.
            user: to connect as.

        Returns:
            The rows, each value as text.

        Raises:
            RuntimeError: when it fails; the message carries what psql said.
        """
        result = self.psql(statement, database=database, user=user)
        if result.returncode:
            raise RuntimeError(f"psql failed: {result.stderr.strip()}")
        return [tuple(line.split("\x1f")) for line in result.stdout.splitlines()]

    def psql(
        self,
        statement: str,
        *,
        database: str = "postgres",
        user: str = SUPERUSER,
        password: str | None = None,
        port: int | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run psql with a statement and tell what came of it.

        Args:
            statement: one or several.
            database: to connect to.
            user: to connect as.
            password: given, the connection goes over TCP and TLS as a tenant's does; otherwise through the socket.
            port: of something in front of the server that has a certificate of the same authority; None for its own.
        """
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment |= {
            "PGPORT": str(port or self.port),
            "PGDATABASE": database,
            "PGUSER": user,
            "PGCONNECT_TIMEOUT": "10",
        }
        if password is None:
            environment["PGHOST"] = str(self.directory)
        else:
            authority = self.files.ca
            environment |= {"PGHOST": "127.0.0.1", "PGPASSWORD": password, "PGSSLMODE": "verify-full"}
            environment["PGSSLROOTCERT"] = str(authority)
        return subprocess.run(
            [
                shutil.which("psql", path=f"{self._programs}:{os.defpath}") or "psql",
                "-X",
                "-q",
                "-At",
                "-F",
                "\x1f",
                "-v",
                "ON_ERROR_STOP=1",
                "-f",
                "-",
            ],
            input=statement,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_LIMIT,
            env=environment,
        )

    def reload(self, *, hba: Sequence[str]) -> None:
        """Let others in than before; connections that are open stay."""
        self._hba = ("local all all trust", *hba)
        self._write_hba()
        self.sql("SELECT pg_reload_conf()")

    def _command(self) -> tuple[str, ...]:
        told = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
            "ssl": "on",
            "ssl_cert_file": str(self._serving.certificate),
            "ssl_key_file": str(self._serving.key),
            "ssl_ca_file": str(self._serving.ca),
            "password_encryption": "scram-sha-256",
            **self._settings,
        }
        settings = [part for name, value in told.items() for part in ("-c", f"{name}={value}")]
        return (str(self._programs / "postgres"), "-D", str(self.directory / "data"), *settings)

    def _issue_serving(self, now: datetime) -> TlsFiles:
        request = CertificateRequest(
            common_name="postgres", usages=frozenset({Usage.SERVER}), names=frozenset({"127.0.0.1", "localhost"})
        )
        serving = issue_certificate(request, ca=self.ca, now=now, lifetime=_LIFETIME)
        return write_key_pair(self.directory, "server", serving, ca=self.ca.certificate)

    def _make(self) -> None:
        data = self.directory / "data"
        if os.geteuid() == 0:
            account = pwd.getpwnam(_ACCOUNT)
            for path in (self.directory, *self.directory.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
        made = subprocess.run(
            [
                *_as_account(),
                *(str(self._programs / "initdb"), "-D", str(data), "-U", SUPERUSER, "--no-sync", "-E", "UTF8"),
                *("--locale=C", "--auth=trust"),  # pg_hba.conf is replaced below
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_LIMIT,
            cwd=self.directory,
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr.strip()}")
        self._write_hba()

    def _write_hba(self) -> None:
        file = self.directory / "data" / "pg_hba.conf"
        owner = file.stat()
        write_private(file, ("\n".join(self._hba) + "\n").encode())
        os.chown(file, owner.st_uid, owner.st_gid)

    def _set_up(self) -> None:
        self.sql(f"ALTER ROLE {SUPERUSER} PASSWORD '{self.password}'")  # through a pipe: in no argument, in no file
        if not self._open_to_all:
            self.sql("REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC")

    def _await_recovery(self) -> None:
        # The socket takes connections a moment before the server does: psql is told so and asks again.
        for _ in range(100):
            result = self.psql("SELECT 1")
            if result.returncode == 0:
                return
            if "starting up" not in result.stderr:
                break
        raise RuntimeError(f"PostgreSQL does not serve: {result.stderr.strip()}")

    def _remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self._make()
            self.start()
            self._set_up()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    async def __aenter__(self) -> Self:
        return self.__enter__()  # a second, and the child must be the loop's own thread's

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()


def _as_account() -> tuple[str, ...]:
    """The command that drops root's rights; the signal at the parent's death is lost with them, so it is set anew."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={_ACCOUNT}", f"--regid={_ACCOUNT}", "--clear-groups", "--pdeathsig", "KILL", "--")
