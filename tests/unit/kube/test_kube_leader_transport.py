"""Writes are carried only while we lead and no longer than that; reads always are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from kamaji_core.kube import (
    CONFIG_MAPS,
    ConflictError,
    KubeClient,
    Leadership,
    LeaderTransport,
    NotLeaderError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.looptime(start=0)

WRITES: dict[str, Callable[[KubeClient], Awaitable[Any]]] = {
    "create": lambda client: client.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "n"}}),
    "apply": lambda client: client.apply(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "n"}}),
    "replace": lambda client: client.replace(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": "n"}}),
    "merge_patch": lambda client: client.merge_patch(CONFIG_MAPS, "a", {"data": {}}, "n"),
    "json_patch": lambda client: client.json_patch(CONFIG_MAPS, "a", [], "n"),
    "status": lambda client: client.merge_patch(CONFIG_MAPS, "a", {"status": {}}, "n", subresource="status"),
    "delete": lambda client: client.delete(CONFIG_MAPS, "a", "n"),
}
OBJECT = b'{"kind": "ConfigMap", "metadata": {"name": "a"}}'


class Leader:
    """A client that writes as a leader does, and what its server was sent."""

    def __init__(self, script: Any, reply: Any, *, seconds: float | None, delay: float = 0.0) -> None:
        self.answer = reply(body=[OBJECT], delay=delay)
        self.script = script(lambda _request: self.answer)
        clock = asyncio.get_running_loop().time
        self.term = None if seconds is None else Leadership("n/l", until=clock() + seconds, clock=clock)
        self.client = self.script.client().through(lambda transport: LeaderTransport(transport, lambda: self.term))

    @property
    def sent(self) -> list[str]:
        """The methods of what was sent."""
        return [request.method for _, request in self.script.sent]


@pytest.fixture
def leader(script: Any, reply: Any) -> Callable[..., Leader]:
    """Makes one, given the seconds of its term, None where nobody is elected, and those that an answer takes."""

    def make(seconds: float | None, *, delay: float = 0.0) -> Leader:
        return Leader(script, reply, seconds=seconds, delay=delay)

    return make


@pytest.mark.parametrize("seconds", [None, 15.0, 1.0, 0.0, -5.0])
async def test_reads_pass(leader: Callable[..., Leader], seconds: float | None) -> None:
    """Whoever leads: a standby keeps its caches full, and a former leader may look."""
    candidate = leader(seconds, delay=3)
    assert (await candidate.client.get(CONFIG_MAPS, "a", "n"))["kind"] == "ConfigMap"
    assert candidate.sent == ["GET"]


async def test_a_watch_outlives_the_term(leader: Callable[..., Leader], reply: Any) -> None:
    """It is a read, and goes on when the term has ended under it."""
    candidate = leader(5.0)
    bookmark = b'{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}}\n'
    candidate.answer = reply(body=[bookmark, 20.0, bookmark])
    seen = [event async for event in candidate.client.watch(CONFIG_MAPS, "n", resource_version="1")]
    assert len(seen) == 2


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("seconds", [None, 15.0])
async def test_writes_pass_in_a_term(leader: Callable[..., Leader], write: str, seconds: float | None) -> None:
    """And where nothing is elected."""
    candidate = leader(seconds)
    await WRITES[write](candidate.client)
    assert len(candidate.sent) == 1


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    ("seconds", "words"), [(-5.0, "not ours any more"), (0.0, "not ours any more"), (1.5, "too short for a write")]
)
async def test_no_write_leaves_us_without_a_term_that_it_fits_in(
    leader: Callable[..., Leader], write: str, seconds: float, words: str
) -> None:
    """Nothing at all is sent, and the sentence names the Lease."""
    candidate = leader(seconds)
    with pytest.raises(NotLeaderError, match=rf"n/l .*{words}"):
        await WRITES[write](candidate.client)
    assert candidate.sent == []


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_is_cut_at_the_end_of_the_term(leader: Callable[..., Leader], write: str) -> None:
    """The server is slow, another one may lead from now on: nobody waits for the answer any more."""
    candidate = leader(4.0, delay=8)
    with pytest.raises(NotLeaderError, match="n/l is not ours any more"):
        await WRITES[write](candidate.client)
    assert asyncio.get_running_loop().time() == pytest.approx(4.0)
    assert candidate.script.open == 0


async def test_a_write_is_cut_in_the_middle_of_its_answer(leader: Callable[..., Leader], reply: Any) -> None:
    """The head is not the end."""
    candidate = leader(4.0)
    candidate.answer = reply(body=[OBJECT[:5], 8.0, OBJECT[5:]])
    with pytest.raises(NotLeaderError):
        await WRITES["create"](candidate.client)
    assert asyncio.get_running_loop().time() == pytest.approx(4.0)


async def test_a_term_that_is_ended_by_hand_ends_no_write_under_way(leader: Callable[..., Leader]) -> None:
    """The elector waits for the work after it has cancelled it; the next write is refused."""
    candidate = leader(15.0, delay=1)
    assert candidate.term is not None
    writing = asyncio.create_task(WRITES["create"](candidate.client))  # type: ignore[arg-type]
    await asyncio.sleep(0.5)
    candidate.term.end()
    await writing
    with pytest.raises(NotLeaderError):
        await WRITES["create"](candidate.client)
    assert candidate.sent == ["POST"]


async def test_a_write_that_is_too_slow_within_the_term_is_the_servers_fault(leader: Callable[..., Leader]) -> None:
    """The client's own limit comes first, and its sentence says so."""
    candidate = leader(15.0, delay=60)
    with pytest.raises(UnreachableError, match="did not answer within 10 s"):
        await WRITES["create"](candidate.client)


async def test_a_write_under_way_when_the_lease_is_renewed_may_be_tried_again(leader: Callable[..., Leader]) -> None:
    """It is given up at the end that it knew of; that we lead on makes it a slow server and nothing worse."""
    candidate = leader(4.0, delay=8)
    assert candidate.term is not None
    asyncio.get_running_loop().call_later(2, candidate.term.extend, 100.0)
    with pytest.raises(UnreachableError):
        await WRITES["create"](candidate.client)
    candidate.answer.delay = 0
    await WRITES["create"](candidate.client)


async def test_refusals_pass_unchanged(leader: Callable[..., Leader], refusal: Any) -> None:
    """What the server says is the server's."""
    candidate = leader(15.0)
    candidate.answer = refusal(409, "Conflict")
    with pytest.raises(ConflictError):
        await WRITES["merge_patch"](candidate.client)


async def test_the_present_term_decides(leader: Callable[..., Leader]) -> None:
    """A term that was lost and won again is another object: it is asked for at each write."""
    candidate = leader(0.0)
    with pytest.raises(NotLeaderError):
        await WRITES["create"](candidate.client)
    candidate.term = Leadership("n/l", until=15.0, clock=asyncio.get_running_loop().time)
    await WRITES["create"](candidate.client)
    assert candidate.sent == ["POST"]


async def test_a_cancelled_write_is_cancelled(leader: Callable[..., Leader]) -> None:
    """Not refused: the operator stops."""
    candidate = leader(15.0, delay=5)
    writing = asyncio.create_task(WRITES["create"](candidate.client))  # type: ignore[arg-type]
    await asyncio.sleep(1)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert candidate.script.open == 0
