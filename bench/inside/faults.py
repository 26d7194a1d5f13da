"""Faults of the operator's network, each with a change that it must not miss: how long until it has acted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from bench import packets
from bench.consumption import connections
from bench.errors import BenchError
from bench.fleet import NAMESPACE
from bench.inside.edits import Edit, choices
from bench.inside.healing import Editor
from bench.inside.relay import Relay, write_relayed
from bench.inside.results import Fault
from bench.inside.standing import until_standing
from bench.testbed import KUBECONFIG
from kamaji_core.soot.kinds import Kinds
from kamaji_core.tenancy import TENANT_CONTROL_PLANES
from sandbox.places import API_PORT, HOST_ADDRESS, NODE_ADDRESS

if TYPE_CHECKING:
    from bench.inside.access import Access
    from bench.testbed import Testbed

_LIMIT = 300.0
_SETTLING = 35.0
"""Seconds until connections that a session does not keep have been closed."""

_ANNOTATION = "bench.example/fault"


async def dropped(bed: Testbed, access: Access, number: int) -> Fault:
    """Drop all packets of the operator's connections to one tenant, and edit a watched object there at once.

    Args:
        bed: with sessions that stand.
        access: to the tenant.
        number: of the fault, which decides what is edited.

    Raises:
        BenchError: when the operator has no connection to the tenant.
    """
    bed.say(f"Dropping the packets of the operator's connections to {access.name}.")
    await asyncio.sleep(_SETTLING)
    maps = [one for one in access.plan.objects if one.object.watch and Edit.CONTENT in choices(one)]
    wanted = maps[number % len(maps)]
    async with access.client() as client:
        editor = Editor(tenant=access.name, client=client, kinds=Kinds(client))
        await client.raw("/readyz")  # the bench's own connection is there before
        pid = bed.operator.pid
        ports = {one.port for one in connections(pid) if one.peer == access.address} if pid else set()
        if not ports:
            raise BenchError(f"the operator has no connection to {access.name}: is its session off?")
        async with packets.ruled(packets.dropping(access.address, ports)):
            healing = await editor.edit(wanted, Edit.CONTENT, _LIMIT)
    return Fault(connections=len(ports), seconds=healing.seconds)


async def silent(bed: Testbed, access: Access, number: int) -> Fault:
    """Have the operator's connections to the management API server fall silent, and change a tenant at once.

    The change asks for an annotation of the tenant's Service; the clock runs from before it is sent until a watch shows
    the Service with it.

    Args:
        bed: with a fleet; its operator is restarted behind a relay, and again without.
        access: to the tenant that is changed.
        number: of the fault, which makes the change another one each time.

    Raises:
        BenchError: when the operator's sessions do not stand behind the relay.
    """
    bed.say("Restarting the operator behind a relay to the management API server.")
    target = KUBECONFIG.with_name("relayed.kubeconfig")
    value, services = f"fault-{number}", bed.observer.services

    def is_acted_on() -> bool:
        service = services.get((NAMESPACE, access.name), {"metadata": {}})
        return (service["metadata"].get("annotations") or {}).get(_ANNOTATION) == value

    async with contextlib.AsyncExitStack() as stack:
        relay = await stack.enter_async_context(Relay(HOST_ADDRESS, to=NODE_ADDRESS, to_port=API_PORT))
        stack.callback(target.unlink, missing_ok=True)
        write_relayed(KUBECONFIG, target, host=HOST_ADDRESS, port=relay.port, name=NODE_ADDRESS)
        await bed.operator.stop()
        stack.push_async_callback(_restart, bed)
        await bed.operator_with(kubeconfig=target).start()
        if not await until_standing(bed.options.fleet.size, bed.options.limit):
            raise BenchError("the operator's sessions do not stand behind the relay")
        await asyncio.sleep(_SETTLING)
        befallen = relay.silence()
        bed.say(f"{befallen} connections are silent; changing {access.name}.")
        began = time.monotonic()
        asked = {"service": {"additionalMetadata": {"annotations": {_ANNOTATION: value}}}}
        patch = {"spec": {"controlPlane": asked}}
        await bed.client.merge_patch(TENANT_CONTROL_PLANES, access.name, patch, NAMESPACE)
        acted = await bed.observer.until(is_acted_on, _LIMIT)
        seconds = time.monotonic() - began if acted else None
    return Fault(connections=befallen, seconds=seconds)


async def _restart(bed: Testbed) -> None:
    """Give the operator its own way back, while the relay still stands, so that it can let its Lease go."""
    await bed.operator.stop()
    await bed.operator.start()
