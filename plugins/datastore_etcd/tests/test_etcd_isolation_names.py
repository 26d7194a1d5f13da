"""Whatever a tenant calls its schema and user, it reaches its own keys and nobody else's.

A seeded list of hostile names goes through the driver: each is refused before anything is made, or its tenant's own
certificate is tried against its neighbours. The first hundred run always, all ten thousand with `KAMAJI_EXPLORE=1`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_datastore_etcd.names import NameRefusedError, check_names, key_range

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import Claim, Credentials, StoreView
    from kamaji_core.testing import EtcdServer
    from kamaji_datastore_etcd import EtcdDriver
    from kamaji_datastore_etcd.session import EtcdSession

pytestmark = pytest.mark.real

Etcdctl = Any  # the class lives in conftest, which is no module to import

SEED = 20240805
NAMES = 10_000
ALWAYS = 100
AT_ONCE = 8
"""Claims made at the same time: as many as the operator's workers."""

TOGETHER = 500
"""Tenants that are there at the same time: etcd reads all users and roles anew at each change of one."""

KV = "etcdserverpb.KV/"

FRAGMENTS = (
    "'", '"', "`", "''", "\\", "\\'", "; DROP TABLE kine; --", "' OR '1'='1", "$(id)", "${HOME}", "|", "&&", "%s",
    "%00", "{0}", "{{.}}", "<script>", "../", "..", ".", "/", "//", "\\..\\", "0", "00", "-", "_", ":", "@", "#", "?",
    "*", "=", ",", "+", " ", "  ", "CN=root", "root", "Root", "ROOT", "registry", "kamaji.clastix.io", "claims",
    "users", "a", "aa", "\u00e9", "e\u0301", "\u00df", "\u1e9e", "\u0131", "\u0130", "\u6f22\u5b57", "\U0001f732",
    "\U0001f469\u200d\U0001f4bb", "\u202e", "\u200b", "\u00a0", "\ufeff", "\u2215", "\uff0f", "\x00", "\x01", "\n",
    "\r\n", "\t", "\x1b[2J", "\x7f", "\u0085", "\ud800", "\uffff", "\U0010ffff",
)  # fmt: skip
"""What names are put together from; among them a slash's look-alikes and two spellings of the same letter."""


LENGTHS = (21, 63, 64, 65, 84, 126, 253, 254, 1000)
"""Characters of long names: about the limits, in bytes too, for letters of one to four bytes."""


def hostile_names() -> list[str]:
    """Ten thousand different names, the same with each run."""
    chance = random.Random(SEED)  # noqa: S311 - repeatable, protects nothing
    names = ["a"]
    makers: tuple[Callable[[], str], ...] = (
        lambda: "".join(chance.choices(FRAGMENTS, k=chance.randint(1, 4))),
        lambda: "p" * chance.randint(1, 60) + chance.choice(("", "0", "-", ".", "/", "p")),
        lambda: chance.choice(names) + chance.choice(FRAGMENTS),
        lambda: chance.choice(("x", "\u00e9", "\u6f22", "\U0001f732")) * chance.choice(LENGTHS),
        lambda: "".join(chr(chance.randint(0x20, 0x2FFFF)) for _ in range(chance.randint(1, 12))),
    )
    seen = set(names)
    while len(names) < NAMES:
        name = chance.choice(makers)()
        if name not in seen:
            seen.add(name)
            names.append(name)
    return names


def wanted() -> list[str]:
    """The names of this run."""
    return hostile_names()[: NAMES if os.environ.get("KAMAJI_EXPLORE") else ALWAYS]


def test_the_list_is_hostile_and_the_same_every_time() -> None:
    """It holds names that must pass and names that must not, of each kind that matters, in every run's part."""
    names = hostile_names()
    assert names == hostile_names()
    assert len(set(names)) == NAMES
    always = names[:ALWAYS]
    for characters in ("'\"`", "/", "\\", "0", ".", "\x00\x01\n\t", "\u6f22\u00e9"):
        assert any(set(name) & set(characters) for name in always), characters
    assert any(len(name) > 64 for name in always)
    assert any(one != other and other.startswith(one) for one in always for other in always)


async def in_batches(calls: list[Any]) -> list[Any]:
    """Await all, a few at a time."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(call: Any) -> Any:
        async with limit:
            return await call

    return list(await asyncio.gather(*(one(call) for call in calls)))


def sort(claims: list[Claim]) -> tuple[list[Claim], list[Claim]]:
    """Part claims into those that the driver accepts and those that it refuses."""
    accepted, refused = [], []
    for claim in claims:
        try:
            check_names(claim, login="root")
        except NameRefusedError:
            refused.append(claim)
        else:
            accepted.append(claim)
    return accepted, refused


def attempts(encode: Any, own: Claim, others: list[Claim]) -> list[tuple[str, bytes]]:
    """What one tenant tries: its neighbours' keys, the edges of its own, everything."""
    first, end = key_range(own.schema)
    tried = [
        (KV + "Range", encode(_1=first[:-1])),
        (KV + "Range", encode(_1=end)),
        (KV + "Range", encode(_1=first, _2=end + b"\0")),
        (KV + "Range", encode(_1=first[:-1], _2=end)),
        (KV + "Range", encode(_1=first, _2=b"\0")),
        (KV + "Range", encode(_1=b"\0", _2=b"\0", _9=1)),
        (KV + "Range", encode(_1=f"kamaji.clastix.io/claims/{own.schema}")),
        (KV + "Put", encode(_1=end, _2="x")),
    ]
    for other in others:
        start, stop = key_range(other.schema)
        tried += [
            (KV + "Range", encode(_1=start + b"secret")),
            (KV + "Range", encode(_1=start, _2=stop)),
            (KV + "Put", encode(_1=start + b"secret", _2="changed")),
            (KV + "DeleteRange", encode(_1=start, _2=stop)),
        ]
    return tried


