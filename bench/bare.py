"""What an interpreter takes that only imports what the operator imports: the memory that no operator in Python saves.

Measured in the same run on the same machine, because versions of libraries and of the C library change it.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from bench.errors import BenchError
from bench.fleet import Datastore

_LIMIT = 60.0
_SESSIONS = {
    Datastore.ETCD: "kamaji_datastore_etcd.session",
    Datastore.POSTGRES: "kamaji_datastore_postgres.session",
}
"""What a driver imports to open a store."""

_LIST = """
import sys
import importlib
import kamaji_core.cli, kamaji_core.manager, uvloop
importlib.import_module(sys.stdin.read().strip())
import cryptography.hazmat.backends.openssl.backend, encodings.idna
ours = ("kamaji_core", "kamaji_datastore_etcd", "kamaji_datastore_postgres", "kamaji_kine")
print(*(name for name in sys.modules if name.partition(".")[0] not in (*ours, "__main__")))
"""
"""Everything that a running operator with an open store has imported, but for its own modules; those of the second line
are imported by libraries when they first read a key and look up a name."""

_IMPORT = """
import contextlib, importlib, sys
for name in sys.stdin.read().split():
    with contextlib.suppress(Exception):  # some can be imported only by their own package
        importlib.import_module(name)
with open("/proc/self/statm") as file:
    print(int(file.read().split()[1]))
"""


def interpreter_of(command: str) -> str:
    """The interpreter of the environment that an operator's command belongs to; ours when that cannot be told.

    Args:
        command: the operator's command line.
    """
    program = shutil.which(next(iter(shlex.split(command)), ""))
    beside = Path(program).parent / "python" if program else None
    return str(beside) if beside is not None and beside.exists() else sys.executable


def bare_resident_bytes(interpreter: str, page_bytes: int, *, datastore: Datastore = Datastore.ETCD) -> int | None:
    """Measure it; None when the environment holds none of our operators.

    Args:
        interpreter: of the operator's environment.
        page_bytes: size of a memory page.
        datastore: whose driver has a store open.

    Raises:
        BenchError: when an interpreter does not end.
    """
    try:
        imported = _python(interpreter, _LIST, _SESSIONS[datastore])
        return int(_python(interpreter, _IMPORT, imported)) * page_bytes
    except subprocess.CalledProcessError:
        return None


def _python(interpreter: str, code: str, given: str) -> str:
    try:
        answer = subprocess.run(
            [interpreter, "-c", code], input=given, capture_output=True, text=True, timeout=_LIMIT, check=True
        )
    except subprocess.CalledProcessError:
        raise
    except subprocess.SubprocessError as error:
        raise BenchError(f"a bare interpreter could not be measured: {error}") from error
    return answer.stdout
