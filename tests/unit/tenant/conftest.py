"""A tenant, a store with a driver of the tests' own, and its course from the first look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kamaji_core.tenant.facts import Facts
from kamaji_core.testing.management_course import ManagementCourse, a_tenant, paper_store

if TYPE_CHECKING:
    from kamaji_core.api.tenant_control_plane import TenantControlPlane
    from kamaji_core.datastore import StoreState


@pytest.fixture
def tenant() -> TenantControlPlane:
    """A new tenant, as the API server first shows it."""
    return a_tenant()


@pytest.fixture
def store() -> StoreState:
    """A store that is ready."""
    return paper_store()


@pytest.fixture
def facts(tenant: TenantControlPlane, store: StoreState) -> Facts:
    """What is known at the first look."""
    return Facts(tenant=tenant, store_name="fast", store=store)


@pytest.fixture
def course(facts: Facts) -> ManagementCourse:
    """A tenant's course from its first look."""
    return ManagementCourse(facts)
