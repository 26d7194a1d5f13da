"""Talking to an API server: client, configuration, informer, queue, supervisor and comparison. Knows no tenants."""

from kamaji_core.kube.answers import Listing, WatchEvent
from kamaji_core.kube.backoff import Backoff
from kamaji_core.kube.client import KubeClient
from kamaji_core.kube.compare import differences, keep_own_managed_fields
from kamaji_core.kube.config import ClusterConfig, config_from_kubeconfig, load_config
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
from kamaji_core.kube.informer import Informer
from kamaji_core.kube.queue import QueueShutDownError, WorkQueue, run_workers
from kamaji_core.kube.requests import Request
from kamaji_core.kube.resources import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICES,
    Resource,
)
from kamaji_core.kube.store import Key
from kamaji_core.kube.supervisor import Supervisor
from kamaji_core.kube.transport import Answer, HttpTransport, Transport

__all__ = [
    "CONFIG_MAPS",
    "CUSTOM_RESOURCE_DEFINITIONS",
    "DEPLOYMENTS",
    "EVENTS",
    "NAMESPACES",
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
    "ForbiddenError",
    "GoneError",
    "HttpTransport",
    "Informer",
    "InvalidError",
    "Key",
    "KubeClient",
    "Listing",
    "NotFoundError",
    "QueueShutDownError",
    "Request",
    "Resource",
    "ServerError",
    "Supervisor",
    "TooManyRequestsError",
    "Transport",
    "UnauthorizedError",
    "UnreachableError",
    "WatchEvent",
    "WorkQueue",
    "config_from_kubeconfig",
    "differences",
    "keep_own_managed_fields",
    "load_config",
    "run_workers",
]
