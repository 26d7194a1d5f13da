"""Objects that are cached as bytes."""

from __future__ import annotations

import msgspec
import pytest

from kamaji_core.kube import Unpacked, pack


def test_it_is_given_as_it_was_but_for_others_fields() -> None:
    """Each time anew, so that nobody can change what the next one sees."""
    own, other = {"manager": "kamaji", "time": "2026"}, {"manager": "kubectl"}
    raw = msgspec.Raw(msgspec.json.encode({"metadata": {"name": "a", "managedFields": [own, other]}, "x": None}))
    view = Unpacked({("team", "a"): pack(raw, manager="kamaji")})
    assert view["team", "a"] == {"metadata": {"name": "a", "managedFields": [own]}, "x": None}
    view["team", "a"]["x"] = 1
    assert view["team", "a"]["x"] is None


def test_it_is_a_mapping_over_what_there_is() -> None:
    """And notices what comes and goes."""
    packed: dict[tuple[str, str], bytes] = {}
    view = Unpacked(packed)
    packed["team", "a"] = b"{}"
    assert (("team", "a") in view, ("team", "b") in view, list(view), len(view)) == (True, False, [("team", "a")], 1)
    assert view.get(("team", "b")) is None
    with pytest.raises(KeyError):
        view["team", "b"]
