"""What an informer knows: the newest state of each object, which a late message never takes back.

Several sources write here: lists, watch events, reads by name and the answers to our own writes. An answer may arrive
before the event it causes, so each state is judged by its resourceVersion. These are decimal numbers that grow with
every write (documented as comparable since Kubernetes 1.35, and so with etcd and kine before); where one is not such a
number, nothing is concluded from it: lists and events are taken as they come and answers to writes are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
Key = tuple[str, str]
"""Namespace (empty for cluster scope) and name."""


class Store(Mapping[Key, T], Generic[T]):
    """Objects by key; read-only but for its informer, which is its only writer.

    Args:
        on_change: called after each change with the key, the state before and the state after.
    """

    def __init__(self, on_change: Callable[[Key, T | None, T | None], None]) -> None:
        self._states: dict[Key, tuple[str, T]] = {}
        self._on_change = on_change
        self._position = ""
        self._written_during_list: set[Key] = set()

    def __getitem__(self, key: Key) -> T:
        return self._states[key][1]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)

    @property
    def position(self) -> str:
        """The resourceVersion up to which lists and events are known."""
        return self._position

    def version(self, key: Key) -> str | None:
        """Give the resourceVersion of what is stored under a key."""
        state = self._states.get(key)
        return state[0] if state else None

    def begin_list(self) -> None:
        """Note that a list is being read: what is written from now on may be missing from it."""
        self._written_during_list.clear()

    def replace(self, listed: Mapping[Key, tuple[str, T]], kept: set[Key], position: str) -> None:
        """Take a complete list as the truth, and report each difference.

        A list is read at quorum, so it is right even where it is behind us: then the server's data was restored from
        a backup. Only an answer that came while it was read may be newer.

        Args:
            listed: resourceVersion and object by key.
            kept: keys that were listed but could not be decoded: what is known of them stays.
            position: resourceVersion of the list.
        """
        protected = {key for key in self._written_during_list if is_newer(self.version(key), position)}
        self._position = position
        for key in [key for key in self._states if key not in listed and key not in kept | protected]:
            self._remove(key)
        for key, (version, value) in listed.items():
            if key not in protected and self.version(key) != version:
                self._put(key, version, value)

    def observe(self, key: Key, version: str, value: T | None) -> None:
        """Take a watch event: a new state, or a deletion (None) at that resourceVersion."""
        known = self.version(key)
        if is_newer(known, version):
            return
        if value is None:
            self._remove(key)
        elif known != version:
            self._put(key, version, value)

    def take_read(self, key: Key, version: str, value: T) -> None:
        """Take a state that was read by name, unless what is known is surely newer."""
        self.observe(key, version, value)
        self._written_during_list.add(key)

    def drop(self, key: Key) -> None:
        """Take note that an object that was asked for by name does not exist."""
        self._remove(key)

    def advance(self, position: str) -> None:
        """Note how far the watch has come."""
        self._position = position

    def fold_in(self, key: Key, version: str, value: T) -> None:
        """Take the answer to an own write, when it is surely newer than what is known.

        For an unknown key it must be newer than the watch's position: otherwise the watch has already told of this
        state, and the object is missing because it was deleted since.
        """
        if is_newer(version, self.version(key) or self._position):
            self._put(key, version, value)
            self._written_during_list.add(key)

    def _put(self, key: Key, version: str, value: T) -> None:
        before = self._states.get(key)
        self._states[key] = (version, value)
        self._on_change(key, before[1] if before else None, value)

    def _remove(self, key: Key) -> None:
        before = self._states.pop(key, None)
        if before is not None:
            self._on_change(key, before[1], None)


def is_newer(version: str | None, than: str | None) -> bool:
    """Tell whether one resourceVersion is surely newer than another."""
    if not (_comparable(version) and _comparable(than)):
        return False
    return int(version or "0") > int(than or "0")


def _comparable(version: str | None) -> bool:
    return version is not None and version.isascii() and version.isdigit()
