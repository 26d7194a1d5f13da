"""The rows that tell what was seen while a store's secrets changed."""

from __future__ import annotations

from bench.figures import spread
from bench.report import markdown
from bench.rotation.results import Phase, RotationResult, Seen

GOOD = Seen(calls=100, failed=0, late=1, seconds=spread([0.01, 0.02]))


def phase(name: str, *, settled: bool = True) -> Phase:
    """One change of two tenants."""
    return Phase(
        name=name,
        seconds=41.4,
        settled=settled,
        rollouts={"tenant-001": 1, "tenant-002": 0},
        kept=GOOD,
        new=Seen(calls=100, failed=2, late=0, seconds=spread([0.03])),
        untouched=GOOD,
    )


def test_each_change_has_rows_of_its_own() -> None:
    """Their names differ, since a table has each but once."""
    result = RotationResult(replicas=2, rate=50, phases=(phase("password"), phase("authority", settled=False)))
    table = markdown([("run", [result])])
    assert "| password: settled after, s | 41 |" in table
    assert "| authority: settled after, s | never |" in table
    assert "| - password: rollouts of each tenant | 1, 0 |" in table
    assert "| - authority: new connections | 2 of 100 failed, 0 late; 0.030 / 0.030 / 0.030 s |" in table
