"""A DataStore's settings are judged by the driver's type and by the driver, whatever a stranger's driver does."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import msgspec
import pytest

from kamaji_core.contracts import API_VERSION, DatastoreDriver, StoreView
from kamaji_core.plugins import store_problems


class _Settings(msgspec.Struct, forbid_unknown_fields=True):
    pool: int = 1


class _Undecodable(msgspec.Struct):
    pool: "dict[int, NoSuchType]"  # type: ignore[name-defined]  # noqa: F821, UP037 - what a careless author may ship


class _Driver(DatastoreDriver):
    """Without a type of its settings; told by a setting what to do."""

    NAME: ClassVar[str] = "oracle"
    API_VERSION: ClassVar[tuple[int, int]] = API_VERSION

    def validate(self, store: StoreView) -> Any:
        answer = store.config.get("answer", ())
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def issue(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    open = parts = issue


class _TypedDriver(_Driver):
    CONFIG: ClassVar[type[msgspec.Struct] | None] = _Settings


class _BadlyTypedDriver(_Driver):
    CONFIG: ClassVar[type[msgspec.Struct] | None] = _Undecodable


def store(**config: Any) -> StoreView:
    """A DataStore with these settings."""
    return StoreView(name="prod", endpoints=("127.0.0.1:1",), config=config)


def test_good_settings_have_no_problems() -> None:
    """With and without a type."""
    assert store_problems(_Driver(), store(anything=1)) == ()
    assert store_problems(_TypedDriver(), store(pool=3)) == ()


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"pool": "many"}, "spec.config.pool cannot be used: expected `int`, got `str`."),
        ({"pol": 3}, "spec.config.pol is unknown (settings: pool): correct or remove it."),
    ],
)
def test_the_type_is_checked_first(config: dict[str, Any], sentence: str) -> None:
    """Its sentence names the field; the driver is not asked about settings that it could not read."""
    assert store_problems(_TypedDriver(), store(**config)) == (sentence,)


def test_the_drivers_own_sentences_are_handed_on() -> None:
    """Unchanged and in its order."""
    assert store_problems(_Driver(), store(answer=["One.", "Two."])) == ("One.", "Two.")


@pytest.mark.parametrize("error", [RuntimeError("hunter2"), SystemExit("hunter2"), TimeoutError("hunter2")])
def test_a_driver_that_raises_is_told_and_contained(error: BaseException) -> None:
    """It is this DataStore's trouble, not the operator's end; its words, which may quote a password, are not told."""
    (sentence,) = store_problems(_Driver(), store(answer=error))
    where = rf"{type(error).__name__} in [\w.]+, line \d+"
    assert re.fullmatch(
        rf"The driver 'oracle' failed to judge the settings \({where}\): report it to its authors\.", sentence
    )
    assert __name__ in sentence


@pytest.mark.parametrize("answer", [None, 3])
def test_a_driver_that_answers_no_sequence_is_told(answer: Any) -> None:
    """The same as one that raises."""
    (sentence,) = store_problems(_Driver(), store(answer=answer))
    assert "failed to judge the settings (TypeError in " in sentence


def test_a_type_that_cannot_be_read_is_told() -> None:
    """An author's mistake in CONFIG shows with the first DataStore and stays there."""
    (sentence,) = store_problems(_BadlyTypedDriver(), store(pool={}))
    assert sentence.startswith("The driver 'oracle' failed to judge the settings (NameError in ")
