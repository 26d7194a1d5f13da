"""What a suite that is meant to fail came to, test by test, read from pytest's report."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one test of one broken driver came to: `passed`, `failure`, `error` or `skipped`, and the report."""

    outcome: str
    report: str


def run(
    tests: list[str], folder: Path, *, seconds: float, processes: int, **environment: str
) -> dict[tuple[str, str], Result]:
    """Run tests of the suite and read pytest's report, by class and test."""
    report = folder / "report.xml"
    # Most of the time is spent on waiting, so several wait at once, each with a server of its own.
    workers = ("--numprocesses", str(processes), "--dist", "load")
    options = ("-q", *workers, "-p", "no:cacheprovider", "-W", "default", "-o", "filterwarnings=default", "--tb=short")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--junitxml={report}", *tests],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        env={**os.environ, **environment},
    )
    assert report.exists(), done.stdout + done.stderr
    results: dict[tuple[str, str], Result] = {}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - written by pytest just now
        driver = case.attrib["classname"].rpartition(".Test")[2]
        (result,) = list(case)[:1] or [None]
        outcome = "passed" if result is None else result.tag
        words = "" if result is None else f"{result.attrib.get('message', '')}\n{result.text}"
        results[driver, case.attrib["name"]] = Result(outcome=outcome, report=words)
    return results
