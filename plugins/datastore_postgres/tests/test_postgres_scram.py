"""A password's verifier is what PostgreSQL makes itself: the login works, and the password was in no statement."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_datastore_postgres.scram import ITERATIONS, verifier

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, StoreView
    from kamaji_core.testing.postgres import PostgresServer


def test_a_verifier_has_the_documented_form_and_a_salt_of_its_own() -> None:
    """Two of the same password differ."""
    one, other = verifier("secret"), verifier("secret")
    form = rf"SCRAM-SHA-256\${ITERATIONS}:[A-Za-z0-9+/]{{22}}==\$[A-Za-z0-9+/]{{43}}=:[A-Za-z0-9+/]{{43}}="
    assert re.fullmatch(form, one)
    assert one != other


@pytest.mark.real
async def test_a_server_takes_it_and_its_log_never_saw_the_password(
    own_server: PostgresServer, make_store: Any, open_session: Any, issue: Any, log_in: Any, claim: Claim
) -> None:
    """With every statement logged."""
    own_server.sql("ALTER SYSTEM SET log_statement = 'all'; SELECT pg_reload_conf()")
    store: StoreView = make_store(own_server)
    session = open_session(store)
    await session.reserve(claim)
    credentials = issue(claim, store=store)
    await session.ensure(claim, credentials)
    assert log_in(claim, credentials, at=own_server).returncode == 0
    log = own_server.log.read_text()
    assert f"{claim.user}_a" in log
    assert str(credentials.password) not in log
