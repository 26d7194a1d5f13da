"""`issue`: credentials out of settings and time alone, and the same ones for as long as they are good.

It is called in every pass of a tenant. Credentials that change without need roll every tenant's pods; credentials that
do not change when they must lock a tenant out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kamaji_core.contracts import StoreError
from kamaji_core.testing.datastore.pure import nothing_outside
from kamaji_core.testing.datastore.settings import PURE_SECONDS
from kamaji_core.testing.datastore.under_test import Feature

if TYPE_CHECKING:
    from kamaji_core.contracts import Credentials
    from kamaji_core.testing.datastore.desk import Desk

SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
"""What Kubernetes takes as a key of a Secret."""


def same(one: Credentials, other: Credentials) -> bool:
    """Whether a tenant would keep running with what its pods have."""
    return (one.user, one.password, dict(one.files), dict(one.settings)) == (
        other.user,
        other.password,
        dict(other.files),
        dict(other.settings),
    )


class Issuing:
    """`issue` alone; no store is asked."""

    async def test_issue_is_pure(self, desk: Desk) -> None:
        """Neither network nor files nor programs, new or current, and little time."""
        claim = desk.claim()
        first = desk.issue(claim)
        begun = time.thread_time()
        with nothing_outside():
            current = desk.issue(claim, current=first)
            desk.issue(claim, current=current, renew=True)
            desk.issue(claim)
        assert time.thread_time() - begun < 3 * PURE_SECONDS

    async def test_good_credentials_are_kept(self, desk: Desk) -> None:
        """However often they are asked for."""
        claim = desk.claim()
        first = desk.issue(claim)
        current = first
        for _ in range(5):
            current = desk.issue(claim, current=current)
            assert same(current, first)

    async def test_credentials_are_kept_when_something_else_changes(self, desk: Desk) -> None:
        """Labels, the DataStore's name or its digest, and what the tenant's status says, are no reason for new ones."""
        claim = desk.claim()
        first = desk.issue(claim)
        now = datetime.now(UTC)
        for store in (
            dataclasses.replace(desk.store, content_digest="of another label"),
            dataclasses.replace(desk.store, name="renamed"),
        ):
            assert same(desk.driver.issue(store, claim, current=first, now=now), first)
        for changed in (
            dataclasses.replace(claim, recorded=True),
            dataclasses.replace(claim, name="renamed"),
            dataclasses.replace(claim, namespace="elsewhere"),
        ):
            assert same(desk.driver.issue(desk.store, changed, current=first, now=now), first)

    async def test_credentials_read_back_from_secrets_are_kept(self, desk: Desk) -> None:
        """What comes out of Secrets has plain mappings and no time of its end, and is the same all the same."""
        claim = desk.claim()
        first = desk.issue(claim)
        stored = dataclasses.replace(first, files=dict(first.files), settings=dict(first.settings), not_after=None)
        assert same(desk.issue(claim, current=stored), first)

    async def test_renewal_makes_new_ones(self, desk: Desk) -> None:
        """When it is asked for, whatever the current ones are good for."""
        desk.needs(Feature.LOGINS)
        claim = desk.claim()
        first = desk.issue(claim)
        second = desk.issue(claim, current=first, renew=True)
        assert not same(first, second)
        assert set(desk.server.secrets_of(first)).isdisjoint(desk.server.secrets_of(second))
        assert same(desk.issue(claim, current=second), second)

    async def test_credentials_that_end_are_renewed_in_time(self, desk: Desk) -> None:
        """New ones are made before the current ones end; until they are due nothing changes."""
        desk.needs(Feature.EXPIRY)
        claim = desk.claim()
        first = desk.issue(claim)
        assert first.not_after is not None, "Credentials.not_after must tell when they end"
        left = first.not_after - datetime.now(UTC)
        assert left > timedelta(0)
        early = datetime.now(UTC) + left / 10
        assert same(desk.driver.issue(desk.store, claim, current=first, now=early), first)
        late = datetime.now(UTC) + left * 0.95
        assert not same(desk.driver.issue(desk.store, claim, current=first, now=late), first)
        ended = first.not_after + timedelta(days=1)
        with contextlib.suppress(StoreError):  # an authority that has ended itself may say so
            assert not same(desk.driver.issue(desk.store, claim, current=first, now=ended), first)

    async def test_credentials_of_another_are_not_kept(self, desk: Desk) -> None:
        """A Secret that holds another user's, or nothing of use, is replaced."""
        desk.needs(Feature.LOGINS)
        claim, other = desk.claim(), desk.claim()
        theirs = desk.issue(other)
        ours = desk.issue(claim, current=theirs)
        assert not same(ours, theirs)
        assert set(desk.server.secrets_of(ours)).isdisjoint(desk.server.secrets_of(theirs))
        broken = dataclasses.replace(
            ours, password=None, files=dict.fromkeys(ours.files, b"broken"), settings=dict.fromkeys(ours.settings, "")
        )
        mended = desk.issue(claim, current=broken)
        assert not same(mended, broken)

    async def test_tenants_share_no_secret(self, desk: Desk) -> None:
        """Nor do two issues for one tenant: secrets are random, not made of names."""
        desk.needs(Feature.LOGINS)
        claim = desk.claim()
        issued = [desk.issue(claim), desk.issue(claim), desk.issue(desk.claim())]
        secrets = [set(desk.server.secrets_of(one)) for one in issued]
        assert all(secrets)
        assert secrets[0].isdisjoint(secrets[1])
        assert secrets[0].isdisjoint(secrets[2])

    async def test_passwords_are_strong(self, desk: Desk) -> None:
        """Long enough that nobody tries them all."""
        desk.needs(Feature.LOGINS)
        password = desk.issue(desk.claim()).password
        assert password is None or len(set(password)) >= 8
        assert password is None or len(password) >= 20

    async def test_credentials_fit_into_secrets(self, desk: Desk) -> None:
        """Names are such as Kubernetes takes, none is the core's, and nothing is shown by accident."""
        credentials = desk.issue(desk.claim())
        for name in (*credentials.files, *credentials.settings):
            assert SECRET_KEY.fullmatch(name), name
            assert not name.startswith("DB_"), name
        assert all(isinstance(content, bytes) for content in credentials.files.values())
        assert all(isinstance(value, str) for value in credentials.settings.values())
        assert not desk.seen_in(repr(credentials))

    async def test_the_end_is_told_in_utc(self, desk: Desk) -> None:
        """A time without a zone would be compared wrongly."""
        not_after = desk.issue(desk.claim()).not_after
        if not_after is not None:
            assert not_after.utcoffset() == timedelta(0)
