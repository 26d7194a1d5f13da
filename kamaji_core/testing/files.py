"""Throwaway keys and certificates on disk, for real servers that read nothing else.

These are the only keys the project writes to a disk: they are made for one run, belong to servers that hold no one's
data and are readable by their owner alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from kamaji_core.pki import KeyPair


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Where a server or client finds its certificate, its key and the authority it trusts, all PEM."""

    certificate: Path
    key: Path
    ca: Path


def write_private(path: Path, content: bytes) -> Path:
    """Write a file that only its owner may read, whole or not at all; missing directories are made as private."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return unfinished.replace(path)


def write_key_pair(directory: Path, name: str, pair: KeyPair, *, ca: bytes) -> TlsFiles:
    """Write `name.crt`, `name.key` and `name-ca.crt` into a directory."""
    return TlsFiles(
        certificate=write_private(directory / f"{name}.crt", pair.certificate),
        key=write_private(directory / f"{name}.key", pair.key),
        ca=write_private(directory / f"{name}-ca.crt", ca),
    )
