"""What only its author knows of it."""

from __future__ import annotations

from kamaji_addon_hello import Hello
from kamaji_addon_hello.addon import HelloConfig, HelloStatus
from kamaji_core.contracts import Applied, Material, TenantView

TENANT = TenantView(namespace="team-a", name="shop", uid="1", version="v1.37.1", replicas=1)


def test_it_greets_by_name() -> None:
    """Each tenant by its own."""
    *_, config_map = Hello().tenant_objects(TENANT, HelloConfig(greeting="Welcome"), Material())
    assert config_map.manifest["data"]["greeting"] == "Welcome, shop!"


def test_the_signature_is_the_tenants() -> None:
    """Who changes it, keeps it."""
    *_, config_map = Hello().tenant_objects(TENANT, HelloConfig(), Material())
    assert config_map.yield_fields == ("data.signature",)


def test_its_status() -> None:
    """What is said, and where."""
    assert Hello().status(TENANT, HelloConfig(), Applied()) == HelloStatus(
        greeting="Hello, shop!", config_map="kube-system/hello"
    )
