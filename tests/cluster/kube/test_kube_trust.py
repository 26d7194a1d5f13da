"""Who the server is gets verified, and no key of ours touches the disk."""

from __future__ import annotations

import dataclasses
import os
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kamaji_core.kube import NAMESPACES, ClusterConfig, ConfigError, KubeClient, UnreachableError
from kamaji_core.pki import issue_ca
from kamaji_core.testing import free_port

pytestmark = pytest.mark.real


async def test_another_authority_is_not_trusted(config: ClusterConfig, connect: Any) -> None:
    """A server whose certificate is another CA's is not talked to; the sentence says TLS."""
    other = issue_ca(common_name="other", now=datetime.now(UTC), lifetime=timedelta(days=1)).certificate
    async with connect(dataclasses.replace(config, ca=other)) as client:
        with pytest.raises(UnreachableError, match=r"TLS with https://.* failed"):
            await client.list(NAMESPACES)


async def test_another_name_is_not_trusted_but_can_be_given(config: ClusterConfig, connect: Any) -> None:
    """The certificate must be for the host, or for the name that the kubeconfig gives instead."""
    for name, trusted in (("localhost", True), ("elsewhere.example", False)):
        async with connect(dataclasses.replace(config, tls_server_name=name)) as client:
            if trusted:
                await client.list(NAMESPACES)
            else:
                with pytest.raises(UnreachableError, match="TLS with"):
                    await client.list(NAMESPACES)


async def test_insecure_is_what_it_says(config: ClusterConfig, connect: Any) -> None:
    """Without verification any certificate will do, for those who ask for it."""
    async with connect(dataclasses.replace(config, ca=b"", insecure=True)) as client:
        await client.list(NAMESPACES)


@pytest.mark.parametrize("broken", ["ca", "client_certificate", "client_key"])
async def test_unusable_material_is_a_configuration_error(config: ClusterConfig, connect: Any, broken: str) -> None:
    """Rubbish in place of a certificate or key is said so, without quoting it."""
    async with connect(dataclasses.replace(config, **{broken: b"rubbish"})) as client:
        with pytest.raises(ConfigError, match="replace") as caught:
            await client.list(NAMESPACES)
    assert "rubbish" not in str(caught.value)


async def test_a_key_reaches_no_file(
    config: ClusterConfig, connect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Client certificate and key go to the TLS library through anonymous memory, which is closed afterwards."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    async with connect(config) as client:
        await client.list(NAMESPACES)
        assert not [name for name in _open_files() if "client-certificate" in name]
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - pathlib's twin may not be called in a coroutine


async def test_a_port_that_speaks_no_tls(connect: Any) -> None:
    """Something else that listens there is no API server, and is left at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"SSH-2.0-hello\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        async with connect(ClusterConfig(server=f"https://127.0.0.1:{port}", insecure=True), timeout=5) as client:
            with pytest.raises(UnreachableError):
                await client.list(NAMESPACES)
        thread.join()


async def test_a_name_that_is_unknown_and_a_port_that_is_closed(connect: Any) -> None:
    """The two commonest mistakes in an address each have their words."""
    async with connect(ClusterConfig(server="https://nowhere.invalid:6443")) as client:
        with pytest.raises(UnreachableError, match=r"the host name in https://nowhere\.invalid:6443 is not known"):
            await client.list(NAMESPACES)
    async with connect(ClusterConfig(server=f"https://127.0.0.1:{free_port()}")) as client:
        with pytest.raises(UnreachableError, match=r"no connection to .*: .*refused"):
            await client.list(NAMESPACES)


async def test_a_closed_client_can_be_used_again(config: ClusterConfig) -> None:
    """Closing drops the connections; the next call opens new ones."""
    client = KubeClient(config)
    try:
        await client.list(NAMESPACES)
        await client.aclose()
        await client.list(NAMESPACES)
    finally:
        await client.aclose()


def _open_files() -> list[str]:
    entries = list(Path("/proc/self/fd").iterdir())
    return [str(entry.readlink()) for entry in entries if entry.is_symlink()]
