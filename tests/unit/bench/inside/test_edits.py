"""Edits are such that the operator puts them back, and so far apart that it does so at once."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from bench.inside.edits import IN_A_ROW, Edit, choices, content_patch, is_as_wanted, patch, pause_after, watched_kinds
from kamaji_core.soot.session import CALM_SECONDS
from kamaji_core.soot.wanted import intent

if TYPE_CHECKING:
    from kamaji_core.soot.plan import Plan


def merged(target: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Apply a merge patch (RFC 7386) that removes nothing."""
    result = copy.deepcopy(target)
    for key, value in change.items():
        result[key] = merged(result.get(key, {}), value) if isinstance(value, dict) else value
    return result


def test_every_object_can_be_edited_so_that_the_operator_sees_it(plan: Plan) -> None:
    """As it is made it is as wanted, and after each edit it is not."""
    for one in plan.objects:
        made = intent(one, None).manifest
        assert is_as_wanted(one, made), one.key
        for edit in choices(one):
            if edit is not Edit.DELETE:
                assert not is_as_wanted(one, merged(made, patch(one, edit))), (one.key, edit)


def test_what_users_may_take_over_is_not_edited(plan: Plan) -> None:
    """A Corefile of theirs would stay."""
    (coredns,) = [one for one in plan.objects if str(one.key) == "ConfigMap kube-system/coredns"]
    assert content_patch(coredns) is None
    with pytest.raises(ValueError, match="no edit"):
        patch(coredns, Edit.CONTENT)


def test_configurations_and_pods_of_addons_are_watched(plan: Plan) -> None:
    """Three kinds, and with them three watches."""
    assert {kind for _, kind in watched_kinds(plan.objects)} == {"ConfigMap", "Deployment", "DaemonSet"}


def test_pauses_grow_until_an_object_is_left_alone(plan: Plan) -> None:
    """Then they begin anew."""
    pauses = [pause_after(number) for number in range(1, IN_A_ROW + 2)]
    assert pauses[:-1] == sorted(pauses[:-1])
    assert pauses[IN_A_ROW - 1] > CALM_SECONDS
    assert pauses[-1] == pauses[0]
