"""What a tenant's pods are told about kine."""

from __future__ import annotations

import pytest

from kamaji_core.contracts import (
    ControlPlaneParts,
    EnvironmentVariable,
    Flag,
    Mount,
    RestartOn,
    SecretReferences,
    Volume,
)
from kamaji_kine import IMAGE, KineConfig, TlsFiles, kine_parts

_SECRETS = SecretReferences(credentials="one-datastore-certificate", config="one-datastore-config")


def _parts(config: KineConfig | None = None, *, tls: TlsFiles | None = None) -> ControlPlaneParts:
    return kine_parts(config or KineConfig(), secrets=_SECRETS, tls=tls)


def test_kube_apiserver_asks_kine_through_its_socket() -> None:
    """The flag, kine's own address and the shared memory volume name the same place, and no user may change that."""
    parts = _parts()
    assert parts.flags == (
        Flag(component="kube-apiserver", name="--etcd-servers", value="unix:///run/kine/kine.sock", managed=True),
    )
    (container,) = parts.containers
    assert "--listen-address=unix:///run/kine/kine.sock" in container.command
    assert parts.volumes == (Volume(name="kine-socket", medium="Memory"),)
    assert parts.mounts == (
        Mount(component="kine", volume="kine-socket", path="/run/kine", read_only=False),
        Mount(component="kube-apiserver", volume="kine-socket", path="/run/kine", read_only=True),
    )


def test_the_connection_string_comes_from_the_secret_alone() -> None:
    """It is a variable that refers to the tenant's Secret, and no argument could hold it."""
    (container,) = _parts().containers
    assert container.environment == (
        EnvironmentVariable(name="KINE_ENDPOINT", secret="one-datastore-config", key="KINE_ENDPOINT"),
    )
    assert not any(argument.startswith("--endpoint") for argument in container.command)


def test_metrics_are_for_the_pod_alone() -> None:
    """Without the flag kine shows them at every address."""
    (container,) = _parts().containers
    assert "--metrics-bind-address=127.0.0.1:2381" in container.command


def test_the_version_that_kine_claims_lets_watches_work() -> None:
    """kube-apiserver wants 3.5.13 at least."""
    (container,) = _parts().containers
    (version,) = [value for name, _, value in (flag.partition("=") for flag in container.command) if "version" in name]
    assert tuple(map(int, version.split("."))) >= (3, 5, 13)


def test_the_image_serves_every_architecture() -> None:
    """No tag of one architecture is the default."""
    (container,) = _parts().containers
    assert container.image == IMAGE == "docker.io/rancher/kine:v0.17.5"


def test_the_users_choices_reach_the_container() -> None:
    """Image, requests and limits are those of the settings."""
    config = KineConfig(image="registry.example/kine:1", requests={"cpu": "1"}, limits={"memory": "1Gi"})
    (container,) = _parts(config).containers
    assert (container.image, container.requests, container.limits) == (
        "registry.example/kine:1",
        {"cpu": "1"},
        {"memory": "1Gi"},
    )


def test_without_tls_nothing_of_the_credentials_is_mounted() -> None:
    """A connection string is all that kine needs then, and its change rolls the pods."""
    parts = _parts()
    assert [volume.secret for volume in parts.volumes if volume.secret] == []
    assert parts.restart_on == (RestartOn(name="kine-endpoint", secret="one-datastore-config", key="KINE_ENDPOINT"),)


def test_tls_files_are_mounted_for_kine_alone_and_roll_the_pods() -> None:
    """The image runs as nobody, so that root's files must be readable by all; only kine sees them."""
    parts = _parts(tls=TlsFiles(ca="ca.crt", certificate="client.crt", key="client.key"))
    (volume,) = [volume for volume in parts.volumes if volume.secret]
    assert volume.secret == "one-datastore-certificate"
    assert volume.items == {"ca.crt": "ca.crt", "client.crt": "client.crt", "client.key": "client.key"}
    assert volume.mode == 0o444
    assert [mount for mount in parts.mounts if mount.volume == volume.name] == [
        Mount(component="kine", volume="kine-tls", path="/etc/kine/tls", read_only=True)
    ]
    (container,) = parts.containers
    assert container.command[-3:] == (
        "--ca-file=/etc/kine/tls/ca.crt",
        "--cert-file=/etc/kine/tls/client.crt",
        "--key-file=/etc/kine/tls/client.key",
    )
    assert [(restart.name, restart.secret, restart.key) for restart in parts.restart_on] == [
        ("kine-endpoint", "one-datastore-config", "KINE_ENDPOINT"),
        ("kine-ca", "one-datastore-certificate", "ca.crt"),
        ("kine-cert", "one-datastore-certificate", "client.crt"),
        ("kine-key", "one-datastore-certificate", "client.key"),
    ]


def test_an_authority_alone_is_enough_for_tls() -> None:
    """A store that knows its users by password still has a certificate of its own."""
    parts = _parts(tls=TlsFiles(ca="ca.crt"))
    (container,) = parts.containers
    assert [argument for argument in container.command if "-file=" in argument] == ["--ca-file=/etc/kine/tls/ca.crt"]


@pytest.mark.parametrize("half", [{"certificate": "client.crt"}, {"key": "client.key"}])
def test_half_a_pair_is_refused(half: dict[str, str]) -> None:
    """With it kine would not start, so a driver hears of it at once."""
    with pytest.raises(ValueError, match="certificate and its key together"):
        TlsFiles(ca="ca.crt", **half)


def test_the_same_settings_give_the_same_parts() -> None:
    """Parts are asked for in every pass; a difference would roll the pods."""
    assert _parts(tls=TlsFiles(ca="ca.crt")) == _parts(tls=TlsFiles(ca="ca.crt"))
