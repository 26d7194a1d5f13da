"""kine as a part of a tenant's pods: a container beside kube-apiserver that speaks etcd's protocol through a socket.

What is settled here once for every store: where the connection string comes from, how kube-apiserver finds kine, which
files kine may read, and which changes roll the pods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kamaji_core.contracts import (
    Container,
    ControlPlaneParts,
    EnvironmentVariable,
    Flag,
    Mount,
    RestartOn,
    Volume,
)

if TYPE_CHECKING:
    from kamaji_core.contracts import SecretReferences
    from kamaji_kine.settings import KineConfig

CONTAINER = "kine"
"""Name of the container; Kamaji's."""

ENDPOINT = "KINE_ENDPOINT"
"""kine's variable for its connection string, and the name under which a driver keeps it in `Credentials.settings`."""

GROUP = 65534
"""Group of `nobody`, whom kine's image runs as: what a claimed volume is given to, so that kine may write to it."""

SOCKET_DIRECTORY = "/run/kine"
SOCKET = f"unix://{SOCKET_DIRECTORY}/kine.sock"
TLS_DIRECTORY = "/etc/kine/tls"

METRICS = "127.0.0.1:2381"
"""The port that kubeadm's etcd has its metrics at. kine would show them to the whole network."""

ETCD_VERSION = "3.6.11"
"""What kine 0.17 says by itself; said whatever the image, since kube-apiserver's watches want 3.5.13 or newer."""

_SOCKET_VOLUME = "kine-socket"
_TLS_VOLUME = "kine-tls"
_EVERYBODY_READS = 0o444


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Which of `Credentials.files` kine reads, by their names there; empty for none.

    Args:
        ca: certificates of the authorities that the store's own is checked against.
        certificate: with which the tenant logs in.
        key: of the certificate.
    """

    ca: str = ""
    certificate: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        """Refuse half a pair.

        Raises:
            ValueError: when one of certificate and key is named without the other.
        """
        if bool(self.certificate) != bool(self.key):
            raise ValueError("kine needs a certificate and its key together: name both or neither.")


def kine_parts(config: KineConfig, *, secrets: SecretReferences, tls: TlsFiles | None = None) -> ControlPlaneParts:
    """Tell what a tenant's pods need so that kube-apiserver reaches its store through kine.

    The connection string is `Credentials.settings[ENDPOINT]`. How strictly the store's certificate is checked is said
    there (`sslmode` for PostgreSQL). A driver adds what is its own, such as a claimed volume, with
    `dataclasses.replace`.

    Args:
        config: the user's settings.
        secrets: as `DatastoreDriver.parts` is given them.
        tls: files that kine reads; None for a connection without TLS, or with TLS whose authority is not checked.
    """
    files = _files(tls or TlsFiles())
    return ControlPlaneParts(
        flags=(Flag(component="kube-apiserver", name="--etcd-servers", value=SOCKET),),
        containers=(_container(config, files, secrets=secrets),),
        volumes=(Volume(name=_SOCKET_VOLUME, medium="Memory"), *_tls_volumes(files, secrets=secrets)),
        mounts=(
            Mount(component=CONTAINER, volume=_SOCKET_VOLUME, path=SOCKET_DIRECTORY, read_only=False),
            # Connecting to a socket writes nothing to the volume that it is in.
            Mount(component="kube-apiserver", volume=_SOCKET_VOLUME, path=SOCKET_DIRECTORY),
            *((Mount(component=CONTAINER, volume=_TLS_VOLUME, path=TLS_DIRECTORY),) if files else ()),
        ),
        restart_on=(
            RestartOn(name="kine-endpoint", secret=secrets.config, key=ENDPOINT),
            *(RestartOn(name=f"kine-{what}", secret=secrets.credentials, key=key) for what, key in files.items()),
        ),
    )


def _files(tls: TlsFiles) -> dict[str, str]:
    """Keys of the Secret by what they are, in the words of kine's flags."""
    return {what: key for what, key in {"ca": tls.ca, "cert": tls.certificate, "key": tls.key}.items() if key}


def _container(config: KineConfig, files: dict[str, str], *, secrets: SecretReferences) -> Container:
    return Container(
        name=CONTAINER,
        image=config.image,
        command=(
            "/bin/kine",
            f"--listen-address={SOCKET}",
            f"--metrics-bind-address={METRICS}",
            f"--emulated-etcd-version={ETCD_VERSION}",
            *(f"--{what}-file={TLS_DIRECTORY}/{key}" for what, key in files.items()),
        ),
        environment=(EnvironmentVariable(name=ENDPOINT, secret=secrets.config, key=ENDPOINT),),
        requests=config.requests,
        limits=config.limits,
    )


def _tls_volumes(files: dict[str, str], *, secrets: SecretReferences) -> tuple[Volume, ...]:
    """The files that kine reads and no others, since the same Secret may hold more.

    kine's image runs as `nobody` while a Secret's files belong to root, so a mode that names the owner alone would shut
    kine out. The volume is mounted into kine's container only, and nobody else's eyes are there.
    """
    if not files:
        return ()
    items = {key: key for key in files.values()}
    return (Volume(name=_TLS_VOLUME, secret=secrets.credentials, items=items, mode=_EVERYBODY_READS),)
