"""PostgreSQL in the sandbox: there when it is asked for, reached as the etcd is, and healed with its data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from sandbox import postgres, processes

from .conftest import server_pids, until

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import SandboxCommand

pytestmark = pytest.mark.root

ADDRESS = "postgres.kamaji-system.svc"


@pytest.fixture(scope="module")
def with_postgres(sandbox: SandboxCommand) -> SandboxCommand:
    """The management cluster with a PostgreSQL, which comes without touching what runs."""
    before = server_pids(sandbox)
    sandbox.run("up", "--datastore", "postgres")
    after = server_pids(sandbox)
    assert {name: pid for name, pid in after.items() if name in before} == before
    assert postgres.NAME in after
    return sandbox


def secret(sandbox: SandboxCommand, key: str) -> str:
    """What a DataStore finds in the Secret."""
    found = sandbox.kubectl("get", "secret", "postgres-credentials", "--namespace=kamaji-system", "--output=json")
    return b64decode(json.loads(found)["data"][key]).decode()


def test_up_without_a_word_keeps_it(with_postgres: SandboxCommand) -> None:
    """It was asked for once, and stays until the sandbox goes."""
    before = server_pids(with_postgres)
    with_postgres.run("up")
    assert server_pids(with_postgres) == before


def test_a_datastore_logs_in_with_what_is_in_the_secret(with_postgres: SandboxCommand, tmp_path: Path) -> None:
    """Over TLS under the Service's name, with the server verified; as one who is no superuser."""
    authority = tmp_path / "ca.crt"
    authority.write_text(secret(with_postgres, "ca.crt"))
    login = f"host={ADDRESS} user={secret(with_postgres, 'username')} dbname=postgres sslmode=verify-full"
    question = (
        "SELECT ssl, rolcreatedb, rolcreaterole, rolsuper FROM pg_stat_ssl, pg_roles WHERE pid = pg_backend_pid() "
    )
    answer = with_postgres.execute(
        *("env", f"PGPASSFILE={password_file(with_postgres, tmp_path)}"),
        *("psql", f"{login} sslrootcert={authority}", "-Atc", f"{question} AND rolname = current_user"),
    )
    assert answer.stdout == "t|t|t|f\n"


def password_file(sandbox: SandboxCommand, directory: Path) -> Path:
    """The password where libpq finds it."""
    file = directory / "password"
    file.touch(mode=0o600)
    file.write_text(f"*:*:*:*:{secret(sandbox, 'password')}\n")
    return file


def test_nobody_gets_in_without_tls(with_postgres: SandboxCommand, tmp_path: Path) -> None:
    """Whatever the password."""
    answer = with_postgres.execute(
        *("env", f"PGPASSFILE={password_file(with_postgres, tmp_path)}"),
        *("psql", f"host={ADDRESS} user=kamaji dbname=postgres sslmode=disable", "-Atc", "SELECT 1"),
        check=False,
    )
    assert answer.returncode != 0
    assert "no encryption" in answer.stderr


def test_only_named_roles_see_the_maintenance_databases(with_postgres: SandboxCommand) -> None:
    """A tenant's login would otherwise read the names of all others there."""
    postgres.psql("DROP ROLE IF EXISTS stranger")
    postgres.psql("CREATE ROLE stranger LOGIN")
    try:
        rights = "SELECT has_database_privilege('{}', 'postgres', 'CONNECT')"
        assert postgres.psql(rights.format("stranger")).strip() == "f"
        assert postgres.psql(rights.format("kamaji")).strip() == "t"
    finally:
        postgres.psql("DROP ROLE stranger")


def test_a_pod_reaches_it(with_postgres: SandboxCommand) -> None:
    """By the name that a DataStore uses."""
    script = f"nc -w 2 {ADDRESS} 5432 </dev/null"
    busybox = ("--image=kamaji.sandbox/busybox:1", "--image-pull-policy=Never", "--restart=Never")
    with_postgres.kubectl("run", "reacher", *busybox, "--command", "--", "sh", "-c", script)
    try:
        done = "--for=jsonpath={.status.phase}=Succeeded"
        with_postgres.kubectl("wait", "pod/reacher", done, "--timeout=60s")
    finally:
        with_postgres.kubectl("delete", "pod", "reacher", "--now")


def test_it_is_started_again_with_its_data(with_postgres: SandboxCommand) -> None:
    """After it was killed, which leaves a file with its process id behind."""
    postgres.psql("DROP TABLE IF EXISTS kept")
    postgres.psql("CREATE TABLE kept AS SELECT 'green' AS colour")
    try:
        record = processes.recorded(postgres.NAME)
        assert record is not None
        os.kill(record.pid, signal.SIGKILL)
        until(lambda: not record.is_alive, "it to be gone", limit=10)
        assert f"{postgres.NAME} " in with_postgres.run("status", check=False).stdout
        with_postgres.run("up")
        assert postgres.psql("SELECT colour FROM kept").split() == ["green"]
    finally:
        postgres.psql("DROP TABLE IF EXISTS kept")


def test_its_arguments_and_its_log_hold_no_password(with_postgres: SandboxCommand) -> None:
    """Anybody on the machine may read the former."""
    password = secret(with_postgres, "password")
    arguments = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    assert password not in arguments
    assert password not in postgres.server().log.read_text()
