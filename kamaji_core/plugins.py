"""Finding plugins and keeping a bad one from harming the rest.

Every plugin, ours included, comes through the entry-point group `kamaji`. One that cannot be imported, was written
for another contract or takes a name that is taken already is left out and remembered with a sentence, so that only
those who need it notice.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pluggy

from kamaji_core.contracts import API_VERSION, DatastoreDriver, hooks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A plugin, or a class of one, that is not used.

    Args:
        distribution: name and version of the package that brings it.
        sentence: what is wrong with it.
        driver: the name of the driver that is missing because of it, where that is known.
    """

    distribution: str
    sentence: str
    driver: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """All usable plugins, and why the others are not.

    Args:
        datastores: drivers by the value of `spec.driver` that selects them.
        origins: the distribution that brought each driver.
        failures: what was left out.
    """

    datastores: Mapping[str, DatastoreDriver] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()

    def missing_driver(self, name: str) -> str:
        """Tell, in a sentence, why there is no driver of this name and what to do."""
        for failure in self.failures:
            if failure.driver == name:
                return f"The driver {name!r} of {failure.distribution} cannot be used: {failure.sentence}"
        known = ", ".join(sorted(self.datastores)) or "none"
        return (
            f"No installed plugin brings the driver {name!r} (installed: {known}): install its package or correct "
            f"spec.driver."
        )


def load_plugins(entry_points: Iterable[importlib.metadata.EntryPoint] | None = None) -> Plugins:
    """Load every plugin once.

    Args:
        entry_points: those to load instead of the installed ones.
    """
    if entry_points is None:
        entry_points = importlib.metadata.entry_points(group=hooks.GROUP)
    datastores: dict[str, DatastoreDriver] = {}
    origins: dict[str, str] = {}
    failures: list[Failure] = []
    for entry_point in sorted(entry_points, key=lambda entry_point: entry_point.name):
        distribution = _describe(entry_point)
        try:
            classes = _datastores_of(entry_point)
        except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything; it must stay its own trouble
            failures.append(Failure(distribution=distribution, sentence=f"{type(error).__name__}: {error}"))
            continue
        for driver in classes:
            problem = _problem(driver, origins)
            if problem is None:
                try:
                    datastores[driver.NAME] = driver()
                except Exception as error:  # noqa: BLE001 - as above
                    problem = f"{type(error).__name__}: {error}"
                else:
                    origins[driver.NAME] = distribution
            if problem is not None:
                name = getattr(driver, "NAME", None)
                failures.append(Failure(distribution=distribution, sentence=problem, driver=name))
    return Plugins(datastores=datastores, origins=origins, failures=tuple(failures))


def _datastores_of(entry_point: importlib.metadata.EntryPoint) -> list[type[DatastoreDriver]]:
    # One manager each: a module with a wrong hook signature fails alone.
    manager = pluggy.PluginManager(hooks.GROUP)
    manager.add_hookspecs(hooks)
    manager.register(entry_point.load(), name=entry_point.name)
    manager.check_pending()
    return [driver for drivers in manager.hook.kamaji_datastores() for driver in drivers]


def _problem(driver: type[DatastoreDriver], taken: Mapping[str, str]) -> str | None:
    name = getattr(driver, "NAME", None)
    version = getattr(driver, "API_VERSION", None)
    if not isinstance(name, str) or not name:
        return f"{driver!r} has no NAME."
    if version != API_VERSION:
        ours = ".".join(map(str, API_VERSION))
        theirs = ".".join(map(str, version)) if isinstance(version, tuple) else repr(version)
        return f"it was written for plugin contract {theirs}, this operator speaks {ours}."
    if name in taken:
        return f"the driver name {name!r} is already taken by {taken[name]}."
    return None


def _describe(entry_point: importlib.metadata.EntryPoint) -> str:
    distribution = entry_point.dist
    return f"{distribution.name} {distribution.version}" if distribution else entry_point.value
