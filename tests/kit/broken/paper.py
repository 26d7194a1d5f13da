"""Drivers whose pure half is not pure, not steady or not careful."""

from __future__ import annotations

import dataclasses
import socket
from typing import TYPE_CHECKING, Any, ClassVar

from broken.base import Broken
from kamaji_core.contracts import (
    Container,
    ControlPlaneParts,
    Credentials,
    EnvironmentVariable,
    Mount,
    RestartOn,
    Volume,
)
from kamaji_datastore_etcd.driver import DIRECTORY, VOLUME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kamaji_core.contracts import Claim, StoreView, TenantView


class KeepsAnothers(Broken):
    """Whatever is in the Secret is good, whoever's it is."""

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        """Look at nothing."""
        if current is not None and not renew:
            return current
        return super().issue(store, claim, current=current, now=now, renew=renew)


class IssuesOverTheNetwork(Broken):
    """A name is resolved in the reconcile path."""

    def issue(self, store: StoreView, *arguments: Any, **options: Any) -> Credentials:
        """Ask the resolver."""
        host, _, port = store.endpoints[0].rpartition(":")
        socket.getaddrinfo(host, int(port))
        return super().issue(store, *arguments, **options)


class FindsFaultWithAll(Broken):
    """A sound DataStore has a problem."""

    def validate(self, store: StoreView) -> Sequence[str]:
        """Find something."""
        return [*super().validate(store), "spec.endpoints should be others: change them."]


class MountsForNobody(Broken):
    """A volume is for a container that the pod does not have."""

    def parts(self, *arguments: Any, **options: Any) -> ControlPlaneParts:
        """Misspell."""
        parts = super().parts(*arguments, **options)
        mount = Mount(component="kine", volume=VOLUME, path=DIRECTORY)
        return dataclasses.replace(parts, mounts=(*parts.mounts, mount))


class UnknownSecret(Broken):
    """A volume shows a Secret that nobody makes, so the pods never start."""

    def parts(self, *arguments: Any, **options: Any) -> ControlPlaneParts:
        """Name another."""
        parts = super().parts(*arguments, **options)
        return dataclasses.replace(parts, volumes=(*parts.volumes, Volume(name="more", secret="etcd-certificates")))


class RestartsOnNothing(Broken):
    """Pods are to restart on a key that no Secret has."""

    def parts(self, *arguments: Any, **options: Any) -> ControlPlaneParts:
        """Misspell."""
        parts = super().parts(*arguments, **options)
        restart = RestartOn(name="more", secret="etcd-certificates", key="ca.pem")
        return dataclasses.replace(parts, restart_on=(*parts.restart_on, restart))


class ReadsNoKey(Broken):
    """A variable comes from a key that the Secret does not have."""

    def parts(self, *arguments: Any, **options: Any) -> ControlPlaneParts:
        """Misspell."""
        parts = super().parts(*arguments, **options)
        variable = EnvironmentVariable(name="ENDPOINT", secret=options["secrets"].config, key="ENDPIONT")
        container = Container(name="relay", image="relay:1", command=("relay",), environment=(variable,))
        return dataclasses.replace(parts, containers=(*parts.containers, container))


class OneShareForAll(Broken):
    """The first tenant's share is remembered and given to all."""

    FIRST: ClassVar[list[str]] = []

    def parts(self, store: StoreView, tenant: TenantView, claim: Claim, **options: Any) -> ControlPlaneParts:
        """Name the first share."""
        self.FIRST.append(claim.schema)
        return super().parts(store, tenant, dataclasses.replace(claim, schema=self.FIRST[0]), **options)


class NamesAFileOfNobody(Broken):
    """A flag names a file that is nowhere in the container."""

    def parts(self, *arguments: Any, **options: Any) -> ControlPlaneParts:
        """Misspell."""
        parts = super().parts(*arguments, **options)
        flags = (dataclasses.replace(flag, value=flag.value.replace(".key", ".pem")) for flag in parts.flags)
        return dataclasses.replace(parts, flags=tuple(flags))
