"""`parts`: what a tenant's pods get, the same in every pass and without a secret in it.

Everything here stands in a Deployment that many may read, and a difference of one character rolls the tenant's pods.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from typing import TYPE_CHECKING, get_args

from kamaji_core.contracts import ControlPlaneParts, SecretReferences, TenantView
from kamaji_core.contracts.parts import Component
from kamaji_core.testing.datastore.pure import nothing_outside
from kamaji_core.testing.datastore.under_test import Feature

if TYPE_CHECKING:
    from kamaji_core.contracts import Claim
    from kamaji_core.testing.datastore.desk import Desk

COMPONENTS = frozenset(get_args(Component))
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
CORE_KEYS = frozenset({"DB_SCHEMA", "DB_USER", "DB_PASSWORD"})
SECRETS = SecretReferences(credentials="tenant-store-certificate", config="tenant-store-config")


def tenant_of(claim: Claim, *, replicas: int = 1) -> TenantView:
    """The tenant that a claim is of."""
    return TenantView(
        namespace=claim.namespace, name=claim.name, uid=claim.tenant_uid, version="v1.37.0", replicas=replicas
    )


def parts_of(desk: Desk, claim: Claim) -> ControlPlaneParts:
    """The parts of one tenant."""
    return desk.driver.parts(desk.store, tenant_of(claim), claim, secrets=SECRETS)


def keys_of(desk: Desk, claim: Claim) -> dict[str, frozenset[str]]:
    """The keys that each of the tenant's Secrets has."""
    credentials = desk.issue(claim)
    return {
        SECRETS.credentials: frozenset(credentials.files),
        SECRETS.config: CORE_KEYS | frozenset(credentials.settings),
    }


