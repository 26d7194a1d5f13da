"""Every method of etcd's interface, tried by one tenant against another: what the server refuses, and what it does not.

`ATTEMPTS` must be refused, whatever the names of the two tenants are; afterwards nothing of the store has changed.
`ALLOWED` is what etcd allows every user whatever the role says; no driver can take it away, so it is listed with its
effect in docs/plugins/etcd-isolation.md, and these tests keep the list true.
"""

from __future__ import annotations

import dataclasses
import http.client
import itertools
import json
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.testing import write_key_pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import Claim, Credentials, StoreView
    from kamaji_core.testing import EtcdServer
    from kamaji_datastore_etcd import EtcdDriver
    from kamaji_datastore_etcd.session import EtcdSession

pytestmark = pytest.mark.real

Etcdctl = Any  # the class lives in conftest, which is no module to import
Encode = Any  # as above: the fixture `encode`

PAGE = Path(__file__).resolve().parents[3] / "docs" / "plugins" / "etcd-isolation.md"

NAMES = ("a", "aa", "a-", "a0", "a.b")
"""Schemas of which some begin like others; `0` is the character that ends a range."""

DENIED = b"permission denied"
ALL = b"\0"
"""As both ends of a range: every key of the store."""


@dataclass(frozen=True)
class Target:
    """One tenant as seen by another."""

    name: str
    user: str
    lease: int

    @property
    def first(self) -> str:
        """First key of its range."""
        return f"/{self.name}/"

    @property
    def end(self) -> str:
        """First key after its range."""
        return f"/{self.name}0"

    @property
    def secret(self) -> str:
        """A key that it holds, with a lease."""
        return f"/{self.name}/secret"


@dataclass(frozen=True)
class Attempt:
    """One request: what it is called, its method, and its message for an attacker and a victim."""

    name: str
    path: str
    message: Callable[[Encode, Target, Target], bytes]
    stream: bool = False
    """Whether the method answers with a stream."""

    @property
    def both_ways(self) -> bool:
        """Whether it takes a stream as well."""
        return self.path.endswith(("/Watch", "/LeaseKeepAlive"))


def compare(m: Encode, target: Target) -> bytes:
    """The comparison that tells whether a secret has a guessed value."""
    return m(_1=0, _2=3, _3=target.secret, _7="hidden")


def between(m: Encode, one: Target, other: Target) -> bytes:
    """The range from the first of two tenants' keys to the last."""
    return m(_1=min(one.first, other.first), _2=max(one.end, other.end))


def nested(m: Encode, target: Target) -> bytes:
    """A transaction that reads a secret whatever comes of it, to stand inside another."""
    read = m(_1=m(_1=target.secret))
    return m(_4=m(_2=read, _3=read))


def permission(m: Encode, first: bytes | str, end: bytes | str) -> bytes:
    """Reading and writing of a range."""
    return m(_1=2, _2=first, _3=end)


KV, LEASE, AUTH = "etcdserverpb.KV/", "etcdserverpb.Lease/", "etcdserverpb.Auth/"
MAINTENANCE, CLUSTER, WATCH = "etcdserverpb.Maintenance/", "etcdserverpb.Cluster/", "etcdserverpb.Watch/Watch"
LOCK, ELECTION = "v3lockpb.Lock/", "v3electionpb.Election/"

