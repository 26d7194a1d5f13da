"""A traceback in the log says where something failed, and shows no value that was in the way."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import structlog
from kamaji_core.logs import configure_logs

configure_logs(level="info", form={form!r})

def log_in(password):
    raise RuntimeError("refused")

try:
    log_in("hunter" + "2")
except RuntimeError:
    structlog.get_logger().exception("handling failed", key="team-a/shop")
"""


def printed(form: str) -> str:
    """What a process prints that fails with a password at hand."""
    command = [sys.executable, "-c", SCRIPT.format(form=form)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stderr


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_failure_is_logged_with_its_place(form: str) -> None:
    """What failed, how, and in which function."""
    output = printed(form)
    assert [word for word in ("handling failed", "team-a/shop", "RuntimeError", "log_in") if word not in output] == []


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_local_variable_is_logged(form: str) -> None:
    """Passwords and private keys are local variables at some time."""
    assert "hunter2" not in printed(form)
