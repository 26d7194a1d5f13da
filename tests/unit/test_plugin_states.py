"""Every state that a plugin can be in, with real distributions; whatever it is, the others work."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kamaji_core.plugins import (
    DISABLED_VARIABLE,
    ENABLED_VARIABLE,
    Plugin,
    Plugins,
    PluginState,
    load_plugins,
    names_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    InstallPlugin = Callable[[str, str], Path]

DRIVER = """
import msgspec
from kamaji_core.contracts import API_VERSION, Addon, Capability, DatastoreDriver, hookimpl


class Driver(DatastoreDriver):
    NAME = "oracle"
    API_VERSION = API_VERSION

    def validate(self, *args, **kwargs):
        return ()

    issue = open = parts = validate

    {more}


@hookimpl
def kamaji_datastores():
    return [Driver]
"""

ADDON = """
import msgspec
from kamaji_core.contracts import API_VERSION, Addon, hookimpl


class Settings(msgspec.Struct):
    pass


class Extra(Addon):
    NAME = "extra"
    SPEC_KEY = "extra"
    API_VERSION = API_VERSION
    CONFIG = STATUS = Settings

    def config(self, *args):
        return None

    tenant_objects = status = config

    {more}


@hookimpl
def kamaji_addons():
    return [Extra]
"""

BROKEN_MODULES = {
    "raises": ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "does not parse": ("def (", "SyntaxError"),
    "needs what is not installed": ("import no_such_library", "No module named 'no_such_library'"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "exits in its hook": (
        "from kamaji_core.contracts import hookimpl\n@hookimpl\ndef kamaji_datastores():\n    raise SystemExit('bye')",
        "SystemExit: bye",
    ),
    "gives no list": (
        "from kamaji_core.contracts import hookimpl\n@hookimpl\ndef kamaji_datastores():\n    return 3",
        "'int' object is not iterable",
    ),
    "gives no class": (
        "from kamaji_core.contracts import hookimpl\n@hookimpl\ndef kamaji_datastores():\n    return ['oracle']",
        "'oracle' is no subclass of DatastoreDriver",
    ),
    "gives an add-on as a driver": (
        ADDON.format(more="") + "\nkamaji_datastores = hookimpl(lambda: [Extra], specname='kamaji_datastores')",
        "is no subclass of DatastoreDriver",
    ),
}

BROKEN_DRIVERS = {
    "no name": ("NAME = None", "has no NAME"),
    "an empty name": ("NAME = ''", "has no NAME"),
    "a name that is no text": ("NAME = 3", "has no NAME"),
    "constructor raises": ("def __init__(self): raise KeyError('licence')", "KeyError: 'licence'"),
    "constructor exits": ("def __init__(self): raise SystemExit(1)", "SystemExit: 1"),
    "constructor wants arguments": ("def __init__(self, licence): pass", "licence"),
    "capabilities in a list": ("CAPABILITIES = [Capability.COPY]", "CAPABILITIES that are no frozenset"),
    "capabilities as text": ("CAPABILITIES = frozenset({'copy'})", "CAPABILITIES that are no frozenset"),
    "no capabilities": ("CAPABILITIES = None", "CAPABILITIES that are no frozenset"),
    "settings as an instance": ("CONFIG = {'user': str}", "CONFIG that is neither a msgspec.Struct nor None"),
    "settings of another type": ("CONFIG = dict", "CONFIG that is neither a msgspec.Struct nor None"),
}

BROKEN_ADDONS = {
    "no key": ("SPEC_KEY = ''", "the add-on 'extra' has no SPEC_KEY"),
    "a key that is no text": ("SPEC_KEY = None", "the add-on 'extra' has no SPEC_KEY"),
    "no settings": ("CONFIG = None", "the add-on 'extra' has a CONFIG that is no msgspec.Struct"),
    "no status": ("STATUS = None", "the add-on 'extra' has a STATUS that is no msgspec.Struct"),
    "no name": ("NAME = ''", "has no NAME"),
    "constructor raises": ("def __init__(self): raise ValueError('full moon')", "ValueError: full moon"),
}


def listed(plugins: Plugins, name: str) -> Plugin:
    """The only plugin of this name, having seen that the environment's own work as ever."""
    others = [plugin for plugin in plugins.listed if plugin.module.startswith("kamaji_")]
    assert others
    assert {plugin.state for plugin in others} == {PluginState.OK}
    assert "etcd" in plugins.datastores
    (found,) = [plugin for plugin in plugins.listed if plugin.name == name]
    return found


