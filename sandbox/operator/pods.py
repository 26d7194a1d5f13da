"""The operator as pods: both charts, installed with the real Helm as a user does it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sandbox.errors import require_up
from sandbox.helm import tell_helm
from sandbox.operator import image
from sandbox.places import STORE_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable

CHARTS = image.ROOT / "charts"
RELEASE = "kamaji"
DEFINITIONS = "kamaji-crds"
NAMESPACE = STORE_NAMESPACE
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
"""Who the operator is to the management cluster's API server."""

_INTO = (f"--namespace={NAMESPACE}",)
_ADOPT = "--take-ownership"
"""Definitions may have been there before, from a kubectl or of an operator that runs as a process."""


def install(say: Callable[[str], None], *values: str) -> str:
    """Install or upgrade both charts with this tree's image; returns when the pods are ready.

    Args:
        say: takes a line of progress.
        values: further ones of the operator's chart, `path=value` each.

    Returns:
        What Helm says to the user.

    Raises:
        SandboxError: when the image cannot be built or Helm fails.
    """
    require_up()
    settings = [f"--set={value}" for value in (f"image.tag={image.tag()}", *values)]
    tell_helm("template", RELEASE, CHARTS / RELEASE, *_INTO, *settings)  # a wrong value is told before anything is made
    image.bring(say)
    _upgrade(DEFINITIONS)
    return _upgrade(RELEASE, *settings)


def uninstall() -> str:
    """Take the operator away and leave the definitions, when they are there; gives what Helm says to the user.

    Raises:
        SandboxError: when Helm fails.
    """
    said = [tell_helm("uninstall", name, *_INTO, "--wait") for name in (RELEASE, DEFINITIONS) if name in releases()]
    return "".join(said)


def releases() -> list[str]:
    """Names of what Helm has installed beside the store."""
    return [one["name"] for one in json.loads(tell_helm("list", *_INTO, "--output=json"))]


def _upgrade(name: str, *arguments: str) -> str:
    wait = ("--wait", "--timeout=120s")
    return tell_helm(
        "upgrade", "--install", name, CHARTS / name, *_INTO, _ADOPT, "--create-namespace", *wait, *arguments
    )
