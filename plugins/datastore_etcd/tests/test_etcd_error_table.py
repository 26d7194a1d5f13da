"""Server errors become types: the table by itself, and against what a real server says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import Claim, ProbeKind
from kamaji_datastore_etcd import errors
from kamaji_datastore_etcd.errors import EtcdError, error_for
from kamaji_datastore_etcd.rights import wanted_permission

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kamaji_core.testing import EtcdServer
    from kamaji_datastore_etcd.session import EtcdSession


@pytest.mark.parametrize(
    ("code", "detail", "kind"),
    [
        ("FAILED_PRECONDITION", "etcdserver: user name not found", errors.UserNotFoundError),
        ("FAILED_PRECONDITION", "etcdserver: user name already exists", errors.UserExistsError),
        ("FAILED_PRECONDITION", "etcdserver: role name not found", errors.RoleNotFoundError),
        ("INVALID_ARGUMENT", "etcdserver: user name is empty", errors.NoUserError),
        ("INVALID_ARGUMENT", "etcdserver: revision of auth store is old", errors.OldAuthRevisionError),
        ("RESOURCE_EXHAUSTED", "etcdserver: mvcc: database space exceeded", errors.NoSpaceError),
        ("RESOURCE_EXHAUSTED", "etcdserver: too many requests", errors.OverloadedError),
        ("UNIMPLEMENTED", "unknown method AuthStatus", errors.TooOldError),
        ("UNAVAILABLE", "etcdserver: no leader", errors.UnavailableError),
        ("UNAVAILABLE", "etcdserver: request timed out", errors.TimedOutError),
        ("UNAVAILABLE", "last error: Connection refused (111)", errors.ConnectionRefusedByServerError),
        ("UNAVAILABLE", "DNS resolution failed for etcd:2379", errors.UnknownHostError),
        ("UNAVAILABLE", "Ssl handshake failed: CERTIFICATE_VERIFY_FAILED", errors.ServerCertificateError),
        ("UNAVAILABLE", "Peer name 10.0.0.1 is not in peer certificate", errors.ServerCertificateError),
        ("UNAVAILABLE", "Handshake read failed (Connection reset by peer)", errors.ClientCertificateError),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", errors.TimedOutError),
        ("RESOURCE_EXHAUSTED", "grpc: received message larger than max (9 vs. 4)", errors.RequestTooLargeError),
        ("RESOURCE_EXHAUSTED", "grpc: trying to send message larger than max (9 vs. 4)", errors.AnswerTooLargeError),
        ("UNAVAILABLE", "Stream reset by remote party, error_code: 8", errors.TimedOutError),
    ],
)
def test_code_and_message_together_decide(code: str, detail: str, kind: type[EtcdError]) -> None:
    """The same code means opposite things with another message."""
    assert type(error_for(code=code, detail=detail, endpoint="etcd:2379")) is kind


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        ("INVALID_ARGUMENT", "key is not provided", errors.NameInvalidError),
        ("INVALID_ARGUMENT", "too many operations in txn request", errors.RequestTooLargeError),
        ("INVALID_ARGUMENT", "request is too large", errors.RequestTooLargeError),
        ("INVALID_ARGUMENT", "role name is empty", errors.NameInvalidError),
        ("INVALID_ARGUMENT", "permission not given", errors.NameInvalidError),
        ("INVALID_ARGUMENT", "invalid auth management", errors.ManagementRefusedError),
        (
            "INVALID_ARGUMENT",
            "authentication failed, invalid user ID or password",
            errors.AuthenticationFailedError,
        ),
        ("OUT_OF_RANGE", "mvcc: required revision has been compacted", errors.CompactedError),
        ("OUT_OF_RANGE", "mvcc: required revision is a future revision", errors.CompactedError),
        ("FAILED_PRECONDITION", "root user does not exist", errors.RootRoleMissingError),
        ("FAILED_PRECONDITION", "root user does not have root role", errors.RootRoleMissingError),
        ("FAILED_PRECONDITION", "role name already exists", errors.RoleExistsError),
        ("FAILED_PRECONDITION", "role is not granted to the user", errors.NotGrantedError),
        ("FAILED_PRECONDITION", "permission is not granted to the role", errors.NotGrantedError),
        ("FAILED_PRECONDITION", "authentication is not enabled", errors.AuthenticationDisabledError),
        ("FAILED_PRECONDITION", "rpc not supported for learner", errors.LearnerError),
        ("FAILED_PRECONDITION", "not leader", errors.NotLeaderError),
        ("FAILED_PRECONDITION", "not capable", errors.TooOldError),
        ("PERMISSION_DENIED", "permission denied", errors.PermissionDeniedError),
        ("UNAUTHENTICATED", "invalid auth token", errors.InvalidTokenError),
        ("UNAVAILABLE", "no leader", errors.UnavailableError),
        ("UNAVAILABLE", "leader changed", errors.UnavailableError),
        ("UNAVAILABLE", "server stopped", errors.UnavailableError),
        ("UNAVAILABLE", "unhealthy cluster", errors.UnavailableError),
        ("UNAVAILABLE", "request timed out, possibly due to previous leader failure", errors.TimedOutError),
        ("UNAVAILABLE", "request timed out, possibly due to connection lost", errors.TimedOutError),
        (
            "UNAVAILABLE",
            "request timed out, waiting for the applied index took too long",
            errors.TimedOutError,
        ),
        ("CANCELLED", "request canceled", errors.TimedOutError),
        ("DEADLINE_EXCEEDED", "context deadline exceeded", errors.TimedOutError),
        ("DATA_LOSS", "corrupt cluster", errors.CorruptError),
    ],
)
def test_etcd_s_public_list_of_errors_has_types(code: str, words: str, kind: type[EtcdError]) -> None:
    """What etcd's documentation of its API lists for keys, users, roles and members' trouble is told apart."""
    error = error_for(code=code, detail=f"etcdserver: {words}", endpoint="etcd:2379")
    assert type(error) is kind


def test_a_member_that_cannot_serve_is_passed_over() -> None:
    """Trouble of one member is of the type after which the next member is asked; a refusal is not."""
    for kind in (errors.LearnerError, errors.NotLeaderError, errors.TimedOutError):
        assert issubclass(kind, errors.UnavailableError)
    for refusal in (errors.PermissionDeniedError, errors.CorruptError, errors.NoSpaceError):
        assert not issubclass(refusal, errors.UnavailableError)


@pytest.mark.parametrize(("code", "detail"), [("INTERNAL", "boom"), ("FAILED_PRECONDITION", "etcdserver: novel")])
def test_an_unknown_answer_keeps_its_words(code: str, detail: str) -> None:
    """What the table does not know is told as it came and may be tried again."""
    error = error_for(code=code, detail=detail, endpoint="etcd:2379")
    assert type(error) is EtcdError
    assert f"({code}: {detail})" in str(error)
    assert error.retry


def test_every_sentence_names_the_endpoint() -> None:
    """Each type's message is one sentence with the member that gave it."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EtcdError)]
    assert len(kinds) > 15
    for kind in kinds:
        sentence = str(kind(endpoint="etcd-0:2379", detail="words"))
        assert "etcd-0:2379" in sentence
        assert sentence.endswith(".")
        assert isinstance(kind.KIND, ProbeKind)


