"""Drivers that tell what is not so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broken.base import Broken
from kamaji_core.contracts import Drift, Probe, ProbeKind, Usage
from kamaji_datastore_etcd.rights import changes_to
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim


class CountsNothing(Broken):
    """No tenant takes anything."""

    class SESSION(EtcdSession):
        """See above."""

        async def usage(self, claim: Claim) -> Usage:
            """Measure nothing."""
            return Usage(keys=0, bytes=0, exact=True)


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


class OneKindForAll(Broken):
    """Whatever is wrong, nobody listens."""

    class SESSION(EtcdSession):
        """See above."""

        async def probe(self) -> Probe:
            """Tell one kind."""
            probe = await super().probe()
            return probe if probe.ok else Probe(kind=ProbeKind.REFUSED, sentence=probe.sentence)


class SpeaksInCodes(Broken):
    """The server's own words are sentence enough."""

    class SESSION(EtcdSession):
        """See above."""

        async def probe(self) -> Probe:
            """Tell a code."""
            probe = await super().probe()
            return probe if probe.ok else Probe(kind=probe.kind, sentence=f"code={probe.kind.value}")
