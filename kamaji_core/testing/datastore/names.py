"""Hostile names: what a tenant may write into its specification to break out of its share.

Seeded, so that a failure can be repeated; the admission rules of the operator refuse many of them, but a driver must
not rely on that.
"""

from __future__ import annotations

import random

SEED = 20261128

FIXED = (
    "",
    " ",
    ".",
    "..",
    "/",
    "a/b",
    "/a",
    "a/",
    "../a",
    "a/../b",
    "a\\b",
    "'",
    '"',
    "`",
    "a'b",
    'a"b',
    "a`b",
    "'; DROP TABLE tenants; --",
    '"; DROP DATABASE postgres; --',
    "a'; --",
    "') OR ('1'='1",
    "$$",
    "$1",
    "%",
    "%s",
    "%I",
    "{0}",
    "{schema}",
    "*",
    "?",
    "_",
    "a%",
    "a*",
    "a_b",
    "a.b",
    "a-b",
    "a b",
    "a:b@c",
    "a@b",
    "a?b=c",
    "a&b",
    "a#b",
    "a=b",
    "a,b",
    "a;b",
    "--",
    "-a",
    "/* a */",
    "a\0b",
    "a\nb",
    "a\r\nb",
    "a\tb",
    "\x1b[31m",
    "\x7f",
    "A",
    "aA",
    "ä",
    "a\u0308",
    "\uff41",
    "\u0430dmin",
    "a\u200bb",
    "a\u202eb",
    "a\u2028b",
    "\ufeffa",
    "😀",
    "\ud800",
    "0",
    "00",
    "null",
    "true",
    "root",
    "postgres",
    "public",
    "template0",
    "template1",
    "information_schema",
    "pg_catalog",
    "pg_signal_backend",
    "mysql",
    "sys",
    "admin",
    "kamaji",
    "kamaji.clastix.io",
    "kamaji.clastix.io/claims/a",
    "user",
    "select",
    "all",
    "none",
    "session_user",
    "a" * 63,
    "a" * 64,
    "a" * 253,
    "a" * 254,
    "a" * 5000,
    "ä" * 32,
    "ä" * 63,
    "😀" * 64,
)
"""Empty, separators, quotes, wildcards, formats, control characters, look-alikes, reserved words, and long ones."""

_PIECES = (
    "a",
    "b",
    "0",
    "_",
    "-",
    ".",
    "/",
    "'",
    '"',
    "\\",
    "`",
    "%",
    "*",
    " ",
    ";",
    "$",
    "\0",
    "\n",
    "ä",
    "😀",
    "\u202e",
)


def hostile_names(count: int) -> tuple[str, ...]:
    """The fixed names, and so many that are put together at random, always the same."""
    chance = random.Random(SEED)  # noqa: S311 - repeatable, protects nothing
    made = ("".join(chance.choices(_PIECES, k=chance.randint(1, 12))) for _ in range(count))
    return tuple(dict.fromkeys((*FIXED, *made)))


def neighbours(name: str) -> tuple[str, ...]:
    """Names whose keys or rows would lie next to those of a name, at both ends of a range, or match it as a pattern."""
    return (
        *(f"{name}{end}" for end in ("0", "a", "-", "_", ".", "%", "*", "\u00ff", "z", " ")),
        name[:-1],
        f"{name[:-1]}_",
        f"{name[:-1]}%",
        name.upper(),
        f"{name[:-1]}{chr(ord(name[-1]) + 1)}",
    )
