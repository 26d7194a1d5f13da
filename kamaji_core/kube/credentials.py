"""Credential plugins of kubeconfigs: `exec` programs and OpenID Connect, for people at a command line.

Resolving them takes a heavy library (94 MB, 1.4 s), so this module is imported only where a kubeconfig asks for it,
never by the operator in a pod. What a plugin gives is taken in memory; none of it is written to a file.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import ConfigException
from kubernetes_asyncio.config.exec_provider import ExecProvider
from kubernetes_asyncio.config.kube_config import ConfigNode, load_kube_config_from_dict

from kamaji_core.kube.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Coroutine


def resolve(user: dict[str, Any], server: str, origin: str) -> dict[str, Any]:
    """Ask the user's credential plugin once, waiting for it at most a minute.

    A plugin's credentials end with time; who runs longer loads the configuration anew when the server says 401.

    Args:
        user: the kubeconfig's user entry with `exec` or `auth-provider`.
        server: URL of the API server.
        origin: what to call the kubeconfig in sentences.

    Returns:
        `token`, or `client_certificate` and `client_key`, as `ClusterConfig` takes them.

    Raises:
        ConfigError: when the plugin fails, gives nothing or takes too long.
    """
    plugin = "exec" if "exec" in user else "auth-provider"
    try:
        return _run(_exec(user["exec"]) if plugin == "exec" else _openid(user, server))
    except TimeoutError as error:
        raise ConfigError(f"{origin}: the {plugin} plugin gave no credentials within {_SECONDS:.0f} s.") from error
    except (ConfigException, ValueError, KeyError, OSError, TypeError) as error:
        raise ConfigError(f"{origin}: the {plugin} plugin gave no credentials: {error}") from error


def _run(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Run it on a loop of its own, since loading a configuration is synchronous and may happen inside a loop."""

    async def limited() -> dict[str, Any]:
        async with asyncio.timeout(_SECONDS):
            return await work

    with ThreadPoolExecutor(1, thread_name_prefix="credential-plugin") as thread:
        return thread.submit(asyncio.run, limited()).result()


async def _exec(settings: dict[str, Any]) -> dict[str, Any]:
    status = await ExecProvider(ConfigNode("exec", settings)).run()
    identity: dict[str, Any] = {}
    if status.get("token"):
        identity["token"] = str(status["token"])
    if status.get("clientCertificateData") and status.get("clientKeyData"):
        identity["client_certificate"] = status["clientCertificateData"].encode()
        identity["client_key"] = status["clientKeyData"].encode()
    if not identity:
        raise ValueError("its answer holds neither a token nor a client certificate with its key")
    return identity


async def _openid(user: dict[str, Any], server: str) -> dict[str, Any]:
    # A cluster without its CA: the library would write that to a temporary file.
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "c", "user": {"auth-provider": user["auth-provider"]}}],
    }
    configuration = Configuration()
    await load_kube_config_from_dict(document, client_configuration=configuration)
    scheme, _, token = str(configuration.api_key.get("BearerToken", "")).partition(" ")
    if scheme != "Bearer" or not token:
        raise ValueError("it holds no id-token")
    return {"token": token}


_SECONDS = 60.0
