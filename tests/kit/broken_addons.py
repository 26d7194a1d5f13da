"""Add-ons that break one promise each: one that is right, changed in the one place that an author may get wrong.

The table at the end says which test of the kit is meant to catch it and what the failure must say.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping  # noqa: TC003 - msgspec reads annotations
from typing import Any, ClassVar

import msgspec

from kamaji_core.contracts import (
    API_VERSION,
    Addon,
    Applied,
    Certificate,
    ConfigMap,
    ConfigurationError,
    Container,
    ControlPlaneParts,
    Material,
    Mount,
    RestartOn,
    ServicePort,
    TenantObject,
    TenantView,
    Volume,
    read_config,
)
from kamaji_core.pki import Usage
from kamaji_core.testing import AddonUnderTest

FIELD = "spec.addons.extra.lamp"
NAMED = {"name": "lamp", "namespace": "kube-system"}
LABELS = {"app": "lamp"}


class LampConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the lamp."""

    colours: Mapping[str, str] = {}
    brightness: int = 1


class LampStatus(msgspec.Struct, frozen=True):
    """What it tells."""

    colours: int
    ready: int = 0


class Lamp(Addon):
    """One that is right."""

    NAME: ClassVar[str] = "lamp"
    SPEC_KEY: ClassVar[str] = "lamp"
    API_VERSION: ClassVar[tuple[int, int]] = API_VERSION
    CONFIG: ClassVar[type[msgspec.Struct]] = LampConfig
    STATUS: ClassVar[type[msgspec.Struct]] = LampStatus

    def config(self, spec: Mapping[str, Any]) -> msgspec.Struct | None:
        """Read the settings."""
        settings = (spec.get("extra") or {}).get("lamp")
        if settings is None:
            return None
        config = read_config(LampConfig, settings, field=FIELD)
        if config.brightness < 1:
            raise ConfigurationError(f"{FIELD}.brightness is {config.brightness}: set a number above 0.")
        return config

    def tenant_objects(self, tenant: TenantView, config: Any, material: Material) -> list[TenantObject]:
        """A ConfigMap and pods that read it."""
        data = {name: config.colours[name] for name in sorted(config.colours)}
        bulbs = [
            TenantObject(
                manifest={
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {**NAMED, "name": f"lamp-{name}"},
                    "data": {"colour": colour},
                }
            )
            for name, colour in data.items()
        ]
        return [
            TenantObject(
                manifest={"apiVersion": "v1", "kind": "ConfigMap", "metadata": dict(NAMED), "data": data},
                watch=True,
                yield_fields=("data.note",),
            ),
            *bulbs,
            TenantObject(
                manifest=self.workload(config), watch=True, yield_fields=("spec.replicas",), restart_on_digest="1"
            ),
        ]

    def workload(self, config: Any) -> dict[str, Any]:
        """Its pods."""
        container = {"name": "lamp", "image": "example.org/lamp:1", "args": [str(config.brightness)]}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": dict(NAMED),
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": dict(LABELS)},
                "template": {"metadata": {"labels": dict(LABELS)}, "spec": {"containers": [container]}},
            },
        }

    def status(self, tenant: TenantView, config: Any, applied: Applied) -> msgspec.Struct:
        """How many colours there are."""
        return LampStatus(colours=len(config.colours))

    def parts(self, tenant: TenantView, config: Any) -> ControlPlaneParts:
        """A server beside the API server."""
        return ControlPlaneParts(
            containers=(Container(name="lamp", image="example.org/lamp:1", command=self.command(tenant, config)),),
            certificates=(
                Certificate(
                    suffix="lamp", common_name="lamp", usages=frozenset({Usage.SERVER}), names=frozenset({"lamp"})
                ),
            ),
            config_maps=(ConfigMap(suffix="lamp-settings", data={"a": "b"}),),
            service_ports=(ServicePort(name="lamp", port=9000),),
            volumes=(
                Volume(name="lamp", secret=f"{tenant.name}-lamp"),
                Volume(name="lamp-settings", config_map=f"{tenant.name}-lamp-settings"),
            ),
            mounts=(
                Mount(component="lamp", volume="lamp", path="/pair"),
                Mount(component="lamp", volume="lamp-settings", path="/settings"),
            ),
            restart_on=(RestartOn(name="lamp", secret=f"{tenant.name}-lamp", key="tls.crt"),),
        )

    def command(self, tenant: TenantView, config: Any) -> tuple[str, ...]:
        """What the server is started with."""
        return ("/lamp", f"--brightness={config.brightness}")


