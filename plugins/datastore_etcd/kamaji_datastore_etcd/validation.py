"""What is wrong with a DataStore before etcd is asked: its endpoints and its certificates and keys.

Each problem is a sentence that names the field and the remedy, and all of them are told at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kamaji_core.contracts import TlsMaterial
from kamaji_core.contracts.store_checks import (
    CA,
    CA_KEY,
    CLIENT,
    CLIENT_KEY,
    certificate_of,
    endpoint_problems,
    key_problems,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kamaji_core.contracts import StoreView


def problems_of(store: StoreView) -> tuple[str, ...]:
    """Tell everything that is wrong with a DataStore's settings, a sentence each."""
    return (*endpoint_problems(store.endpoints, server="etcd member"), *_tls_problems(store.tls or TlsMaterial()))


def _tls_problems(tls: TlsMaterial) -> Iterator[str]:
    authority, problem = certificate_of(CA, tls.ca_certificate, purpose="etcd's members are verified with")
    yield from problem
    if authority and not authority.is_ca:
        yield f"{CA} is not the certificate of an authority: give the one that signs etcd's clients."
    yield from key_problems(CA_KEY, tls.ca_key, of=CA, certificate=authority, purpose="signs tenants' certificates")
    client, problem = certificate_of(CLIENT, tls.client_certificate, purpose="the operator logs in with")
    yield from problem
    if client and not client.common_name:
        yield f"{CLIENT} has no common name: it must name an etcd user with the role root."
    yield from key_problems(
        CLIENT_KEY, tls.client_key, of=CLIENT, certificate=client, purpose="the operator logs in with"
    )
