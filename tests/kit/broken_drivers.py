"""Drivers that break one promise each: etcd's own, changed in the one place that an author may get wrong.

A kit that passes everything is worth nothing. Each class here is a mistake that was made, or nearly made, in a real
driver; the table at the end says which test of the kit is meant to catch it and what the failure must say.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import random
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import structlog

from kamaji_core.contracts import Claim, Flag, Mount, Probe, ProbeKind, StoreError, Usage
from kamaji_datastore_etcd import EtcdDriver, ownership
from kamaji_datastore_etcd.channels import Channels
from kamaji_datastore_etcd.driver import login_of
from kamaji_datastore_etcd.names import key_range
from kamaji_datastore_etcd.rights import Permission
from kamaji_datastore_etcd.session import EtcdSession

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kamaji_core.contracts import ControlPlaneParts, Credentials, Drift, SecretReferences, StoreView, TenantView

sys.path.append(str(Path(__file__).parent))  # this folder is no package

from broken.table import FURTHER  # after the line above

log = structlog.get_logger()
leaked: list[Any] = []
numbers = itertools.count()


class BrokenDriver(EtcdDriver):
    """etcd's driver with another session."""

    SESSION: ClassVar[type[EtcdSession]] = EtcdSession

    def open(self, store: StoreView) -> EtcdSession:
        assert store.tls is not None
        session = self.SESSION(Channels(store.endpoints, store.tls), login=login_of(store))
        session.store = store  # type: ignore[attr-defined] - for those that misuse it
        return session


def with_session(session: type[EtcdSession]) -> type[BrokenDriver]:
    """A driver that opens sessions of this class."""
    return type(session.__name__, (BrokenDriver,), {"SESSION": session})


# Rights and isolation


class OpenRange(EtcdSession):
    """The range has no slash at its ends, so `a` covers `a0` and `ab`."""

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        await super().ensure(claim, credentials)
        start = f"/{claim.schema}".encode()
        wide = Permission(key=start, range_end=start + b"\xff", kind="READWRITE")
        await self._wire.grant_permission(role=claim.schema, permission=wide)


class ReserveGivesRights(EtcdSession):
    """Makes everything at once."""

    async def reserve(self, claim: Claim) -> None:
        await super().reserve(claim)
        found = await self._find(claim)
        if found.rights.roles is None:
            await self._wire.add_user(claim.user)
            await self._wire.add_role(claim.schema)
            start, end = key_range(claim.schema)
            await self._wire.grant_permission(
                role=claim.schema, permission=Permission(key=start, range_end=end, kind="READWRITE")
            )
            await self._wire.grant_role(user=claim.user, role=claim.schema)


class TrimsNames(EtcdSession):
    """Makes names fit instead of refusing them, so that two become one."""

    @staticmethod
    def _fit(claim: Claim) -> Claim:
        return dataclasses.replace(claim, schema=claim.schema.strip(" %*_.'\"`/") or "x")

    async def reserve(self, claim: Claim) -> None:
        await super().reserve(self._fit(claim))

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        await super().ensure(self._fit(claim), credentials)


class AnyCredentials(EtcdSession):
    """Does not look whose credentials it is given."""

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        await super().ensure(claim, dataclasses.replace(credentials, user=claim.user))


class Stateful(EtcdSession):
    """Remembers what it made instead of looking."""

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        made = self.__dict__.setdefault("made", set())
        if claim not in made:
            await super().ensure(claim, credentials)
            made.add(claim)


# Owners


class NamesDecide(EtcdSession):
    """Knows owners by namespace and name, so whoever is made anew under them gets the former one's data."""

    @staticmethod
    def _named(claim: Claim) -> Claim:
        return dataclasses.replace(claim, tenant_uid=f"{claim.namespace}/{claim.name}")

    async def reserve(self, claim: Claim) -> None:
        await super().reserve(self._named(claim))

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        await super().ensure(self._named(claim), credentials)


class _Overwrites(EtcdSession):
    KEYS: ClassVar[tuple[Any, ...]] = ()

    async def reserve(self, claim: Claim) -> None:
        keys = [key(claim) for key in self.KEYS]
        there = await self._wire.read(keys)
        others = {key: value for key, value in zip(keys, there, strict=True) if value is not None}
        if others and not all(ownership.is_owned(claim, value) for value in others.values()):
            await self._wire.delete(others)
        await super().reserve(dataclasses.replace(claim, recorded=True))