KEYS = (
    Attempt("range", KV + "Range", lambda m, _, v: m(_1=v.secret)),
    Attempt("range, serializable", KV + "Range", lambda m, _, v: m(_1=v.secret, _7=1)),
    Attempt("range, old revision", KV + "Range", lambda m, _, v: m(_1=v.secret, _4=2)),
    Attempt("range, prefix", KV + "Range", lambda m, _, v: m(_1=v.first, _2=v.end)),
    Attempt("range, name without slash", KV + "Range", lambda m, a, _: m(_1=f"/{a.name}", _2=a.end)),
    Attempt("range, one key too many", KV + "Range", lambda m, a, _: m(_1=a.first, _2=a.end + "\0")),
    Attempt("range, from own to victim", KV + "Range", between),
    Attempt("range, from own to the end", KV + "Range", lambda m, a, _: m(_1=a.first, _2=ALL)),
    Attempt("range, all", KV + "Range", lambda m, _a, _v: m(_1=ALL, _2=ALL)),
    Attempt("range, keys only", KV + "Range", lambda m, _a, _v: m(_1=ALL, _2=ALL, _8=1)),
    Attempt("count, victim", KV + "Range", lambda m, _, v: m(_1=v.first, _2=v.end, _9=1)),
    Attempt("count, all", KV + "Range", lambda m, _a, _v: m(_1=ALL, _2=ALL, _9=1)),
    Attempt("range, owners' records", KV + "Range", lambda m, _a, _v: m(_1="kamaji.", _2="kamaji/")),
    Attempt("put", KV + "Put", lambda m, _, v: m(_1=v.secret, _2="changed")),
    Attempt("put, previous value", KV + "Put", lambda m, _, v: m(_1=v.secret, _2="changed", _4=1)),
    Attempt("put, owner's record", KV + "Put", lambda m, a, v: m(_1=f"kamaji.clastix.io/claims/{v.name}", _2=a.name)),
    Attempt("put, end of own range", KV + "Put", lambda m, a, _: m(_1=a.end, _2="x")),
    Attempt("put own, victim's lease", KV + "Put", lambda m, a, v: m(_1=a.first + "x", _2="x", _3=v.lease)),
    Attempt("delete", KV + "DeleteRange", lambda m, _, v: m(_1=v.secret)),
    Attempt("delete, previous values", KV + "DeleteRange", lambda m, _, v: m(_1=v.first, _2=v.end, _3=1)),
    Attempt("delete, all", KV + "DeleteRange", lambda m, _a, _v: m(_1=ALL, _2=ALL)),
    Attempt("txn, compare", KV + "Txn", lambda m, _, v: m(_1=compare(m, v))),
    Attempt("txn, compare a range", KV + "Txn", lambda m, a, _: m(_1=m(_1=0, _2=1, _3=a.first, _5=0, _64=ALL))),
    Attempt("txn, read", KV + "Txn", lambda m, _, v: m(_2=m(_1=m(_1=v.secret)))),
    Attempt("txn, put in failure", KV + "Txn", lambda m, _, v: m(_3=m(_2=m(_1=v.secret, _2="changed")))),
    Attempt("txn, delete", KV + "Txn", lambda m, _, v: m(_2=m(_3=m(_1=v.secret)))),
    Attempt("txn, nested compare", KV + "Txn", lambda m, _, v: m(_2=m(_4=m(_1=compare(m, v))))),
    Attempt("txn, nested read", KV + "Txn", lambda m, _, v: m(_2=nested(m, v))),
    Attempt("compact", KV + "Compact", lambda m, _a, _v: m(_1=2)),
    Attempt("compact, physical", KV + "Compact", lambda m, _a, _v: m(_1=2, _2=1)),
    Attempt("watch", WATCH, lambda m, _, v: m(_1=m(_1=v.secret)), stream=True),
    Attempt("watch, prefix from history", WATCH, lambda m, _, v: m(_1=m(_1=v.first, _2=v.end, _3=1)), stream=True),
    Attempt("watch, beyond own", WATCH, lambda m, a, _: m(_1=m(_1=a.first, _2=a.end + "\0", _3=1)), stream=True),
    Attempt("watch, all", WATCH, lambda m, _a, _v: m(_1=m(_1=ALL, _2=ALL, _3=1, _6=1)), stream=True),
)  # fmt: skip

LEASES = (
    Attempt("lease grant, victim's number", LEASE + "LeaseGrant", lambda m, _, v: m(_1=60, _2=v.lease)),
    Attempt("lease time to live, with keys", LEASE + "LeaseTimeToLive", lambda m, _, v: m(_1=v.lease, _2=1)),
    Attempt("lease keep alive", LEASE + "LeaseKeepAlive", lambda m, _, v: m(_1=v.lease), stream=True),
    Attempt("lease revoke", LEASE + "LeaseRevoke", lambda m, _, v: m(_1=v.lease)),
    Attempt("lease list", LEASE + "LeaseLeases", lambda m, _a, _v: m()),
)