def test_a_good_driver_is_ok(install_plugin: InstallPlugin) -> None:
    """The list tells all that there is to tell: where it comes from, what it brings, which contract it speaks."""
    install_plugin("oracle", DRIVER.format(more=""))
    plugins = load_plugins()
    assert listed(plugins, "oracle") == Plugin(
        name="oracle",
        module="plugin_oracle",
        distribution="kamaji-oracle",
        version="1.2",
        drivers=("oracle",),
        contract="1.0",
    )
    assert plugins.origins["oracle"] == "kamaji-oracle 1.2"
    assert plugins.failures == ()


def test_a_good_addon_is_ok(install_plugin: InstallPlugin) -> None:
    """Found by its NAME and instantiated once."""
    install_plugin("extra", ADDON.format(more=""))
    plugins = load_plugins()
    found = listed(plugins, "extra")
    assert (found.state, found.addons, found.contract, found.sentence) == ("ok", ("extra",), "1.0", "")
    assert type(plugins.addons["extra"]).__name__ == "Extra"


def test_a_plugin_without_classes_is_ok(install_plugin: InstallPlugin) -> None:
    """It may bring other hooks alone, or nothing yet."""
    install_plugin("bare", "")
    found = listed(load_plugins(), "bare")
    assert (found.state, found.drivers, found.addons, found.contract) == ("ok", (), (), "")


@pytest.mark.parametrize(("source", "sentence"), BROKEN_MODULES.values(), ids=BROKEN_MODULES)
def test_a_broken_module_is_named(install_plugin: InstallPlugin, source: str, sentence: str) -> None:
    """What it raised is its sentence, and it brings nothing."""
    install_plugin("bad", source)
    plugins = load_plugins()
    found = listed(plugins, "bad")
    assert found.state is PluginState.BROKEN
    assert sentence in found.sentence
    assert [failure.distribution for failure in plugins.failures] == ["kamaji-bad 1.2"]


@pytest.mark.parametrize(("more", "sentence"), BROKEN_DRIVERS.values(), ids=BROKEN_DRIVERS)
def test_a_broken_driver_is_named(install_plugin: InstallPlugin, more: str, sentence: str) -> None:
    """What is wrong with the class is its plugin's sentence, and the driver is not there."""
    install_plugin("bad", DRIVER.format(more=more))
    plugins = load_plugins()
    found = listed(plugins, "bad")
    assert found.state is PluginState.BROKEN
    assert sentence in found.sentence
    assert "oracle" not in plugins.datastores


@pytest.mark.parametrize(("more", "sentence"), BROKEN_ADDONS.values(), ids=BROKEN_ADDONS)
def test_a_broken_addon_is_named(install_plugin: InstallPlugin, more: str, sentence: str) -> None:
    """As a driver's, and no DataStore is told of it."""
    install_plugin("bad", ADDON.format(more=more))
    plugins = load_plugins()
    found = listed(plugins, "bad")
    assert found.state is PluginState.BROKEN
    assert sentence in found.sentence
    assert "extra" not in plugins.addons
    assert [failure.driver for failure in plugins.failures] == [None]


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("(0, 2)", "0.2"),
        ("(1, 1)", "1.1"),
        ("(2, 0)", "2.0"),
        ("(1, 0, 1)", "1.0.1"),
        ("'1.0'", "'1.0'"),
        ("None", "None"),
    ],
)
def test_another_contract_is_incompatible(install_plugin: InstallPlugin, version: str, text: str) -> None:
    """The sentence names both versions, so that the reader knows which side to upgrade."""
    install_plugin("other", DRIVER.format(more=f"API_VERSION = {version}"))
    plugins = load_plugins()
    found = listed(plugins, "other")
    assert (found.state, found.contract) == (PluginState.INCOMPATIBLE, text)
    assert found.sentence == f"it was written for plugin contract {text}, this operator speaks 1.0."
    assert "oracle" not in plugins.datastores


def test_the_second_driver_of_a_name_is_a_duplicate(install_plugin: InstallPlugin) -> None:
    """The first in the order of entry-point names keeps it, in whatever order they were installed."""
    install_plugin("second", DRIVER.format(more=""))
    install_plugin("first", DRIVER.format(more=""))
    plugins = load_plugins()
    assert listed(plugins, "first").state is PluginState.OK
    duplicate = listed(plugins, "second")
    assert duplicate.state is PluginState.DUPLICATE
    assert duplicate.sentence == "the driver name 'oracle' is already taken by kamaji-first 1.2."
    assert type(plugins.datastores["oracle"]).__module__ == "plugin_first"


