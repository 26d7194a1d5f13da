"""A tenant reaches its own keys and nothing else; etcdctl with the tenant's certificate is the witness."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_datastore_etcd.errors import NoPasswordUserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import Claim, Credentials, StoreView
    from kamaji_datastore_etcd import EtcdDriver
    from kamaji_datastore_etcd.session import EtcdSession

pytestmark = pytest.mark.real

Etcdctl = Any  # the class lives in conftest, which is no module to import


@pytest.fixture
def log_in(
    session: EtcdSession,
    driver: EtcdDriver,
    store: StoreView,
    etcdctl_as: Callable[..., Etcdctl],
    make_pair: Callable[[Credentials], Any],
) -> Callable[[Claim], Any]:
    """Make a claim and the witness with its credentials."""

    async def make(claim: Claim) -> Etcdctl:
        credentials = driver.issue(store, claim, current=None, now=datetime.now(UTC))
        await session.ensure(claim, credentials)
        return etcdctl_as(make_pair(credentials))

    return make


def is_denied(etcdctl: Etcdctl, *command: str) -> bool:
    """Whether the server itself refused for want of rights."""
    result = etcdctl.run(*command)
    return result.returncode != 0 and "permission denied" in result.stderr


async def test_a_tenant_reads_and_writes_its_own_keys(log_in: Callable[..., Any], claim: Claim) -> None:
    """Putting, reading, deleting and reading the whole range are allowed."""
    tenant = await log_in(claim)
    tenant("put", f"/{claim.schema}/a", "1")
    tenant("put", f"/{claim.schema}/\u00ff", "2")
    assert tenant("get", f"/{claim.schema}/", "--prefix", "--keys-only").split() == [
        f"/{claim.schema}/a",
        f"/{claim.schema}/\u00ff",
    ]
    assert tenant("del", f"/{claim.schema}/", "--prefix") == "2\n"


@pytest.mark.parametrize(("own", "other"), [("prefix", "prefixed"), ("prefixed2", "prefix2"), ("x-1", "x-10")])
async def test_names_that_begin_alike_are_apart(
    log_in: Callable[..., Any], make_claim: Callable[..., Claim], own: str, other: str
) -> None:
    """A tenant whose schema is the beginning of another's is refused there, and the other way round."""
    claims = make_claim(schema=own), make_claim(schema=other)
    tenants = [await log_in(claim) for claim in claims]
    tenants[1]("put", f"/{other}/secret", "hidden")
    assert is_denied(tenants[0], "get", f"/{other}/secret")
    assert is_denied(tenants[0], "put", f"/{other}/secret", "changed")
    assert is_denied(tenants[0], "del", f"/{other}/secret")
    assert is_denied(tenants[0], "get", f"/{own}", "--prefix")
    assert is_denied(tenants[1], "get", f"/{own}/", "--prefix")


@pytest.mark.parametrize("key", ["", "/", "kamaji.clastix.io/", "compact_rev_key", "/registry"])
async def test_everything_else_is_refused(log_in: Callable[..., Any], claim: Claim, key: str) -> None:
    """The root of the store, the records and anybody's keys can be neither listed nor written."""
    tenant = await log_in(claim)
    assert is_denied(tenant, "get", key, "--prefix")
    assert is_denied(tenant, "put", f"{key}x", "changed")


async def test_the_edges_of_the_range_are_refused(log_in: Callable[..., Any], claim: Claim) -> None:
    """The schema's name without a slash and the first key after the range are outside."""
    tenant = await log_in(claim)
    assert is_denied(tenant, "get", f"/{claim.schema}")
    assert is_denied(tenant, "get", f"/{claim.schema}0")
    assert is_denied(tenant, "get", f"/{claim.schema}/", f"/{claim.schema}0x")


@pytest.mark.parametrize(
    "command",
    [
        ("user", "list"),
        ("user", "add", "friend", "--no-password"),
        ("role", "grant-permission", "root", "readwrite", "/"),
        ("auth", "disable"),
        ("snapshot", "save", "/dev/null"),
    ],
)
async def test_administration_is_refused(log_in: Callable[..., Any], claim: Claim, command: tuple[str, ...]) -> None:
    """A tenant changes no users, sees none, and takes no copy of the store."""
    assert is_denied(await log_in(claim), *command)


async def test_a_tenant_cannot_compact_the_store(log_in: Callable[..., Any], etcdctl: Etcdctl, claim: Claim) -> None:
    """A server of the advised version refuses to forget history at a tenant's word."""
    tenant = await log_in(claim)
    etcdctl("put", "history", "1")
    etcdctl("put", "history", "2")
    assert is_denied(tenant, "compact", "2")


async def test_nobody_logs_in_as_a_tenant_by_password(
    log_in: Callable[..., Any], make_claim: Callable[..., Claim]
) -> None:
    """Another tenant, which has a certificate that the server trusts, cannot become this one with a password."""
    victim, attacker = make_claim(), make_claim()
    await log_in(victim)
    tenant = await log_in(attacker)
    result = tenant.run(f"--user={victim.user}:guess", "get", f"/{victim.schema}/", "--prefix")
    assert result.returncode != 0
    assert "password was given for no password user" in result.stderr
    # Without a password etcdctl does not log in at all: the certificate's own user is denied.
    assert is_denied(tenant, f"--user={victim.user}:", "get", f"/{victim.schema}/", "--prefix")


async def test_an_empty_password_is_no_login(session: EtcdSession, log_in: Callable[..., Any], claim: Claim) -> None:
    """A tenant's user refuses the empty password that the server would give a user made without our option."""
    from kamaji_datastore_etcd import wire  # noqa: PLC0415 - grpc comes with the real tests only
    from kamaji_datastore_etcd._proto import etcd_wire_pb2 as pb  # noqa: PLC0415 - as above

    await log_in(claim)
    assert not await session._wire.has_password(claim.user)
    with pytest.raises(NoPasswordUserError):
        await session._channels.call(wire._AUTHENTICATE, pb.AuthenticateRequest(name=claim.user, password=""))
    careless = f"{claim.user}-careless"
    await session._channels.call(wire._USER_ADD, pb.AuthUserAddRequest(name=careless))
    await session._channels.call(wire._AUTHENTICATE, pb.AuthenticateRequest(name=careless, password=""))
    assert await session._wire.has_password(careless)
