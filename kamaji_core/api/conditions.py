"""Conditions: their types, their reasons, and how a list of them changes.

Types and reasons are constants here because people and tools match on them: once released they are API.
"""

import enum
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from kamaji_core.api.model import Written, described

MESSAGE_LIMIT = 32768
"""Characters in a condition's message; the API server refuses the whole status for a longer one."""

_QUALIFIED_NAME = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)

ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(Written, frozen=True, kw_only=True):
    """One observation about an object, in the form that all of Kubernetes uses (`metav1.Condition`)."""

    type: Annotated[str, described("What is observed.", maxLength=316, pattern=_QUALIFIED_NAME)]
    status: Annotated[ConditionStatus, described("Whether it is so.")]
    observed_generation: Annotated[
        int | None, described("Generation of the object that was looked at.", format="int64", minimum=0)
    ] = None
    last_transition_time: Annotated[datetime, described("When the status changed last.")]
    reason: Annotated[
        str,
        described(
            "Why, as a constant.", minLength=1, maxLength=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
        ),
    ]
    message: Annotated[str, described("Why, and what to do about it.", maxLength=MESSAGE_LIMIT)]


Conditions = Annotated[
    tuple[Condition, ...], described("What is known of it.", list_type="map", list_map_keys=("type",))
]
"""The type of `status.conditions`."""


class TenantCondition(enum.StrEnum):
    """Types of a TenantControlPlane's conditions.

    `READY` stands for the four after it together; `BOOTSTRAPPED` and `ADDONS_READY` tell what was made inside of the
    tenant's cluster and are no part of it; `PAUSED` and `DELETING` are there only while they are true.
    """

    READY = "Ready"
    DATA_STORE_READY = "DataStoreReady"
    MATERIAL_READY = "MaterialReady"
    ENDPOINT_READY = "EndpointReady"
    CONTROL_PLANE_AVAILABLE = "ControlPlaneAvailable"
    BOOTSTRAPPED = "Bootstrapped"
    ADDONS_READY = "AddonsReady"
    PAUSED = "Paused"
    DELETING = "Deleting"


class TenantReason(enum.StrEnum):
    """Reasons in a TenantControlPlane's conditions and Events, beside those of the certificate checks."""

    READY = "Ready"
    PENDING = "Pending"
    SLEEPING = "Sleeping"
    QUEUED = "Queued"
    SPECIFICATION_INVALID = "SpecificationInvalid"
    PLUGIN_FAILED = "PluginFailed"
    DATA_STORE_MISSING = "DataStoreMissing"
    DATA_STORE_NOT_READY = "DataStoreNotReady"
    DATA_STORE_FULL = "DataStoreFull"
    DATA_STORE_CHANGED = "DataStoreChanged"
    DATA_STORE_REFUSED = "DataStoreRefused"
    DATA_STORE_SHARE_CHANGED = "DataStoreShareChanged"
    ENDPOINT_PENDING = "EndpointPending"
    WRITE_FAILED = "WriteFailed"
    PAUSED = "Paused"
    WAITING_FOR_PODS = "WaitingForPods"
    REMOVING_DATA = "RemovingData"
    DATA_STORE_UNREACHABLE = "DataStoreUnreachable"
    DATA_LEFT_BEHIND = "DataLeftBehind"
    RENEWED = "Renewed"
    ROLLING_OUT = "RollingOut"
    BOOTSTRAPPED = "Bootstrapped"
    ADDONS_APPLIED = "AddonsApplied"
    ADDON_MISSING = "AddonMissing"
    ADDON_FAILED = "AddonFailed"
    OBJECTS_REFUSED = "ObjectsRefused"
    TENANT_UNREACHABLE = "TenantUnreachable"


class DataStoreReason(enum.StrEnum):
    """Reasons in a DataStore's conditions and Events: Kamaji's where it has them."""

    DATA_STORE_IS_VALID = "DataStoreIsValid"
    BASIC_AUTH_VALIDATION_FAILED = "BasicAuthValidationFailed"
    TLS_CONFIGURATION_VALIDATION_FAILED = "TLSConfigurationValidationFailed"
    CONFIGURATION_INVALID = "ConfigurationInvalid"
    DRIVER_NOT_FOUND = "DriverNotFound"
    LOGIN_FAILED = "LoginFailed"
    DATA_STORE_FULL = "DataStoreFull"
    DATA_STORE_STILL_USED = "DataStoreStillUsed"
    DATA_STORE_UNUSED = "DataStoreUnused"
    ORPHANED_CLAIM = "OrphanedClaim"


def set_condition(
    conditions: Iterable[Condition],
    *,
    type: str,  # noqa: A002 - the field's name in Kubernetes
    status: ConditionStatus,
    reason: str,
    message: str,
    observed_generation: int,
    now: datetime,
) -> tuple[Condition, ...]:
    """Set one condition among others.

    Args:
        conditions: the present ones, which keep their order.
        type: which one is set; it is added at the end when there is none.
        status: whether it is so.
        reason: why, as a constant.
        message: why, and what to do about it; cut at `MESSAGE_LIMIT` characters.
        observed_generation: `metadata.generation` of the object that was looked at.
        now: present time with its zone; recorded to the second, and only when the status changes.

    Returns:
        The conditions after the change; equal to those before when nothing is new.
    """
    conditions = tuple(conditions)
    before = next((condition for condition in conditions if condition.type == type), None)
    unchanged = before is not None and before.status == status
    after = Condition(
        type=str(type),
        status=status,
        reason=str(reason),
        message=message if len(message) <= MESSAGE_LIMIT else f"{message[: MESSAGE_LIMIT - 1]}…",
        observed_generation=observed_generation,
        last_transition_time=before.last_transition_time if before and unchanged else now.replace(microsecond=0),
    )
    if before is None:
        return (*conditions, after)
    return tuple(after if condition is before else condition for condition in conditions)
