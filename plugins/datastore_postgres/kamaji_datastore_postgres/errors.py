"""What PostgreSQL's answers mean: one table from SQLSTATE and words to a type with a sentence.

PostgreSQL gives each failure a code, but some codes cover opposite facts (`28000` is a missing line of pg_hba.conf, a
locked role and a missing client certificate), and PgBouncer gives one code to all of its own; so code and words are
looked up together. What never reached a server comes as Python's own exceptions. Codes are plain text, so that this
module needs no network library.
"""

from __future__ import annotations

import socket
import ssl

from kamaji_core.contracts import EndpointError, ProbeKind

_WORDS_LIMIT = 300
"""Characters of a server's message that are quoted; the names in it may be long."""


class PostgresError(EndpointError):
    """PostgreSQL answered with an error or could not be reached."""

    SENTENCE = "PostgreSQL at {endpoint} answered with an unexpected error ({detail}): look at its log."


class UnavailableError(PostgresError):
    """The connection failed or broke, or the server cannot serve just now."""

    SENTENCE = "PostgreSQL at {endpoint} cannot serve ({detail}): check that the server runs."


class ConnectionRefusedByServerError(UnavailableError):
    """Nobody listens at the endpoint."""

    SENTENCE = "Nobody listens at {endpoint}: check spec.endpoints and that PostgreSQL runs and listens there."


class UnknownHostError(UnavailableError):
    """The endpoint's host name has no address."""

    SENTENCE = "The host of {endpoint} cannot be resolved ({detail}): check spec.endpoints and the cluster's DNS."


class StartingError(UnavailableError):
    """The server starts, recovers or shuts down."""

    SENTENCE = "PostgreSQL at {endpoint} is starting or stopping ({detail}): it is tried again."


class StandbyError(UnavailableError):
    """The server is a standby, which takes no writes; another one is asked."""

    SENTENCE = "PostgreSQL at {endpoint} is a standby: name the primary in spec.endpoints, too."


class TimedOutError(UnavailableError):
    """No answer within the time limit."""

    SENTENCE = "PostgreSQL at {endpoint} did not answer in time: check that it can be reached and is not overloaded."
    KIND = ProbeKind.TIMEOUT


class LockedError(TimedOutError):
    """Somebody holds a lock that the statement needs."""

    SENTENCE = "PostgreSQL at {endpoint} waits for somebody's lock ({detail}): look at pg_locks; it is tried again."


class ServerCertificateError(UnavailableError):
    """The server's certificate does not verify."""

    SENTENCE = (
        "The certificate of PostgreSQL at {endpoint} does not verify ({detail}): it must be signed by "
        "spec.tlsConfig.certificateAuthority and, for verify-full, name this host."
    )
    KIND = ProbeKind.TLS


class NoTlsError(UnavailableError):
    """The server speaks no TLS."""

    SENTENCE = (
        "PostgreSQL at {endpoint} speaks no TLS: set its `ssl = on`, or, if the network is trusted, "
        "spec.config.sslmode to disable and remove spec.tlsConfig."
    )
    KIND = ProbeKind.TLS


class HandshakeError(UnavailableError):
    """The TLS handshake failed for another reason than the server's certificate."""

    SENTENCE = (
        "The TLS handshake with PostgreSQL at {endpoint} failed ({detail}): its ssl_ca_file must hold the authority "
        "that signed spec.tlsConfig.clientCertificate, and it must speak TLS 1.2 or newer."
    )
    KIND = ProbeKind.TLS


class ClientCertificateError(PostgresError):
    """The server asks for a client certificate, or for another one."""

    SENTENCE = (
        "PostgreSQL at {endpoint} asks for a client certificate ({detail}): name one in "
        "spec.tlsConfig.clientCertificate that its ssl_ca_file knows."
    )
    KIND = ProbeKind.TLS


class AuthenticationFailedError(PostgresError):
    """The role does not exist or the password is wrong."""

    SENTENCE = "PostgreSQL at {endpoint} does not accept the login ({detail}): check spec.basicAuth."
    KIND = ProbeKind.AUTH


class NotAdmittedError(PostgresError):
    """No line of pg_hba.conf lets us in."""

    SENTENCE = (
        "PostgreSQL at {endpoint} lets the operator not in ({detail}): add a line to its pg_hba.conf for this role, "
        "network and kind of connection."
    )
    KIND = ProbeKind.PERMISSION


class NoDatabaseError(PostgresError):
    """A database is not there."""

    SENTENCE = "PostgreSQL at {endpoint} lacks a database ({detail}): check spec.config.database."
    KIND = ProbeKind.PERMISSION


class PermissionDeniedError(PostgresError):
    """The operator's login lacks rights."""

    SENTENCE = (
        "PostgreSQL at {endpoint} denied permission to the operator's login ({detail}): it needs CREATEDB and "
        "CREATEROLE, and, if tenants were made with another login, to be a member of that one."
    )
    KIND = ProbeKind.PERMISSION


class TooManyConnectionsError(PostgresError):
    """No connection is left."""

    SENTENCE = (
        "PostgreSQL at {endpoint} has no connection left ({detail}): raise its max_connections, or lower "
        "spec.config.connectionLimit."
    )
    KIND = ProbeKind.FULL


class DiskFullError(PostgresError):
    """The disk is full."""

    SENTENCE = "The disk of PostgreSQL at {endpoint} is full ({detail}): make room there."
    KIND = ProbeKind.FULL


class ReadOnlyError(PostgresError):
    """The server takes no writes, as managed ones do when their disk fills."""

    SENTENCE = (
        "PostgreSQL at {endpoint} takes no writes ({detail}): make room on its disk, and set "
        "default_transaction_read_only off there."
    )
    KIND = ProbeKind.FULL