class LampUnderTest(AddonUnderTest):
    """What the kit is told of all of them."""

    ADDON = Lamp
    ENTRY = "broken_addons"
    ON: ClassVar[Mapping[str, Any]] = {"colours": {"red": "f00", "green": "0f0", "blue": "00f"}}
    OTHER: ClassVar[tuple[Mapping[str, Any], ...]] = ({"brightness": 2}, {"colours": {"white": "fff"}})
    REFUSED: ClassVar[tuple[Mapping[str, Any], ...]] = ({"brightness": 0}, {"colours": 1})
    TAKEN_OVER: ClassVar[Mapping[str, Any]] = {"data.note": "mine"}


class OldContract(Lamp):
    API_VERSION: ClassVar[tuple[int, int]] = (0, 1)


class ALabelNobodyCanSet(Lamp):
    NAME: ClassVar[str] = "The Lamp"


class AlwaysOn(Lamp):
    def config(self, spec: Mapping[str, Any]) -> msgspec.Struct | None:
        return super().config(spec) or LampConfig()


class TakesEverything(Lamp):
    def config(self, spec: Mapping[str, Any]) -> msgspec.Struct | None:
        settings = (spec.get("extra") or {}).get("lamp")
        known = {"colours", "brightness"}
        kept = None if settings is None else {name: one for name, one in settings.items() if name in known}
        return super().config({"extra": {"lamp": kept}})


class NamesNoField(Lamp):
    def config(self, spec: Mapping[str, Any]) -> msgspec.Struct | None:
        try:
            return super().config(spec)
        except ConfigurationError as error:
            words = str(error).replace(FIELD, "something")
            raise ConfigurationError(words) from None


class RaisesWhatItLikes(Lamp):
    def config(self, spec: Mapping[str, Any]) -> msgspec.Struct | None:
        try:
            return super().config(spec)
        except ConfigurationError as error:
            raise KeyError(str(error)) from None


class OfAnotherType(Lamp):
    def config(self, spec: Mapping[str, Any]) -> msgspec.Struct | None:
        return None if super().config(spec) is None else LampStatus(colours=1)


class TellsTheTime(Lamp):
    def workload(self, config: Any) -> dict[str, Any]:
        made = super().workload(config)
        made["spec"]["template"]["metadata"]["annotations"] = {"made": str(time.monotonic_ns())}
        return made


class OrderOfASet(Lamp):
    def command(self, tenant: TenantView, config: Any) -> tuple[str, ...]:
        return ("/lamp", *{f"--{name}={colour}" for name, colour in config.colours.items()})


class OrderOfSettings(Lamp):
    def command(self, tenant: TenantView, config: Any) -> tuple[str, ...]:
        return ("/lamp", *(f"--{name}={colour}" for name, colour in config.colours.items()))


class WritesIntoTheSpecification(Lamp):
    def tenant_objects(self, tenant: TenantView, config: Any, material: Material) -> list[TenantObject]:
        tenant.spec["addons"]["extra"]["lamp"]["seen"] = True
        return super().tenant_objects(tenant, config, material)


class NewNamesEachTime(Lamp):
    def workload(self, config: Any) -> dict[str, Any]:
        made = super().workload(config)
        made["metadata"]["generateName"] = "lamp-"
        return made


class SaysWhatTheServerSays(Lamp):
    def workload(self, config: Any) -> dict[str, Any]:
        return {**super().workload(config), "status": {"replicas": 1}}


class TwiceTheSame(Lamp):
    def tenant_objects(self, tenant: TenantView, config: Any, material: Material) -> list[TenantObject]:
        wanted = super().tenant_objects(tenant, config, material)
        return [*wanted, wanted[0]]


class KeyInAConfigMap(Lamp):
    def parts(self, tenant: TenantView, config: Any) -> ControlPlaneParts:
        made = super().parts(tenant, config)
        key = "-----BEGIN PRIVATE KEY-----\nMIG=\n-----END PRIVATE KEY-----\n"
        return dataclasses.replace(made, config_maps=(ConfigMap(suffix="lamp-settings", data={"key": key}),))


