"""No call waits longer than its limit, and only what the server asks to repeat is repeated."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest

from kamaji_core.kube import (
    CONFIG_MAPS,
    SECRETS,
    GoneError,
    InvalidError,
    KubeClient,
    Request,
    ServerError,
    TooManyRequestsError,
    UnreachableError,
)

pytestmark = pytest.mark.looptime

OBJECT = {"metadata": {"namespace": "a", "name": "b"}}


def now() -> float:
    """The loop's time, seconds."""
    return asyncio.get_running_loop().time()


CALLS = {
    "get": lambda client: client.get(CONFIG_MAPS, "b", "a"),
    "list": lambda client: client.list(CONFIG_MAPS),
    "create": lambda client: client.create(CONFIG_MAPS, OBJECT),
    "apply": lambda client: client.apply(CONFIG_MAPS, OBJECT),
    "replace": lambda client: client.replace(CONFIG_MAPS, OBJECT),
    "merge_patch": lambda client: client.merge_patch(CONFIG_MAPS, "b", {}, "a"),
    "json_patch": lambda client: client.json_patch(CONFIG_MAPS, "b", [], "a"),
    "delete": lambda client: client.delete(CONFIG_MAPS, "b", "a"),
    "raw": lambda client: client.raw("/readyz"),
}


async def events(client: KubeClient, **settings: Any) -> list[str]:
    """Watch to the end and collect the events' types."""
    async with contextlib.aclosing(client.watch(CONFIG_MAPS, resource_version="1", **settings)) as stream:
        return [event.type async for event in stream]


@pytest.mark.parametrize("verb", CALLS)
async def test_a_server_that_never_answers(verb: str, script: Any, reply: Any) -> None:
    """Every verb ends at its limit with a sentence that names server and time, and drops its connection."""
    transport = script(lambda _: reply(delay=1000))
    with pytest.raises(UnreachableError, match=r"https://api\.example did not answer within 10 s"):
        await CALLS[verb](transport.client())
    assert (now(), transport.open) == (10, 0)


@pytest.mark.parametrize("verb", CALLS)
async def test_a_server_that_stops_within_its_answer(verb: str, script: Any, reply: Any) -> None:
    """The limit holds for the body too."""
    transport = script(lambda _: reply(body=[b"{", 1000.0]))
    with pytest.raises(UnreachableError):
        await CALLS[verb](transport.client(timeout=3))
    assert (now(), transport.open) == (3, 0)


@pytest.mark.parametrize("status", [200, 403])
async def test_an_answer_that_does_not_end(script: Any, reply: Any, status: int) -> None:
    """It is read up to its limit, and its connection is dropped."""
    transport = script(lambda _: reply(status, body=[b"x" * 1000] * 1000))
    with pytest.raises(ServerError, match=r"https://api\.example is larger than 4096 bytes"):
        await transport.client(most_bytes=4096).raw("/readyz")
    assert transport.open == 0


async def test_an_answer_within_its_limit(script: Any, reply: Any) -> None:
    """It is whole."""
    transport = script(lambda _: reply(body=[b"{}", b" " * 4094]))
    assert len(await transport.client(most_bytes=4096).raw("/readyz")) == 4096


async def test_a_raw_read_has_its_own_limit(script: Any, reply: Any) -> None:
    """A probe may be given less time than other calls."""
    with pytest.raises(UnreachableError, match="within 2 s"):
        await script(lambda _: reply(delay=1000)).client().raw("/readyz", timeout=2)
    assert now() == 2


