"""Connection strings mean what they were built from, whatever characters that has."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_kine import connection_url

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)


def test_a_plain_connection_string() -> None:
    """Nothing is encoded that needs no encoding."""
    url = connection_url(
        "postgres",
        endpoints=("db.example:5432",),
        database="tenant_one",
        user="tenant_one",
        password="secret",
        parameters={"sslmode": "verify-full"},
    )
    assert url == "postgres://tenant_one:secret@db.example:5432/tenant_one?sslmode=verify-full"


@given(user=_TEXT, password=_TEXT, database=_TEXT)
def test_every_character_comes_back(user: str, password: str, database: str) -> None:
    """Whatever user, password and database are made of, a parser finds them unchanged, and the host too."""
    url = connection_url("postgres", endpoints=("db:5432",), database=database, user=user, password=password)
    assert url.isascii()
    parts = urlsplit(url)
    assert (parts.hostname, parts.port, parts.query, parts.fragment) == ("db", 5432, "", "")
    assert unquote(parts.username or "") == user
    assert unquote(parts.password or "") == password
    assert unquote(parts.path) == f"/{database}"


def test_an_address_of_ipv6_keeps_its_brackets() -> None:
    """Its colons are no port."""
    assert connection_url("postgres", endpoints=("[fd00::1]:5432",), database="d") == "postgres://[fd00::1]:5432/d"


def test_several_endpoints_become_parameters() -> None:
    """Lists by position, brackets gone, before the other parameters; the place for hosts stays empty."""
    url = connection_url(
        "postgres",
        endpoints=("a.example:5432", "[fd00::1]:5433"),
        database="d",
        user="u",
        password="p",
        parameters={"sslmode": "require"},
    )
    parts = urlsplit(url)
    assert (parts.netloc, parts.path) == ("u:p@", "/d")
    assert parse_qs(parts.query) == {"host": ["a.example,fd00::1"], "port": ["5432,5433"], "sslmode": ["require"]}


def test_no_user_and_no_password_leave_no_trace() -> None:
    """A store that knows its users by certificate gets a user alone, or none."""
    assert connection_url("nats", endpoints=("n:4222",), database="") == "nats://n:4222/"
    assert connection_url("postgres", endpoints=("n:1",), database="d", user="u") == "postgres://u@n:1/d"


def test_a_space_in_a_parameter_is_refused_without_its_value() -> None:
    """The two parsers that read it disagree about spaces; the message names the parameter alone."""
    with pytest.raises(ValueError, match="'options'") as caught:
        connection_url("postgres", endpoints=("n:1",), database="d", parameters={"options": "-c secret"})
    assert "secret" not in str(caught.value)


def test_no_endpoint_is_refused() -> None:
    """There would be a string that leads to the pod itself."""
    with pytest.raises(ValueError, match="at least one endpoint"):
        connection_url("postgres", endpoints=(), database="d")
