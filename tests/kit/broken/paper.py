"""Drivers whose pure half is not pure, not steady or not careful."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import socket
from typing import TYPE_CHECKING, Any, ClassVar

from broken.base import Broken
from kamaji_core.contracts import (
    Container,
    ControlPlaneParts,
    Credentials,
    EnvironmentVariable,
    Flag,
    Mount,
    RestartOn,
    TlsMaterial,
    Volume,
)
from kamaji_datastore_etcd.driver import DIRECTORY, VOLUME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from kamaji_core.contracts import Claim, StoreView, TenantView


class LoadsAtOnce(Broken):
    """Its entry module is `broken.eager`."""


class RestlessCredentials(Broken):
    """New ones whenever somebody asks: the pods never come to rest."""

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        """Take no notice of the current ones."""
        return super().issue(store, claim, current=None, now=now, renew=renew)


class StoreChangesCredentials(Broken):
    """A label on the DataStore makes new credentials."""

    MADE_FOR: ClassVar[dict[str, str]] = {}

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        """Renew when the digest is another."""
        same = self.MADE_FOR.setdefault(claim.user, store.content_digest) == store.content_digest
        return super().issue(store, claim, current=current if same else None, now=now, renew=renew)


class NeverRenews(Broken):
    """Credentials are kept although new ones were asked for."""

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        """Take no notice of the wish."""
        return super().issue(store, claim, current=current, now=now, renew=renew and current is None)


class KeepsUntilTheEnd(Broken):
    """Credentials are kept until they have ended, and the pods with them."""

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        """Renew too late."""
        if current is not None and not renew and current.not_after is not None and now < current.not_after:
            return current
        return super().issue(store, claim, current=current, now=now, renew=renew)


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


class ValidatesOverTheNetwork(Broken):
    """Settings are checked by a connection."""

    def validate(self, store: StoreView) -> Sequence[str]:
        """Knock."""
        with socket.socket() as knocking:
            knocking.settimeout(0.2)
            host, _, port = store.endpoints[0].rpartition(":")
            knocking.connect_ex((host, int(port) if port.isdecimal() else 1))
        return super().validate(store)


class AcceptsEverything(Broken):
    """Wrong settings show when the store is opened."""

    def validate(self, store: StoreView) -> Sequence[str]:
        """Find nothing."""
        return []


class FindsFaultWithAll(Broken):
    """A sound DataStore has a problem."""

    def validate(self, store: StoreView) -> Sequence[str]:
        """Find something."""
        return [*super().validate(store), "spec.endpoints should be others: change them."]


class UnsteadyParts(Broken):
    """Another answer each time rolls the pods each time."""

    NUMBERS: ClassVar[Iterator[int]] = itertools.count()

    def parts(self, *arguments: Any, **options: Any) -> ControlPlaneParts:
        """Count."""
        parts = super().parts(*arguments, **options)
        flag = Flag(component="kube-apiserver", name="--etcd-count-metric-poll-period", value=f"{next(self.NUMBERS)}s")
        return dataclasses.replace(parts, flags=(*parts.flags, flag))


class MountsNothing(Broken):
    """A container gets a volume that the pod does not have."""

    def parts(self, *arguments: Any, **options: Any) -> ControlPlaneParts:
        """Misspell."""
        parts = super().parts(*arguments, **options)
        mount = Mount(component="kube-apiserver", volume=f"{VOLUME}s", path=f"{DIRECTORY}-more")
        return dataclasses.replace(parts, mounts=(*parts.mounts, mount))


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


class LoginRollsPods(Broken):
    """The operator's own login is part of what pods are made of."""

    def parts(self, store: StoreView, *arguments: Any, **options: Any) -> ControlPlaneParts:
        """Name a volume after the login."""
        parts = super().parts(store, *arguments, **options)
        digest = hashlib.sha256((store.tls or TlsMaterial()).client_certificate).hexdigest()[:8]
        volume = Volume(name=f"login-{digest}", secret=options["secrets"].credentials)
        return dataclasses.replace(parts, volumes=(*parts.volumes, volume))
