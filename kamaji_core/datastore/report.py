"""The status of a DataStore: what to write, or nothing when it stands there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kamaji_core.api.conditions import DataStoreReason, set_condition
from kamaji_core.api.datastore import DELETION_CONDITION, VALIDATION_CONDITION
from kamaji_core.api.model import manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kamaji_core.api.datastore import DataStore
    from kamaji_core.datastore.stores import StoreState


def status_patch(
    store: DataStore, state: StoreState, *, used_by: Sequence[str], now: datetime
) -> dict[str, Any] | None:
    """Build the merge patch of the status subresource; None when nothing differs.

    Args:
        store: as it is.
        state: what was found out about it.
        used_by: `namespace/name` of the tenants that use it, sorted.
        now: present time, UTC.
    """
    generation = store.metadata.generation
    conditions = set_condition(
        store.status.conditions,
        type=VALIDATION_CONDITION,
        status="True" if state.ready else "False",
        reason=state.reason,
        message=state.sentence,
        observed_generation=generation,
        now=now,
    )
    if store.metadata.deletion_timestamp:
        conditions = set_condition(
            conditions,
            type=DELETION_CONDITION,
            status="False" if used_by else "True",
            reason=DataStoreReason.DATA_STORE_STILL_USED if used_by else DataStoreReason.DATA_STORE_UNUSED,
            message=f"Still used by {', '.join(used_by)}." if used_by else "No tenant uses it.",
            observed_generation=generation,
            now=now,
        )
    status = store.status
    present = (status.ready, tuple(status.used_by), status.observed_generation, tuple(status.conditions))
    if present == (state.ready, tuple(used_by), generation, tuple(conditions)):
        return None
    return {
        "status": {
            "ready": state.ready,
            "usedBy": list(used_by),
            "observedGeneration": generation,
            "conditions": [manifest(condition) for condition in conditions],
        }
    }