class LastOneWins(_Overwrites):
    """Writes its record over another's."""

    KEYS = (ownership.schema_key,)

    async def reserve(self, claim: Claim) -> None:
        try:
            await super().reserve(claim)
        except StoreError:
            record = ownership.record_of(claim).encode()
            await self._wire.create({ownership.schema_key(claim): record}, empty=None)


class UsersAreFree(LastOneWins):
    """Guards schemas and forgets users."""

    KEYS = (ownership.user_key,)

    async def reserve(self, claim: Claim) -> None:
        await self._wire.create({ownership.schema_key(claim): ownership.record_of(claim).encode()}, empty=None)
        there = await self._wire.read([ownership.schema_key(claim)])
        if not ownership.is_owned(claim, there[0]):
            await EtcdSession.reserve(self, claim)


class TakesOver(EtcdSession):
    """Takes what nobody owns, whoever names it."""

    async def reserve(self, claim: Claim) -> None:
        await super().reserve(dataclasses.replace(claim, recorded=True))


class RemovesOthers(EtcdSession):
    """Removes by name."""

    async def remove(self, claim: Claim) -> None:
        await self._wire.delete_user(claim.user)
        await self._wire.delete_role(claim.schema)
        await super().remove(claim)


# Ends


class NoRevoke(EtcdSession):
    """Leaves the access."""

    async def revoke(self, claim: Claim) -> None:
        await self._find(claim)


class RevokesData(EtcdSession):
    """Takes the data with the access."""

    async def revoke(self, claim: Claim) -> None:
        await super().revoke(claim)
        await self._wire.delete_keys(*key_range(claim.schema))


class KeepsUser(EtcdSession):
    """Forgets the user when it removes."""

    async def remove(self, claim: Claim) -> None:
        await super().remove(claim)
        await self._wire.add_user(claim.user)


class ForgetsRole(EtcdSession):
    """Forgets the role when it removes."""

    async def remove(self, claim: Claim) -> None:
        await super().remove(claim)
        await self._wire.add_role(claim.schema)


class RemovesDataFirst(EtcdSession):
    """Empties the range while the tenant may still write."""

    async def remove(self, claim: Claim) -> None:
        await self._wire.delete_keys(*key_range(claim.schema))
        await asyncio.sleep(0.2)
        await self._wire.delete_user(claim.user)
        await self._wire.delete_role(claim.schema)
        keys = [ownership.schema_key(claim), ownership.user_key(claim)]
        there = await self._wire.read(keys)
        await self._wire.delete({key: value for key, value in zip(keys, there, strict=True) if value is not None})


class RemoveMissesNothing(EtcdSession):
    """Fails where there is nothing to remove."""

    async def remove(self, claim: Claim) -> None:
        if (await self._find(claim)).unrecorded:
            raise StoreError("There is no such tenant: look for it.", kind=ProbeKind.REFUSED)
        await super().remove(claim)


class SettleEndsThePresent(EtcdSession):
    """Ends every login, the present one too."""

    async def settle(self, claim: Claim, credentials: Credentials) -> None:
        await self._wire.delete_user(claim.user)


# Time, cancellation and connections


class Leaks(EtcdSession):
    """A connection for each call, none given back."""

    async def reserve(self, claim: Claim) -> None:
        host, _, port = self._channels.endpoints[0].rpartition(":")
        leaked.append(await asyncio.open_connection(host, int(port)))
        await super().reserve(claim)


class NeverCloses(EtcdSession):
    """Forgets its connections when it is closed."""

    async def aclose(self) -> None:
        leaked.append(self._channels)


class CloseRaises(EtcdSession):
    """Says goodbye to a server that is gone."""

    async def aclose(self) -> None:
        try:
            await self._wire.status()
        finally:
            await super().aclose()


class SwallowsCancellation(EtcdSession):
    """Takes being cancelled for a success."""

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        try:
            await super().ensure(claim, credentials)
        except asyncio.CancelledError:
            return


class GoesOn(EtcdSession):
    """Finishes in the background what was broken off."""

    async def reserve(self, claim: Claim) -> None:
        task = asyncio.create_task(self._for_ever(claim))
        leaked.append(task)
        await asyncio.shield(task)

    async def _for_ever(self, claim: Claim) -> None:
        while True:
            try:
                return await super().reserve(claim)
            except StoreError as error:
                if not error.retry:
                    raise


class NotWhole(EtcdSession):
    """Takes the user for a sign that everything was made."""

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        if (await self._find(claim)).rights.roles is None:
            await super().ensure(claim, credentials)


class Unbounded(EtcdSession):
    """Waits for an answer as long as it takes."""

    async def probe(self) -> Probe:
        host, _, port = self._channels.endpoints[0].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(b"hello\r\n")
            await reader.read(1)
        finally:
            writer.close()
        return await super().probe()