class Parts:
    """`parts` alone; no store is asked."""

    async def test_parts_are_pure(self, desk: Desk) -> None:
        """Nothing is reached for and nothing changed."""
        claim = desk.claim()
        before = copy.deepcopy(desk.store)
        with nothing_outside():
            parts = parts_of(desk, claim)
        assert isinstance(parts, ControlPlaneParts)
        assert desk.store == before

    async def test_parts_are_stable(self, desk: Desk) -> None:
        """The same tenant gets the same answer each time, from another driver object too, in the same order."""
        claim = desk.claim()
        first = parts_of(desk, claim)
        for _ in range(5):
            assert parts_of(desk, claim) == first
        driver = desk.server.driver()
        assert driver.parts(desk.store, tenant_of(claim), claim, secrets=SECRETS) == first
        assert repr(first) == repr(parts_of(desk, claim))

    async def test_parts_change_only_with_what_pods_need(self, desk: Desk) -> None:
        """A tenant's phase, its generation or the DataStore's digest roll no pods."""
        claim = desk.claim()
        first = parts_of(desk, claim)
        for changes in ({"phase": "Ready"}, {"generation": 7}, {"ca_cert": b"of another"}):
            tenant = dataclasses.replace(tenant_of(claim), **changes)
            assert desk.driver.parts(desk.store, tenant, claim, secrets=SECRETS) == first
        relabelled = dataclasses.replace(desk.store, content_digest="of another label")
        assert desk.driver.parts(relabelled, tenant_of(claim), claim, secrets=SECRETS) == first
        recorded = dataclasses.replace(claim, recorded=True)
        assert desk.driver.parts(desk.store, tenant_of(claim), recorded, secrets=SECRETS) == first

    async def test_the_operator_s_own_login_rolls_no_pods(self, desk: Desk) -> None:
        """When only the operator's certificate or password changes, no tenant notices."""
        store = desk.store
        if store.basic_auth is not None:
            store = dataclasses.replace(store, basic_auth=dataclasses.replace(store.basic_auth, password="another"))  # noqa: S106 - invented
        if store.tls is not None:
            changed = dataclasses.replace(store.tls, client_certificate=b"another", client_key=b"another")
            store = dataclasses.replace(store, tls=changed)
        claim = desk.claim()
        assert desk.driver.parts(store, tenant_of(claim), claim, secrets=SECRETS) == parts_of(desk, claim)

    async def test_no_secret_stands_in_parts(self, desk: Desk) -> None:
        """Not in a flag, a command, a variable or a name: they point to Secrets."""
        claim = desk.claim()
        desk.issue(claim)
        parts = parts_of(desk, claim)
        for flag in parts.flags:
            assert not desk.seen_in(f"{flag.name}={flag.value}"), f"the flag {flag.name} holds a secret"
        for container in parts.containers:
            assert not desk.seen_in(" ".join(container.command)), f"the command of {container.name} holds a secret"
            for variable in container.environment:
                assert not desk.seen_in(variable.value), f"the variable {variable.name} holds a secret"
        assert not desk.seen_in(repr(parts)), "a name holds a secret"

    async def test_names_are_kubernetes(self, desk: Desk) -> None:
        """Of containers, volumes, claims and variables; none twice."""
        parts = parts_of(desk, desk.claim())
        for names in (
            [container.name for container in parts.containers] + list(COMPONENTS),
            [volume.name for volume in parts.volumes],
            [claim.suffix for claim in parts.claims],
            [one.name for one in parts.restart_on],
        ):
            assert all(LABEL.fullmatch(name) for name in names), names
            assert len(set(names)) == len(names), f"a name stands twice: {names}"
        for container in parts.containers:
            variables = [variable.name for variable in container.environment]
            assert all(VARIABLE.fullmatch(name) for name in variables), variables
            assert len(set(variables)) == len(variables)
        assert all(flag.name.startswith("-") and flag.component in COMPONENTS for flag in parts.flags)

    async def test_mounts_are_of_volumes_and_containers_that_exist(self, desk: Desk) -> None:
        """A Deployment that names an unknown volume is refused by its API server."""
        parts = parts_of(desk, desk.claim())
        containers = COMPONENTS | {container.name for container in parts.containers}
        volumes = {volume.name for volume in parts.volumes}
        places = [(mount.component, mount.path) for mount in parts.mounts]
        for mount in parts.mounts:
            assert mount.volume in volumes, f"{mount.path} mounts the unknown volume {mount.volume!r}"
            assert mount.component in containers, f"{mount.path} is in the unknown container {mount.component!r}"
            assert mount.path.startswith("/"), mount.path
        assert len(set(places)) == len(places), f"two volumes at one place: {places}"

    async def test_volumes_have_one_source_that_exists(self, desk: Desk) -> None:
        """A Secret of the tenant with the keys that it has, or a claim of the same parts, or an empty one."""
        claim = desk.claim()
        parts, keys = parts_of(desk, claim), keys_of(desk, claim)
        claims = {one.suffix for one in parts.claims}
        for volume in parts.volumes:
            assert sum(map(bool, (volume.secret, volume.claim))) <= 1, f"{volume.name} has two sources"
            if volume.secret:
                assert volume.secret in keys, f"{volume.name} is of the unknown Secret {volume.secret!r}"
                assert set(volume.items) <= keys[volume.secret], f"{volume.name} asks for keys that are not there"
            if volume.claim:
                assert volume.claim in claims, f"{volume.name} is of the unknown claim {volume.claim!r}"
            assert volume.medium in {"", "Memory"}
            assert volume.mode is None or 0 <= volume.mode <= 0o777

    async def test_files_that_are_named_are_mounted(self, desk: Desk) -> None:
        """A path below a mounted Secret, in a flag or a command, is a file of this Secret."""
        claim = desk.claim()
        parts, keys = parts_of(desk, claim), keys_of(desk, claim)
        volumes = {volume.name: volume for volume in parts.volumes}
        words = {container.name: list(container.command) for container in parts.containers}
        for flag in parts.flags:
            words.setdefault(flag.component, []).append(f"{flag.name}={flag.value}")
        for mount in parts.mounts:
            volume = volumes[mount.volume]
            if not volume.secret:
                continue
            files = set(volume.items.values()) or keys[volume.secret]
            for word in words.get(mount.component, ()):
                for named in re.findall(rf"{re.escape(mount.path)}/([-._a-zA-Z0-9/]+)", word):
                    assert named in files, f"{word} names a file that is not in {volume.secret}"

    async def test_what_restarts_pods_exists(self, desk: Desk) -> None:
        """Secret and key are the tenant's own."""
        claim = desk.claim()
        parts, keys = parts_of(desk, claim), keys_of(desk, claim)
        for one in parts.restart_on:
            assert one.secret in keys, f"{one.name} is of the unknown Secret {one.secret!r}"
            assert one.key in keys[one.secret], f"{one.secret} has no key {one.key!r}"

    async def test_variables_are_of_secrets_that_exist(self, desk: Desk) -> None:
        """A pod whose variable points to no key does not start."""
        claim = desk.claim()
        parts, keys = parts_of(desk, claim), keys_of(desk, claim)
        for variable in (one for container in parts.containers for one in container.environment):
            assert not (variable.value and variable.secret), f"{variable.name} has a value and a Secret"
            if variable.secret:
                assert variable.secret in keys, f"{variable.name} is of the unknown Secret {variable.secret!r}"
                assert variable.key in keys[variable.secret], f"{variable.secret} has no key {variable.key!r}"

    async def test_containers_are_whole(self, desk: Desk) -> None:
        """Each has a command, an image of a fixed version, and asks for what it needs."""
        for container in parts_of(desk, desk.claim()).containers:
            assert container.command
            tag = container.image.rpartition("/")[2].partition(":")[2]
            assert "@sha256:" in container.image or (tag and tag != "latest"), f"{container.image} has no version"
            assert container.requests, f"{container.name} asks for no resources"

    async def test_the_api_server_is_led_to_the_store(self, desk: Desk) -> None:
        """It needs `--etcd-servers`, which a user's arguments must not replace."""
        flags = [flag for flag in parts_of(desk, desk.claim()).flags if flag.name == "--etcd-servers"]
        assert [(flag.component, flag.managed, bool(flag.value)) for flag in flags] == [("kube-apiserver", True, True)]

    async def test_two_tenants_get_two_shares(self, desk: Desk) -> None:
        """Where tenants share a store and pods name the share, they name their own."""
        desk.needs(Feature.MANY_TENANTS)
        one, two = desk.claim(), desk.claim()
        for claim, other in ((one, two), (two, one)):
            text = repr(parts_of(desk, claim))
            assert not re.search(rf"\b{other.schema}\b", text)
            assert not re.search(rf"\b{other.user}\b", text)
