"""What a further machine's programs are told, and that no two machines meet."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest
import yaml

from sandbox import places
from sandbox.errors import SandboxError
from sandbox.node import configuration, machine
from sandbox.node.machine import MOST, Machine

ONE = Machine(name="shop-1", number=3)


def test_machines_do_not_meet() -> None:
    """Neither each other nor the sandbox: links and pods have ranges of their own."""
    taken = [ipaddress.ip_network(text) for text in (places.LINK_RANGE, places.POD_RANGE, places.SERVICE_RANGE)]
    for number in range(MOST):
        one = Machine(name=f"n{number}", number=number)
        assert len(one.interface) <= 15
        link = ipaddress.ip_network(f"{one.gateway}/30", strict=False)
        assert ipaddress.ip_address(one.address) in link
        for network in (link, ipaddress.ip_network(one.pods)):
            assert not any(network.overlaps(other) for other in taken)
            taken.append(network)


def test_kubeadm_is_told_by_file() -> None:
    """The token stands in no argument list; the machine's name, address and socket are its own."""
    told = yaml.safe_load(
        configuration.join_configuration(
            ONE, endpoint="10.0.0.1:6443", token="abcdef.0123456789abcdef", pin="sha256:00", patches=Path("/p")
        )
    )
    assert told["nodeRegistration"]["name"] == "shop-1"
    assert told["nodeRegistration"]["criSocket"] == f"unix://{ONE.containerd_socket}"
    assert {"name": "node-ip", "value": ONE.address} in told["nodeRegistration"]["kubeletExtraArgs"]
    assert told["discovery"]["bootstrapToken"]["caCertHashes"] == ["sha256:00"]
    assert told["patches"] == {"directory": "/p"}


def test_pods_leave_under_the_machines_address() -> None:
    """So that no other machine needs to know them."""
    plugin = json.loads(configuration.cni(ONE))["plugins"][0]
    assert plugin["ipMasq"] is True
    assert plugin["ipam"]["ranges"] == [[{"subnet": ONE.pods}]]


def test_a_free_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first number that no machine of the tenant has."""
    monkeypatch.setattr(machine, "known", lambda: [Machine(name="shop-1", number=0), Machine(name="shop-3", number=1)])
    assert machine.free_name("shop") == "shop-2"
    assert machine.free_name("other") == "other-1"


@pytest.mark.parametrize("name", ["", "Bad Name", "../evil", "-a", "a-", "a.b", "x" * 64])
def test_a_name_that_no_node_can_have_is_refused(name: str) -> None:
    """Before anything is made."""
    with pytest.raises(SandboxError, match="use up to 63 lower-case letters, digits and dashes"):
        machine.next_machine(name)


def test_a_name_that_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next machine takes the first ranges that are free."""
    monkeypatch.setattr(machine, "known", lambda: [Machine(name="shop-1", number=0), Machine(name="shop-3", number=2)])
    with pytest.raises(SandboxError, match="there is a machine 'shop-1' already"):
        machine.next_machine("shop-1")
    assert machine.next_machine("shop-2").number == 1
