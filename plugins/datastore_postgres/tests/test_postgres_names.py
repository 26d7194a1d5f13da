"""Which names can become a database and roles, told without a server."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from kamaji_core.contracts import ProbeKind
from kamaji_datastore_postgres.names import NameRefusedError, check_names, logins_of

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim


def check(claim: Claim, **fields: str) -> None:
    """Judge the claim with other names."""
    check_names(dataclasses.replace(claim, **fields), login="operator", database="maintenance")


@pytest.mark.parametrize(
    "name", ["a", "0", "team_tenant", "6f1c7f2a8d4e4c5b9a3e2d1c0b9a8f7e", "6f1c7f2a-8d4e-4c5b-9a3e", "a" * 61]
)  # fmt: skip
def test_what_kamaji_and_we_call_tenants_is_accepted(claim: Claim, name: str) -> None:
    """UIDs with and without dashes, namespace and name joined, up to the limit."""
    check(claim, schema=name, user=name)


@pytest.mark.parametrize("field", ["schema", "user"])
@pytest.mark.parametrize(
    "name",
    ["Upper", "-a", "a.b", "a b", "a'b", 'a"b', "a;b", "a%I", "a\\b", "a\nb", "a\0b", "é", "a$b", "", "\u202ea", "а"],  # noqa: RUF001 - a Cyrillic letter
)
def test_anything_else_is_refused_in_a_sentence(claim: Claim, field: str, name: str) -> None:
    """Since kine folds case, and characters that need thought are not worth it; the sentence names the field."""
    with pytest.raises(NameRefusedError, match=r"spec\.dataStore(Schema|Username)") as caught:
        check(claim, **{field: name})
    assert (caught.value.kind, caught.value.retry) == (ProbeKind.PERMISSION, False)


@pytest.mark.parametrize(
    "schema", ["postgres", "template0", "template1", "maintenance", "all", "sameuser", "pgbouncer"]
)
def test_databases_of_others_are_refused(claim: Claim, schema: str) -> None:
    """PostgreSQL's own, the operator's, and what pg_hba.conf or PgBouncer take for something else."""
    with pytest.raises(NameRefusedError, match=r"choose another spec\.dataStoreSchema"):
        check(claim, schema=schema)


@pytest.mark.parametrize("user", ["postgres", "public", "none", "pg_monitor", "pg_x", "pg", "operator", "current_user"])
def test_roles_of_others_are_refused(claim: Claim, user: str) -> None:
    """PostgreSQL's own, words of SQL, and the operator's login."""
    with pytest.raises(NameRefusedError, match=r"choose another spec\.dataStoreUsername"):
        check(claim, user=user)


def test_a_user_whose_login_would_be_the_operator_s_is_refused(claim: Claim) -> None:
    """The operator is called `kamaji_a`; a tenant that calls itself `kamaji` would get its login."""
    for login in logins_of(claim.user):
        with pytest.raises(NameRefusedError, match="operator"):
            check_names(claim, login=login, database="postgres")


def test_names_are_limited_before_postgresql_cuts_them(claim: Claim) -> None:
    """63 bytes for a database; a user's logins need two more than its name."""
    check(claim, schema="s" * 63, user="u" * 61)
    with pytest.raises(NameRefusedError, match="longer than 63 bytes"):
        check(claim, schema="s" * 64)
    with pytest.raises(NameRefusedError, match="longer than 61 bytes"):
        check(claim, user="u" * 62)
    assert all(len(login) <= 63 for login in logins_of("u" * 61))
