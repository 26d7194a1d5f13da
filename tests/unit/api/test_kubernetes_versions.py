"""Versions of Kubernetes: reading them and the supported range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kamaji_core.api.versions import (
    NEWEST_MINOR,
    OLDEST_MINOR,
    KubernetesVersion,
    VersionError,
    check_change,
    parse_version,
    supported_version,
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v1.37.1", KubernetesVersion(major=1, minor=37, patch=1)),
        ("1.37.1", KubernetesVersion(major=1, minor=37, patch=1)),
        ("v1.30.0", KubernetesVersion(major=1, minor=30, patch=0)),
        ("v1.37.0-rc.1", KubernetesVersion(major=1, minor=37, patch=0, prerelease="rc.1")),
        ("v1.37.0-alpha.0-x", KubernetesVersion(major=1, minor=37, patch=0, prerelease="alpha.0-x")),
    ],
)
def test_versions_are_read(text: str, version: KubernetesVersion) -> None:
    """A semantic version is read with or without one leading `v`."""
    assert parse_version(text) == version


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v",
        "1",
        "1.37",
        "v1.37",
        "vv1.37.1",
        "V1.37.1",
        "1.37.01",
        "1.037.1",
        "1.37.1-",
        "1.37.1-01",
        "v1.37.1+k3s1",
        " v1.37.1",
        "v1.37.1\n",
        "v1.37.x",
        "v1.37.1.0",
        "v1.37.-1",
        "\N{ARABIC-INDIC DIGIT ONE}.37.1",
        "latest",
    ],
)
def test_what_is_no_version_is_refused_with_an_example(text: str) -> None:
    """What is not a semantic version, or cannot be an image's tag, is refused."""
    with pytest.raises(VersionError, match=r"is no version of Kubernetes: write one such as v1\.37\.1\."):
        parse_version(text)


@given(
    st.builds(
        KubernetesVersion,
        major=st.integers(0, 99),
        minor=st.integers(0, 99),
        patch=st.integers(0, 999),
        prerelease=st.sampled_from(["", "rc.1", "alpha.0", "beta"]),
    )
)
def test_a_version_reads_back_as_it_is_written(version: KubernetesVersion) -> None:
    """Writing gives the tag, with a leading `v`, and reading gives the version again."""
    assert str(version).startswith("v")
    assert parse_version(str(version)) == version


@pytest.mark.parametrize("minor", range(OLDEST_MINOR, NEWEST_MINOR + 1))
def test_every_supported_minor_is_accepted(minor: int) -> None:
    """Each patch release of a minor in the range may be run."""
    assert supported_version(f"v1.{minor}.99").minor == minor


@pytest.mark.parametrize("text", ["v1.29.15", "v1.38.0", "v1.38.0-alpha.1", "v0.37.1", "v2.35.0"])
def test_other_minors_are_refused_with_the_range(text: str) -> None:
    """The sentence names the version and the range."""
    with pytest.raises(VersionError, match=r"is not supported: choose a version from v1\.30 to v1\.37\.") as caught:
        supported_version(text)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("installed", "wanted"),
    [("v1.36.2", "v1.36.2"), ("v1.36.2", "v1.36.3"), ("v1.36.2", "v1.37.0"), ("v1.37.0-rc.1", "v1.37.0")],
)
def test_a_control_plane_moves_forward_by_a_minor_at_most(installed: str, wanted: str) -> None:
    """As Kubernetes' version skew policy allows."""
    check_change(installed, wanted)


@pytest.mark.parametrize(
    ("installed", "wanted", "words"),
    [
        ("v1.36.2", "v1.36.1", "cannot go back; set v1.36.2"),
        ("v1.36.2", "v1.35.9", "cannot go back"),
        ("v1.37.0", "v1.37.0-rc.1", "cannot go back"),
        ("v1.35.2", "v1.37.0", "go to v1.36 first"),
    ],
)
def test_other_moves_are_refused_with_what_to_do(installed: str, wanted: str, words: str) -> None:
    """The sentence names the version to set."""
    with pytest.raises(VersionError, match=words):
        check_change(installed, wanted)