SERVER = (
    Attempt("snapshot", MAINTENANCE + "Snapshot", lambda m, _a, _v: m(), stream=True),
    Attempt("defragment", MAINTENANCE + "Defragment", lambda m, _a, _v: m()),
    Attempt("hash", MAINTENANCE + "Hash", lambda m, _a, _v: m()),
    Attempt("hash of keys", MAINTENANCE + "HashKV", lambda m, _a, _v: m()),
    Attempt("alarm raise", MAINTENANCE + "Alarm", lambda m, _a, _v: m(_1=1, _3=1)),
    Attempt("alarm disarm", MAINTENANCE + "Alarm", lambda m, _a, _v: m(_1=2, _3=1)),
    Attempt("move leader", MAINTENANCE + "MoveLeader", lambda m, _a, _v: m(_1=1)),
    Attempt("downgrade validate", MAINTENANCE + "Downgrade", lambda m, _a, _v: m(_1=0, _2="3.5.0")),
    Attempt("downgrade enable", MAINTENANCE + "Downgrade", lambda m, _a, _v: m(_1=1, _2="3.5.0")),
    Attempt("downgrade cancel", MAINTENANCE + "Downgrade", lambda m, _a, _v: m(_1=2)),
    Attempt("member add", CLUSTER + "MemberAdd", lambda m, _a, _v: m(_1="http://127.0.0.1:1")),
    Attempt("member add, learner", CLUSTER + "MemberAdd", lambda m, _a, _v: m(_1="http://127.0.0.1:1", _2=1)),
    Attempt("member remove", CLUSTER + "MemberRemove", lambda m, _a, _v: m(_1=1)),
    Attempt("member update", CLUSTER + "MemberUpdate", lambda m, _a, _v: m(_1=1, _2="http://127.0.0.1:1")),
    Attempt("member promote", CLUSTER + "MemberPromote", lambda m, _a, _v: m(_1=1)),
)

USERS = (
    Attempt("user list", AUTH + "UserList", lambda m, _a, _v: m()),
    Attempt("user get", AUTH + "UserGet", lambda m, _, v: m(_1=v.user)),
    Attempt("user get root", AUTH + "UserGet", lambda m, _a, _v: m(_1="root")),
    Attempt("user add", AUTH + "UserAdd", lambda m, _a, _v: m(_1="friend", _3=m(_1=1))),
    Attempt("user delete", AUTH + "UserDelete", lambda m, _, v: m(_1=v.user)),
    Attempt("user change password", AUTH + "UserChangePassword", lambda m, _, v: m(_1=v.user, _2="guess")),
    Attempt("user change own password", AUTH + "UserChangePassword", lambda m, a, _: m(_1=a.user, _2="guess")),
    Attempt("user grant role", AUTH + "UserGrantRole", lambda m, a, v: m(_1=a.user, _2=v.name)),
    Attempt("user grant root", AUTH + "UserGrantRole", lambda m, a, _: m(_1=a.user, _2="root")),
    Attempt("user revoke role", AUTH + "UserRevokeRole", lambda m, _, v: m(_1=v.user, _2=v.name)),
    Attempt("role list", AUTH + "RoleList", lambda m, _a, _v: m()),
    Attempt("role get", AUTH + "RoleGet", lambda m, _, v: m(_1=v.name)),
    Attempt("role add", AUTH + "RoleAdd", lambda m, _a, _v: m(_1="friend")),
    Attempt("role delete", AUTH + "RoleDelete", lambda m, _, v: m(_1=v.name)),
    Attempt("role grant", AUTH + "RoleGrantPermission", lambda m, a, v: m(_1=a.name, _2=permission(m, v.first, v.end))),
    Attempt("role grant, all", AUTH + "RoleGrantPermission", lambda m, a, _: m(_1=a.name, _2=permission(m, ALL, ALL))),
    Attempt("role revoke", AUTH + "RoleRevokePermission", lambda m, _, v: m(_1=v.name, _2=v.first, _3=v.end)),
    Attempt("auth enable", AUTH + "AuthEnable", lambda m, _a, _v: m()),
    Attempt("auth disable", AUTH + "AuthDisable", lambda m, _a, _v: m()),
    Attempt("auth status", AUTH + "AuthStatus", lambda m, _a, _v: m()),
    Attempt("authenticate, empty password", AUTH + "Authenticate", lambda m, _, v: m(_1=v.user, _2="")),
    Attempt("authenticate, guess", AUTH + "Authenticate", lambda m, _, v: m(_1=v.user, _2="guess")),
    Attempt("authenticate as root", AUTH + "Authenticate", lambda m, _a, _v: m(_1="root", _2="")),
)


def leader(m: Encode, target: Target) -> bytes:
    """A claim to lead another's election."""
    return m(_1=f"/{target.name}", _2=target.secret, _3=4, _4=target.lease)


