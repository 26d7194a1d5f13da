"""What etcd's answers mean: one table from gRPC code and message to a type with a sentence.

etcd gives the same code to opposite facts ("user name already exists" and "user name not found" are both
FAILED_PRECONDITION), so code and message are looked up together. Messages are from etcd's public error list; those
about connections are gRPC's and TLS's own words. Codes are named as text, so that this module needs no network library.
"""

from __future__ import annotations

from kamaji_core.contracts import EndpointError, ProbeKind


class EtcdError(EndpointError):
    """etcd answered with an error or could not be reached."""

    SENTENCE = "etcd at {endpoint} answered with an unexpected error ({detail}): look at its log."


class UnavailableError(EtcdError):
    """The connection failed, or the member cannot serve just now."""

    SENTENCE = "etcd at {endpoint} cannot serve ({detail}): check that the server runs and has a leader."


class ConnectionRefusedByServerError(UnavailableError):
    """Nobody listens at the endpoint."""

    SENTENCE = "Nobody listens at {endpoint}: check spec.endpoints and that etcd runs."


class UnknownHostError(UnavailableError):
    """The endpoint's host name has no address."""

    SENTENCE = "The host of {endpoint} cannot be resolved ({detail}): check spec.endpoints and the cluster's DNS."


class TimedOutError(UnavailableError):
    """No answer within the time limit."""

    SENTENCE = "etcd at {endpoint} did not answer in time: check that it can be reached and is not overloaded."
    KIND = ProbeKind.TIMEOUT


class ServerCertificateError(UnavailableError):
    """The server's certificate does not verify."""

    SENTENCE = (
        "The certificate of etcd at {endpoint} does not verify: it must be signed by "
        "spec.tlsConfig.certificateAuthority and name this host."
    )
    KIND = ProbeKind.TLS


class ClientCertificateError(UnavailableError):
    """The server broke the TLS handshake off."""

    SENTENCE = (
        "etcd at {endpoint} broke the TLS handshake off ({detail}): its --trusted-ca-file must hold the authority that "
        "signed spec.tlsConfig.clientCertificate, and its client port must speak TLS."
    )
    KIND = ProbeKind.TLS


class NoUserError(EtcdError):
    """The request carried no user: the client certificate was not looked at."""

    SENTENCE = (
        "etcd at {endpoint} saw no user in our login: it must run with --client-cert-auth and the client certificate "
        "of spec.tlsConfig needs a common name."
    )
    KIND = ProbeKind.AUTH
    RETRY = False


class AuthenticationDisabledError(EtcdError):
    """Users and roles have no effect: every tenant could read every other's data."""

    SENTENCE = (
        "Authentication is not enabled in etcd at {endpoint}, so tenants would see each other's data: give the user "
        "root the role root and run `etcdctl auth enable`."
    )
    KIND = ProbeKind.AUTH


class AuthenticationFailedError(EtcdError):
    """The user does not exist or the password is wrong."""

    SENTENCE = "etcd at {endpoint} does not accept the login: check the user that the client certificate names."
    KIND = ProbeKind.AUTH


class NoPasswordUserError(AuthenticationFailedError):
    """The user logs in by certificate alone."""


class UnknownLoginError(EtcdError):
    """The operator's own user does not exist at etcd."""

    SENTENCE = (
        "etcd at {endpoint} does not know the user of our login: run `etcdctl user add --no-password` for the common "
        "name of spec.tlsConfig.clientCertificate and grant it the role root."
    )
    KIND = ProbeKind.AUTH


class PermissionDeniedError(EtcdError):
    """The operator's login lacks rights."""

    SENTENCE = (
        "etcd at {endpoint} denied permission to the operator's login: the user that the common name of "
        "spec.tlsConfig.clientCertificate names must exist and have the role root."
    )
    KIND = ProbeKind.PERMISSION


class OldAuthRevisionError(EtcdError):
    """Users or roles changed while the request was in flight; asking again helps."""

    SENTENCE = "Users at etcd {endpoint} changed during the request: it is tried again."


class UserNotFoundError(EtcdError):
    """The user does not exist: the one asked for, or the one that asks."""

    SENTENCE = "etcd at {endpoint} does not know the user: it was removed during the request."


