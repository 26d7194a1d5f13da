"""The same for many, a few at a time."""

from __future__ import annotations

import asyncio

import pytest

from bench.concurrency import at_most


class Work:
    """Counts how many are at work at once."""

    def __init__(self) -> None:
        self.present = 0
        self.most = 0
        self.done: list[int] = []

    async def __call__(self, item: int) -> None:
        """Work for a moment."""
        self.present += 1
        self.most = max(self.most, self.present)
        await asyncio.sleep(0)
        self.present -= 1
        self.done.append(item)


@pytest.mark.parametrize(("width", "most"), [(1, 1), (3, 3), (20, 10), (0, 10)])
async def test_no_more_than_the_width_are_at_work(width: int, most: int) -> None:
    """Zero is all of them."""
    work = Work()
    await at_most(width, work, range(10))
    assert work.most == most
    assert sorted(work.done) == list(range(10))


async def test_one_by_one_is_in_order() -> None:
    """The first is the first."""
    work = Work()
    await at_most(1, work, [3, 1, 2])
    assert work.done == [3, 1, 2]


async def test_nothing_to_do_is_done_at_once() -> None:
    """Also when all of nothing may go at once."""
    await at_most(0, Work(), [])


async def test_a_failure_ends_the_rest() -> None:
    """Whoever waits for a turn never gets it."""
    done: list[int] = []

    async def fail(item: int) -> None:
        if item == 1:
            raise ValueError("no")
        await asyncio.sleep(0)
        done.append(item)

    with pytest.raises(ExceptionGroup) as raised:
        await at_most(1, fail, [0, 1, 2, 3])
    assert raised.group_contains(ValueError, match="no")
    assert done == [0]
