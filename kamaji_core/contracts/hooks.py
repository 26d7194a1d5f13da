"""The hooks of the entry-point group `kamaji`.

Hooks are few and only register: what they return does the work. A plugin implements them as module functions or
methods marked with `hookimpl` and names the module in its distribution's entry points:

    [project.entry-points.kamaji]
    datastore-example = "kamaji_datastore_example"

The entry module is imported at every start, also for `kamaji --help`, so it must not import a network library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from kamaji_core.contracts.datastore import DatastoreDriver

GROUP = "kamaji"

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def kamaji_datastores() -> list[type[DatastoreDriver]]:
    """Hand over the datastore drivers of this plugin.

    Returns:
        Driver classes; each is instantiated once, without arguments.
    """
    raise NotImplementedError
