"""Names of a claim: which key range they mean and which are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.contracts import Claim, ProbeKind
from kamaji_datastore_etcd.names import NameRefusedError, check_names, key_range

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=8)


def test_a_range_begins_and_ends_behind_the_name() -> None:
    """A schema's range is its name between slashes, up to the character after the second slash."""
    assert key_range("a") == (b"/a/", b"/a0")


@given(one=_NAMES, other=_NAMES, rest=st.text(max_size=5))
def test_no_key_of_one_schema_lies_in_another_s_range(one: str, other: str, rest: str) -> None:
    """Ranges of different names never meet, also where one name is the beginning of the other."""
    start, end = key_range(one)
    key = key_range(other)[0] + rest.encode()
    assert (start <= key < end) == (one == other)


@pytest.mark.parametrize("name", ["a", "default_tenant-00", "0d9f9a54-27d7-4a0c-8b0c-0123456789ab", "täglich"])
def test_ordinary_names_pass(make_claim: Callable[..., Claim], name: str) -> None:
    """UIDs, Kamaji's names and letters of any language are accepted."""
    check_names(make_claim(schema=name, user=name), login="operator")


@pytest.mark.parametrize("name", ["", "a/b", "/", "a\0", "a\nb", ".", "..", "root"])
@pytest.mark.parametrize("field", ["schema", "user"])
def test_names_with_another_meaning_are_refused(make_claim: Callable[..., Claim], field: str, name: str) -> None:
    """A name that would move the range or be etcd's administrator is refused with the field to change."""
    with pytest.raises(NameRefusedError, match=r"spec\.dataStore(Schema|Username)") as caught:
        check_names(make_claim(**{field: name}), login="operator")
    assert (caught.value.kind, caught.value.retry) == (ProbeKind.PERMISSION, False)


def test_the_operator_s_own_login_is_no_tenant_s_user(make_claim: Callable[..., Claim]) -> None:
    """A tenant that asks for the operator's user is refused, whatever it is called."""
    with pytest.raises(NameRefusedError, match="operator's own login"):
        check_names(make_claim(user="kamaji-operator"), login="kamaji-operator")


@pytest.mark.parametrize(("field", "limit"), [("schema", 253), ("user", 64)])
def test_the_length_is_limited(make_claim: Callable[..., Claim], field: str, limit: int) -> None:
    """The longest name that is allowed passes, one character more is refused."""
    check_names(make_claim(**{field: "a" * limit}), login="operator")
    with pytest.raises(NameRefusedError, match="longer than"):
        check_names(make_claim(**{field: "a" * (limit + 1)}), login="operator")
