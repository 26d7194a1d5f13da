"""Every way to a cluster is found in its order, and every way in which it is wrong has its own sentence."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

import kamaji_core.kube.config as config_module
from kamaji_core.kube import ClusterConfig, ConfigError, config_from_kubeconfig, load_config


def encoded(text: str) -> str:
    """Write as kubeconfigs embed things."""
    return base64.b64encode(text.encode()).decode()


def document(**changes: Any) -> dict[str, Any]:
    """A kubeconfig with one context; `cluster` and `user` add to or take from (None) its entries."""
    cluster = {"server": "https://api.example:6443", "certificate-authority-data": encoded("CA")}
    user = {"client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY")}
    cluster |= changes.pop("cluster", {})
    user |= changes.pop("user", {})
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {key: value for key, value in cluster.items() if value is not None}}],
        "users": [{"name": "u", "user": {key: value for key, value in user.items() if value is not None}}],
        **changes,
    }


def read(**changes: Any) -> ClusterConfig:
    """Read such a kubeconfig."""
    return config_from_kubeconfig(yaml.safe_dump(document(**changes)).encode())


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without a kubeconfig, outside of any pod."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_embedded_credentials() -> None:
    """What kubeadm writes is read whole."""
    config = read()
    assert config == ClusterConfig(
        server="https://api.example:6443", ca=b"CA", client_certificate=b"CERT", client_key=b"KEY"
    )


def test_settings_of_cluster_and_context() -> None:
    """Namespace, server name and the wish not to verify are taken over; a final slash is not."""
    config = read(
        cluster={"server": "https://x/", "insecure-skip-tls-verify": True, "tls-server-name": "kubernetes"},
        contexts=[{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "tenants"}}],
    )
    assert (config.server, config.insecure, config.tls_server_name) == ("https://x", True, "kubernetes")
    assert config.namespace == "tenants"


def test_secrets_stay_out_of_representations() -> None:
    """Neither key nor token shows when a configuration is printed."""
    config = ClusterConfig(server="https://x", client_key=b"hunter2", client_certificate=b"CERT", token="hunter3")
    assert "hunter" not in repr(config)
    assert "CERT" not in repr(config)


def test_a_token() -> None:
    """A user may be a bearer token."""
    config = read(user={"client-certificate-data": None, "client-key-data": None, "token": "t"})
    assert config.current_token() == "t"
    assert config.client_certificate == b""


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"current-context": ""}, "names no current-context"),
        ({"current-context": "other"}, "has no context named 'other'"),
        ({"clusters": []}, "has no cluster named 'k'"),
        ({"users": None}, "has no user named 'u'"),
        ({"cluster": {"server": "api.example"}}, r"has no http\(s\) URL"),
        ({"cluster": {"certificate-authority-data": "%%"}}, "certificate-authority-data is no base64"),
        ({"user": {"client-key-data": None}}, "needs its key beside it"),
        ({"user": {"client-certificate-data": None, "client-certificate": "a.crt"}}, "relative path a.crt"),
        ({"user": {"client-key-data": None, "client-key": "/nowhere/a.key"}}, "cannot be read: No such file"),
        ({"cluster": {"proxy-url": "socks5://x"}}, "'proxy-url' is not supported"),
        ({"user": {"as": "somebody"}}, "'as' is not supported"),
        ({"user": {"username": "a", "password": "b"}}, "'username' is not supported"),
    ],
)
def test_incomplete_kubeconfigs(changes: dict[str, Any], sentence: str) -> None:
    """Each gap is named with what to do about it."""
    with pytest.raises(ConfigError, match=sentence):
        read(**changes)


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"a: [", "is no YAML"), (b"- a", "holds no mapping"), (b"\xff\xfe\xfa", "is no YAML")]
)
def test_what_is_no_kubeconfig(content: bytes, sentence: str) -> None:
    """Rubbish is called that, and not quoted."""
    with pytest.raises(ConfigError, match=sentence):
        config_from_kubeconfig(content)


def test_a_broken_file_is_not_quoted() -> None:
    """A YAML error would show the line it is in, and that may hold a key."""
    with pytest.raises(ConfigError) as caught:
        config_from_kubeconfig(b"token: hunter2: [")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_another_context_can_be_chosen() -> None:
    """The current context is only the default."""
    contexts = [
        {"name": "c", "context": {"cluster": "none", "user": "u"}},
        {"name": "d", "context": {"cluster": "k", "user": "u"}},
    ]
    content = yaml.safe_dump(document(contexts=contexts)).encode()
    assert config_from_kubeconfig(content, context="d").server == "https://api.example:6443"


def test_nothing_found(nowhere: Path) -> None:
    """Without any configuration the sentence lists the ways to give one."""
    with pytest.raises(ConfigError, match=r"give --kubeconfig, set KUBECONFIG, write ~/\.kube/config"):
        load_config()


def test_order(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The given path wins over $KUBECONFIG, that over the pod, that over the home directory."""

    def at(name: str) -> str:
        path = nowhere / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(document(cluster={"server": f"https://{path.name}"})))
        return str(path)

    at(".kube/config")
    assert load_config().server == "https://config"
    account = nowhere / "account"
    account.mkdir()
    (account / "ca.crt").write_text("CA")
    (account / "token").write_text("t1\n")
    (account / "namespace").write_text("kamaji-system")
    monkeypatch.setattr(config_module, "SERVICE_ACCOUNT", account)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    config = load_config()
    assert (config.server, config.ca, config.namespace) == ("https://[fd00::1]:443", b"CA", "kamaji-system")
    assert config.current_token() == "t1"
    monkeypatch.setenv("KUBECONFIG", at("listed"))
    assert load_config().server == "https://listed"
    assert load_config(at("given")).server == "https://given"


