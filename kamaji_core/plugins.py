"""Finding plugins and keeping a bad one from harming the rest.

Every plugin, ours included, comes through the entry-point group `kamaji`. One that cannot be imported, was written
for another contract or takes a name that is taken already is left out and remembered with a sentence, so that only
those who need it notice. One that `KAMAJI_DISABLED_PLUGINS` names, or that `KAMAJI_ENABLED_PLUGINS` leaves out, is not
even imported.
"""

from __future__ import annotations

import enum
import importlib.metadata
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pluggy

from kamaji_core.contracts import (
    API_VERSION,
    Addon,
    Capability,
    ConfigurationError,
    DatastoreDriver,
    hooks,
    read_config,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kamaji_core.contracts import StoreView

ENABLED_VARIABLE = "KAMAJI_ENABLED_PLUGINS"
"""Environment variable with the entry-point names of the only plugins that are loaded, separated by commas; when it is
empty or missing, all that are installed."""

DISABLED_VARIABLE = "KAMAJI_DISABLED_PLUGINS"
"""Environment variable with the entry-point names of plugins that are not to be loaded, separated by commas."""


class PluginState(enum.StrEnum):
    """Whether a plugin is used; of several the one that stands later here is the graver."""

    OK = "ok"
    DISABLED = "disabled"
    DUPLICATE = "duplicate"
    INCOMPATIBLE = "incompatible"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One entry point of the group, used or not.

    Args:
        name: of the entry point.
        module: what it names.
        distribution: name of the package that brings it, empty when unknown.
        version: of that package, empty when unknown.
        drivers: names of the datastore drivers that it brings, whether they can be used or not.
        addons: the same of add-ons.
        contract: versions of the contract that these were written for, as text; empty when it brings none.
        state: the gravest of its parts.
        sentence: what is wrong; empty when nothing is.
    """

    name: str
    module: str
    distribution: str = ""
    version: str = ""
    drivers: tuple[str, ...] = ()
    addons: tuple[str, ...] = ()
    contract: str = ""
    state: PluginState = PluginState.OK
    sentence: str = ""


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
class LoadedPlugin:
    """A plugin whose state is ok, and its hooks.

    Args:
        plugin: which.
        hook: calls the hooks of this plugin alone, so that what one raises does not keep the next from being asked.
    """

    plugin: Plugin
    hook: pluggy.HookRelay


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """All usable plugins, and why the others are not.

    Args:
        datastores: drivers by the value of `spec.driver` that selects them.
        addons: add-ons by name.
        origins: the distribution that brought each driver.
        failures: what was left out, except what was disabled.
        listed: every plugin of the group in the order of its name.
        loaded: those of them whose state is ok, with their hooks, in the same order.
        unknown: names that were enabled or disabled but that no installed plugin has, and the variable that has them.
    """

    datastores: Mapping[str, DatastoreDriver] = field(default_factory=dict)
    addons: Mapping[str, Addon] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    listed: tuple[Plugin, ...] = ()
    loaded: tuple[LoadedPlugin, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()

    def missing_driver(self, name: str) -> str:
        """Tell, in a sentence, why there is no driver of this name and what to do."""
        for failure in self.failures:
            if failure.driver == name:
                return f"The driver {name!r} of {failure.distribution} cannot be used: {failure.sentence}"
        known = ", ".join(sorted(self.datastores)) or "none"
        disabled = [plugin.name for plugin in self.listed if plugin.state is PluginState.DISABLED]
        if disabled:
            known += f"; not loaded because {ENABLED_VARIABLE} or {DISABLED_VARIABLE} says so: {', '.join(disabled)}"
        return (
            f"No installed plugin brings the driver {name!r} (installed: {known}): install its package or correct "
            f"spec.driver."
        )


def names_in(variable: str) -> frozenset[str]:
    """Read names separated by commas out of the environment."""
    return frozenset(name.strip() for name in os.environ.get(variable, "").split(",") if name.strip())


def load_plugins(
    entry_points: Iterable[importlib.metadata.EntryPoint] | None = None,
    *,
    enabled: Collection[str] | None = None,
    disabled: Collection[str] | None = None,
) -> Plugins:
    """Load every plugin once; never raises for a plugin's sake.

    Args:
        entry_points: those to load instead of the installed ones.
        enabled: names of the only ones that are to be loaded, all when empty, instead of the environment's.
        disabled: names of those that are not to be loaded, instead of the environment's.
    """
    if entry_points is None:
        entry_points = importlib.metadata.entry_points(group=hooks.GROUP)
    enabled = names_in(ENABLED_VARIABLE) if enabled is None else enabled
    disabled = names_in(DISABLED_VARIABLE) if disabled is None else disabled
    loader = _Loader()
    found = sorted(entry_points, key=lambda entry_point: entry_point.name)
    for entry_point in found:
        loader.load(entry_point, disabled=_disabled_by(entry_point.name, enabled, disabled))
    return Plugins(
        datastores=loader.datastores,
        addons=loader.addons,
        origins=loader.origins,
        failures=tuple(loader.failures),
        listed=tuple(loader.listed),
        loaded=tuple(loader.loaded),
        unknown=tuple(
            (name, variable)
            for variable, names in ((ENABLED_VARIABLE, enabled), (DISABLED_VARIABLE, disabled))
            for name in sorted(set(names) - {entry_point.name for entry_point in found})
        ),
    )


def _disabled_by(name: str, enabled: Collection[str], disabled: Collection[str]) -> str:
    """Say why a plugin is not to be loaded; empty when it is."""
    if name in disabled:
        return f"{DISABLED_VARIABLE} names it: take it out there to use it."
    if enabled and name not in enabled:
        return f"{ENABLED_VARIABLE} does not name it: add it there to use it."
    return ""


def store_problems(driver: DatastoreDriver, store: StoreView) -> tuple[str, ...]:
    """Tell what is wrong with a DataStore's settings, a sentence each: by the driver's type, then by its own judgement.

    Args:
        driver: that `spec.driver` selects.
        store: with its references resolved.
    """
    try:
        if driver.CONFIG is not None:
            read_config(driver.CONFIG, store.config)
        return tuple(driver.validate(store))
    except ConfigurationError as error:
        return (str(error),)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code may raise anything: this store's trouble
        # Its words may quote a password: where it was raised says as much to the authors.
        where = f"{type(error).__name__}{_place(error)}"
        return (f"The driver {driver.NAME!r} failed to judge the settings ({where}): report it to its authors.",)


def told(error: BaseException) -> str:
    """Tell what a plugin's code raised: the sort of error and its words."""
    return f"{type(error).__name__}: {error}"


class _Loader:
    """What has been found so far; owns the lists until they are handed over."""

    def __init__(self) -> None:
        self.datastores: dict[str, DatastoreDriver] = {}
        self.addons: dict[str, Addon] = {}
        self.origins: dict[str, str] = {}
        self.failures: list[Failure] = []
        self.listed: list[Plugin] = []
        self.loaded: list[LoadedPlugin] = []
        self._addon_origins: dict[str, str] = {}

    def load(self, entry_point: importlib.metadata.EntryPoint, *, disabled: str) -> None:
        """Load one plugin, unless a sentence says that it is disabled, and remember what came of it."""
        if disabled:
            self.listed.append(_listed(entry_point, state=PluginState.DISABLED, sentence=disabled))
            return
        try:
            hook = _hooks_of(entry_point)
            drivers = [driver for some in hook.kamaji_datastores() for driver in some]
            addons = [addon for some in hook.kamaji_addons() for addon in some]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's module may raise anything, even to exit
            self.failures.append(Failure(distribution=_describe(entry_point), sentence=told(error)))
            self.listed.append(_listed(entry_point, state=PluginState.BROKEN, sentence=told(error)))
            return
        problems = [self._take(entry_point, driver, _DRIVER) for driver in drivers]
        problems += [self._take(entry_point, addon, _ADDON) for addon in addons]
        self._list(entry_point, drivers, addons, [problem for problem in problems if problem])
        if self.listed[-1].state is PluginState.OK:
            self.loaded.append(LoadedPlugin(plugin=self.listed[-1], hook=hook))

    def _take(self, entry_point: importlib.metadata.EntryPoint, kind: Any, what: _What) -> _Problem | None:
        distribution = _describe(entry_point)
        taken = self.origins if what is _DRIVER else self._addon_origins
        made: dict[str, Any] = self.datastores if what is _DRIVER else self.addons
        problem = _problem(kind, what, taken)
        if problem is None:
            try:
                made[kind.NAME] = kind()
            except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
                problem = _Problem(PluginState.BROKEN, told(error))
            else:
                taken[kind.NAME] = distribution
                return None
        name = getattr(kind, "NAME", None) if what is _DRIVER else None
        self.failures.append(Failure(distribution=distribution, sentence=problem.sentence, driver=name))
        return problem

    def _list(
        self,
        entry_point: importlib.metadata.EntryPoint,
        drivers: list[Any],
        addons: list[Any],
        problems: list[_Problem],
    ) -> None:
        graveness = list(PluginState)
        self.listed.append(
            _listed(
                entry_point,
                drivers=tuple(_name(kind) for kind in drivers),
                addons=tuple(_name(kind) for kind in addons),
                contract=", ".join(sorted({_version(kind) for kind in (*drivers, *addons)})),
                state=max((problem.state for problem in problems), key=graveness.index, default=PluginState.OK),
                sentence=" ".join(problem.sentence for problem in problems),
            )
        )


@dataclass(frozen=True, slots=True)
class _What:
    """A sort of class that plugins bring."""

    base: type
    called: str


_DRIVER = _What(DatastoreDriver, "driver")
_ADDON = _What(Addon, "add-on")


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why one class is not used."""

    state: PluginState
    sentence: str


def _hooks_of(entry_point: importlib.metadata.EntryPoint) -> pluggy.HookRelay:
    # One manager each: a module with a wrong hook signature fails alone.
    manager = pluggy.PluginManager(hooks.GROUP)
    manager.add_hookspecs(hooks)
    manager.register(entry_point.load(), name=entry_point.name)
    manager.check_pending()
    return manager.hook


def is_spoken(version: object) -> bool:
    """Whether a plugin written for this version of the contract can be used: the same major, a minor not above ours."""
    is_version = isinstance(version, tuple) and [type(one) for one in version] == [int, int]
    if not is_version:
        return False
    major, minor = cast("tuple[int, int]", version)
    return major == API_VERSION[0] and minor <= API_VERSION[1]


def _problem(kind: Any, what: _What, taken: Mapping[str, str]) -> _Problem | None:
    if not (isinstance(kind, type) and issubclass(kind, what.base)):
        return _Problem(PluginState.BROKEN, f"{kind!r} is no subclass of {what.base.__name__}.")
    name = getattr(kind, "NAME", None)
    if not isinstance(name, str) or not name:
        return _Problem(PluginState.BROKEN, f"{kind!r} has no NAME.")
    if not is_spoken(getattr(kind, "API_VERSION", None)):
        sentence = f"it was written for plugin contract {_version(kind)}, this operator speaks {_text(API_VERSION)}."
        return _Problem(PluginState.INCOMPATIBLE, sentence)
    if sentence := _broken_declaration(kind, what):
        return _Problem(PluginState.BROKEN, f"the {what.called} {name!r} {sentence}")
    if name in taken:
        return _Problem(PluginState.DUPLICATE, f"the {what.called} name {name!r} is already taken by {taken[name]}.")
    return None


def _broken_declaration(kind: Any, what: _What) -> str:
    """What a class says of itself in a form that cannot be read; empty when all can."""
    if what is _ADDON:
        key = getattr(kind, "SPEC_KEY", None)
        if not isinstance(key, str) or not key:
            return "has no SPEC_KEY."
        missing = [name for name in ("CONFIG", "STATUS") if not _is_struct(getattr(kind, name, None))]
        return f"has a {missing[0]} that is no msgspec.Struct." if missing else ""
    capabilities: Any = kind.CAPABILITIES
    if not (isinstance(capabilities, frozenset) and all(isinstance(one, Capability) for one in capabilities)):
        return "has CAPABILITIES that are no frozenset of Capability."
    if kind.CONFIG is not None and not _is_struct(kind.CONFIG):
        return "has a CONFIG that is neither a msgspec.Struct nor None."
    return ""


def _is_struct(kind: Any) -> bool:
    # By its mark: importing msgspec here would slow down every command that looks at plugins.
    return isinstance(kind, type) and hasattr(kind, "__struct_fields__")


def _listed(entry_point: importlib.metadata.EntryPoint, **fields: Any) -> Plugin:
    brought_by = entry_point.dist
    return Plugin(
        name=entry_point.name,
        module=entry_point.value,
        distribution=brought_by.name if brought_by else "",
        version=brought_by.version if brought_by else "",
        **fields,
    )


def _describe(entry_point: importlib.metadata.EntryPoint) -> str:
    distribution = entry_point.dist
    return f"{distribution.name} {distribution.version}" if distribution else entry_point.value


def _name(kind: Any) -> str:
    return str(getattr(kind, "NAME", None) or getattr(kind, "__name__", repr(kind)))


def _version(kind: Any) -> str:
    version = getattr(kind, "API_VERSION", None)
    return _text(version) if isinstance(version, tuple) else repr(version)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f" in {trace.tb_frame.f_globals.get('__name__')}, line {trace.tb_lineno}" if trace else ""


def _text(version: tuple[object, ...]) -> str:
    return ".".join(map(str, version))
