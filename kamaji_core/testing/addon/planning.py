"""What an add-on wants inside a tenant's cluster: the same each time, complete, and fit to be applied."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections import Counter
from typing import Any

from kamaji_core.contracts import Applied, AppliedObject, Material, Outcome, TenantObject
from kamaji_core.soot.wanted import key_of
from kamaji_core.testing.addon.bench import Bench, written

SERVERS_OWN = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
"""Metadata that only an API server sets."""

_PATH = re.compile(r"[A-Za-z][\w-]*(\[[\w.-]+=[^\]]+\])?(\.[A-Za-z][\w-]*(\[[\w.-]+=[^\]]+\])?)*")
_SCRIPT = """
import importlib, json, sys
from kamaji_core.testing.addon.bench import Bench, written
from kamaji_core.testing.addon.under_test import AddonUnderTest
told = json.load(sys.stdin)
ADDON = getattr(importlib.import_module(told.pop("module")), told.pop("name"))
bench = Bench(type("UnderTest", (AddonUnderTest,), {**told, "ADDON": ADDON})())
for settings in bench.all_settings:
    print(written([bench.objects(settings), bench.parts(settings)]).decode())
"""


class Planning:
    """`tenant_objects` and `status`."""

    def test_a_plan_is_the_same_each_time(self, bench: Bench) -> None:
        """Otherwise each look writes."""
        for settings in bench.all_settings:
            assert bench.objects(settings) == bench.objects(settings)
            assert bench.parts(settings) == bench.parts(settings)

    def test_a_plan_is_the_same_in_another_process(self, bench: Bench) -> None:
        """Order taken from a set differs between processes: each restart of the operator would roll pods."""
        under_test, kind = bench.under_test, bench.under_test.ADDON
        told = {"module": kind.__module__, "name": kind.__name__, "EXTRA": under_test.EXTRA}
        told |= {"ON": under_test.ON, "OTHER": under_test.OTHER}
        answers = []
        for seed in ("1", "2", "3"):
            path = os.pathsep.join(filter(None, sys.path))
            environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed}
            done = subprocess.run(
                [sys.executable, "-c", _SCRIPT],
                input=json.dumps(told),
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
                env=environment,
            )
            assert done.returncode == 0, done.stderr
            answers.append(done.stdout)
        assert len(set(answers)) == 1, "the plan differs between processes"

    def test_the_order_of_settings_does_not_count(self, bench: Bench) -> None:
        """The API server shows a specification's fields in an order of its own."""
        for settings in bench.all_settings:
            turned = _turned(settings)
            assert bench.objects(turned) == bench.objects(settings)
            assert bench.parts(turned) == bench.parts(settings)

    def test_a_plan_changes_nothing_it_is_given(self, bench: Bench) -> None:
        """Others are given the same."""
        for settings in bench.all_settings:
            view, config, material = bench.view(settings), bench.config(settings), bench.material(settings)
            before = copy.deepcopy((view, config, material))
            bench.addon.tenant_objects(view, config, material)
            bench.addon.parts(view, config)
            assert (view, config, material) == before, "a plan changed what it was given"

    def test_every_object_says_which_it_is(self, bench: Bench) -> None:
        """And nothing that only an API server knows."""
        for one in _all(bench):
            manifest = one.manifest
            assert all(isinstance(manifest.get(name), str) and manifest[name] for name in ("apiVersion", "kind")), (
                manifest
            )
            metadata = manifest["metadata"]
            assert metadata.get("name"), manifest
            assert "generateName" not in metadata, f"{key_of(manifest)} would be made anew each time"
            assert [name for name in SERVERS_OWN if name in metadata] == [], key_of(manifest)
            assert "status" not in manifest, key_of(manifest)
            assert written(manifest)

    def test_no_object_is_there_twice(self, bench: Bench) -> None:
        """Two that want the same would write in turn for ever."""
        for settings in bench.all_settings:
            counted = Counter(key_of(one.manifest) for one in bench.objects(settings))
            assert [key for key, number in counted.items() if number > 1] == []

    def test_no_secret_is_planned(self, bench: Bench) -> None:
        """A private key has its place in a Secret that the core makes."""
        for settings in bench.all_settings:
            text = written([bench.objects(settings), bench.parts(settings)])
            assert b"PRIVATE KEY" not in text

    def test_fields_for_users_can_be_read(self, bench: Bench) -> None:
        """A path that is no path would be yielded to nobody; and what names an object is nobody's to take."""
        for one in _all(bench):
            for path in one.yield_fields:
                assert _PATH.fullmatch(path), f"{key_of(one.manifest)}: {path!r} is no path"
                assert path.split(".")[0] not in {"metadata", "apiVersion", "kind"}, f"{path} names the object"

    def test_only_what_has_pods_is_restarted(self, bench: Bench) -> None:
        """A digest is noted in a pod template."""
        for one in _all(bench):
            if one.restart_on_digest:
                assert "template" in one.manifest.get("spec", {}), f"{key_of(one.manifest)} has no pods"

    def test_nothing_is_needed_that_comes_later(self, bench: Bench) -> None:
        """A tenant has no address and no certificate in the beginning."""
        view = bench.view(endpoint="", ca_cert=b"", secret_names={})
        config = bench.config()
        bench.addon.parts(view, config)
        assert bench.addon.tenant_objects(bench.view(), config, Material()) is not None

    def test_its_status_is_of_its_type(self, bench: Bench) -> None:
        """Whatever became of its objects."""
        for outcome in Outcome:
            status = bench.addon.status(bench.view(), bench.config(), _applied(bench, outcome))
            assert isinstance(status, bench.addon.STATUS)
            assert written(status)

    def test_pods_that_come_and_go_are_no_news(self, bench: Bench) -> None:
        """A status with their number, or with a time, would be written with each look of each tenant."""
        few = bench.addon.status(bench.view(), bench.config(), _applied(bench, Outcome.UNCHANGED, pods=1))
        many = bench.addon.status(bench.view(), bench.config(), _applied(bench, Outcome.UNCHANGED, pods=5))
        assert few == many


def _all(bench: Bench) -> list[TenantObject]:
    return [one for settings in bench.all_settings for one in bench.objects(settings)]


def _applied(bench: Bench, outcome: Outcome, *, pods: int = 0) -> Applied:
    """What is told of a look; objects that wait were not made."""
    counted = {"readyReplicas": pods, "numberReady": pods, "replicas": pods, "desiredNumberScheduled": pods}
    made = outcome is not Outcome.WAITING
    return Applied(
        objects=tuple(
            AppliedObject(
                manifest=one.manifest,
                outcome=outcome,
                reason="" if made else "The tenant's API server refused it.",
                live={**one.manifest, "status": counted} if made else None,
            )
            for one in bench.objects()
        ),
        material=bench.material(),
    )


def _turned(value: Any) -> Any:
    """The same settings, their fields the other way round."""
    if isinstance(value, dict) or hasattr(value, "items"):
        return {name: _turned(value[name]) for name in reversed(list(value))}
    return [_turned(one) for one in value] if isinstance(value, list | tuple) else value
