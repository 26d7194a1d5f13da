"""The plugin contract: all that a datastore driver or an add-on may know of the core.

A plugin imports this package and the pure `kamaji_core.pki`, nothing else. It is small on purpose: pluggy is a
synchronous registry, so hooks only hand over classes, and the classes' asynchronous methods do the work.
"""

from kamaji_core.contracts.datastore import (
    BasicAuth,
    Claim,
    Credentials,
    DatastoreDriver,
    Probe,
    ProbeKind,
    SecretReferences,
    Session,
    StoreError,
    StoreView,
    TenantView,
    TlsMaterial,
)
from kamaji_core.contracts.hooks import hookimpl
from kamaji_core.contracts.parts import ControlPlaneParts, Flag, Mount, RestartOn, Volume

API_VERSION = (0, 1)
"""Major and minor of the contract. Until 1.0 a plugin must name the same minor; afterwards the same major."""

__all__ = [
    "API_VERSION",
    "BasicAuth",
    "Claim",
    "ControlPlaneParts",
    "Credentials",
    "DatastoreDriver",
    "Flag",
    "Mount",
    "Probe",
    "ProbeKind",
    "RestartOn",
    "SecretReferences",
    "Session",
    "StoreError",
    "StoreView",
    "TenantView",
    "TlsMaterial",
    "Volume",
    "hookimpl",
]
