"""Versions of Kubernetes: reading them and the range that tenants may run."""

import re
from dataclasses import dataclass

OLDEST_MINOR = 30
NEWEST_MINOR = 37
SUPPORTED = f"v1.{OLDEST_MINOR} to v1.{NEWEST_MINOR}"
"""The range for sentences; every patch release of these minors is accepted."""

_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMANTIC_VERSION = re.compile(
    rf"v?(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
    rf"(?:-(?P<prerelease>{_IDENTIFIER}(?:\.{_IDENTIFIER})*))?",
)


class VersionError(ValueError):
    """A version that cannot be read or is not supported; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesVersion:
    """A release of Kubernetes.

    Args:
        major: 1 so far.
        minor: second number.
        patch: third number.
        prerelease: such as `rc.1`; empty for a release.
    """

    major: int
    minor: int
    patch: int
    prerelease: str = ""

    def __str__(self) -> str:
        """Write it as release tags are: with a leading `v`."""
        suffix = f"-{self.prerelease}" if self.prerelease else ""
        return f"v{self.major}.{self.minor}.{self.patch}{suffix}"


def parse_version(text: str) -> KubernetesVersion:
    """Read a semantic version (semver.org, 2.0.0) with or without a leading `v`.

    Build metadata (`+...`) is not accepted, since it cannot stand in an image's tag.

    Raises:
        VersionError: when it is none.
    """
    match = _SEMANTIC_VERSION.fullmatch(text)
    if match is None:
        raise VersionError(f"{text!r} is no version of Kubernetes: write one such as v1.{NEWEST_MINOR}.1.")
    return KubernetesVersion(
        major=int(match["major"]),
        minor=int(match["minor"]),
        patch=int(match["patch"]),
        prerelease=match["prerelease"] or "",
    )


def supported_version(text: str) -> KubernetesVersion:
    """Read a version that tenants may run.

    Raises:
        VersionError: when it is none, or outside of the supported range.
    """
    version = parse_version(text)
    if version.major != 1 or not OLDEST_MINOR <= version.minor <= NEWEST_MINOR:
        raise VersionError(f"{text} is not supported: choose a version from {SUPPORTED}.")
    return version


def check_change(installed: str, wanted: str) -> None:
    """Check that a running control plane may move from one version to another.

    Kubernetes supports neither going back nor leaving out a minor (its version skew policy): stored objects and
    kubelets could not follow.

    Raises:
        VersionError: when it may not.
    """
    before, after = parse_version(installed), parse_version(wanted)
    if _order(after) < _order(before):
        raise VersionError(f"{after} is older than {before}, which runs: a control plane cannot go back; set {before}.")
    if after.minor > before.minor + 1:
        following = f"v{before.major}.{before.minor + 1}"
        raise VersionError(f"{after} leaves out a minor version after {before}, which runs: go to {following} first.")


def _order(version: KubernetesVersion) -> tuple[int, int, int, bool, str]:
    # A release comes after its pre-releases.
    return version.major, version.minor, version.patch, not version.prerelease, version.prerelease
