"""Drivers that tell what is not so."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from broken.base import Broken
from kamaji_core.contracts import Drift, Probe, ProbeKind, StoreError, Usage
from kamaji_datastore_etcd.channels import Channels
from kamaji_datastore_etcd.rights import changes_to
from kamaji_datastore_etcd.session import EtcdSession
from kamaji_datastore_etcd.usage import measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kamaji_core.contracts import Claim


class CountsNeighbours(Broken):
    """The range that is measured ends with the name."""

    class SESSION(EtcdSession):
        """See above."""

        async def usage(self, claim: Claim) -> Usage:
            """Measure too much."""
            return await measure(self._wire, f"/{claim.schema}".encode(), f"/{claim.schema}~".encode())


class CountsNothing(Broken):
    """No tenant takes anything."""

    class SESSION(EtcdSession):
        """See above."""

        async def usage(self, claim: Claim) -> Usage:
            """Measure nothing."""
            return Usage(keys=0, bytes=0, exact=True)


class ListsPartly(Broken):
    """Reservations are left out of the list: their users do not exist yet."""

    class SESSION(EtcdSession):
        """See above."""

        async def claims(self) -> Sequence[Claim]:
            """Leave out."""
            return [claim for claim in await super().claims() if await self._wire.user_roles(claim.user) is not None]


class SeesNoDrift(Broken):
    """All is always well."""

    class SESSION(EtcdSession):
        """See above."""

        async def check(self, claim: Claim) -> Drift | None:
            """See nothing."""
            return None


class MendsInSecret(Broken):
    """Looking is writing."""

    class SESSION(EtcdSession):
        """See above."""

        async def check(self, claim: Claim) -> Drift | None:
            """Mend what is found."""
            drift = await super().check(claim)
            if drift is not None and drift.what in {"user", "rights"}:
                await self._apply(claim, changes_to(claim, present=(await self._find(claim)).rights))
            return drift


class KnocksOnly(Broken):
    """A server that listens is a server that serves."""

    class SESSION(EtcdSession):
        """See above."""

        async def probe(self) -> Probe:
            """Look at what nobody needs rights for."""
            try:
                status = await self._wire.status()
            except StoreError as error:
                return Probe(kind=error.kind, sentence=str(error))
            return Probe(kind=ProbeKind.OK, sentence="etcd answers.", server_version=status.version)


class ProbeRaises(Broken):
    """Trouble is an error instead of an answer."""

    class SESSION(EtcdSession):
        """See above."""

        async def probe(self) -> Probe:
            """Raise it."""
            probe = await super().probe()
            if not probe.ok:
                raise StoreError(probe.sentence, kind=probe.kind)
            return probe


class OneKindForAll(Broken):
    """Whatever is wrong, nobody listens."""

    class SESSION(EtcdSession):
        """See above."""

        async def probe(self) -> Probe:
            """Tell one kind."""
            probe = await super().probe()
            return probe if probe.ok else Probe(kind=ProbeKind.REFUSED, sentence=probe.sentence)


class FullIsWell(Broken):
    """As long as logins work, all is well."""

    class SESSION(EtcdSession):
        """See above."""

        async def probe(self) -> Probe:
            """Take no notice of what a write would meet."""
            probe = await super().probe()
            return dataclasses.replace(probe, kind=ProbeKind.OK) if probe.kind is ProbeKind.FULL else probe


class SpeaksInCodes(Broken):
    """The server's own words are sentence enough."""

    class SESSION(EtcdSession):
        """See above."""

        async def probe(self) -> Probe:
            """Tell a code."""
            probe = await super().probe()
            return probe if probe.ok else Probe(kind=probe.kind, sentence=f"code={probe.kind.value}")


class FailsItsOwnWay(Broken):
    """What the network raises reaches the operator unchanged."""

    class CHANNELS(Channels):
        """See above."""

        async def call(self, *arguments: object, **options: object) -> object:
            """Raise what nobody expects."""
            try:
                return await super().call(*arguments, **options)  # type: ignore[arg-type]
            except StoreError as error:
                if error.kind in self.LEAKED:
                    raise ConnectionError(str(error)) from None
                raise

        LEAKED: ClassVar[frozenset[ProbeKind]] = frozenset({ProbeKind.REFUSED, ProbeKind.TIMEOUT})