SERVICES = (
    Attempt("lock", LOCK + "Lock", lambda m, _, v: m(_1=v.first + "lock")),
    Attempt("unlock", LOCK + "Unlock", lambda m, _, v: m(_1=v.secret)),
    Attempt("election campaign", ELECTION + "Campaign", lambda m, _, v: m(_1=v.first + "election", _3="x")),
    Attempt("election leader", ELECTION + "Leader", lambda m, _, v: m(_1=f"/{v.name}")),
    Attempt("election proclaim", ELECTION + "Proclaim", lambda m, _, v: m(_1=leader(m, v), _2="changed")),
    Attempt("election resign", ELECTION + "Resign", lambda m, _, v: m(_1=leader(m, v))),
    Attempt("election observe", ELECTION + "Observe", lambda m, _, v: m(_1=f"/{v.name}"), stream=True),
)

ATTEMPTS = (*KEYS, *LEASES, *SERVER, *USERS, *SERVICES)

ALLOWED = (
    Attempt("status", MAINTENANCE + "Status", lambda m, _a, _v: m()),
    Attempt("alarm list", MAINTENANCE + "Alarm", lambda m, _a, _v: m()),
    Attempt("member list", CLUSTER + "MemberList", lambda m, _a, _v: m()),
    Attempt("member list, linearizable", CLUSTER + "MemberList", lambda m, _a, _v: m(_1=1)),
    Attempt("lease grant", LEASE + "LeaseGrant", lambda m, _a, _v: m(_1=60)),
    Attempt("lease time to live", LEASE + "LeaseTimeToLive", lambda m, _, v: m(_1=v.lease)),
    Attempt("lease time to live, empty lease", LEASE + "LeaseTimeToLive", lambda m, _, v: m(_1=v.lease + 1, _2=1)),
    Attempt(
        "lease keep alive, empty lease",
        LEASE + "LeaseKeepAlive",
        lambda m, _, v: m(_1=v.lease + 1),
        stream=True,
    ),
    Attempt("put own, empty lease of another", KV + "Put", lambda m, a, v: m(_1=a.first + "x", _3=v.lease + 1)),
    Attempt("lease revoke, empty lease", LEASE + "LeaseRevoke", lambda m, _, v: m(_1=v.lease + 2)),
    Attempt("user get, own", AUTH + "UserGet", lambda m, a, _: m(_1=a.user)),
    Attempt("role get, own", AUTH + "RoleGet", lambda m, a, _: m(_1=a.name)),
    Attempt("health", "grpc.health.v1.Health/Check", lambda m, _a, _v: m()),
)


def is_refused(attempt: Attempt, code: str, said: bytes) -> bool:
    """Whether the server refused for want of rights; a watch is refused inside of its stream."""
    if attempt.path == WATCH:
        return code == "OK" and b"PermissionDenied" in said
    if attempt.path.endswith("/Authenticate"):
        return code in {"UNKNOWN", "INVALID_ARGUMENT"} and b"authentication failed" in said
    if attempt.path.endswith("/Observe"):
        return code == "END"
    if attempt.name == "lease grant, victim's number":
        return b"lease already exists" in said
    return code in {"PERMISSION_DENIED", "UNKNOWN"} and DENIED in said


@dataclass(frozen=True)
class Tenants:
    """Tenants with prefixed names, each with a secret under a lease and two empty leases."""

    targets: dict[str, Target]
    intruders: dict[str, Any]

    async def attempt(self, attempt: Attempt, m: Encode, *, attacker: str, victim: str) -> tuple[str, bytes]:
        """Let one try something against another."""
        request = attempt.message(m, self.targets[attacker], self.targets[victim])
        intruder = self.intruders[attacker]
        if attempt.stream:
            return await intruder.stream(attempt.path, request, both_ways=attempt.both_ways)
        return await intruder.call(attempt.path, request)


@pytest.fixture
async def tenants(
    own_server: EtcdServer,
    driver: EtcdDriver,
    make_store: Callable[..., StoreView],
    open_session: Callable[..., EtcdSession],
    make_claim: Callable[..., Claim],
    make_pair: Callable[[Credentials], Any],
    intrude: Callable[..., Any],
    encode: Encode,
) -> Tenants:
    """Tenants on a server of their own, so that nothing else changes it."""
    store = make_store(own_server)
    session = open_session(store)
    targets, intruders = {}, {}
    for number, name in enumerate(NAMES):
        claim = make_claim(schema=name, user=f"user-{name}")
        credentials = driver.issue(store, claim, current=None, now=datetime.now(UTC))
        await session.ensure(claim, credentials)
        target = Target(name=name, user=claim.user, lease=1000 + 10 * number)
        intruder = intrude(own_server, make_pair(credentials))
        for lease in range(target.lease, target.lease + 3):
            assert (await intruder.call(LEASE + "LeaseGrant", encode(_1=600, _2=lease)))[0] == "OK"
        put = encode(_1=target.secret, _2="hidden", _3=target.lease)
        assert (await intruder.call(KV + "Put", put))[0] == "OK"
        targets[name], intruders[name] = target, intruder
    return Tenants(targets=targets, intruders=intruders)


