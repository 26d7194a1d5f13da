"""The plugin contract: all that a datastore driver or an add-on may know of the core.

A plugin imports this package and the pure `kamaji_core.pki`, nothing else. It is small on purpose: pluggy is a
synchronous registry, so hooks only hand over classes, and the classes' asynchronous methods do the work.
"""

from kamaji_core.contracts.addon import (
    Addon,
    Applied,
    AppliedObject,
    IssuedCertificate,
    Material,
    Outcome,
    TenantObject,
)
from kamaji_core.contracts.configuration import ConfigurationError, read_config
from kamaji_core.contracts.datastore import (
    BasicAuth,
    Capability,
    Claim,
    Credentials,
    DatastoreDriver,
    Drift,
    EndpointError,
    Probe,
    ProbeKind,
    SecretReferences,
    Session,
    StoreError,
    StoreView,
    TenantNetworks,
    TenantView,
    TlsMaterial,
    UnsupportedError,
    Usage,
)
from kamaji_core.contracts.hooks import ManagerView, TenantEvent, hookimpl
from kamaji_core.contracts.parts import (
    Certificate,
    ConfigMap,
    Container,
    ControlPlaneParts,
    EnvironmentVariable,
    Flag,
    HealthCheck,
    Kubeconfig,
    Mount,
    RestartOn,
    Route,
    ServicePort,
    Volume,
    VolumeClaim,
)

API_VERSION = (0, 2)
"""Major and minor of the contract. Until 1.0 a plugin must name the same minor; afterwards the same major."""

__all__ = [
    "API_VERSION",
    "Addon",
    "Applied",
    "AppliedObject",
    "BasicAuth",
    "Capability",
    "Certificate",
    "Claim",
    "ConfigMap",
    "ConfigurationError",
    "Container",
    "ControlPlaneParts",
    "Credentials",
    "DatastoreDriver",
    "Drift",
    "EndpointError",
    "EnvironmentVariable",
    "Flag",
    "HealthCheck",
    "IssuedCertificate",
    "Kubeconfig",
    "ManagerView",
    "Material",
    "Mount",
    "Outcome",
    "Probe",
    "ProbeKind",
    "RestartOn",
    "Route",
    "SecretReferences",
    "ServicePort",
    "Session",
    "StoreError",
    "StoreView",
    "TenantEvent",
    "TenantNetworks",
    "TenantObject",
    "TenantView",
    "TlsMaterial",
    "UnsupportedError",
    "Usage",
    "Volume",
    "VolumeClaim",
    "hookimpl",
    "read_config",
]
