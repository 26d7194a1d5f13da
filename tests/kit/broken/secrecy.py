"""Drivers that show a secret."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from typing import TYPE_CHECKING, Any

import structlog

from broken.base import Broken
from kamaji_core.contracts import (
    Container,
    ControlPlaneParts,
    EnvironmentVariable,
    Flag,
    Probe,
    StoreError,
    TlsMaterial,
)
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim, Credentials, StoreView


class LogsASecret(Broken):
    """Whoever reads the log logs in."""

    class SESSION(EtcdSession):
        """See above."""

        async def ensure(self, claim: Claim, credentials: Credentials) -> None:
            """Tell what is done."""
            structlog.get_logger().info("a user is made", user=claim.user, files=dict(credentials.files))
            await super().ensure(claim, credentials)


class LogsASecretForDebugging(Broken):
    """Only who asks for it sees it."""

    class SESSION(EtcdSession):
        """See above."""

        async def ensure(self, claim: Claim, credentials: Credentials) -> None:
            """Tell what is done."""
            logging.getLogger("kamaji.etcd").debug("a user is made with %s", credentials.files)
            await super().ensure(claim, credentials)


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


class SecretInAnError(Broken):
    """What cannot be done is told in full."""

    class SESSION(EtcdSession):
        """See above."""

        async def ensure(self, claim: Claim, credentials: Credentials) -> None:
            """Tell the credentials."""
            try:
                await super().ensure(claim, credentials)
            except StoreError as error:
                key = credentials.files["server.key"].decode().splitlines()[1]
                raise StoreError(f"The key {key} opens nothing: {error}", kind=error.kind, retry=error.retry) from None


class SecretOnTheDisk(Broken):
    """OpenSSL wants files, so there are files."""

    def open(self, store: StoreView) -> EtcdSession:
        """Write the operator's key."""
        with tempfile.NamedTemporaryFile(suffix=".key") as file:
            file.write((store.tls or TlsMaterial()).client_key)
            file.flush()
            return super().open(store)


class SecretInAFlag(Broken):
    """Whoever lists the processes logs in."""

    def parts(self, store: StoreView, *arguments: Any, **options: Any) -> ControlPlaneParts:
        """Add a flag."""
        parts = super().parts(store, *arguments, **options)
        flag = Flag(component="kube-apiserver", name="--etcd-key", value=_key(store))
        return dataclasses.replace(parts, flags=(*parts.flags, flag))


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