def test_the_second_addon_of_a_name_is_a_duplicate(install_plugin: InstallPlugin) -> None:
    """As with drivers."""
    install_plugin("a", ADDON.format(more=""))
    install_plugin("b", ADDON.format(more=""))
    plugins = load_plugins()
    duplicate = listed(plugins, "b")
    assert duplicate.state is PluginState.DUPLICATE
    assert duplicate.sentence == "the add-on name 'extra' is already taken by kamaji-a 1.2."
    assert type(plugins.addons["extra"]).__module__ == "plugin_a"


def test_a_driver_and_an_addon_may_share_a_name(install_plugin: InstallPlugin) -> None:
    """They are selected in different places."""
    install_plugin("driver", DRIVER.format(more=""))
    install_plugin("extra", ADDON.format(more="NAME = 'oracle'"))
    plugins = load_plugins()
    assert plugins.failures == ()
    assert {"oracle"} <= plugins.datastores.keys() & plugins.addons.keys()


def test_a_broken_class_leaves_its_name_to_the_next(install_plugin: InstallPlugin) -> None:
    """Only a driver that works takes a name."""
    install_plugin("a", DRIVER.format(more="def __init__(self): raise ValueError('no')"))
    install_plugin("b", DRIVER.format(more=""))
    plugins = load_plugins()
    assert listed(plugins, "b").state is PluginState.OK
    assert type(plugins.datastores["oracle"]).__module__ == "plugin_b"


def test_of_two_classes_of_one_plugin_the_good_one_is_used(install_plugin: InstallPlugin) -> None:
    """The plugin's state is the graver one, and its sentences are all told."""
    more = "\n\nclass Newer(Driver):\n    NAME = 'newer'\n    API_VERSION = (9, 0)\n\n"
    more += "class Nameless(Driver):\n    NAME = ''\n\n"
    more += "kamaji_datastores = hookimpl(lambda: [Newer, Driver, Nameless], specname='kamaji_datastores')\n"
    install_plugin("mixed", DRIVER.format(more="") + more)
    plugins = load_plugins()
    found = listed(plugins, "mixed")
    assert (found.state, found.contract) == (PluginState.BROKEN, "1.0, 9.0")
    assert found.drivers == ("newer", "oracle", "Nameless")
    assert "plugin contract 9.0" in found.sentence
    assert "has no NAME" in found.sentence
    assert "oracle" in plugins.datastores