def test_several_files_are_merged(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the files in $KUBECONFIG the first to name a thing wins; paths start from their own file; gaps are passed."""
    (nowhere / "one").mkdir()
    (nowhere / "one" / "ca.pem").write_text("FIRST")
    cluster = {"server": "https://first", "certificate-authority": "ca.pem"}
    one = {"clusters": [{"name": "k", "cluster": cluster}]}
    (nowhere / "one" / "config").write_text(yaml.safe_dump(one))
    (nowhere / "two").write_text(yaml.safe_dump(document()))
    monkeypatch.setenv("KUBECONFIG", f"{nowhere}/one/config:{nowhere}/missing:{nowhere}/two")
    config = load_config()
    assert (config.server, config.ca, config.client_key) == ("https://first", b"FIRST", b"KEY")


def test_a_missing_file_is_named(nowhere: Path) -> None:
    """A path that leads nowhere is in the sentence."""
    with pytest.raises(ConfigError, match=f"{nowhere}/absent .the kubeconfig. cannot be read: No such file"):
        load_config(f"{nowhere}/absent")


def test_a_rotated_token_is_read_again(tmp_path: Path) -> None:
    """A token file is read again after the server refused what was sent; until then it is not read for each request."""
    file = tmp_path / "token"
    file.write_text("one\n")
    config = ClusterConfig(server="https://x", token_file=file)
    assert config.current_token() == "one"
    file.write_text("two\n")
    assert config.current_token() == "one"
    config.forget_token()
    assert config.current_token() == "two"


def test_a_token_file_that_vanishes(tmp_path: Path) -> None:
    """The last token goes on being used; without one the sentence names the file."""
    file = tmp_path / "token"
    config = ClusterConfig(server="https://x", token_file=file)
    with pytest.raises(ConfigError, match="token cannot be read: No such file"):
        config.current_token()
    file.write_text("one")
    config.current_token()
    file.unlink()
    config.forget_token()
    assert config.current_token() == "one"


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("users", "exec", {"command": "true", "apiVersion": "client.authentication.k8s.io/v1"}),
        ("users", "auth-provider", {"name": "any"}),
        ("users", "tokenFile", "/etc/hostname"),
        ("users", "client-key", "/etc/hostname"),
        ("clusters", "certificate-authority", "/etc/hostname"),
    ],
)
def test_a_strangers_kubeconfig_reaches_nothing(section: str, key: str, value: Any) -> None:
    """Where only embedded ones are read, neither a program runs nor a file is read, of any entry."""
    found = document(**{section.removesuffix("s"): {key: value}})
    with pytest.raises(ConfigError, match=rf"names a file or program \({key}\): embed the content instead"):
        config_from_kubeconfig(yaml.safe_dump(found).encode(), embedded=True)
