"""Drivers that show a secret."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from broken.base import Broken
from kamaji_core.contracts import (
    Container,
    ControlPlaneParts,
    EnvironmentVariable,
    Probe,
    TlsMaterial,
)
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from kamaji_core.contracts import StoreView


class SecretInASentence(Broken):
    """What cannot be done is told in full."""

    class SESSION(EtcdSession):
        """See above."""

        async def probe(self) -> Probe:
            """Tell the login."""
            probe = await super().probe()
            if probe.ok:
                return probe
            key = self._channels._tls.client_key.decode().splitlines()[1]
            return dataclasses.replace(probe, sentence=f"The login with the key {key} fails: {probe.sentence}")


class SecretInTheEnvironment(Broken):
    """Whoever sees the Deployment logs in."""

    def parts(self, store: StoreView, *arguments: Any, **options: Any) -> ControlPlaneParts:
        """Add a variable."""
        parts = super().parts(store, *arguments, **options)
        variable = EnvironmentVariable(name="KEY", value=_key(store))
        container = Container(name="relay", image="relay:1", command=("relay",), environment=(variable,))
        return dataclasses.replace(parts, containers=(*parts.containers, container))


class SecretInACommand(Broken):
    """Whoever lists the processes logs in."""

    def parts(self, store: StoreView, *arguments: Any, **options: Any) -> ControlPlaneParts:
        """Add a container."""
        parts = super().parts(store, *arguments, **options)
        container = Container(name="relay", image="relay:1", command=("relay", f"--key={_key(store)}"))
        return dataclasses.replace(parts, containers=(*parts.containers, container))


def _key(store: StoreView) -> str:
    return (store.tls or TlsMaterial()).client_key.decode()