def test_a_disabled_plugin_is_not_imported(install_plugin: InstallPlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that harms by being imported can be kept out, and how to have it back is told."""
    install_plugin("harmful", "raise RuntimeError('imported')")
    monkeypatch.setenv(DISABLED_VARIABLE, " harmful ,")
    plugins = load_plugins()
    found = listed(plugins, "harmful")
    assert found.state is PluginState.DISABLED
    assert found.sentence == "KAMAJI_DISABLED_PLUGINS names it: take it out there to use it."
    assert "plugin_harmful" not in sys.modules
    assert (plugins.failures, plugins.unknown) == ((), ())


def test_unknown_disabled_names_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt name would otherwise disable nothing in silence."""
    monkeypatch.setenv(DISABLED_VARIABLE, "zebra,datastore-oracel")
    monkeypatch.setenv(ENABLED_VARIABLE, "datastore-etcd,datastore-mysqk")
    assert load_plugins().unknown == (
        ("datastore-mysqk", ENABLED_VARIABLE),
        ("datastore-oracel", DISABLED_VARIABLE),
        ("zebra", DISABLED_VARIABLE),
    )


@pytest.mark.parametrize(
    ("value", "names"),
    [("", set()), (",", set()), ("a", {"a"}), (" a , b,a ", {"a", "b"}), ("a-b,c.d", {"a-b", "c.d"})],
)
def test_names_are_separated_by_commas(value: str, names: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks and repetitions do not matter."""
    monkeypatch.setenv(ENABLED_VARIABLE, value)
    assert names_in(ENABLED_VARIABLE) == names


def test_only_those_that_are_enabled_are_loaded(install_plugin: InstallPlugin, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that is disabled as well is not."""
    install_plugin("wanted", DRIVER.format(more=""))
    install_plugin("left_out", "raise RuntimeError('imported')")
    monkeypatch.setenv(ENABLED_VARIABLE, "wanted")
    found = {plugin.name: plugin for plugin in load_plugins().listed}
    assert {name for name, plugin in found.items() if plugin.state is PluginState.OK} == {"wanted"}
    assert found["left_out"].state is PluginState.DISABLED
    assert found["left_out"].sentence == "KAMAJI_ENABLED_PLUGINS does not name it: add it there to use it."
    monkeypatch.setenv(DISABLED_VARIABLE, "wanted")
    assert {plugin.state for plugin in load_plugins().listed} == {PluginState.DISABLED}


def test_all_at_once(install_plugin: InstallPlugin) -> None:
    """A plugin of every bad sort beside a good one: the good one and the environment's work, each bad one is named."""
    install_plugin("a_exits", "raise SystemExit(1)")
    install_plugin("b_raises", "1 / 0")
    install_plugin("c_other", DRIVER.format(more="API_VERSION = (7, 7)"))
    install_plugin("d_good", DRIVER.format(more=""))
    install_plugin("e_duplicate", DRIVER.format(more=""))
    install_plugin("f_disabled", "1 / 0")
    plugins = load_plugins(disabled=["f_disabled"])
    states = {plugin.name: str(plugin.state) for plugin in plugins.listed if plugin.module.startswith("plugin_")}
    assert states == {
        "a_exits": "broken",
        "b_raises": "broken",
        "c_other": "incompatible",
        "d_good": "ok",
        "e_duplicate": "duplicate",
        "f_disabled": "disabled",
    }
    assert type(plugins.datastores["oracle"]).__module__ == "plugin_d_good"
    assert "plugin_f_disabled" not in sys.modules


def test_only_plugins_that_are_ok_are_asked_further(install_plugin: InstallPlugin) -> None:
    """Their hooks are handed on in the order of names; those of the others are not."""
    install_plugin("b", "")
    install_plugin("a", DRIVER.format(more=""))
    install_plugin("other", DRIVER.format(more="API_VERSION = (7, 7)"))
    install_plugin("again", DRIVER.format(more=""))
    loaded = [one.plugin.name for one in load_plugins().loaded if one.plugin.module.startswith("plugin_")]
    assert loaded == ["a", "b"]


def test_a_missing_driver_names_what_is_wrong_with_its_plugin(install_plugin: InstallPlugin) -> None:
    """Where it is known who would bring it."""
    install_plugin("other", DRIVER.format(more="API_VERSION = (7, 7)"))
    assert load_plugins().missing_driver("oracle") == (
        "The driver 'oracle' of kamaji-other 1.2 cannot be used: it was written for plugin contract 7.7, this operator "
        "speaks 1.0."
    )


def test_a_missing_driver_names_disabled_plugins(install_plugin: InstallPlugin) -> None:
    """What they would bring is not known, since they are not imported."""
    install_plugin("oracle", DRIVER.format(more=""))
    plugins = load_plugins(disabled=["oracle"])
    sentence = plugins.missing_driver("oracle")
    installed = ", ".join(sorted(plugins.datastores))
    assert sentence.startswith(f"No installed plugin brings the driver 'oracle' (installed: {installed}; not loaded ")
    assert "KAMAJI_DISABLED_PLUGINS says so: oracle)" in sentence


def test_without_any_driver_the_sentence_says_none() -> None:
    """And what to do."""
    assert load_plugins([]).missing_driver("etcd") == (
        "No installed plugin brings the driver 'etcd' (installed: none): install its package or correct spec.driver."
    )


@pytest.mark.parametrize("command", [["plugins"], ["--help"], ["no-such-command"]])
def test_commands_load_no_network_library(command: list[str]) -> None:
    """Neither listing plugins nor looking for a plugin's command pays for a store that is not opened."""
    code = (
        "import sys\n"
        "from kamaji_core.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "names = {'grpc', 'google', 'asyncpg', 'aiomysql', 'nats', 'aiohttp', 'kubernetes_asyncio'}\n"
        "print(sorted(names & {name.partition('.')[0] for name in sys.modules}))\n"
    )
    arguments = [sys.executable, "-c", code, *command]
    answer = subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=60)
    assert answer.stdout.splitlines()[-1] == "[]"


def test_help_imports_no_plugin() -> None:
    """What `kamaji --help` costs does not grow with what is installed."""
    code = (
        "import sys\n"
        "from kamaji_core.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "before = set(sys.modules)\n"
        "import importlib.metadata\n"
        "names = {'pluggy', 'asyncio', 'kamaji_core.plugins'}\n"
        "names |= {one.module for one in importlib.metadata.entry_points(group='kamaji')}\n"
        "print(sorted(names & before))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert answer.stdout.splitlines()[-1] == "[]"
