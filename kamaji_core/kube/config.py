"""Where an API server is and who we are to it, from a kubeconfig or from inside a pod.

Every way in which that can be wrong has its own sentence, since it is the first thing that a newcomer gets wrong.
Keys and tokens stay out of representations. Credential plugins are resolved in `credentials`, which alone needs a
heavy library.
"""

from __future__ import annotations

import base64
import binascii
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kamaji_core.kube.errors import ConfigError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts a pod's token, the cluster's CA and the namespace."""


@dataclass(slots=True)
class _ReadToken:
    """The token as it was last read from its file; owned by its `ClusterConfig`."""

    token: str = ""
    read_at: float = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """How to reach one API server.

    Args:
        server: URL.
        ca: what the server's certificate is verified with, PEM; empty means the system's authorities.
        client_certificate: PEM, with its chain; empty for none.
        client_key: PEM.
        token: bearer token; empty for none.
        token_file: file that holds the token and is read again as it rotates; wins over `token`.
        insecure: do not verify the server's certificate.
        tls_server_name: name to verify the certificate against instead of the host in `server`.
        namespace: the default one, for commands; `default` when nothing says.
    """

    server: str
    ca: bytes = field(default=b"", repr=False)
    client_certificate: bytes = field(default=b"", repr=False)
    client_key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    insecure: bool = False
    tls_server_name: str = ""
    namespace: str = "default"
    _read: _ReadToken = field(default_factory=_ReadToken, repr=False, compare=False)

    def current_token(self) -> str:
        """Give the bearer token to send now; empty for none.

        A file is read at most once a minute: kubelets renew a token long before it ends.

        Raises:
            ConfigError: when the file cannot be read and no earlier token is known.
        """
        if self.token_file is None:
            return self.token
        now = time.monotonic()
        if now - self._read.read_at >= _TOKEN_SECONDS:
            try:
                self._read.token = self.token_file.read_text().strip()
                self._read.read_at = now
            except OSError as error:
                if not self._read.token:
                    raise ConfigError(f"The token file {self.token_file} cannot be read: {error.strerror}.") from error
        return self._read.token

    def forget_token(self) -> None:
        """Have the token's file read again before the next request, since the server refused what was sent."""
        self._read.read_at = float("-inf")


def load_config(kubeconfig: str | None = None, context: str | None = None) -> ClusterConfig:
    """Find out how to reach the cluster.

    Looked at, in this order: the given path, `$KUBECONFIG` (several files are merged, the first to name a thing
    wins), the service account inside a pod, `~/.kube/config`.

    Args:
        kubeconfig: path of a kubeconfig.
        context: which of its contexts to use instead of the current one.

    Raises:
        ConfigError: when nothing is found, or what is found is incomplete.
    """
    if kubeconfig:
        return _from_files([Path(kubeconfig)], context)
    if listed := [Path(path) for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]:
        return _from_files(listed, context)
    if os.environ.get("KUBERNETES_SERVICE_HOST") and context is None:
        return _from_pod(SERVICE_ACCOUNT)
    home = Path("~/.kube/config").expanduser()
    if home.exists():
        return _from_files([home], context)
    raise ConfigError(
        "There is no way to a cluster: give --kubeconfig, set KUBECONFIG, write ~/.kube/config, or run in a pod with "
        "a service account."
    )


def config_from_kubeconfig(content: bytes, *, context: str | None = None, embedded: bool = False) -> ClusterConfig:
    """Read a kubeconfig that is at hand; files that it names must have absolute paths.

    Args:
        content: YAML.
        context: which of its contexts to use instead of the current one.
        embedded: refuse one that names files or programs. Needed for whatever others may have written: a kubeconfig
            can have its reader run any program.

    Raises:
        ConfigError: when it is no kubeconfig, its context is incomplete, or it is not embedded and should be.
    """
    document = _parsed(content, "the kubeconfig")
    if embedded:
        _refuse_outward(document)
    return _Kubeconfig(document, "the kubeconfig").config(context)


def _refuse_outward(document: dict[str, Any]) -> None:
    for section, kind in (("clusters", "cluster"), ("users", "user")):
        for entry in document.get(section) or []:
            body = entry.get(kind) if isinstance(entry, dict) else None
            for key in (*_FILE_KEYS, "exec", "auth-provider"):
                if isinstance(body, dict) and body.get(key):
                    raise ConfigError(f"the kubeconfig names a file or program ({key}): embed the content instead.")


def _from_pod(directory: Path) -> ClusterConfig:
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    namespace = directory / "namespace"
    return ClusterConfig(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        ca=_file(directory / "ca.crt", "the service account's CA"),
        token_file=directory / "token",
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
    )