class PathThatIsNone(Lamp):
    def tenant_objects(self, tenant: TenantView, config: Any, material: Material) -> list[TenantObject]:
        first, *others = super().tenant_objects(tenant, config, material)
        return [TenantObject(manifest=first.manifest, yield_fields=("/data/note",)), *others]


class YieldsItsName(Lamp):
    def tenant_objects(self, tenant: TenantView, config: Any, material: Material) -> list[TenantObject]:
        first, *others = super().tenant_objects(tenant, config, material)
        return [TenantObject(manifest=first.manifest, yield_fields=("metadata.labels",)), *others]


class RestartsAConfigMap(Lamp):
    def tenant_objects(self, tenant: TenantView, config: Any, material: Material) -> list[TenantObject]:
        first, *others = super().tenant_objects(tenant, config, material)
        return [TenantObject(manifest=first.manifest, restart_on_digest="1"), *others]


class NeedsAnAddress(Lamp):
    def command(self, tenant: TenantView, config: Any) -> tuple[str, ...]:
        host, port = tenant.endpoint.split(":")
        return ("/lamp", f"--host={host}", f"--port={port}")


class NeedsItsCertificate(Lamp):
    def tenant_objects(self, tenant: TenantView, config: Any, material: Material) -> list[TenantObject]:
        assert material.certificates["lamp"].certificate
        return super().tenant_objects(tenant, config, material)


class StatusOfAnotherType(Lamp):
    def status(self, tenant: TenantView, config: Any, applied: Applied) -> msgspec.Struct:
        return LampConfig()


class CountsPods(Lamp):
    def status(self, tenant: TenantView, config: Any, applied: Applied) -> msgspec.Struct:
        live = [one.live or {} for one in applied.objects]
        ready = sum((one.get("status") or {}).get("readyReplicas", 0) for one in live)
        return LampStatus(colours=len(config.colours), ready=ready)


class NeedsWhatWasMade(Lamp):
    def status(self, tenant: TenantView, config: Any, applied: Applied) -> msgspec.Struct:
        assert all(one.live is not None for one in applied.objects)
        return super().status(tenant, config, applied)


class MountsNothing(Lamp):
    def parts(self, tenant: TenantView, config: Any) -> ControlPlaneParts:
        return dataclasses.replace(super().parts(tenant, config), volumes=())


class TakesTheAuthoritysName(Lamp):
    def parts(self, tenant: TenantView, config: Any) -> ControlPlaneParts:
        certificate = Certificate(suffix="ca", common_name="lamp", usages=frozenset({Usage.SERVER}))
        return dataclasses.replace(super().parts(tenant, config), certificates=(certificate,), restart_on=())


class MayEverything(Lamp):
    def parts(self, tenant: TenantView, config: Any) -> ControlPlaneParts:
        certificate = Certificate(
            suffix="lamp", common_name="lamp", usages=frozenset({Usage.CLIENT}), organizations=("system:masters",)
        )
        return dataclasses.replace(super().parts(tenant, config), certificates=(certificate,))


class CountsReplicas(Lamp):
    def command(self, tenant: TenantView, config: Any) -> tuple[str, ...]:
        return ("/lamp", f"--servers={tenant.replicas}")


class FollowsTheState(Lamp):
    def command(self, tenant: TenantView, config: Any) -> tuple[str, ...]:
        return ("/lamp", f"--verbose={tenant.phase != 'Ready'}")


class FillsInWhatTheServerFills(Lamp):
    def tenant_objects(self, tenant: TenantView, config: Any, material: Material) -> list[TenantObject]:
        ports = [{"name": "lamp", "port": 80, "protocol": "TCP"}]
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": dict(NAMED),
            "spec": {"clusterIP": "", "selector": dict(LABELS), "ports": ports},
        }
        return [*super().tenant_objects(tenant, config, material), TenantObject(manifest=service)]


class HoldsOn(Lamp):
    def tenant_objects(self, tenant: TenantView, config: Any, material: Material) -> list[TenantObject]:
        metadata = {**NAMED, "name": "lamp-held", "finalizers": ["example.org/lamp"]}
        held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        return [*super().tenant_objects(tenant, config, material), TenantObject(manifest=held)]