class OutOfResourcesError(PostgresError):
    """The server is out of memory or of a configured resource."""

    SENTENCE = "PostgreSQL at {endpoint} is out of resources ({detail}): give it more."
    KIND = ProbeKind.FULL


class InUseError(PostgresError):
    """A database cannot be removed while somebody is connected whom we may not end."""

    SENTENCE = (
        "A database at PostgreSQL {endpoint} is in use ({detail}): end the sessions of other roles, its prepared "
        "transactions and its replication slots."
    )


class DependentObjectsError(PostgresError):
    """A role owns something in a database that is not its tenant's."""

    SENTENCE = (
        "A role at PostgreSQL {endpoint} cannot be removed because it owns something outside of its database "
        "({detail}): run DROP OWNED BY for it there, and take PUBLIC the right to connect to that database."
    )
    KIND = ProbeKind.PERMISSION


class ConcurrentChangeError(PostgresError):
    """Somebody changed the same thing at the same moment; asking again helps."""

    SENTENCE = "Roles or databases at PostgreSQL {endpoint} changed during the request ({detail}): it is tried again."


class DuplicateError(ConcurrentChangeError):
    """What should be made is there already."""


class TooOldError(PostgresError):
    """The server does not know a statement that the driver needs."""

    SENTENCE = "PostgreSQL at {endpoint} does not understand the driver ({detail}): it must be version 13 or newer."
    KIND = ProbeKind.VERSION
    RETRY = False


class PoolerError(PostgresError):
    """A pooler in front of the server refuses."""

    SENTENCE = (
        "The pooler or server at {endpoint} refuses the connection ({detail}): PgBouncer must run with "
        "pool_mode = session and know every tenant's login (auth_query)."
    )


_ANSWERS: tuple[tuple[str, str, type[PostgresError]], ...] = (
    ("28P01", "", AuthenticationFailedError),
    ("28000", "pg_hba.conf", NotAdmittedError),
    ("28000", "client certificate", ClientCertificateError),
    ("28000", "", AuthenticationFailedError),
    ("3D000", "", NoDatabaseError),
    ("42501", "", PermissionDeniedError),
    ("53300", "", TooManyConnectionsError),
    ("53100", "", DiskFullError),
    ("53", "", OutOfResourcesError),
    ("25006", "recovery", StandbyError),
    ("25006", "", ReadOnlyError),
    ("57014", "", TimedOutError),
    ("55P03", "", LockedError),
    ("55006", "", InUseError),
    ("2BP01", "", DependentObjectsError),
    ("42P04", "", DuplicateError),  # a database
    ("42710", "", DuplicateError),  # a role
    ("23505", "", DuplicateError),  # either, made in the same moment
    ("40", "", ConcurrentChangeError),
    ("XX000", "concurrently", ConcurrentChangeError),
    ("42601", "", TooOldError),
    ("0A000", "", TooOldError),
    ("42883", "", TooOldError),
    ("57P03", "", StartingError),
    ("57P01", "", StartingError),
    ("57P02", "", StartingError),
    ("08P01", "password authentication failed", AuthenticationFailedError),
    ("08P01", "no such user", AuthenticationFailedError),
    ("08P01", "sasl authentication failed", AuthenticationFailedError),
    ("08P01", "no such database", NoDatabaseError),
    ("08P01", "no more connections", TooManyConnectionsError),
    ("08P01", "query_wait_timeout", TimedOutError),
    ("08P01", "", PoolerError),
    ("08", "", UnavailableError),
)
"""Beginning of the SQLSTATE, part of the message in any case, type; the first row that fits counts."""


def error_for(error: BaseException, *, endpoint: str) -> PostgresError:
    """Make the error that a failure means.

    Args:
        error: of asyncpg, of a socket or of TLS.
        endpoint: the `host:port` that was asked.
    """
    code = getattr(error, "sqlstate", None)
    if isinstance(code, str):
        return _of_answer(code, _words(error), endpoint)
    return _of_connection(error, endpoint)


def _of_answer(code: str, detail: str, endpoint: str) -> PostgresError:
    words = detail.lower()
    for row_code, part, kind in _ANSWERS:
        if code.startswith(row_code) and part in words:
            return kind(endpoint=endpoint, detail=detail)
    return PostgresError(endpoint=endpoint, detail=f"{code}: {detail}")


_FAILURES: tuple[tuple[type[BaseException], str, type[PostgresError]], ...] = (
    (ssl.SSLCertVerificationError, "", ServerCertificateError),
    (ssl.SSLError, "", HandshakeError),
    (TimeoutError, "", TimedOutError),
    (ConnectionRefusedError, "", ConnectionRefusedByServerError),
    (ConnectionError, "rejected SSL upgrade", NoTlsError),
    (socket.gaierror, "", UnknownHostError),
    (BaseException, "", UnavailableError),
)
"""The same for what Python raises."""


def _of_connection(error: BaseException, endpoint: str) -> PostgresError:
    detail = _words(error)
    for sort, part, kind in _FAILURES:
        if isinstance(error, sort) and part in detail:
            return kind(endpoint=endpoint, detail=detail)
    return UnavailableError(endpoint=endpoint, detail=detail)


def _words(error: BaseException) -> str:
    # The first argument alone: hints and positions would follow, and a failed statement must not be quoted.
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    words = str(error.args[0]) if error.args else ""
    # One line whatever a server sends: the sentence goes into conditions, events and terminals.
    return "".join(filter(str.isprintable, " ".join(words.split())))[:_WORDS_LIMIT] or type(error).__name__
