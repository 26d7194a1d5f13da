"""Health endpoints tell whether the loop turns and whether work has begun."""

from __future__ import annotations

import aiohttp
import pytest

from kamaji_core.health import AddressError, parse_address, serve_health
from kamaji_core.testing import free_port


@pytest.mark.parametrize(
    ("address", "parsed"),
    [(":8081", (None, 8081)), ("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:80", ("::1", 80))],
)
def test_an_address_is_split(address: str, parsed: tuple[str | None, int]) -> None:
    """As Kamaji's flag takes it."""
    assert parse_address(address) == parsed


@pytest.mark.parametrize("address", ["8081", "host:", "host:http", ""])
def test_a_wrong_address_is_refused_with_an_example(address: str) -> None:
    """The sentence shows what a right one looks like."""
    with pytest.raises(AddressError, match=r"such as :8081"):
        parse_address(address)


async def test_readiness_follows_the_operator() -> None:
    """Live at once; ready when work has begun."""
    ready = False
    port = free_port()
    async with serve_health(f"127.0.0.1:{port}", ready=lambda: ready), aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            assert answer.status == 503
        ready = True
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            assert answer.status == 200


async def test_an_address_in_use_is_told() -> None:
    """One sentence that names it, and nothing left open."""
    port = free_port()
    async with serve_health(f"127.0.0.1:{port}", ready=lambda: True):
        with pytest.raises(AddressError, match=rf"cannot listen on 127\.0\.0\.1:{port}"):
            async with serve_health(f"127.0.0.1:{port}", ready=lambda: True):
                pass