@pytest.mark.real
@pytest.mark.parametrize(
    ("request_name", "kind"),
    [
        ("USER_ADD", errors.UserExistsError),
        ("ROLE_ADD", errors.RoleExistsError),
        ("USER_GET", errors.UserNotFoundError),
        ("USER_DELETE", errors.UserNotFoundError),
        ("ROLE_GET", errors.RoleNotFoundError),
        ("ROLE_DELETE", errors.RoleNotFoundError),
        ("USER_REVOKE_ROLE", errors.NotGrantedError),
        ("ROLE_REVOKE", errors.NotGrantedError),
        ("ROLE_ADD_EMPTY", errors.NameInvalidError),
        ("ROLE_DELETE_ROOT", errors.ManagementRefusedError),
        ("TXN_MANY", errors.RequestTooLargeError),
        ("PUT_LARGE", errors.RequestTooLargeError),
        ("PUT_HUGE", errors.RequestTooLargeError),
        ("PUT_NO_KEY", errors.NameInvalidError),
        ("AUTHENTICATE", errors.NoPasswordUserError),
        ("AUTHENTICATE_UNKNOWN", errors.AuthenticationFailedError),
    ],
)
async def test_a_real_server_s_refusals_are_in_the_table(
    session: EtcdSession, claim: Claim, request_name: str, kind: type[EtcdError]
) -> None:
    """What etcd says of users and roles that exist, or do not, is told apart."""
    from kamaji_datastore_etcd import wire  # noqa: PLC0415 - the pure tests above need no grpc
    from kamaji_datastore_etcd._proto import etcd_wire_pb2 as pb  # noqa: PLC0415 - as above

    await session._wire.add_user("exists")
    await session._wire.add_role("exists")
    permission = wanted_permission(claim.schema)

    def put(key: bytes, value: bytes) -> Any:
        return pb.RequestOp(request_put=pb.PutRequest(key=key, value=value))

    requests: dict[str, tuple[Any, Any]] = {
        "USER_ADD": (
            wire._USER_ADD,
            pb.AuthUserAddRequest(name="exists", options=pb.UserAddOptions(no_password=True)),
        ),
        "ROLE_ADD": (wire._ROLE_ADD, pb.AuthRoleAddRequest(name="exists")),
        "USER_GET": (wire._USER_GET, pb.AuthUserGetRequest(name="absent")),
        "USER_DELETE": (wire._USER_DELETE, pb.AuthUserDeleteRequest(name="absent")),
        "ROLE_GET": (wire._ROLE_GET, pb.AuthRoleGetRequest(role="absent")),
        "ROLE_DELETE": (wire._ROLE_DELETE, pb.AuthRoleDeleteRequest(role="absent")),
        "USER_REVOKE_ROLE": (wire._USER_REVOKE_ROLE, pb.AuthUserRevokeRoleRequest(name="exists", role="exists")),
        "ROLE_REVOKE": (
            wire._ROLE_REVOKE,
            pb.AuthRoleRevokePermissionRequest(role="exists", key=permission.key, range_end=permission.range_end),
        ),
        "ROLE_ADD_EMPTY": (wire._ROLE_ADD, pb.AuthRoleAddRequest()),
        "ROLE_DELETE_ROOT": (wire._ROLE_DELETE, pb.AuthRoleDeleteRequest(role="root")),
        "TXN_MANY": (wire._TXN, pb.TxnRequest(success=[wire._read(b"k%d" % number) for number in range(200)])),
        "PUT_LARGE": (wire._TXN, pb.TxnRequest(success=[put(b"large", b"0" * 1_700_000)])),
        "PUT_HUGE": (wire._TXN, pb.TxnRequest(success=[put(b"huge", b"0" * 3_000_000)])),
        "PUT_NO_KEY": (wire._TXN, pb.TxnRequest(success=[put(b"", b"")])),
        "AUTHENTICATE": (wire._AUTHENTICATE, pb.AuthenticateRequest(name="exists", password="")),
        "AUTHENTICATE_UNKNOWN": (wire._AUTHENTICATE, pb.AuthenticateRequest(name="absent", password="")),
    }
    with pytest.raises(EtcdError) as caught:
        await session._channels.call(*requests[request_name])
    assert type(caught.value) is kind


@pytest.mark.real
async def test_a_tenant_is_denied_what_only_root_may(
    session: EtcdSession,
    server: EtcdServer,
    claim: Claim,
    make_store: Callable[..., Any],
    open_session: Callable[..., EtcdSession],
) -> None:
    """Users, roles, status and foreign keys are all refused with the same type."""
    await session._wire.add_user(claim.user)
    tenant = open_session(make_store(server, client=server.issue_client(claim.user)))._wire
    calls: list[Awaitable[Any]] = [
        tenant.authentication_enabled(),
        tenant.user_roles("root"),
        tenant.role_permissions("root"),
        tenant.add_user("another"),
        tenant.delete_user("root"),
        tenant.read((b"kamaji.clastix.io/claims/x",)),
        tenant.delete_keys(b"\0", b"\0"),
    ]
    for call in calls:
        with pytest.raises(errors.PermissionDeniedError):
            await call
