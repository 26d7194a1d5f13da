"""A store is loaded through a real kube-apiserver, and what was made for that is gone afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .conftest import AS_PROCESS, NAMESPACE

if TYPE_CHECKING:
    from .conftest import SandboxCommand

# What the command does is the same whoever runs the operator.
pytestmark = [pytest.mark.root, AS_PROCESS]
COMMAND = ("kamaji", "datastore", "check", f"--namespace={NAMESPACE}")
SMALL = ("--seconds=2", "--concurrency=4", "--objects=500")


def tenants(management: SandboxCommand) -> str:
    """Those that checks have made."""
    return management.kubectl("get", "tcp", f"--namespace={NAMESPACE}", "--output=name")


def test_a_good_store_passes(management: SandboxCommand) -> None:
    """All figures are there, and every event came."""
    answer = management.execute(*COMMAND, *SMALL, "--output=json", "default")
    (result,) = json.loads(answer.stdout)
    assert (result["datastore"], result["driver"], result["passed"], result["failed"]) == ("default", "etcd", True, [])
    load = result["load"]
    assert load["objects"] >= 500
    assert load["events_delivered"] == load["events_expected"] > 500
    assert load["errors"] == 0
    assert "default: ready after" in answer.stderr
    assert "datastore-check" not in tenants(management)


def test_stores_are_compared_side_by_side(management: SandboxCommand) -> None:
    """One that is not there fails, and with it the command; the other has its figures nevertheless."""
    answer = management.execute(*COMMAND, *SMALL, "default", "absent", check=False)
    assert answer.returncode == 1
    lines = answer.stdout.splitlines()
    assert lines[0].split() == ["MEASURE", "PASSES", "WHEN", "default", "absent"]
    (verdict,) = [line for line in lines if line.startswith("RESULT")]
    assert verdict.split() == ["RESULT", "pass", "FAIL"]
    assert lines[-1] == "absent: There is no DataStore 'absent': see 'kubectl get datastores'."


@pytest.mark.parametrize("signal", ["INT", "TERM"])
def test_an_interrupted_check_leaves_nothing(management: SandboxCommand, signal: str) -> None:
    """Ctrl-C and a polite end: the tenant is removed before the command ends."""
    # Whoever runs the tests in the background has Ctrl-C ignored, which all processes inherit.
    interrupted = ("env", f"--default-signal={signal}", "timeout", f"--signal={signal}", "--foreground", "10")
    answer = management.execute(*interrupted, *COMMAND, *SMALL, "--seconds=60", "default", check=False)
    assert answer.returncode != 0
    assert "removing the tenant" in answer.stderr
    assert "datastore-check" not in tenants(management)
