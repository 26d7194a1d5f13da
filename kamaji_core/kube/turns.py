"""Whose turn it is: the order in which keys that are ready are given out.

Someone who waits goes before an event, an event before the backlog of a restart; within one rank the groups (tenants'
namespaces) take turns, so that one with a thousand tenants does not keep the others waiting. What has waited for long
goes before all of that: under a lasting load the backlog would otherwise never come.

Pure: the time is passed in.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

K = TypeVar("K", bound=Hashable)


class Priority(enum.IntEnum):
    """What goes first, smallest first."""

    INTERACTIVE = 0
    """Somebody waits for it: a user's change."""

    EVENT = 1
    """Something happened to what the key stands for."""

    BACKLOG = 2
    """Nothing happened: the first list, a restart, a look made for safety."""


class Turn(NamedTuple, Generic[K]):
    """A key whose turn it is, its rank, and how long it waited, seconds."""

    key: K
    priority: Priority
    waited: float


class ReadyKeys(Generic[K]):
    """Keys that are ready, without duplicates; its owner is one queue.

    Args:
        group: which keys share their turns.
        patience: seconds that a key can be overtaken by newer ones for. Beyond it only other groups' keys that have
            waited as long take turns with it.
    """

    def __init__(self, *, group: Callable[[K], Hashable], patience: float) -> None:
        self._group = group
        self._patience = patience
        self._ready: dict[K, tuple[Priority, float]] = {}  # rank, and when it became ready
        self._fresh: OrderedDict[K, float] = OrderedDict()  # those that may be overtaken, in order of arrival
        self._late: _Turns[K] = _Turns()
        self._turns: dict[Priority, _Turns[K]] = {priority: _Turns() for priority in Priority}

    def __len__(self) -> int:
        return len(self._ready)

    def __contains__(self, key: object) -> bool:
        return key in self._ready

    def add(self, key: K, priority: Priority, now: float) -> bool:
        """Take a key in, or raise the rank of one that is ready already, and tell whether it is new."""
        if key not in self._ready:
            self._ready[key] = (priority, now)
            self._fresh[key] = now
            self._turns[priority].add(self._group(key), key)
            return True
        before, since = self._ready[key]
        if priority < before:
            self._ready[key] = (priority, since)
            if key in self._fresh:
                self._turns[before].remove(self._group(key), key)
                self._turns[priority].add(self._group(key), key)
        return False

    def pop(self, now: float) -> Turn[K]:
        """Give out the key whose turn it is.

        Raises:
            KeyError: when none is ready.
        """
        self._find_late(now)
        turns = next((turns for turns in (self._late, *self._turns.values()) if turns), None)
        if turns is None:
            raise KeyError("no key is ready")
        key = turns.pop()
        self._fresh.pop(key, None)
        priority, since = self._ready.pop(key)
        return Turn(key, priority, now - since)

    def clear(self) -> None:
        """Forget all keys."""
        self._ready.clear()
        self._fresh.clear()
        self._late = _Turns()
        self._turns = {priority: _Turns() for priority in Priority}

    def _find_late(self, now: float) -> None:
        while self._fresh:
            key, since = next(iter(self._fresh.items()))
            if now - since < self._patience:
                return
            del self._fresh[key]
            group = self._group(key)
            self._turns[self._ready[key][0]].remove(group, key)
            self._late.add(group, key)


class _Turns(Generic[K]):
    """Keys by group: groups take turns, keys within a group come in order of arrival."""

    def __init__(self) -> None:
        self._groups: OrderedDict[Hashable, OrderedDict[K, None]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._groups)

    def add(self, group: Hashable, key: K) -> None:
        self._groups.setdefault(group, OrderedDict())[key] = None

    def remove(self, group: Hashable, key: K) -> None:
        keys = self._groups[group]
        del keys[key]
        if not keys:
            del self._groups[group]

    def pop(self) -> K:
        group, keys = self._groups.popitem(last=False)
        key, _ = keys.popitem(last=False)
        if keys:
            self._groups[group] = keys
        return key