def _from_files(paths: list[Path], context: str | None) -> ClusterConfig:
    merged: dict[str, Any] = {"contexts": [], "clusters": [], "users": [], "current-context": ""}
    # As kubectl does: of several files in $KUBECONFIG, those that are not there are passed over.
    present = [path for path in paths if path.exists()] or paths
    for path in present:
        document = _parsed(_file(path, "the kubeconfig"), str(path))
        _make_absolute(document, path.absolute().parent)
        for section in ("contexts", "clusters", "users"):
            merged[section] += document.get(section) or []
        merged["current-context"] = merged["current-context"] or document.get("current-context") or ""
    return _Kubeconfig(merged, ", ".join(map(str, present))).config(context)


def _make_absolute(document: dict[str, Any], directory: Path) -> None:
    """Have the files that a kubeconfig names start from where that kubeconfig lies."""
    for section, kind in (("clusters", "cluster"), ("users", "user")):
        for entry in document.get(section) or []:
            body = entry.get(kind) if isinstance(entry, dict) else None
            for key in _FILE_KEYS:
                if isinstance(body, dict) and body.get(key):
                    body[key] = str(directory / body[key])


class _Kubeconfig:
    """A parsed kubeconfig and what to call it in sentences."""

    def __init__(self, document: dict[str, Any], origin: str) -> None:
        self._document = document
        self._origin = origin

    def config(self, context: str | None) -> ClusterConfig:
        name = context or self._document.get("current-context") or ""
        if not name:
            raise ConfigError(f"{self._origin} names no current-context: set one, or give --context.")
        chosen = self._entry("contexts", "context", name)
        cluster = self._entry("clusters", "cluster", str(chosen.get("cluster", "")))
        user_name = str(chosen.get("user", ""))
        user = self._entry("users", "user", user_name) if user_name else {}
        server = str(cluster.get("server", ""))
        if not server.startswith(("https://", "http://")):
            raise ConfigError(f"{self._origin}: the cluster of context {name!r} has no http(s) URL as its server.")
        self._refuse_unsupported(cluster, user)
        return ClusterConfig(
            server=server.rstrip("/"),
            ca=self._data(cluster, "certificate-authority"),
            insecure=bool(cluster.get("insecure-skip-tls-verify", False)),
            tls_server_name=str(cluster.get("tls-server-name", "")),
            namespace=str(chosen.get("namespace") or "default"),
            **self._identity(user, server),
        )

    def _identity(self, user: dict[str, Any], server: str) -> dict[str, Any]:
        certificate, key = self._data(user, "client-certificate"), self._data(user, "client-key")
        if bool(certificate) != bool(key):
            raise ConfigError(
                f"{self._origin}: a client certificate needs its key beside it, and a key its certificate."
            )
        identity: dict[str, Any] = {"client_certificate": certificate, "client_key": key}
        if user.get("tokenFile"):
            identity["token_file"] = self._path(user["tokenFile"], "tokenFile")
        elif user.get("token"):
            identity["token"] = str(user["token"])
        elif "exec" in user or "auth-provider" in user:
            from kamaji_core.kube.credentials import resolve  # noqa: PLC0415 - heavy, and needed by few

            identity.update(resolve(user, server, self._origin))
        return identity

    def _entry(self, section: str, kind: str, name: str) -> dict[str, Any]:
        for entry in self._document.get(section) or []:
            if isinstance(entry, dict) and entry.get("name") == name:
                body = entry.get(kind)
                if isinstance(body, dict):
                    return body
                if body is None:
                    return {}
        raise ConfigError(f"{self._origin} has no {kind} named {name!r}: add it, or choose another context.")

    def _refuse_unsupported(self, cluster: dict[str, Any], user: dict[str, Any]) -> None:
        # Passing over one of these would be another server, or another identity, than the user asked for.
        for body, key in ((cluster, "proxy-url"), (user, "as"), (user, "username"), (user, "password")):
            if body.get(key):
                raise ConfigError(f"{self._origin}: {key!r} is not supported: use another way to this cluster.")

    def _data(self, body: dict[str, Any], key: str) -> bytes:
        """Read what is embedded as `<key>-data`, or lies in the file named by `<key>`."""
        if embedded := body.get(f"{key}-data"):
            try:
                return base64.b64decode(embedded, validate=True)
            except (binascii.Error, ValueError, TypeError):
                raise ConfigError(f"{self._origin}: {key}-data is no base64: embed it anew.") from None
        return _file(self._path(body[key], key), key) if body.get(key) else b""

    def _path(self, value: object, key: str) -> Path:
        path = Path(str(value))
        if not path.is_absolute():
            raise ConfigError(f"{self._origin}: {key} names the relative path {path}: embed the content instead.")
        return path


def _parsed(content: bytes, origin: str) -> dict[str, Any]:
    try:
        document = yaml.load(content, Loader=_LOADER)  # noqa: S506 - the C twin of SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError):
        # The parser's own words quote the file, keys included.
        raise ConfigError(f"{origin} is no YAML: correct it.") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{origin} is no kubeconfig: it holds no mapping.")
    return document


def _file(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} ({what}) cannot be read: {error.strerror}.") from error


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FILE_KEYS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_TOKEN_SECONDS = 60.0
