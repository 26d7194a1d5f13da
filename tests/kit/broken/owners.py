"""Drivers that decide wrongly whose a schema or a user is."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from broken.base import Broken
from kamaji_core.contracts import StoreError
from kamaji_datastore_etcd import ownership
from kamaji_datastore_etcd._proto import etcd_wire_pb2 as pb
from kamaji_datastore_etcd.session import EtcdSession
from kamaji_datastore_etcd.wire import _TXN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kamaji_core.contracts import Claim
    from kamaji_datastore_etcd.ownership import Found


class _Put(EtcdSession):
    """Can write keys without looking."""

    async def put(self, values: Mapping[bytes, bytes]) -> None:
        """Write over whatever is there."""
        puts = [pb.RequestOp(request_put=pb.PutRequest(key=key, value=value)) for key, value in values.items()]
        await self._wire._keys(_TXN, pb.TxnRequest(success=puts))

    def records(self, claim: Claim) -> dict[bytes, bytes]:
        """Both records of a claim."""
        content = ownership.record_of(claim).encode()
        return {ownership.schema_key(claim): content, ownership.user_key(claim): content}


def _by_name(claim: Claim) -> Claim:
    return dataclasses.replace(claim, tenant_uid=f"{claim.namespace}/{claim.name}")


class LooksThenWrites(Broken):
    """What was free a moment ago is written without another look."""

    class SESSION(_Put):
        """See above."""

        async def _own(self, claim: Claim, found: Found) -> None:
            missing = ownership.missing_records(claim, found)
            await asyncio.sleep(0.1)
            await self.put(missing)


class BelievesTheStatus(Broken):
    """A claim that is recorded in a status outweighs the record at the store."""

    class SESSION(_Put):
        """See above."""

        async def _own(self, claim: Claim, found: Found) -> None:
            if claim.recorded:
                await self.put(self.records(claim))
            else:
                await super()._own(claim, found)


class TriesForEver(Broken):
    """What another tenant has is asked for again and again."""

    class SESSION(EtcdSession):
        """See above."""

        async def reserve(self, claim: Claim) -> None:
            """Say that a later attempt may succeed."""
            try:
                await super().reserve(claim)
            except StoreError as error:
                raise StoreError(str(error), kind=error.kind) from None


class ReservesHalf(Broken):
    """The user is reserved before the schema is looked at."""

    class SESSION(EtcdSession):
        """See above."""

        async def reserve(self, claim: Claim) -> None:
            """One record at a time."""
            key = ownership.user_key(claim)
            await self._wire.create({key: ownership.record_of(claim).encode()}, empty=None)
            await super().reserve(claim)


class GivesAwayTheOperator(Broken):
    """The operator's own user is a name like any other."""

    class SESSION(EtcdSession):
        """See above."""

        async def reserve(self, claim: Claim) -> None:
            """Look at no name."""
            if claim.user != self._login:
                await super().reserve(claim)
