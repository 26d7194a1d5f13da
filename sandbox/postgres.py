"""The tenants' shared PostgreSQL: made when it is first asked for, and from then on one of the sandbox's servers.

It is there for those who ask: the tenants' etcd needs nothing that is not built anyhow, PostgreSQL has Debian's program
and user. That user owns one directory here and sees nothing else. Nobody has a superuser's password: the system user
`postgres` alone is let in as such, by its socket; a DataStore logs in as a role that may make databases and roles.
"""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from kamaji_core.testing import ProgramMissingError, Server
from kamaji_core.testing.files import write_private
from kamaji_core.testing.postgres import SUPERUSER, postgres_directory
from sandbox import processes
from sandbox.errors import SandboxError, run
from sandbox.places import LOGS, NODE_ADDRESS, POSTGRES_PORT, POSTGRES_ROLE, STATE

if TYPE_CHECKING:
    from sandbox.material import Material

NAME = "postgres-tenants"
DIRECTORY = STATE / NAME
"""Its data, its socket, its certificate; whether it is there tells whether the server is wanted."""

_USER = SUPERUSER
"""The system user goes by the same name."""
_DATA = DIRECTORY / "data"
_CONNECTIONS = 500
"""A tenant's pod keeps some; at its default of 100 PostgreSQL refuses the second dozen of tenants."""
_INITIALISING_LIMIT = 60.0
_STATEMENT_LIMIT = 30.0
_READY_LIMIT = 2.0
_AS_USER = ("setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--")
_NO_QUOTING = "--set=VERBOSITY=terse"
"""An error does not repeat the statement, which may hold a password."""
_ACCESS = """\
local   all all             peer
hostssl all all 0.0.0.0/0   scram-sha-256
"""


class PostgresReadiness:
    """It serves when it takes connections."""

    def problem(self) -> str | None:
        """Look once: nothing when it serves, else a sentence that says why not."""
        asked = (_program("pg_isready"), "--quiet", f"--host={NODE_ADDRESS}", f"--port={POSTGRES_PORT}", "--timeout=2")
        try:
            run(asked, limit=_READY_LIMIT + 1)
        except SandboxError:
            return f"{NODE_ADDRESS}:{POSTGRES_PORT} takes no connections"
        return None


def is_wanted() -> bool:
    """Whether this sandbox has it."""
    return DIRECTORY.exists()


def prepare(material: Material) -> None:
    """Make its data unless it is there, and put its certificate where it finds it.

    Raises:
        SandboxError: when PostgreSQL is not installed or cannot make its data.
    """
    user = _user()
    STATE.chmod(0o711)  # its user passes through; what lies beside its own directory is for root alone
    DIRECTORY.mkdir(exist_ok=True, mode=0o700)
    os.chown(DIRECTORY, user.pw_uid, user.pw_gid)
    tls = material.tls("postgres-server")
    files = {"server.crt": tls.certificate, "server.key": tls.key, "ca.crt": tls.ca}
    contents = {name: path.read_bytes() for name, path in files.items()} | {"access.conf": _ACCESS.encode()}
    for name, content in contents.items():
        os.chown(write_private(DIRECTORY / name, content), user.pw_uid, user.pw_gid)
    if not _DATA.exists():
        unfinished = _DATA.with_name(".data")
        shutil.rmtree(unfinished, ignore_errors=True)
        told = ("--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", f"--username={_USER}")
        run(
            [*_AS_USER, _program("initdb"), *told, f"--pgdata={unfinished}"],
            limit=_INITIALISING_LIMIT,
            directory=Path("/"),
        )
        unfinished.rename(_DATA)
    record = processes.recorded(NAME)
    if record is None or not record.is_alive:
        # What was killed leaves its process id in two files, and PostgreSQL does not start while anybody has that: a
        # stranger, or its own dead process that nobody has asked after yet.
        (_DATA / "postmaster.pid").unlink(missing_ok=True)
        (DIRECTORY / f".s.PGSQL.{POSTGRES_PORT}.lock").unlink(missing_ok=True)


def server() -> Server:
    """Describe it.

    Its data survives its end, not the machine's: nothing waits for the disk.

    Raises:
        SandboxError: when PostgreSQL is not installed.
    """
    told: dict[str, object] = {
        "listen_addresses": NODE_ADDRESS,
        "port": POSTGRES_PORT,
        "unix_socket_directories": DIRECTORY,
        "hba_file": DIRECTORY / "access.conf",
        "ssl": "on",
        "ssl_cert_file": DIRECTORY / "server.crt",
        "ssl_key_file": DIRECTORY / "server.key",
        "ssl_ca_file": DIRECTORY / "ca.crt",
        "max_connections": _CONNECTIONS,
        "fsync": "off",
        "full_page_writes": "off",
        "max_wal_size": "256MB",
        "dynamic_shared_memory_type": "mmap",  # nothing in /dev/shm stays when it is killed
        "log_min_error_statement": "panic",  # a failed statement may hold a password
    }
    settings = [word for name, value in told.items() for word in ("-c", f"{name}={value}")]
    # What it shares with its children outlives a kill, but not its own namespace.
    own = ("unshare", "--ipc", "--", *_AS_USER)
    return Server(
        name=NAME,
        argv=(*own, str(_program("postgres")), "-D", str(_DATA), *settings),
        log=LOGS / f"{NAME}.log",
        readiness=PostgresReadiness(),
        start_limit=30,
    )


def set_up_role(material: Material) -> None:
    """Make the role that a DataStore logs in as, and give it its password; harmless when both are done."""
    role, password = POSTGRES_ROLE, material.postgres_password()
    psql(
        f"SELECT 'CREATE ROLE {role}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec\n"  # noqa: S608 - both are ours
        f"ALTER ROLE {role} LOGIN CREATEDB CREATEROLE PASSWORD '{password}';\n"
        # A tenant's login sees its own database alone.
        "REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;\n"
        f"GRANT CONNECT ON DATABASE postgres TO {role};\n"
    )


def psql(statements: str, *, database: str = "postgres") -> str:
    """Run statements as the superuser and return what they select, a line for each row without decoration.

    Args:
        statements: SQL, or what else psql understands.
        database: where they run.

    Raises:
        SandboxError: when one fails.
    """
    where = (f"--host={DIRECTORY}", f"--port={POSTGRES_PORT}", f"--username={_USER}", f"--dbname={database}")
    manners = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", _NO_QUOTING)
    command = (*_AS_USER, _program("psql"), *where, *manners)
    return run(command, limit=_STATEMENT_LIMIT, sends=statements, directory=Path("/"))


def _program(name: str) -> Path:
    try:
        return postgres_directory() / name
    except ProgramMissingError as error:
        raise SandboxError("PostgreSQL is not installed: run `make programs`") from error


def _user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_USER)
    except KeyError as error:
        raise SandboxError(f"there is no system user {_USER}: run `make programs`") from error