@dataclass(frozen=True)
class Place:
    """A store of its own, its driver, and a way in for each tenant."""

    driver: EtcdDriver
    store: StoreView
    session: EtcdSession
    log_in: Callable[[Credentials], Any]

    async def make(self, claim: Claim) -> Credentials:
        """Make a claim as the operator does."""
        await self.session.reserve(claim)
        credentials = self.driver.issue(self.store, claim, current=None, now=datetime.now(UTC))
        await self.session.ensure(claim, credentials)
        return credentials


@pytest.fixture
def place(
    own_server: EtcdServer,
    driver: EtcdDriver,
    make_store: Callable[..., StoreView],
    open_session: Callable[..., EtcdSession],
    make_pair: Callable[[Credentials], Any],
    intrude: Callable[..., Any],
) -> Place:
    """A store that nobody else uses."""
    store = make_store(own_server)

    def log_in(credentials: Credentials) -> Any:
        return intrude(own_server, make_pair(credentials))

    return Place(driver=driver, store=store, session=open_session(store), log_in=log_in)


async def test_hostile_names_reach_nothing_but_their_own(
    place: Place, make_claim: Callable[..., Claim], encode: Any
) -> None:
    """Refused names leave no trace; accepted ones are denied everything of their neighbours' and of the store's."""
    names = wanted()
    # Users are other names than schemas, and every name has a turn as a schema beside an ordinary user.
    claims = [make_claim(schema=name, user=user) for name, user in zip(names, reversed(names), strict=True)]
    claims += [make_claim(schema=name) for name in names]
    claims += [make_claim(user=name) for name in names]
    accepted, refused = sort(_without_namesakes(claims))
    for claim in refused:
        with pytest.raises(NameRefusedError):
            await place.session.reserve(claim)
        with pytest.raises(NameRefusedError):
            place.driver.issue(place.store, claim, current=None, now=datetime.now(UTC))
    ordered = sorted(accepted, key=_schema)
    leaks: list[Any] = []
    tried = 0
    for start in range(0, len(ordered), TOGETHER):
        found, attempted = await _neighbours(place, encode, ordered[start : start + TOGETHER])
        leaks += found
        tried += attempted
    logging.getLogger(__name__).info("%d accepted, %d refused, %d requests", len(accepted), len(refused), tried)
    assert leaks == []


async def _neighbours(place: Place, encode: Any, claims: list[Claim]) -> tuple[list[Any], int]:
    """Make tenants, have each try its neighbours, remove them again; what leaked, and how many requests were made.

    Args:
        place: where they live.
        encode: makes requests.
        claims: in the order of their schemas, so that names that begin alike are neighbours.
    """
    made = await in_batches([place.make(claim) for claim in claims])
    await in_batches([_keep_secret(place.session, claim) for claim in claims])
    leaks, tried = [], 0
    for number, (claim, credentials) in enumerate(zip(claims, made, strict=True)):
        intruder = place.log_in(credentials)
        own = encode(_1=key_range(claim.schema)[0] + b"secret")
        assert b"hidden" in (await intruder.call(KV + "Range", own))[1]
        # Two more than the neighbours stand for all the others.
        near = {number - 2, number - 1, number + 1, number + 2, (number * 7) % len(claims), (number * 31) % len(claims)}
        others = [claims[index] for index in sorted(near - {number}) if 0 <= index < len(claims)]
        for path, request in attempts(encode, claim, others):
            tried += 1
            code, said = await intruder.call(path, request)
            if code != "PERMISSION_DENIED":
                leaks.append((claim.schema, claim.user, path, request, code, said))
        await intruder.aclose()
    await _nothing_changed(place.session, claims)
    await in_batches([place.session.remove(claim) for claim in claims])
    assert await place.session._wire.count(b"\0", b"\0") == 0
    return leaks, tried


def _without_namesakes(claims: list[Claim]) -> list[Claim]:
    """Keep one claim for each schema and each user: that two tenants share neither has tests of its own."""
    schemas: set[str] = set()
    users: set[str] = set()
    kept = []
    for claim in claims:
        if claim.schema not in schemas and claim.user not in users:
            kept.append(claim)
            schemas.add(claim.schema)
            users.add(claim.user)
    return kept


async def _keep_secret(session: EtcdSession, claim: Claim) -> None:
    assert await session._wire.create({key_range(claim.schema)[0] + b"secret": b"hidden"}, empty=None)


async def _nothing_changed(session: EtcdSession, accepted: list[Claim]) -> None:
    """Every secret, record and right is as it was made, and the store holds nothing else."""
    assert sorted(await session.claims(), key=_schema) == sorted(accepted, key=_schema)
    assert await in_batches([session.check(claim) for claim in accepted]) == [None] * len(accepted)
    count = await session._wire.count(b"\0", b"\0")
    assert count == 3 * len(accepted)  # a secret and two records each
    for claim in accepted:
        assert await session._wire.read((key_range(claim.schema)[0] + b"secret",)) == (b"hidden",)


def _schema(claim: Claim) -> bytes:
    return claim.schema.encode()
