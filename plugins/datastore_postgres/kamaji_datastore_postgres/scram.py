"""A password as PostgreSQL keeps it, so that the password itself is in no statement and so in no server's log.

RFC 5802 and RFC 7677; the form is the one that PostgreSQL's documentation gives for `pg_authid.rolpassword`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode

ITERATIONS = 4096
"""PostgreSQL's own. More would protect guessable passwords; ours have 256 random bits."""

_SALT_BYTES = 16


def verifier(password: str) -> str:
    """Make the verifier of an ASCII password with a new salt; takes about two milliseconds."""
    salt = secrets.token_bytes(_SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, ITERATIONS)
    stored = hashlib.sha256(_keyed(salted, b"Client Key")).digest()
    server = _keyed(salted, b"Server Key")
    return f"SCRAM-SHA-256${ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def _keyed(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _text(content: bytes) -> str:
    return b64encode(content).decode("ascii")
