"""Talking to an API server: client, informers, queue, election, events, comparison, supervisor. Knows no tenants."""

from kamaji_core.kube.answers import Listing, WatchEvent
from kamaji_core.kube.backoff import Backoff
from kamaji_core.kube.client import KubeClient
from kamaji_core.kube.compare import differences, keep_own_managed_fields
from kamaji_core.kube.config import ClusterConfig, config_from_kubeconfig, load_config
from kamaji_core.kube.election import lead
from kamaji_core.kube.errors import (
    AlreadyExistsError,
    ApiError,
    Cause,
    ConfigError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    ServerError,
    TooManyRequestsError,
    UnauthorizedError,
    UnreachableError,
)
from kamaji_core.kube.events import EventRecorder, EventType, ObjectReference, is_namespace_going
from kamaji_core.kube.http2 import Http2Transport
from kamaji_core.kube.informer import Informer
from kamaji_core.kube.leadership import Leadership, LeaderTransport, NotLeaderError
from kamaji_core.kube.lease import LeaseSettings
from kamaji_core.kube.packed import Unpacked, metadata_of, pack
from kamaji_core.kube.queue import QueueObserver, QueueShutDownError, TryAgainError, WorkQueue, run_workers, step_aside
from kamaji_core.kube.requests import Request
from kamaji_core.kube.resources import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    EVENTS,
    LEASES,
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    SECRETS,
    SERVICES,
    Resource,
)
from kamaji_core.kube.secret_informer import SecretInformer
from kamaji_core.kube.server_version import server_minor
from kamaji_core.kube.store import Key
from kamaji_core.kube.supervisor import Supervisor
from kamaji_core.kube.transport import Answer, HttpTransport, Transport
from kamaji_core.kube.turns import Priority

__all__ = [
    "CONFIG_MAPS",
    "CUSTOM_RESOURCE_DEFINITIONS",
    "DEPLOYMENTS",
    "EVENTS",
    "LEASES",
    "NAMESPACES",
    "PERSISTENT_VOLUME_CLAIMS",
    "PODS",
    "SECRETS",
    "SERVICES",
    "AlreadyExistsError",
    "Answer",
    "ApiError",
    "Backoff",
    "Cause",
    "ClusterConfig",
    "ConfigError",
    "ConflictError",
    "EventRecorder",
    "EventType",
    "ForbiddenError",
    "GoneError",
    "Http2Transport",
    "HttpTransport",
    "Informer",
    "InvalidError",
    "Key",
    "KubeClient",
    "LeaderTransport",
    "Leadership",
    "LeaseSettings",
    "Listing",
    "NotFoundError",
    "NotLeaderError",
    "ObjectReference",
    "Priority",
    "QueueObserver",
    "QueueShutDownError",
    "Request",
    "Resource",
    "SecretInformer",
    "ServerError",
    "Supervisor",
    "TooManyRequestsError",
    "Transport",
    "TryAgainError",
    "UnauthorizedError",
    "Unpacked",
    "UnreachableError",
    "WatchEvent",
    "WorkQueue",
    "config_from_kubeconfig",
    "differences",
    "is_namespace_going",
    "keep_own_managed_fields",
    "lead",
    "load_config",
    "metadata_of",
    "pack",
    "run_workers",
    "server_minor",
    "step_aside",
]