class NeedsAnothersDefinition(Lamp):
    def tenant_objects(self, tenant: TenantView, config: Any, material: Material) -> list[TenantObject]:
        monitor = {"apiVersion": "monitoring.example.org/v1", "kind": "Monitor", "metadata": dict(NAMED)}
        return [*super().tenant_objects(tenant, config, material), TenantObject(manifest=monitor)]


class InANamespaceThatIsNotThere(Lamp):
    def tenant_objects(self, tenant: TenantView, config: Any, material: Material) -> list[TenantObject]:
        metadata = {"name": "lamp", "namespace": "lamps"}
        lost = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        return [*super().tenant_objects(tenant, config, material), TenantObject(manifest=lost)]


def kamaji_addons() -> list[type[Addon]]:
    """Hand over all but one."""
    return [Lamp, *(kind for kind, _, _ in BROKEN.values() if kind is not NotHandedOver)]


class NotHandedOver(Lamp):
    pass


BROKEN: dict[str, tuple[type[Lamp], str, str]] = {
    kind.__name__: (kind, test, words)
    for kind, test, words in (
        (OldContract, "test_the_class_is_an_addon", "(0, 1)"),
        (ALabelNobodyCanSet, "test_the_class_is_an_addon", "The Lamp"),
        (NotHandedOver, "test_the_entry_module_hands_it_over", "NotHandedOver"),
        (AlwaysOn, "test_it_is_off_until_its_key_is_there", "turn it on"),
        (OfAnotherType, "test_its_key_turns_it_on", "LampStatus"),
        (TakesEverything, "test_unknown_settings_are_refused", "DID NOT RAISE"),
        (NamesNoField, "test_wrong_settings_are_named", "does not name"),
        (RaisesWhatItLikes, "test_wrong_settings_are_named", "KeyError"),
        (TellsTheTime, "test_a_plan_is_the_same_each_time", "made"),
        (OrderOfASet, "test_a_plan_is_the_same_in_another_process", "differs between processes"),
        (OrderOfSettings, "test_the_order_of_settings_does_not_count", "--red=f00"),
        (WritesIntoTheSpecification, "test_a_plan_changes_nothing_it_is_given", "changed what it was given"),
        (NewNamesEachTime, "test_every_object_says_which_it_is", "made anew each time"),
        (SaysWhatTheServerSays, "test_every_object_says_which_it_is", "status"),
        (TwiceTheSame, "test_no_object_is_there_twice", "lamp"),
        (KeyInAConfigMap, "test_no_secret_is_planned", "PRIVATE KEY"),
        (PathThatIsNone, "test_fields_for_users_can_be_read", "is no path"),
        (YieldsItsName, "test_fields_for_users_can_be_read", "names the object"),
        (RestartsAConfigMap, "test_only_what_has_pods_is_restarted", "has no pods"),
        (NeedsAnAddress, "test_nothing_is_needed_that_comes_later", "ValueError"),
        (NeedsItsCertificate, "test_nothing_is_needed_that_comes_later", "KeyError"),
        (StatusOfAnotherType, "test_its_status_is_of_its_type", "LampConfig"),
        (NeedsWhatWasMade, "test_its_status_is_of_its_type", "AssertionError"),
        (CountsPods, "test_pods_that_come_and_go_are_no_news", "ready=5"),
        (MountsNothing, "test_pods_can_be_made_of_its_parts", "which is not there"),
        (TakesTheAuthoritysName, "test_its_names_are_nobody_elses", "the control plane's own"),
        (MayEverything, "test_certificates_are_in_no_group_that_may_everything", "system:masters"),
        (CountsReplicas, "test_scaling_rolls_nothing", "--servers"),
        (FollowsTheState, "test_what_the_tenants_state_is_rolls_nothing", "--verbose"),
        (FillsInWhatTheServerFills, "test_a_second_look_writes_nothing", "PATCH"),
        (NeedsAnothersDefinition, "test_it_needs_no_other_addon", "does not serve Monitor"),
        (InANamespaceThatIsNotThere, "test_all_is_there_after_one_look", "lamps"),
        (HoldsOn, "test_turned_off_it_leaves_nothing", "lamp-held to be gone"),
    )
}
"""By name: the class, the test that is meant to catch it, and words of the failure."""
