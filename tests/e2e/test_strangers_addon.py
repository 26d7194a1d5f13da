"""A stranger's add-on in a tenant's cluster: there with its status, its mistakes told, and gone when it is off."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import AS_PROCESS, LIMIT, NAMESPACE, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import SandboxCommand, Tenant

pytestmark = [pytest.mark.root, AS_PROCESS]
NAME = "greeted"
SYSTEM = "--namespace=kube-system"


@pytest.fixture(scope="module")
def greeted(management: SandboxCommand, make_tenant: Callable[..., Tenant]) -> Tenant:
    """A tenant in which it is on."""
    tenant = make_tenant(NAME, addons={"extra": {"hello": {"greeting": "Welcome"}}})
    ready = ("--for=condition=AddonsReady", f"--timeout={LIMIT}s")
    management.kubectl("wait", f"tcp/{NAME}", f"--namespace={NAMESPACE}", *ready)
    return tenant


def ask(management: SandboxCommand, settings: dict[str, Any] | None) -> None:
    """Change what is asked for of it."""
    patch = json.dumps({"spec": {"addons": {"extra": {"hello": settings}}}})
    management.kubectl("patch", "tcp", NAME, f"--namespace={NAMESPACE}", "--type=merge", f"--patch={patch}")


def sentences(tenant: Tenant) -> str:
    """What all conditions say."""
    return " ".join(one["message"] for one in tenant.object()["status"]["conditions"])


def greeting(tenant: Tenant) -> str:
    """What is said in the cluster; nothing where nothing is said."""
    which = ("configmap", "hello", SYSTEM, "--ignore-not-found", "--output=jsonpath={.data.greeting}")
    return tenant.kubectl("get", *which)


def test_it_is_there(greeted: Tenant) -> None:
    """In the tenant's cluster and in its status."""
    assert greeting(greeted) == f"Welcome, {NAME}!"
    told = greeted.object()["status"]["addons"]["extra"]["hello"]
    assert told == {"greeting": f"Welcome, {NAME}!", "configMap": "kube-system/hello"}


def test_a_mistake_is_told(greeted: Tenant, management: SandboxCommand) -> None:
    """By the field's path, and what was there stays until it is mended."""
    ask(management, {"greetnig": "Hi"})
    until(lambda: "spec.addons.extra.hello.greetnig is unknown" in sentences(greeted), "the mistake to be told")
    assert greeting(greeted) == f"Welcome, {NAME}!"
    ask(management, {"greetnig": None, "greeting": "Hi"})
    until(lambda: greeting(greeted) == f"Hi, {NAME}!", "the other greeting")


def test_it_goes_when_it_is_off(greeted: Tenant, management: SandboxCommand) -> None:
    """With its rights and its status."""
    ask(management, None)
    until(lambda: greeting(greeted) == "", "it to go")
    assert "hello" not in greeted.kubectl("get", "roles,rolebindings", SYSTEM, "--output=name")
    until(lambda: "hello" not in greeted.object()["status"]["addons"].get("extra", {}), "its status to go")