class Blocks(EtcdSession):
    """Sleeps without giving the loop back."""

    async def reserve(self, claim: Claim) -> None:
        time.sleep(0.6)  # noqa: ASYNC251 - that is the mistake
        await super().reserve(claim)


class Computes(EtcdSession):
    """Counts in the loop."""

    async def usage(self, claim: Claim) -> Usage:
        end = time.thread_time() + 0.6
        while time.thread_time() < end:
            pass
        return await super().usage(claim)


# Faults


class GivesUp(EtcdSession):
    """Takes a server that is away for one that is wrong."""

    async def reserve(self, claim: Claim) -> None:
        try:
            await super().reserve(claim)
        except StoreError as error:
            raise StoreError(str(error), kind=error.kind, retry=False) from None


class OtherErrors(EtcdSession):
    """Lets its library's errors out."""

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        try:
            await super().ensure(claim, credentials)
        except StoreError as error:
            if error.retry:
                raise OSError("[Errno 111] Connect call failed") from None
            raise


class NeverHeals(EtcdSession):
    """Keeps a broken connection."""

    async def revoke(self, claim: Claim) -> None:
        if "broken" in self.__dict__:
            raise StoreError("The connection is broken: open another session.", kind=ProbeKind.REFUSED)
        try:
            await super().revoke(claim)
        except StoreError:
            self.__dict__["broken"] = True
            raise


# Probes and looks


class ProbesThePort(EtcdSession):
    """Takes an open port for a store."""

    async def probe(self) -> Probe:
        host, _, port = self._channels.endpoints[0].rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return Probe(kind=ProbeKind.REFUSED, sentence="Nobody listens there: start it.")
        writer.close()
        return Probe(kind=ProbeKind.OK, sentence="It answers.", server_version="3.6.14")


class ProbeRaises(EtcdSession):
    """Raises what should be an answer."""

    async def probe(self) -> Probe:
        found = await super().probe()
        if not found.ok:
            raise StoreError(found.sentence, kind=found.kind)
        return found


class FullIsFine(EtcdSession):
    """Takes a full store for one in order, since logins work."""

    async def probe(self) -> Probe:
        found = await super().probe()
        return dataclasses.replace(found, kind=ProbeKind.OK) if found.kind is ProbeKind.FULL else found


class CountsNeighbours(EtcdSession):
    """Measures whatever begins alike."""

    async def usage(self, claim: Claim) -> Usage:
        start = f"/{claim.schema}".encode()
        page = await self._wire.page(start, start + b"\xff", limit=1000)
        return Usage(keys=page.count, bytes=sum(len(key) + len(value) for key, value in page.entries), exact=True)


class LeavesOut(EtcdSession):
    """Lists those alone that have a user already."""

    async def claims(self) -> Sequence[Claim]:
        return [claim for claim in await super().claims() if await self._wire.user_roles(claim.user) is not None]


class SeesNothing(EtcdSession):
    """Finds everything in order."""

    async def check(self, claim: Claim) -> Drift | None:
        await super().check(claim)
        return None


# Secrets


class LogsSecrets(EtcdSession):
    """Logs what it was given, to find a mistake."""

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        log.info("ensuring", files=credentials.files)
        await super().ensure(claim, credentials)


class LogsQuietly(EtcdSession):
    """The same, for nobody but whoever turns debugging on."""

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        logging.getLogger("driver").debug("ensuring %s", dict(credentials.files))
        await super().ensure(claim, credentials)


class QuotesSecrets(EtcdSession):
    """Tells with what it failed."""

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        try:
            await super().ensure(claim, credentials)
        except StoreError as error:
            cause = ValueError(f"cannot use {dict(credentials.files)}")
            raise StoreError(str(error), kind=error.kind, retry=error.retry) from cause


class WritesSecrets(EtcdSession):
    """Hands its key to a library in a file, for a moment."""

    async def ensure(self, claim: Claim, credentials: Credentials) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"".join(credentials.files.values()))
            file.flush()
            await super().ensure(claim, credentials)


# Pure methods


class SecretInFlag(BrokenDriver):
    """Puts the key where every pod's reader sees it."""

    def parts(
        self, store: StoreView, tenant: TenantView, claim: Claim, *, secrets: SecretReferences
    ) -> ControlPlaneParts:
        parts = super().parts(store, tenant, claim, secrets=secrets)
        assert store.tls is not None
        flag = Flag(component="kube-apiserver", name="--etcd-key", value=store.tls.client_key.decode())
        return dataclasses.replace(parts, flags=(*parts.flags, flag))


