"""What each pure test of the kit works with: the add-on on the bench, and what it wants of a tenant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from kamaji_core.contracts import ControlPlaneParts, IssuedCertificate, Material, TenantObject, TenantView
from kamaji_core.render import tenant_view
from kamaji_core.testing.management_course import a_tenant

if TYPE_CHECKING:
    from kamaji_core.testing.addon.under_test import AddonUnderTest, Settings

AUTHORITY = b"-----BEGIN CERTIFICATE-----\nkit\n-----END CERTIFICATE-----\n"
ENDPOINT = "192.0.2.7:6443"


class Bench:
    """An add-on and one tenant.

    Args:
        under_test: what its author says.
    """

    def __init__(self, under_test: AddonUnderTest) -> None:
        self.under_test = under_test
        self.addon = under_test.ADDON()

    def config(self, settings: Settings | None = None) -> msgspec.Struct:
        """Its settings, read as the core reads them."""
        given = self.under_test.ON if settings is None else settings
        config = self.addon.config(self.under_test.spec(given))
        assert config is not None, f"{given} do not turn it on"
        return config

    def view(self, settings: Settings | None = None, **fields: Any) -> TenantView:
        """A tenant in which it is turned on."""
        given = self.under_test.ON if settings is None else settings
        tenant = a_tenant(addons=self.under_test.spec(given))
        view = tenant_view(tenant, endpoint=ENDPOINT, ca_cert=AUTHORITY, secret_names={"ca": "shop-ca"})
        return replace(view, **fields)

    def parts(self, settings: Settings | None = None, **fields: Any) -> ControlPlaneParts:
        """What it wants in the tenant's pods."""
        config = self.config(settings)  # first: wrong settings of an add-on that the API names are no tenant's
        return self.addon.parts(self.view(settings, **fields), config)

    def material(self, settings: Settings | None = None) -> Material:
        """What is issued for its parts, as it is told of it."""
        parts = self.parts(settings)

        def issued(suffix: str) -> IssuedCertificate:
            return IssuedCertificate(secret=f"shop-{suffix}", certificate=b"CERTIFICATE", authority=AUTHORITY)

        return Material(
            certificates={one.suffix: issued(one.suffix) for one in parts.certificates},
            kubeconfigs={one.suffix: issued(one.suffix) for one in parts.kubeconfigs},
        )

    def objects(self, settings: Settings | None = None, **fields: Any) -> list[TenantObject]:
        """What it wants inside the tenant's cluster."""
        wanted = self.addon.tenant_objects(
            self.view(settings, **fields), self.config(settings), self.material(settings)
        )
        return list(wanted)

    @property
    def all_settings(self) -> tuple[Settings, ...]:
        """Every set of settings that its author names."""
        return (self.under_test.ON, *self.under_test.OTHER)


def written(value: Any) -> bytes:
    """A value in an order of its own, to be compared; what is no plain data raises."""
    return msgspec.json.encode(value, order="deterministic", enc_hook=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset | set):
        return sorted(value)
    if hasattr(value, "items"):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no plain data")
