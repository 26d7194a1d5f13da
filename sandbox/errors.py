"""The one error that the sandbox shows to its user, and commands whose failure becomes it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from sandbox import places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class SandboxError(RuntimeError):
    """The sandbox cannot do what was asked; the message is a sentence that says what to do next."""


class NotUpError(SandboxError):
    """There is no sandbox to do it in."""

    def __init__(self) -> None:
        super().__init__("the sandbox is not up: run `make sandbox-up`")


def require_up() -> None:
    """Make sure that there is a sandbox.

    Raises:
        NotUpError: when it is not up.
    """
    if not places.KUBECONFIG.exists() or not places.NETWORK.exists():
        raise NotUpError


def run(
    argv: Sequence[str | Path],
    *,
    limit: float,
    sends: str | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> str:
    """Run a command to its end and return its standard output.

    Args:
        argv: program and arguments; no shell is involved.
        limit: seconds it may take.
        sends: its standard input.
        environment: all of its environment; this process's own when not given.
        directory: where it runs.

    Raises:
        SandboxError: when it is missing, fails or takes too long; the message carries what it said.
    """
    words = [str(word) for word in argv]
    try:
        result = subprocess.run(
            words,
            input="" if sends is None else sends,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
            env=None if environment is None else dict(environment),
            cwd=directory,
        )
    except FileNotFoundError as error:
        raise SandboxError(f"the command {words[0]} is missing: run `make programs`") from error
    except subprocess.TimeoutExpired as error:
        raise SandboxError(f"`{' '.join(words[:6])}` did not end within {limit:.0f} s") from error
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip()
        raise SandboxError(f"`{' '.join(words[:6])}` failed with exit code {result.returncode}: {said}")
    return result.stdout