def everything(etcdctl: Etcdctl) -> dict[str, Any]:
    """All that a store holds: keys with values and revisions, users with roles, roles with rights, leases, members."""
    keys = json.loads(etcdctl("get", "", "--prefix", "-w", "json"))
    users = etcdctl("user", "list").split()
    roles = etcdctl("role", "list").split()
    return {
        "revision": keys["header"]["revision"],
        "keys": keys["kvs"],
        "auth": etcdctl("auth", "status"),
        "users": {user: etcdctl("user", "get", user) for user in users},
        "roles": {role: etcdctl("role", "get", role) for role in roles},
        "leases": etcdctl("lease", "list").splitlines()[1:],
        "members": etcdctl("member", "list"),
        "alarms": etcdctl("alarm", "list"),
    }


async def test_nothing_beyond_its_own_keys_is_a_tenant_s(
    tenants: Tenants, own_server: EtcdServer, witness_of: Callable[..., Etcdctl], encode: Encode
) -> None:
    """For every ordered pair of names and every method the server refuses, and the whole store stays as it was."""
    witness = witness_of(own_server)
    before = everything(witness)
    leaks, tried = [], 0
    for attacker, victim in itertools.permutations(NAMES, 2):
        for attempt in ATTEMPTS:
            tried += 1
            code, said = await tenants.attempt(attempt, encode, attacker=attacker, victim=victim)
            if not is_refused(attempt, code, said):
                leaks.append((attempt.name, attacker, victim, code, said))
    assert leaks == []
    after = everything(witness)
    # Locks and elections grant the asker a lease before they look at its rights, which everybody may grant anyway.
    assert set(before.pop("leases")) <= set(after.pop("leases"))
    assert after == before
    assert tried == len(ATTEMPTS) * len(NAMES) * (len(NAMES) - 1)


async def test_what_is_refused_to_others_works_for_the_owner(tenants: Tenants, encode: Encode) -> None:
    """The refusals above are no accident of the messages: aimed at itself, a tenant's requests on keys succeed."""
    own = [attempt for attempt in KEYS if attempt.name in {"range", "count, victim", "txn, compare", "put", "watch"}]
    assert len(own) == 5
    for attempt in own:
        code, said = await tenants.attempt(attempt, encode, attacker="a", victim="a")
        assert code == "OK", attempt.name
        assert b"PermissionDenied" not in said, attempt.name


@pytest.mark.parametrize("attempt", ALLOWED, ids=lambda attempt: attempt.name)
async def test_what_etcd_allows_everybody_shows_no_tenant_s_data(
    tenants: Tenants, encode: Encode, attempt: Attempt
) -> None:
    """Etcd 3.6.14 allows it whatever the role says; the answer holds no name, key or value of the other tenant."""
    code, said = await tenants.attempt(attempt, encode, attacker="a0", victim="a.b")
    assert code == "OK"
    victim = tenants.targets["a.b"]
    for private in (victim.name, victim.user, victim.secret, "hidden", "kamaji.clastix.io"):
        assert private.encode() not in said


async def test_an_empty_lease_can_be_spoilt(tenants: Tenants, encode: Encode) -> None:
    """Who guesses the number of a lease that has no key yet can keep its owner from using it; the page says so."""
    spoil, revoke = (next(one for one in ALLOWED if one.name.startswith(name)) for name in ("put own", "lease revoke"))
    for attempt in (spoil, revoke):
        assert (await tenants.attempt(attempt, encode, attacker="a", victim="aa"))[0] == "OK"
    victim, owner = tenants.targets["aa"], tenants.intruders["aa"]
    spoilt = await owner.call(KV + "Put", encode(_1=victim.first + "event", _3=victim.lease + 1))
    assert spoilt[0] == "PERMISSION_DENIED"
    revoked = await owner.call(KV + "Put", encode(_1=victim.first + "event", _3=victim.lease + 2))
    assert (revoked[0], b"lease not found" in revoked[1]) == ("NOT_FOUND", True)