class UnstableParts(BrokenDriver):
    """Gives them in any order."""

    def parts(
        self, store: StoreView, tenant: TenantView, claim: Claim, *, secrets: SecretReferences
    ) -> ControlPlaneParts:
        parts = super().parts(store, tenant, claim, secrets=secrets)
        return dataclasses.replace(parts, flags=tuple(random.sample(parts.flags, len(parts.flags))))


class RollsForItsLogin(BrokenDriver):
    """Restarts all tenants when the operator's own certificate changes."""

    def parts(
        self, store: StoreView, tenant: TenantView, claim: Claim, *, secrets: SecretReferences
    ) -> ControlPlaneParts:
        parts = super().parts(store, tenant, claim, secrets=secrets)
        digest = str(hash(store.tls))
        return dataclasses.replace(
            parts, flags=(*parts.flags, Flag(component="kube-apiserver", name="--note", value=digest))
        )


class UnknownVolume(BrokenDriver):
    """Mounts what is not there."""

    def parts(
        self, store: StoreView, tenant: TenantView, claim: Claim, *, secrets: SecretReferences
    ) -> ControlPlaneParts:
        parts = super().parts(store, tenant, claim, secrets=secrets)
        mount = Mount(component="kube-apiserver", volume="nowhere", path="/elsewhere")
        return dataclasses.replace(parts, mounts=(*parts.mounts, mount))


class Restless(BrokenDriver):
    """Signs anew in every pass."""

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        return super().issue(store, claim, current=None, now=now, renew=renew)


class RestlessByLabel(BrokenDriver):
    """Signs anew whenever the DataStore changes in whatever way."""

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        if current is not None and current.settings.get("digest") != store.content_digest:
            current = None
        issued = super().issue(store, claim, current=current, now=now, renew=renew)
        return dataclasses.replace(issued, settings={"digest": store.content_digest})


class NeverRenews(BrokenDriver):
    """Does not hear that new ones are asked for."""

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        return super().issue(store, claim, current=current, now=now)


class ForgetsTime(BrokenDriver):
    """Keeps credentials beyond their end."""

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        if current is not None and not renew and current.user == claim.user:
            return current
        return super().issue(store, claim, current=current, now=now, renew=renew)


class ConnectsAtOnce(BrokenDriver):
    """Connects when it is opened."""

    def open(self, store: StoreView) -> EtcdSession:
        host, _, port = store.endpoints[0].rpartition(":")
        socket.create_connection((host, int(port)), 5).close()
        return super().open(store)


class AsksInValidate(BrokenDriver):
    """Resolves names where it should judge settings."""

    def validate(self, store: StoreView) -> Sequence[str]:
        if store.endpoints:
            try:
                socket.getaddrinfo("127.0.0.1", 1)
            except OSError:
                return ["spec.endpoints cannot be resolved: correct it."]
        return super().validate(store)


class SaysNothing(BrokenDriver):
    """Lets every mistake pass."""

    def validate(self, store: StoreView) -> Sequence[str]:
        return []


class FilesOnDisk(BrokenDriver):
    """Writes a file where it signs."""

    def issue(
        self, store: StoreView, claim: Claim, *, current: Credentials | None, now: datetime, renew: bool = False
    ) -> Credentials:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "serial").write_text(str(next(numbers)))
        return super().issue(store, claim, current=current, now=now, renew=renew)


