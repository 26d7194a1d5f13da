"""What an add-on wants beside the control plane: pods that rest, roll once for one change, and forget what is off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from kamaji_core.contracts.parts import Component
from kamaji_core.extensions import Extensions, checked_parts
from kamaji_core.kube import CONFIG_MAPS, SECRETS
from kamaji_core.tenant.facts import SECRET_SUFFIXES
from kamaji_core.tenant.plan import Remove
from kamaji_core.tenant.strays import Stray
from kamaji_core.testing.addon.bench import Bench, written
from kamaji_core.testing.management_course import ManagementCourse, a_tenant

if TYPE_CHECKING:
    from kamaji_core.contracts import ControlPlaneParts
    from kamaji_core.testing.addon.under_test import Settings


class Pods:
    """`parts`, and what the management cluster comes to by them."""

    def test_pods_can_be_made_of_its_parts(self, bench: Bench) -> None:
        """What one part names is among the others."""
        for settings in bench.all_settings:
            parts = bench.parts(settings)
            assert checked_parts(parts) is parts
            assert written(parts)

    def test_its_names_are_nobody_elses(self, bench: Bench) -> None:
        """Not those of the control plane's own containers, ports and Secrets, and none twice."""
        for settings in bench.all_settings:
            parts = bench.parts(settings)
            suffixes = [name.removeprefix("shop-") for name in _secrets(parts)]
            containers = [one.name for one in parts.containers]
            ports = [one.name for one in parts.service_ports]
            for names, taken in ((suffixes, SECRET_SUFFIXES), (containers, get_args(Component)), (ports, _PORTS)):
                assert not set(names) & set(taken), f"{set(names) & set(taken)} are the control plane's own"
                assert len(set(names)) == len(names), f"{names} has one twice"

    def test_certificates_are_in_no_group_that_may_everything(self, bench: Bench) -> None:
        """Its rights are those that its own bindings give."""
        for settings in bench.all_settings:
            parts = bench.parts(settings)
            groups = {group for certificate in parts.certificates for group in certificate.organizations}
            groups |= {group for kubeconfig in parts.kubeconfigs for group in kubeconfig.organizations}
            assert not groups & {"system:masters", "kubeadm:cluster-admins"}

    def test_scaling_rolls_nothing(self, bench: Bench) -> None:
        """Another number of replicas is no other pod."""
        for settings in bench.all_settings:
            assert bench.parts(settings, replicas=1) == bench.parts(settings, replicas=3)

    def test_what_the_tenants_state_is_rolls_nothing(self, bench: Bench) -> None:
        """A pod that follows what is told of it never rests."""
        for settings in bench.all_settings:
            before = bench.parts(settings, phase="Provisioning", generation=1)
            assert bench.parts(settings, phase="Ready", generation=2) == before

    def test_everything_is_made_and_then_rests(self, bench: Bench) -> None:
        """A pass after the last finds nothing to write."""
        for settings in bench.all_settings:
            course = _begin(bench, settings)
            course.settle()
            assert not course.assess().problems, course.assess().problems
            assert course.facts.deployment is not None, "no pods were made"
            assert course.plan() == ()

    def test_other_settings_are_one_rollout(self, bench: Bench) -> None:
        """At the most: what belongs together is changed together."""
        for settings in bench.under_test.OTHER:
            course = _begin(bench, bench.under_test.ON)
            course.settle()
            course.change(addons=bench.under_test.spec(settings))
            rollouts = _rollouts(course)
            assert rollouts <= 1, f"{settings} roll the pods {rollouts} times"

    def test_what_is_off_leaves_the_pods_and_then_the_namespace(self, bench: Bench) -> None:
        """Secrets and ConfigMaps go when no pod mounts them any more, and nothing else goes."""
        parts = bench.parts()
        course = _begin(bench, bench.under_test.ON)
        course.settle()
        course.run()
        uid = course.facts.tenant.metadata.uid
        wanted = {
            *((SECRETS, name) for name in _secrets(parts)),
            *((CONFIG_MAPS, f"shop-{one.suffix}") for one in parts.config_maps),
        }
        strays = tuple(Stray(resource, name, f"uid-{name}", uid) for resource, name in sorted(wanted, key=str))
        course.facts = replace(course.facts, strays=strays)
        assert course.plan() == (), "what it has is taken away while it is on"
        course.change(addons=bench.under_test.off)
        removed: set[str] = set()
        for _ in range(_WAVES):
            changes = course.plan()
            if not changes:
                break
            removed |= {change.stray.name for change in changes if isinstance(change, Remove)}
            for change in changes:
                course.fold(change)
            course.run()
        assert removed == {name for _, name in wanted}
        fresh = ManagementCourse.begin(a_tenant(addons=bench.under_test.off))
        fresh.settle()
        pods = [one.facts.deployment["spec"]["template"]["spec"] for one in (course, fresh) if one.facts.deployment]
        assert pods[0] == pods[1], "something of it stays in the pods"


_PORTS = ("kube-apiserver",)
_WAVES = 20


def _secrets(parts: ControlPlaneParts) -> list[str]:
    """Names of the Secrets that are made for parts."""
    suffixes = (*(one.suffix for one in parts.certificates), *(one.suffix for one in parts.kubeconfigs))
    return [f"shop-{suffix}" for suffix in suffixes]


def _begin(bench: Bench, settings: Settings) -> ManagementCourse:
    extensions = Extensions(addons={bench.addon.NAME: bench.addon})
    return ManagementCourse.begin(a_tenant(addons=bench.under_test.spec(settings)), extensions)


def _rollouts(course: ManagementCourse) -> int:
    """How many different pods there are until nothing differs any more."""
    seen = [_template(course)]
    for _ in range(_WAVES):
        if not course.wave():
            break
        if (template := _template(course)) != seen[-1]:
            seen.append(template)
    return len(seen) - 1


def _template(course: ManagementCourse) -> bytes:
    return written((course.facts.deployment or {})["spec"]["template"])
