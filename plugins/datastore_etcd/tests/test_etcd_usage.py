"""A tenant's keys are counted, their bytes added up when they are few and estimated at a bounded cost when many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.contracts import Claim, Credentials, StoreError, Usage
from kamaji_core.testing import free_port
from kamaji_datastore_etcd import usage as usage_module
from kamaji_datastore_etcd.names import NameRefusedError
from kamaji_datastore_etcd.usage import SAMPLE, resource_range

if TYPE_CHECKING:
    from collections.abc import Callable

    from kamaji_core.contracts import StoreView
    from kamaji_core.testing import EtcdServer
    from kamaji_datastore_etcd.session import EtcdSession


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"/s/pods/default/one", (b"/s/pods/", b"/s/pods0")),
        (b"/s/example.com/things/x", (b"/s/example.com/", b"/s/example.com0")),
        (b"/s/alone", (b"/s/alone", b"/s/alone\0")),
        (b"/s/", (b"/s/", b"/s/\0")),
        (b"/s//odd", (b"/s//", b"/s/0")),
    ],
)
def test_a_key_s_resource_is_its_first_part(key: bytes, expected: tuple[bytes, bytes]) -> None:
    """Keys with the same part after the schema are one resource; a key without a second slash stands alone."""
    start, end = resource_range(key, b"/s/")
    assert (start, end) == expected
    assert start <= key < end


@pytest.fixture
def fill(session: EtcdSession) -> Callable[..., Any]:
    """Write many keys under a claim's schema, with values of a given size."""

    async def write(claim: Claim, resource: str, *, keys: int, size: int) -> int:
        values = {f"/{claim.schema}/{resource}/{number:05}".encode(): b"v" * size for number in range(keys)}
        entries = list(values.items())
        for begin in range(0, len(entries), 100):
            assert await session._wire.create(dict(entries[begin : begin + 100]), empty=None)
        return sum(len(key) + len(value) for key, value in entries)

    return write


@pytest.mark.real
async def test_nothing_is_nothing(session: EtcdSession, claim: Claim) -> None:
    """A claim without data, or that was never made, takes no room, and that is exact."""
    assert await session.usage(claim) == Usage(keys=0, bytes=0, exact=True)


@pytest.mark.real
async def test_little_data_is_measured_exactly(session: EtcdSession, fill: Callable[..., Any], claim: Claim) -> None:
    """Every resource with few keys is read whole: keys and values add up to the byte."""
    size = await fill(claim, "pods", keys=SAMPLE, size=100)
    size += await fill(claim, "secrets/default", keys=3, size=5000)
    await session._wire.create({f"/{claim.schema}/alone".encode(): b"1"}, empty=None)
    size += len(f"/{claim.schema}/alone") + 1
    assert await session.usage(claim) == Usage(keys=SAMPLE + 4, bytes=size, exact=True)


@pytest.mark.real
async def test_much_data_is_estimated_by_resource(session: EtcdSession, fill: Callable[..., Any], claim: Claim) -> None:
    """Resources of different sizes do not spoil each other's estimate; the number of keys stays exact."""
    size = await fill(claim, "events", keys=700, size=300)
    size += await fill(claim, "secrets", keys=100, size=8000)
    size += await fill(claim, "nodes", keys=2, size=20_000)
    usage = await session.usage(claim)
    assert (usage.keys, usage.exact) == (802, False)
    assert usage.bytes == pytest.approx(size, rel=0.02)


@pytest.mark.real
async def test_the_cost_is_bounded(
    session: EtcdSession, fill: Callable[..., Any], claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More resources than are told apart are sampled as one, and no more requests are sent."""
    monkeypatch.setattr(usage_module, "RESOURCES", 4)
    size = 0
    for number in range(30):
        size += await fill(claim, f"resource{number:02}", keys=2, size=64)
    calls, call = 0, session._channels.call

    async def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        return await call(*arguments, **options)

    monkeypatch.setattr(session._channels, "call", counted)
    usage = await session.usage(claim)
    assert (usage.keys, usage.exact) == (60, False)
    assert usage.bytes == pytest.approx(size, rel=0.01)
    assert calls <= 2 * 4 + 4


@pytest.mark.real
async def test_large_values_fit_into_an_answer(session: EtcdSession, fill: Callable[..., Any], claim: Claim) -> None:
    """A sample of values as large as Kubernetes allows is read without an error."""
    for number in range(SAMPLE):
        key = f"/{claim.schema}/configmaps/{number:05}".encode()
        await session._wire.create({key: b"v" * 1_500_000}, empty=None)
    usage = await session.usage(claim)
    assert (usage.keys, usage.exact) == (SAMPLE, True)
    assert usage.bytes > SAMPLE * 1_500_000
    await session._wire.delete_keys(f"/{claim.schema}/".encode(), f"/{claim.schema}0".encode())


@pytest.mark.real
async def test_the_neighbours_are_not_counted(
    session: EtcdSession, fill: Callable[..., Any], make_claim: Callable[..., Claim]
) -> None:
    """A schema whose name begins alike is another's."""
    short, long = make_claim(schema="usage"), make_claim(schema="usage-more")
    await fill(long, "pods", keys=5, size=10)
    assert (await session.usage(short)).keys == 0
    assert (await session.usage(long)).keys == 5


@pytest.mark.real
async def test_data_that_moves_is_not_called_exact(
    session: EtcdSession, fill: Callable[..., Any], claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When keys came while the parts were read, the answer says that it is of no single moment."""
    await fill(claim, "pods", keys=2, size=10)
    page, late = session._wire.page, f"/{claim.schema}/aaa/late".encode()

    async def moving(*arguments: Any, **options: Any) -> Any:
        answer = await page(*arguments, **options)
        await session._wire.create({late: b""}, empty=None)
        return answer

    monkeypatch.setattr(session._wire, "page", moving)
    assert not (await session.usage(claim)).exact


@pytest.mark.real
async def test_trouble_is_told(
    server: EtcdServer,
    session: EtcdSession,
    make_store: Callable[..., StoreView],
    open_session: Callable[..., EtcdSession],
    make_claim: Callable[..., Claim],
) -> None:
    """Names that can be no claim's and a server that is down are errors, not zeroes."""
    with pytest.raises(NameRefusedError):
        await session.usage(make_claim(schema="a/b"))
    absent = open_session(make_store(server, endpoints=(f"127.0.0.1:{free_port()}",)))
    with pytest.raises(StoreError, match="Nobody listens"):
        await absent.usage(make_claim())


@pytest.mark.real
async def test_measuring_writes_nothing(session: EtcdSession, etcdctl: Callable[..., Any], claim: Claim) -> None:
    """The store's revision does not move."""
    await session.ensure(claim, Credentials(user=claim.user))
    before = etcdctl("get", "none", "-w", "fields"), etcdctl("auth", "status")
    await session.usage(claim)
    after = etcdctl("get", "none", "-w", "fields"), etcdctl("auth", "status")
    assert [line for line in before[0].splitlines() if "Revision" in line] == [
        line for line in after[0].splitlines() if "Revision" in line
    ]
    assert before[1] == after[1]
