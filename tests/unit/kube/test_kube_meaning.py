"""Quantities mean what Kubernetes means by them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.kube.meaning import element_with, key_names, name_of, same_value, selector_of, written

CPU = ("limits", "cpu")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1000m"),
        (1, "1"),
        (0.5, "500m"),
        ("1Ki", "1024"),
        ("1k", 1000),
        ("1.5Gi", "1536Mi"),
        ("1e3", "1k"),
        ("1E", "1000P"),
        ("100n", "0.1u"),
        ("0", 0),
        ("-1", "-1000m"),
    ],
)
def test_equal_quantities(one: object, other: object) -> None:
    """The same amount in two spellings is equal, in either order."""
    assert same_value(CPU, one, other)
    assert same_value(CPU, other, one)


@pytest.mark.parametrize(
    ("one", "other"), [("1", "1001m"), ("1Ki", "1k"), ("x", "1"), ("", "0"), ("1Kx", "1"), (True, 1)]
)
def test_different_quantities(one: object, other: object) -> None:
    """Another amount, or no amount, is not."""
    assert not same_value(CPU, one, other)


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_thousandths(amount: int) -> None:
    """Any whole amount equals a thousand times as many thousandths, and no other."""
    assert same_value(CPU, str(amount), f"{amount * 1000}m")
    assert not same_value(CPU, str(amount), f"{amount * 1000 + 1}m")


@given(st.text())
def test_any_text_can_be_compared(text: str) -> None:
    """Text that is no quantity is equal to itself and to nothing that is one."""
    assert same_value(CPU, text, text)
    same_value(CPU, text, "1")


def test_only_quantities_are_amounts() -> None:
    """A label or a variable that looks like an amount is text."""
    assert not same_value(("labels", "x"), "1", "1000m")
    assert same_value(("resources", "requests", "cpu"), "1", "1000m")
    assert same_value(("emptyDir", "sizeLimit"), "1Gi", "1024Mi")


def test_trails() -> None:
    """A trail is written for people, and its innermost field is not its innermost bracket."""
    assert written(("spec", "ports", "[port=1]", "name")) == "spec.ports[port=1].name"
    assert written(("metadata", "labels", "a.b/c")) == "metadata.labels[a.b/c]"
    assert name_of(("spec", "ports", "[port=1]")) == "ports"
    assert name_of(()) == ""


def test_keys() -> None:
    """Ports go by their own number, lists without a known key and lists of plain values by position."""
    assert key_names(("spec", "ports"), [{"containerPort": 1}], None) == ("containerPort", "protocol")
    assert key_names(("spec", "ports"), [{"port": 1}], None) == ("port", "protocol")
    assert key_names(("spec", "args"), ["a"], None) == ()
    assert key_names(("spec", "containers"), [], None) == ()
    assert key_names(("spec", "rules"), [{"a": 1}], None) == ()


def test_elements() -> None:
    """An element is found by its key fields, whatever else it holds; plain values have none."""
    elements = ["text", {"port": 1}, {"port": 1, "protocol": "UDP"}]
    assert element_with(elements, {"port": 1, "protocol": "TCP"}) == 1
    assert element_with(elements, {"protocol": "UDP", "port": 1}) == 2
    assert element_with(elements, {"port": 2, "protocol": "TCP"}) is None
    assert selector_of({"port": 1, "name": "x"}, ("port", "protocol")) == {"port": 1, "protocol": "TCP"}
