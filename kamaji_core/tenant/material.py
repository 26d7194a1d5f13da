"""Making what was judged to be missing or due: in memory, before anything is planned or written.

The only slow part is an RSA key (about 40 ms); it is made in a thread, which the GIL allows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kamaji_core.certificates import (
    AuthorityWanted,
    LeafWanted,
    ServiceAccountKeyWanted,
    issue_authority,
    issue_kubeconfigs,
    issue_leaf,
    issue_service_account_key,
    keeps_its_key,
    renew_authority,
    rotation_requested,
)
from kamaji_core.contracts import ProbeKind, StoreError
from kamaji_core.tenant.claim import renewal_requested
from kamaji_core.tenant.facts import STORE_CERTIFICATE, STORE_CONFIG

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kamaji_core.certificates import Verdict
    from kamaji_core.contracts import Credentials
    from kamaji_core.tenant.facts import Facts
    from kamaji_core.tenant.judge import Assessment

DataBySuffix = dict[str, dict[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """New content for Secrets.

    Args:
        data: by suffix, then by key.
        credentials: the store credentials among it.
        store_error: why there are no store credentials, when the driver could not make them.
    """

    data: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)
    credentials: Credentials | None = field(default=None, repr=False)
    store_error: StoreError | None = None


async def make_material(facts: Facts, assessment: Assessment, *, now: datetime) -> Material:
    """Make all that is missing or due and can be made now.

    Args:
        facts: with the key pairs of the authorities that must sign.
        assessment: what is missing or due.
        now: present time, UTC.

    Raises:
        CertificateError: when an authority cannot sign.
    """
    data: DataBySuffix = {}
    for verdict in assessment.material.to_issue():
        data[verdict.wanted.suffix] = await _make(verdict, facts, now)
    try:
        credentials = _credentials(facts, assessment, now)
    except StoreError as error:
        return Material(data=data, store_error=error)
    if credentials is not None:
        data |= _credentials_data(credentials, facts, assessment)
    return Material(data=data, credentials=credentials)


async def _make(verdict: Verdict, facts: Facts, now: datetime) -> dict[str, bytes]:
    wanted = verdict.wanted
    if isinstance(wanted, AuthorityWanted):
        if keeps_its_key(facts.secrets.get(wanted.suffix)):
            return renew_authority(wanted, facts.authority(wanted.suffix), now=now)
        return issue_authority(wanted, now=now)
    if isinstance(wanted, ServiceAccountKeyWanted):
        return await asyncio.to_thread(issue_service_account_key, wanted.algorithm)
    authority = facts.authority(wanted.authority)
    if isinstance(wanted, LeafWanted):
        return issue_leaf(wanted, authority=authority, now=now)
    return issue_kubeconfigs(wanted, authority=authority, now=now)


def _credentials(facts: Facts, assessment: Assessment, now: datetime) -> Credentials | None:
    store = facts.store
    # Whoever names another tenant's user must not be given its credentials: first the store says whose it is.
    due = assessment.credentials_due and assessment.owns_claim
    if not due or store is None or store.driver is None or store.view is None:
        return None
    renew = renewal_requested(facts)
    try:
        return store.driver.issue(store.view, assessment.claim, current=facts.credentials, now=now, renew=renew)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything, and its words may quote a password
        sentence = (
            f"Its driver failed to issue credentials ({type(error).__name__}): report it to the driver's authors."
        )
        raise StoreError(sentence, kind=ProbeKind.REFUSED, retry=False) from None


def _credentials_data(credentials: Credentials, facts: Facts, assessment: Assessment) -> DataBySuffix:
    claim = assessment.claim
    config = {
        "DB_SCHEMA": claim.schema,
        "DB_USER": claim.user,
        "DB_PASSWORD": credentials.password or "",
        **({} if credentials.user == claim.user else {"DB_LOGIN": credentials.user}),
        **{name: value for name, value in credentials.settings.items() if not name.startswith("DB_")},
    }
    data: DataBySuffix = {STORE_CERTIFICATE: dict(credentials.files)}
    existing = facts.secrets.get(STORE_CONFIG)
    asked = existing is not None and rotation_requested(existing) and renewal_requested(facts)
    if asked or _logs_in(facts.credentials) != _logs_in(credentials):
        data[STORE_CONFIG] = {name: value.encode() for name, value in config.items()}
    return data


def _logs_in(credentials: Credentials | None) -> tuple[str, str | None, Mapping[str, str]] | None:
    return (credentials.user, credentials.password, credentials.settings) if credentials else None