def ask(server: EtcdServer, context: ssl.SSLContext, path: str, body: dict[str, str] | None) -> tuple[int, str]:
    """Ask the client port over HTTP."""
    host, _, port = server.endpoints[0].removeprefix("https://").partition(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=10)
    try:
        connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


@pytest.fixture
def browse(own_server: EtcdServer, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Ask the shared port over HTTP with a client certificate."""
    assert own_server.ca is not None
    authority = own_server.ca.certificate

    def ask_as(client: Any, path: str, body: dict[str, str] | None = None) -> tuple[int, str]:
        files = write_key_pair(tmp_path, "browser", client, ca=authority)
        context = ssl.create_default_context(cadata=authority.decode())
        context.load_cert_chain(files.certificate, files.key)
        return ask(own_server, context, path, body)

    return ask_as


ALLOWED_HTTP = ("/health", "/version", "/metrics", "/debug/vars")

_ALL = {"key": "AA==", "range_end": "AA=="}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v3/kv/range", _ALL),
        ("/v3/kv/put", {"key": "L2Evc2VjcmV0", "value": "eA=="}),
        ("/v3/kv/deleterange", _ALL),
        ("/v3/kv/txn", {}),
        ("/v3/watch", {}),
        ("/v3/lease/leases", {}),
        ("/v3/maintenance/snapshot", {}),
        ("/v3/maintenance/status", {}),
        ("/v3/cluster/member/list", {}),
        ("/v3/auth/user/list", {}),
        ("/v3/auth/disable", {}),
    ],
)
def test_the_http_gateway_knows_no_tenant(
    own_server: EtcdServer, browse: Callable[..., tuple[int, str]], path: str, body: dict[str, str]
) -> None:
    """A certificate with a common name, as every tenant's has, is refused there, whatever is asked."""
    status, said = browse(own_server.issue_client("user-a"), path, body)
    assert status == 400
    assert "CommonName of client" in said


@pytest.mark.parametrize("path", ALLOWED_HTTP)
async def test_what_the_client_port_shows_everybody(
    tenants: Tenants, own_server: EtcdServer, browse: Callable[..., tuple[int, str]], path: str
) -> None:
    """Health, version, metrics and the server's own arguments are shown; no tenant's name or data is among them."""
    status, said = browse(own_server.issue_client("user-a"), path)
    assert status == 200
    for target in tenants.targets.values():
        assert target.user not in said
        assert target.secret not in said


def test_a_certificate_without_a_name_becomes_the_server_at_the_gateway(
    own_server: EtcdServer,
    witness_of: Callable[..., Etcdctl],
    browse: Callable[..., tuple[int, str]],
    make_nameless: Callable[..., Any],
) -> None:
    """It acts there as the user whom the server's own certificate names; the page tells how to prevent it.

    The driver signs no certificate without a name, so no tenant has one.
    """
    witness = witness_of(own_server)
    witness("put", "/served/key", "shown")
    body = {"key": "L3NlcnZlZC9rZXk="}
    assert browse(make_nameless(own_server.ca), "/v3/kv/range", body)[0] in {400, 403, 412}
    witness("user", "add", "etcd", "--no-password")  # the common name of the server's certificate
    witness("role", "add", "served")
    witness("role", "grant-permission", "served", "read", "/served/", "/served0")
    witness("user", "grant-role", "etcd", "served")
    status, said = browse(make_nameless(own_server.ca), "/v3/kv/range", body)
    assert (status, "c2hvd24=" in said) == (200, True)


def test_the_page_lists_what_etcd_allows() -> None:
    """Everything allowed is a row of the page, and it states the number of attempts that are refused."""
    text = PAGE.read_text()
    rows = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
    assert rows == {attempt.name for attempt in ALLOWED} | set(ALLOWED_HTTP)
    pairs = len(NAMES) * (len(NAMES) - 1)
    assert f"{len(ATTEMPTS)} attempts" in text
    assert f"{pairs} ordered pairs" in text
    assert f"{len(ATTEMPTS) * pairs} requests" in text


def test_attempts_have_names_of_their_own() -> None:
    """No attempt is counted twice."""
    names = [attempt.name for attempt in (*ATTEMPTS, *ALLOWED)]
    assert len(names) == len(set(names))
    assert {field.name for field in dataclasses.fields(Attempt)} >= {"name", "path", "message"}