class UserExistsError(EtcdError):
    """The user exists already."""

    SENTENCE = "The user exists already in etcd at {endpoint}."


class RoleNotFoundError(EtcdError):
    """The role does not exist."""

    SENTENCE = "etcd at {endpoint} does not know the role: it was removed during the request."


class RoleExistsError(EtcdError):
    """The role exists already."""

    SENTENCE = "The role exists already in etcd at {endpoint}."


class NotGrantedError(EtcdError):
    """What should be taken away was not there."""

    SENTENCE = "The right is not granted in etcd at {endpoint}."


class NoSpaceError(EtcdError):
    """The database has reached its quota: reads go on, writes are refused."""

    SENTENCE = (
        "The database of etcd at {endpoint} is full: compact and defragment it, or raise --quota-backend-bytes, and "
        "disarm the alarm with `etcdctl alarm disarm`."
    )
    KIND = ProbeKind.FULL


class LearnerError(UnavailableError):
    """The member is a learner, which serves nobody; another member is asked."""

    SENTENCE = "etcd at {endpoint} is a learner and serves no clients: promote it or take it out of spec.endpoints."


class NotLeaderError(UnavailableError):
    """The member passed the request to one that lost the lead meanwhile; asking again helps."""

    SENTENCE = "etcd at {endpoint} is electing a leader: it is tried again."


class CorruptError(EtcdError):
    """Members hold different data: etcd refuses to serve."""

    SENTENCE = (
        "etcd at {endpoint} found that its members' data differ and refuses to serve: look at `etcdctl alarm list` and "
        "restore the member that is wrong."
    )


class RootRoleMissingError(EtcdError):
    """Authentication cannot be enabled: the user root lacks the role root or does not exist."""

    SENTENCE = (
        "etcd at {endpoint} has no user root with the role root: run `etcdctl user add root --no-password` and "
        "`etcdctl user grant-role root root`."
    )
    KIND = ProbeKind.PERMISSION


class InvalidTokenError(EtcdError):
    """The login's token is unknown: etcd read a token where we send a certificate only."""

    SENTENCE = "etcd at {endpoint} does not accept the login's token ({detail}): look for a proxy that adds one."
    KIND = ProbeKind.AUTH


class ManagementRefusedError(EtcdError):
    """etcd keeps its administrator: the user root and its role cannot be removed while authentication is on."""

    SENTENCE = "etcd at {endpoint} refuses to change its own administrator: choose another user or schema."
    KIND = ProbeKind.PERMISSION
    RETRY = False


class CompactedError(EtcdError):
    """The asked revision is no longer, or not yet, there; a new request reads the present."""

    SENTENCE = "etcd at {endpoint} no longer has the revision that was asked for: it is tried again."


class RequestTooLargeError(EtcdError):
    """The request is larger, or has more parts, than the server allows."""

    SENTENCE = (
        "etcd at {endpoint} takes no request of this size ({detail}): raise its --max-request-bytes and --max-txn-ops "
        "to their defaults at least."
    )
    RETRY = False


class AnswerTooLargeError(EtcdError):
    """The answer is larger than the driver accepts."""

    SENTENCE = "The answer of etcd at {endpoint} is too large ({detail}): keep its --max-request-bytes at the default."
    RETRY = False


class NameInvalidError(EtcdError):
    """etcd got an empty name or key where it needs one."""

    SENTENCE = "etcd at {endpoint} refuses an empty name or key ({detail}): check the tenant's schema and user."
    KIND = ProbeKind.PERMISSION
    RETRY = False


class OverloadedError(EtcdError):
    """etcd asks for patience."""

    SENTENCE = "etcd at {endpoint} is overloaded: it is tried again."


class TooOldError(EtcdError):
    """The server does not know a method that the driver needs."""

    SENTENCE = "etcd at {endpoint} is too old: upgrade it to 3.6.14 or newer (at least 3.5.13)."
    KIND = ProbeKind.VERSION
    RETRY = False