SESSIONS: tuple[tuple[type[EtcdSession], str, str], ...] = (
    (OpenRange, "test_neighbours_cannot_reach_each_other[0]", "read the key"),
    (ReserveGivesRights, "test_a_reservation_lets_nobody_in", "DID NOT RAISE"),
    (TrimsNames, "test_hostile_names_are_refused_or_exact[schema]", "cannot be used"),
    (AnyCredentials, "test_another_user_s_credentials_are_refused", "was not refused"),
    (Stateful, "test_access_comes_back_with_the_data", "RefusedError: etcdserver: permission denied"),
    (NamesDecide, "test_the_uid_decides", "was not refused"),
    (LastOneWins, "test_a_schema_has_one_owner", "was not refused"),
    (UsersAreFree, "test_a_user_has_one_owner", "was not refused"),
    (TakesOver, "test_what_nobody_owns_is_not_taken", "was not refused"),
    (RemovesOthers, "test_others_can_neither_revoke_nor_remove", "Right contains 2 more items"),
    (NoRevoke, "test_revoke_ends_the_login", "DID NOT RAISE"),
    (RevokesData, "test_access_comes_back_with_the_data", "assert None == b'value'"),
    (KeepsUser, "test_remove_leaves_nothing", "user 'kit"),
    (ForgetsRole, "test_remove_leaves_nothing", "role 'kit"),
    (RemovesDataFirst, "test_remove_needs_no_revoke", "key b'/kit"),
    (RemoveMissesNothing, "test_remove_of_what_is_not_there", "There is no such tenant"),
    (SettleEndsThePresent, "test_settle_keeps_the_present", "RefusedError: etcdserver: permission denied"),
    (Leaks, "test_few_connections_serve_many_tenants", "<= 8"),
    (NeverCloses, "test_closing_ends_everything", "the driver's last connection to end"),
    (CloseRaises, "test_closing_without_the_server[SHUT]", "aclose raised"),
    (SwallowsCancellation, "test_cancelled_at_every_await[ensure]", "the cancellation was swallowed"),
    (GoesOn, "test_cancelled_calls_leave_nothing_running", "tasks go on by themselves"),
    (NotWhole, "test_cancelled_after_every_request[ensure]", "permission denied"),
    (Unbounded, "test_nobody_answers", "a probe took longer than 14 s"),
    (Blocks, "test_the_loop_is_never_blocked", "waited without await"),
    (Computes, "test_the_loop_is_never_blocked", "computed for"),
    (GivesUp, "test_the_server_is_gone[reserve]", "another attempt cannot help"),
    (OtherErrors, "test_the_server_is_gone[ensure]", "no StoreError"),
    (NeverHeals, "test_the_server_is_gone[revoke]", "does not heal"),
    (ProbesThePort, "test_each_trouble_has_its_kind[auth]", "It answers."),
    (ProbeRaises, "test_nobody_listens", "a probe raised StoreError"),
    (FullIsFine, "test_a_full_store_is_told", "is full"),
    (CountsNeighbours, "test_usage_counts_no_neighbour", "== (0, 0)"),
    (LeavesOut, "test_claims_are_listed_exactly", "assert [] == [Claim("),
    (SeesNothing, "test_what_was_changed_is_found_and_mended[user]", "nothing is found"),
    (LogsSecrets, "test_no_secret_is_logged", "a secret was logged"),
    (LogsQuietly, "test_no_secret_is_logged", "a secret was logged"),
    (QuotesSecrets, "test_no_secret_in_a_sentence", "ValueError quotes a secret"),
    (WritesSecrets, "test_no_secret_on_disk", "files are written"),
)

DRIVERS: tuple[tuple[type[BrokenDriver], str, str], ...] = (
    (SecretInFlag, "test_no_secret_stands_in_parts", "the flag --etcd-key holds a secret"),
    (UnstableParts, "test_parts_are_stable", "['flags']"),
    (RollsForItsLogin, "test_the_operator_s_own_login_rolls_no_pods", "['flags']"),
    (UnknownVolume, "test_mounts_are_of_volumes_and_containers_that_exist", "the unknown volume 'nowhere'"),
    (Restless, "test_good_credentials_are_kept", "same("),
    (RestlessByLabel, "test_credentials_are_kept_when_something_else_changes", "same("),
    (NeverRenews, "test_renewal_makes_new_ones", "same("),
    (ForgetsTime, "test_credentials_that_end_are_renewed_in_time", "same("),
    (ConnectsAtOnce, "test_opening_is_no_connection", "reaches outside"),
    (AsksInValidate, "test_validate_is_pure", "reaches outside"),
    (SaysNothing, "test_each_mistake_is_told", "is not named"),
    (FilesOnDisk, "test_issue_is_pure", "writes files"),
)

STORES: dict[str, tuple[dict[str, Any], str, str]] = {
    "KeepsOldCredentials": ({"CANNOT": {}}, "test_settle_ends_the_earlier", "DID NOT RAISE"),
    "EagerImport": ({"ENTRY": "eager_entry"}, "test_the_entry_module_is_light", "network libraries are loaded"),
}
"""What is wrong lies in what its author claims or beside the class: changes of the store under test."""

BROKEN: dict[str, tuple[type[EtcdDriver], dict[str, Any], str, str]] = {
    **{session.__name__: (with_session(session), {}, test, words) for session, test, words in SESSIONS},
    **{driver.__name__: (driver, {}, test, words) for driver, test, words in DRIVERS},
    **{name: (BrokenDriver, changes, test, words) for name, (changes, test, words) in STORES.items()},
    **FURTHER,
}
"""By name: the driver, changes of its store under test, the test that is meant for it, and words of its failure."""
