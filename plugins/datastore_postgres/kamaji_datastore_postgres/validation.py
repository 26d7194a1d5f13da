"""What is wrong with a DataStore before PostgreSQL is asked: endpoints, login, and how connections are protected.

Each problem is a sentence that names the field and the remedy, and all of them are told at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.contracts import ConfigurationError, TlsMaterial
from kamaji_core.contracts.store_checks import (
    CA,
    CA_KEY,
    CLIENT,
    CLIENT_KEY,
    certificate_of,
    endpoint_problems,
    key_problems,
)
from kamaji_datastore_postgres.settings import config_of, login_of
from kamaji_kine import kine_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kamaji_core.contracts import BasicAuth, StoreView
    from kamaji_datastore_postgres.settings import PostgresConfig


def problems_of(store: StoreView) -> tuple[str, ...]:
    """Tell everything that is wrong with a DataStore's settings, a sentence each."""
    try:
        config = config_of(store)
    except ConfigurationError as error:
        return (str(error),)
    return (
        *endpoint_problems(store.endpoints, server="PostgreSQL server"),
        *_login_problems(store, store.basic_auth),
        *_protection_problems(store, config),
        *_certificate_problems(store.tls or TlsMaterial()),
        *kine_problems(config.kine),
    )


def _login_problems(store: StoreView, basic_auth: BasicAuth | None) -> Iterator[str]:
    if basic_auth is None:
        if not login_of(store):
            yield (
                "Nothing tells which role the operator logs in as: set spec.basicAuth, or a "
                "spec.tlsConfig.clientCertificate whose common name is the role."
            )
        return
    for field, value in (("username", basic_auth.username), ("password", basic_auth.password)):
        if not value:
            yield f"spec.basicAuth.{field} is empty: give the operator's own login at PostgreSQL."
        elif value != value.strip("\r\n") or "\0" in value:
            yield f"spec.basicAuth.{field} holds a line break or NUL at an end: write it without."


def _protection_problems(store: StoreView, config: PostgresConfig) -> Iterator[str]:
    has_authority = store.tls is not None and bool(store.tls.ca_certificate)
    if config.protection.startswith("verify-") and not has_authority:
        yield (
            f"{CA} is missing, so the server cannot be verified: name its authority, or set spec.config.sslmode to "
            f"require (encrypted, to whoever answers) or disable (plain text)."
        )
    if not config.protection.startswith("verify-") and store.tls is not None:
        yield (
            f"spec.config.sslmode is {config.protection}, which makes no use of spec.tlsConfig: set it to verify-full "
            f"or verify-ca, or remove spec.tlsConfig."
        )
    if config.share_client_certificate and not (store.tls and store.tls.client_certificate):
        yield f"spec.config.shareClientCertificate is set and there is no {CLIENT}: name one or remove the setting."


def _certificate_problems(tls: TlsMaterial) -> Iterator[str]:
    authority, problem = certificate_of(CA, tls.ca_certificate)
    yield from problem
    if authority and not authority.is_ca:
        yield f"{CA} is not the certificate of an authority: give the one that signs the server's."
    if tls.ca_key:
        yield from key_problems(CA_KEY, tls.ca_key, of=CA, certificate=authority, purpose=f"belongs to {CA}")
    client, problem = certificate_of(CLIENT, tls.client_certificate)
    yield from problem
    if tls.client_certificate or tls.client_key:
        yield from key_problems(
            CLIENT_KEY, tls.client_key, of=CLIENT, certificate=client, purpose=f"belongs to {CLIENT}"
        )
    if tls.client_key and not tls.client_certificate:
        yield f"{CLIENT} is missing: name the certificate that belongs to {CLIENT_KEY}."