_ANSWERS: tuple[tuple[str, str, type[EtcdError]], ...] = (
    ("FAILED_PRECONDITION", "user name not found", UserNotFoundError),
    ("FAILED_PRECONDITION", "user name already exists", UserExistsError),
    ("FAILED_PRECONDITION", "role name not found", RoleNotFoundError),
    ("FAILED_PRECONDITION", "role name already exists", RoleExistsError),
    ("FAILED_PRECONDITION", "role is not granted to the user", NotGrantedError),
    ("FAILED_PRECONDITION", "permission is not granted to the role", NotGrantedError),
    ("FAILED_PRECONDITION", "authentication is not enabled", AuthenticationDisabledError),
    ("FAILED_PRECONDITION", "root user does not", RootRoleMissingError),
    ("FAILED_PRECONDITION", "rpc not supported for learner", LearnerError),
    ("FAILED_PRECONDITION", "etcdserver: not leader", NotLeaderError),
    ("FAILED_PRECONDITION", "etcdserver: not capable", TooOldError),
    ("INVALID_ARGUMENT", "user name is empty", NoUserError),
    ("INVALID_ARGUMENT", "role name is empty", NameInvalidError),
    ("INVALID_ARGUMENT", "key is not provided", NameInvalidError),
    ("INVALID_ARGUMENT", "permission not given", NameInvalidError),
    ("INVALID_ARGUMENT", "invalid auth management", ManagementRefusedError),
    ("INVALID_ARGUMENT", "request is too large", RequestTooLargeError),
    ("INVALID_ARGUMENT", "too many operations in txn", RequestTooLargeError),
    ("INVALID_ARGUMENT", "invalid user ID or password", AuthenticationFailedError),
    ("INVALID_ARGUMENT", "revision of auth store is old", OldAuthRevisionError),
    ("UNKNOWN", "password was given for no password user", NoPasswordUserError),
    ("PERMISSION_DENIED", "", PermissionDeniedError),
    ("RESOURCE_EXHAUSTED", "database space exceeded", NoSpaceError),
    ("RESOURCE_EXHAUSTED", "too many requests", OverloadedError),
    ("RESOURCE_EXHAUSTED", "received message larger than max", RequestTooLargeError),  # the server, of a request
    ("RESOURCE_EXHAUSTED", "trying to send message larger than max", AnswerTooLargeError),  # the server, of an answer
    ("OUT_OF_RANGE", "required revision", CompactedError),
    ("DATA_LOSS", "corrupt cluster", CorruptError),
    ("UNAUTHENTICATED", "", InvalidTokenError),
    ("CANCELLED", "etcdserver: request canceled", TimedOutError),
    ("UNIMPLEMENTED", "", TooOldError),
    ("DEADLINE_EXCEEDED", "", TimedOutError),
    ("UNAVAILABLE", "etcdserver: request timed out", TimedOutError),
    ("UNAVAILABLE", "reset by remote party, error_code: 8", TimedOutError),  # CANCEL: the server kept our limit
    ("UNAVAILABLE", "connection refused", ConnectionRefusedByServerError),
    ("UNAVAILABLE", "dns resolution failed", UnknownHostError),
    ("UNAVAILABLE", "errors resolving", UnknownHostError),
    ("UNAVAILABLE", "certificate_verify_failed", ServerCertificateError),
    ("UNAVAILABLE", "hostname verification", ServerCertificateError),
    ("UNAVAILABLE", "peer name", ServerCertificateError),
    ("UNAVAILABLE", "(endpoint closing)", TimedOutError),  # gRPC gave up the handshake itself
    ("UNAVAILABLE", "tsi_data_corrupted", ClientCertificateError),  # how an alert after TLS 1.3's handshake shows
    ("UNAVAILABLE", "ssl_error", ClientCertificateError),
    ("UNAVAILABLE", "handshake", ClientCertificateError),
    ("UNAVAILABLE", "", UnavailableError),
)
"""Code, part of the message in any case, type; the first row that fits counts."""


def error_for(*, code: str, detail: str, endpoint: str) -> EtcdError:
    """Make the error that an answer means.

    Args:
        code: name of the gRPC status code.
        detail: its message.
        endpoint: the `host:port` that was asked.
    """
    words = detail.lower()
    for row_code, part, kind in _ANSWERS:
        if row_code == code and part.lower() in words:
            return kind(endpoint=endpoint, detail=detail)
    return EtcdError(endpoint=endpoint, detail=f"{code}: {detail}")
