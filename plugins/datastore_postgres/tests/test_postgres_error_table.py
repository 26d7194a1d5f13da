"""Each answer of PostgreSQL, of PgBouncer, of TLS and of the network becomes one sentence of the right kind."""

from __future__ import annotations

import socket
import ssl

import asyncpg
import pytest

from kamaji_core.contracts import ProbeKind
from kamaji_datastore_postgres.errors import error_for

HERE = "pg:5432"

ROWS = (
    ("28P01", 'password authentication failed for user "operator"', ProbeKind.AUTH, "check spec.basicAuth"),
    ("28000", 'no pg_hba.conf entry for host "10.0.0.1", no encryption', ProbeKind.PERMISSION, "pg_hba.conf"),
    ("28000", "connection requires a valid client certificate", ProbeKind.TLS, "clientCertificate"),
    ("28000", 'role "operator" is not permitted to log in', ProbeKind.AUTH, "not permitted to log in"),
    ("3D000", 'database "x" does not exist', ProbeKind.PERMISSION, "spec.config.database"),
    ("42501", "permission denied to create role", ProbeKind.PERMISSION, "CREATEROLE"),
    ("53300", "sorry, too many clients already", ProbeKind.FULL, "max_connections"),
    ("53300", "remaining connection slots are reserved", ProbeKind.FULL, "max_connections"),
    ("53100", "could not extend file: No space left on device", ProbeKind.FULL, "make room"),
    ("53200", "out of memory", ProbeKind.FULL, "out of resources"),
    ("25006", "cannot execute CREATE ROLE in a read-only transaction", ProbeKind.FULL, "takes no writes"),
    ("25006", "cannot execute CREATE ROLE during recovery", ProbeKind.REFUSED, "standby"),
    ("57014", "canceling statement due to statement timeout", ProbeKind.TIMEOUT, "in time"),
    ("55P03", "canceling statement due to lock timeout", ProbeKind.TIMEOUT, "lock"),
    ("55006", 'database "x" is being accessed by other users', ProbeKind.REFUSED, "in use"),
    ("2BP01", 'role "x" cannot be dropped because some objects depend on it', ProbeKind.PERMISSION, "DROP OWNED BY"),
    ("42P04", 'database "x" already exists', ProbeKind.REFUSED, "tried again"),
    ("XX000", "tuple concurrently updated", ProbeKind.REFUSED, "tried again"),
    ("42601", 'syntax error at or near "FORCE"', ProbeKind.VERSION, "version 13"),
    ("57P01", "terminating connection due to administrator command", ProbeKind.REFUSED, "starting or stopping"),
    ("57P03", "the database system is starting up", ProbeKind.REFUSED, "starting or stopping"),
    ("08P01", "no such user: operator", ProbeKind.AUTH, "check spec.basicAuth"),
    ("08P01", "unsupported startup parameter: x", ProbeKind.REFUSED, "pool_mode = session"),
    ("XX001", "could not read block 1", ProbeKind.REFUSED, "look at its log"),
)


@pytest.mark.parametrize(("code", "message", "kind", "words"), ROWS)
def test_answers(code: str, message: str, kind: ProbeKind, words: str) -> None:
    """The kind decides what the core does; the sentence says where and what to do."""
    answer = asyncpg.PostgresError.new({"C": code, "M": message, "H": "a hint", "q": "ALTER ROLE x PASSWORD 'secret'"})
    error = error_for(answer, endpoint=HERE)
    assert (error.kind, words in str(error)) == (kind, True), str(error)
    assert HERE in str(error)
    assert "secret" not in str(error)
    assert str(error).endswith((".", "!"))


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('10.0.0.1', 5432)"), ProbeKind.REFUSED, "Nobody listens"),
        (ConnectionResetError(104, "Connection reset by peer"), ProbeKind.REFUSED, "Connection reset"),
        (socket.gaierror(-2, "Name or service not known"), ProbeKind.REFUSED, "cannot be resolved"),
        (TimeoutError(), ProbeKind.TIMEOUT, "did not answer in time"),
        (ConnectionError('PostgreSQL server at "pg:5432" rejected SSL upgrade'), ProbeKind.TLS, "speaks no TLS"),
        (ssl.SSLError(1, "[SSL] handshake failure"), ProbeKind.TLS, "handshake"),
        (asyncpg.InterfaceError("connection is closed"), ProbeKind.REFUSED, "cannot serve"),
        (OSError(111, "Multiple exceptions: [Errno 111] Connect call failed"), ProbeKind.REFUSED, ""),
    ],
)
def test_what_never_was_an_answer(failure: Exception, kind: ProbeKind, words: str) -> None:
    """Sockets and TLS."""
    error = error_for(failure, endpoint=HERE)
    assert (error.kind, words in str(error)) == (kind, True), str(error)


def test_a_message_has_one_line_and_an_end() -> None:
    """A server, or who poses as one, may send anything."""
    answer = asyncpg.PostgresError.new({"C": "XX000", "M": "a\nb\r\n\x1b[31m" + "c" * 10_000})
    sentence = str(error_for(answer, endpoint=HERE))
    assert len(sentence) < 600
    assert sentence.isprintable()
