"""Streams are cut into events at newlines, wherever the network cut them."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.kube import GoneError, Request, ServerError
from kamaji_core.kube.answers import event_of, lines, object_of, page_of

REQUEST = Request(method="GET", path="/", what="watch pods")


async def stream(chunks: list[bytes]) -> AsyncIterator[bytes]:
    """Give chunks as a connection would."""
    for chunk in chunks:
        yield chunk


async def cut(chunks: list[bytes]) -> list[bytes]:
    """Collect the lines."""
    return [line async for line in lines(stream(chunks))]


@given(
    st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line)),
    st.lists(st.integers(min_value=1, max_value=9), min_size=1),
)
def test_lines_do_not_depend_on_chunks(whole: list[bytes], sizes: list[int]) -> None:
    """However the bytes arrive, the lines are the same."""
    rest = b"".join(line + b"\n" for line in whole)
    chunks = []
    while rest:
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(rest[:size])
        rest = rest[size:]
    assert asyncio.run(cut(chunks)) == whole


async def test_a_line_that_was_cut_off_is_no_line() -> None:
    """What stands after the last newline when a connection ends is not taken for an event."""
    assert await cut([b"one\ntw", b"o\nthr"]) == [b"one", b"two"]


async def test_a_line_of_megabytes_is_one_line() -> None:
    """Objects up to etcd's limit of 1.5 MB pass, in any pieces."""
    piece = b"x" * 16_384
    assert await cut([*[piece] * 100, b"\n"]) == [piece * 100]


def test_a_page_keeps_its_items_raw() -> None:
    """Items are handed on as JSON, with the moment they are of and how to go on."""
    body = b'{"kind":"PodList","metadata":{"resourceVersion":"7","continue":"c"},"items":[{"a": 1},{"b":2}]}'
    page, following = page_of(REQUEST, body)
    assert [bytes(item) for item in page.items] == [b'{"a": 1}', b'{"b":2}']
    assert (page.resource_version, following) == ("7", "c")


def test_an_empty_list_may_be_null() -> None:
    """Go writes an empty list as null."""
    page, following = page_of(REQUEST, b'{"metadata":{"resourceVersion":"7"},"items":null}')
    assert (page.items, following) == ([], "")


def test_events() -> None:
    """An event is its type and a raw object; an ERROR event is raised as what it stands for."""
    event = event_of(REQUEST, b'{"type":"ADDED","object":{"metadata":{}}}')
    assert (event.type, bytes(event.object)) == ("ADDED", b'{"metadata":{}}')
    with pytest.raises(GoneError):
        event_of(REQUEST, b'{"type":"ERROR","object":{"code":410,"reason":"Expired","message":"too old"}}')


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"metadata": 3}', b""])
def test_what_no_api_server_sends_is_its_own_error(body: bytes) -> None:
    """A login page in front of the server, answered with 200, is a ServerError that does not quote it."""
    for read in (object_of, page_of, event_of):
        if read is object_of and body.startswith(b'{"'):
            continue
        with pytest.raises(ServerError, match="not what an API server sends") as caught:
            read(REQUEST, body)
        assert caught.value.__suppress_context__


def test_raw_items_decode_later() -> None:
    """The caller decodes what it needs of an item."""
    page, _ = page_of(REQUEST, b'{"metadata":{},"items":[{"metadata":{"name":"a"}}]}')
    assert msgspec.json.decode(page.items[0]) == {"metadata": {"name": "a"}}
