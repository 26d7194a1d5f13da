"""Whether the event loop was blocked, told apart from a machine that had no time for it.

One call that waits without `await` stops the work for every tenant. On a loaded machine a loop is late without fault of
its own, so lateness proves nothing: a watcher in another thread looks what the loop's thread does while it is late. It
is blocked when it computes for too long, or when it sleeps in the same line of code, look after look.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_SECONDS = 0.2
"""Computing or sleeping that blocks the loop."""

INTERVAL_SECONDS = 0.01


class LoopWatch:
    """Watches the thread of the running event loop from another one.

    Attributes:
        blocks: the stacks in which it was blocked, as text.
    """

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self._loop = asyncio.get_running_loop()
        self._thread = threading.current_thread()
        assert self._thread.ident is not None
        self._ident = self._thread.ident
        self._clock = time.pthread_getcpuclockid(self._ident)
        self._state = Path(f"/proc/self/task/{self._thread.native_id}/stat")
        self._end = threading.Event()
        self._beats = 0
        self._beating: asyncio.TimerHandle | None = None
        self._watcher = threading.Thread(target=self._watch, name="loop-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._beat()
        self._watcher.start()

    def stop(self) -> None:
        """End, in the loop's thread."""
        self._end.set()
        self._watcher.join(5)
        if self._beating is not None:
            self._beating.cancel()

    def _beat(self) -> None:
        self._beats += 1
        self._beating = self._loop.call_later(INTERVAL_SECONDS, self._beat)

    def _watch(self) -> None:
        beats, computed, asleep, place = -1, 0.0, 0, None
        while not self._end.wait(INTERVAL_SECONDS):
            if beats != self._beats:
                beats, computed, asleep, place = self._beats, time.clock_gettime(self._clock), 0, None
                continue
            frame = sys._current_frames().get(self._ident)  # noqa: SLF001 - there is no other way to look
            here = (id(frame), frame.f_lasti) if frame is not None else None
            asleep = asleep + 1 if here == place and self._sleeps() else 0
            place = here
            busy = time.clock_gettime(self._clock) - computed
            if busy > LONGEST_SECONDS or asleep * INTERVAL_SECONDS > LONGEST_SECONDS:
                why = f"computed for {busy:.2f} s" if busy > LONGEST_SECONDS else "waited without await"
                self.blocks.append(f"{why} in\n{''.join(traceback.format_stack(frame)[-4:])}")
                beats, computed, asleep, place = -1, time.clock_gettime(self._clock), 0, None

    def _sleeps(self) -> bool:
        """Whether the kernel lets the thread wait, instead of the thread waiting for the processor."""
        return self._state.read_text().rpartition(")")[2].split()[0] in {"S", "D"}


@contextlib.contextmanager
def never_blocked() -> Iterator[None]:
    """Fail when the running loop is blocked meanwhile."""
    watch = LoopWatch()
    watch.start()
    try:
        yield
    finally:
        watch.stop()
    assert watch.blocks == [], "the event loop was blocked: " + "\n".join(watch.blocks[:3])
