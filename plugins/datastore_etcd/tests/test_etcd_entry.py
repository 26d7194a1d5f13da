"""The plugin's door: found by its entry point, light until a store is opened, private in what it registers."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

from kamaji_core.contracts import API_VERSION, DatastoreDriver
from kamaji_datastore_etcd import EtcdDriver, _proto, kamaji_datastores

PROTO = Path(_proto.__file__).parent / "etcd_wire.proto"


def test_the_entry_point_names_the_module() -> None:
    """The distribution registers the package in the group that the core looks at."""
    (entry_point,) = importlib.metadata.entry_points(group="kamaji", name="datastore-etcd")
    assert entry_point.load().kamaji_datastores is kamaji_datastores


def test_the_hook_hands_over_the_driver() -> None:
    """The driver is a whole implementation of the contract that the core speaks."""
    assert kamaji_datastores() == [EtcdDriver]
    assert isinstance(EtcdDriver(), DatastoreDriver)
    assert (EtcdDriver.NAME, EtcdDriver.API_VERSION) == ("etcd", API_VERSION)


def test_no_network_library_is_loaded_at_start() -> None:
    """Importing the entry module and using the pure half loads neither the network library nor protobuf."""
    code = (
        "import sys, kamaji_datastore_etcd as plugin; "
        "from kamaji_core.contracts import StoreView; "
        "plugin.kamaji_datastores()[0]().validate(StoreView(name='s', endpoints=('a:1',))); "
        "print([name for name in sys.modules if name.partition('.')[0] in ('grpclib', 'h2', 'google')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"


def test_messages_are_registered_under_names_of_our_own() -> None:
    """Another etcd client in the process, which registers etcd's own names, does not collide with ours."""
    from kamaji_datastore_etcd._proto import etcd_wire_pb2  # noqa: PLC0415 - not before the test of light imports

    descriptor = etcd_wire_pb2.DESCRIPTOR
    assert descriptor.name == "kamaji_datastore_etcd/_proto/etcd_wire.proto"
    assert descriptor.package == "kamaji_datastore_etcd.wire"


def test_the_generated_messages_are_those_of_the_source() -> None:
    """Nobody changed the source without generating again: messages, fields and numbers are the same."""
    from kamaji_datastore_etcd._proto import etcd_wire_pb2  # noqa: PLC0415 - as above

    source = PROTO.read_text()
    for name, message in etcd_wire_pb2.DESCRIPTOR.message_types_by_name.items():
        body = re.search(rf"^message {name} {{(}}$|.*?^}}$)", source, re.MULTILINE | re.DOTALL)
        assert body is not None, name
        without_enums = re.sub(r"enum \w+ {.*?}", "", body[1], flags=re.DOTALL)
        written = {field: int(number) for field, number in re.findall(r"(\w+) = (\d+);", without_enums)}
        assert {field.name: field.number for field in message.fields} == written, name
    declared = set(re.findall(r"^message (\w+)", source, re.MULTILINE))
    assert declared == set(etcd_wire_pb2.DESCRIPTOR.message_types_by_name)