@pytest.mark.parametrize("verb", CALLS)
async def test_cancelling_drops_the_connection(verb: str, script: Any, reply: Any) -> None:
    """A cancelled call is over at once and leaves nothing open."""
    transport = script(lambda _: reply(body=[b"{", 1000.0]))
    call = asyncio.ensure_future(CALLS[verb](transport.client()))
    await asyncio.sleep(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (now(), transport.open) == (1, 0)


async def test_asked_to_come_back_we_do(script: Any, reply: Any, refusal: Any) -> None:
    """A 429 with Retry-After is sent again after that time."""
    replies = iter([refusal(429, Retry_After="2"), refusal(429, Retry_After="3"), reply(body=[b"{}"])])
    transport = script(lambda _: next(replies))
    assert await transport.client().create(CONFIG_MAPS, OBJECT) == {}
    assert transport.times("create") == [0, 2, 5]


async def test_not_beyond_the_limit(script: Any, refusal: Any) -> None:
    """When the asked time lies beyond the call's limit, the refusal is the caller's at once, with that time."""
    transport = script(lambda _: refusal(429, Retry_After="30"))
    with pytest.raises(TooManyRequestsError) as caught:
        await transport.client().get(CONFIG_MAPS, "b", "a")
    assert (now(), caught.value.retry_after, len(transport.sent)) == (0, 30, 1)


async def test_a_zero_retry_after_is_no_hot_loop(script: Any, refusal: Any) -> None:
    """A server that says `Retry-After: 0` over and over is asked at most ten times a second."""
    transport = script(lambda _: refusal(429, Retry_After="0"))
    with pytest.raises((TooManyRequestsError, UnreachableError)):
        await transport.client().get(CONFIG_MAPS, "b", "a")
    assert len(transport.sent) <= 101


@pytest.mark.parametrize("code", [409, 422, 500, 503])
async def test_nothing_else_is_repeated(code: int, script: Any, refusal: Any) -> None:
    """Other refusals are the caller's: whether to repeat is for the queue to say."""
    transport = script(lambda _: refusal(code))
    with pytest.raises(Exception, match="Could not apply ConfigMap a/b"):
        await transport.client().apply(CONFIG_MAPS, OBJECT)
    assert len(transport.sent) == 1


async def test_a_refused_secret_is_not_quoted(script: Any, reply: Any) -> None:
    """The server's words about a Secret's data reach nobody."""
    body = msgspec.json.encode({"code": 422, "reason": "Invalid", "message": 'Invalid value: "hunter2"'})
    with pytest.raises(InvalidError) as caught:
        await script(lambda _: reply(422, [body])).client().create(SECRETS, OBJECT)
    assert "hunter2" not in str(caught.value)


async def test_an_expired_page_lists_anew_in_one(script: Any, reply: Any, refusal: Any) -> None:
    """When the moment of the pages is gone, the list is asked for once more without pages."""
    page = b'{"metadata":{"resourceVersion":"5","continue":"c"},"items":[{"n":1}]}'
    whole = b'{"metadata":{"resourceVersion":"9"},"items":[{"n":1},{"n":2}]}'

    def answer(request: Request) -> Any:
        query = dict(request.query)
        if "continue" in query:
            return refusal(410, "Expired")
        return reply(body=[page if "limit" in query else whole])

    listing = await script(answer).client().list(CONFIG_MAPS)
    assert (len(listing.items), listing.resource_version) == (2, "9")


async def test_a_silent_watch_is_dead(script: Any, reply: Any) -> None:
    """A watch from which nothing comes for the idle limit ends as unreachable, and what came before was given."""
    event = b'{"type":"BOOKMARK","object":{}}\n'
    transport = script(lambda _: reply(body=[event, 100.0, event, 1000.0]))
    seen: list[str] = []
    with pytest.raises(UnreachableError, match="within 150 s"):
        async with contextlib.aclosing(transport.client().watch(CONFIG_MAPS, resource_version="1")) as stream:
            seen.extend([event.type async for event in stream])
    assert (now(), transport.open) == (250, 0)


async def test_a_watch_that_is_not_answered(script: Any, reply: Any) -> None:
    """The head of a watch's answer has the limit of any other call."""
    with pytest.raises(UnreachableError, match="within 10 s"):
        await events(script(lambda _: reply(delay=1000)).client())
    assert now() == 10


async def test_both_forms_of_gone(script: Any, reply: Any, refusal: Any) -> None:
    """410 as the answer and 410 as an event are the same error."""
    with pytest.raises(GoneError):
        await events(script(lambda _: refusal(410, "Gone")).client())
    inside = b'{"type":"ERROR","object":{"code":410,"reason":"Expired","message":"too old"}}\n'
    with pytest.raises(GoneError):
        await events(script(lambda _: reply(body=[inside])).client())


async def test_an_event_that_is_cut_off_is_no_event(script: Any, reply: Any, cut: UnreachableError) -> None:
    """A connection that breaks within an event gives what was whole, then the break."""
    transport = script(lambda _: reply(body=[b'{"type":"ADDED","object":{}}\n{"type":"MOD', cut]))
    seen = []
    with pytest.raises(UnreachableError):  # noqa: PT012 - what came before the break is looked at
        async with contextlib.aclosing(transport.client().watch(CONFIG_MAPS, resource_version="1")) as stream:
            async for event in stream:
                seen.append(event.type)  # noqa: PERF401 - a comprehension would lose them at the break
    assert seen == ["ADDED"]


async def test_rubbish_within_a_watch(script: Any, reply: Any) -> None:
    """A line that is no event ends the watch with its own error."""
    with pytest.raises(ServerError, match="not what an API server sends"):
        await events(script(lambda _: reply(body=[b"<html>\n"])).client())


async def test_leaving_a_watch_drops_its_connection(script: Any, reply: Any) -> None:
    """Who has seen enough leaves no connection behind."""
    transport = script(lambda _: reply(body=[b'{"type":"ADDED","object":{}}\n', 100.0]))
    async with contextlib.aclosing(transport.client().watch(CONFIG_MAPS, resource_version="1")) as stream:
        await anext(stream)
        assert transport.open == 1
    assert (now(), transport.open) == (0, 0)
