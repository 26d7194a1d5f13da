"""What datastore drivers that stand on kine have in common, so that each of them only knows its own store.

A library, no plugin: it has no entry point, imports no network library and knows the contract alone.
"""

from kamaji_kine.connection import connection_url
from kamaji_kine.parts import CONTAINER, ENDPOINT, GROUP, TlsFiles, kine_parts
from kamaji_kine.settings import IMAGE, KineConfig, kine_problems

__all__ = [
    "CONTAINER",
    "ENDPOINT",
    "GROUP",
    "IMAGE",
    "KineConfig",
    "TlsFiles",
    "connection_url",
    "kine_parts",
    "kine_problems",
]
