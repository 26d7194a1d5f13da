"""Every leaf certificate and kubeconfig renewed: no pod rolls, and each component takes up its own.

How long the components take is the kubelet's business (it brings a Secret into a running pod within about a minute)
and client-go's, which looks at its files every five minutes: that part is seen by `make explore`.
"""

from __future__ import annotations

import json
import os
import ssl
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import AS_PROCESS, NAMESPACE, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import SandboxCommand, Tenant

pytestmark = [pytest.mark.root, AS_PROCESS]

LEAVES = (
    "admin-kubeconfig",
    "api-server-certificate",
    "api-server-kubelet-client-certificate",
    "controller-manager-kubeconfig",
    "datastore-certificate",
    "front-proxy-client-certificate",
    "scheduler-kubeconfig",
)
RELOADING = {"kube-controller-manager": 10257, "kube-scheduler": 10259}
"""Components that log in with a certificate, and where they serve."""

KUBELET_LIMIT = 180
CLIENT_LIMIT = 600


class Renewal:
    """A tenant whose leaves have all been renewed."""

    def __init__(self, management: SandboxCommand, tenant: Tenant) -> None:
        self.management = management
        self.tenant = tenant
        self.generation = self._generation()
        self.serial_before = self.serial()
        for component in RELOADING:
            self.make_talkative(component)
        before = self._versions()
        for suffix in LEAVES:
            secret = f"secret/{tenant.name}-{suffix}"
            management.kubectl("annotate", secret, f"--namespace={NAMESPACE}", "certs.kamaji.clastix.io/rotate=")
        until(lambda: self._all_differ(before), "every Secret to be renewed")
        self.began = time.monotonic()
        if (
            "KAMAJI_EXPLORE" not in os.environ
        ):  # the kubelet looks at a pod that changed at once, at others every minute
            management.kubectl("annotate", "pods", "--all", f"--namespace={NAMESPACE}", "example.org/looked-at=")

    def serial(self) -> str:
        """Of the certificate that the API server serves."""
        host, _, port = self.tenant.object()["status"]["controlPlaneEndpoint"].rpartition(":")
        return ssl.get_server_certificate((host, int(port)))

    def rolled(self) -> bool:
        """Whether the Deployment was written, or a pod or container is new."""
        pods = json.loads(self._get("pods", f"--selector=kamaji.clastix.io/name={self.tenant.name}"))["items"]
        restarts = sum(one["restartCount"] for pod in pods for one in pod["status"]["containerStatuses"])
        return self._generation() != self.generation or len(pods) != 1 or restarts > 0

    def make_talkative(self, component: str) -> None:
        """Have a component's client tell when it takes up a new certificate; needs no restart."""
        pods = json.loads(self._get("pods", f"--selector=kamaji.clastix.io/name={self.tenant.name}"))["items"]
        url = f"https://{pods[0]['status']['podIP']}:{RELOADING[component]}/debug/flags/v"
        # Who may ask it, a component learns from the tenant's API server a moment after it began to serve.
        until(lambda: self._put(url) == HTTPStatus.OK, f"{component} to know its administrator")

    def _put(self, url: str) -> int:
        request = urllib.request.Request(url, data=b"1", method="PUT")  # noqa: S310 - always https
        try:
            with urllib.request.urlopen(request, context=self.tenant.client_context(), timeout=20) as answer:  # noqa: S310 - as above
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def logs(self, component: str) -> str:
        """What a component tells."""
        return self.management.kubectl(
            "logs", f"deployment/{self.tenant.name}", f"--namespace={NAMESPACE}", f"--container={component}"
        )

    def _generation(self) -> int:
        return int(json.loads(self._get(f"deployment/{self.tenant.name}"))["metadata"]["generation"])

    def _versions(self) -> dict[str, Any]:
        return {suffix: json.loads(self._get(f"secret/{self.tenant.name}-{suffix}"))["data"] for suffix in LEAVES}

    def _all_differ(self, before: dict[str, Any]) -> bool:
        now = self._versions()
        return all(now[suffix] != before[suffix] for suffix in LEAVES)

    def _get(self, *what: str) -> str:
        return self.management.kubectl("get", *what, f"--namespace={NAMESPACE}", "--output=json")


@pytest.fixture(scope="module")
def renewal(management: SandboxCommand, make_tenant: Callable[..., Tenant]) -> Renewal:
    """The tenant after its renewal."""
    return Renewal(management, make_tenant("renewed"))


def test_the_api_server_serves_the_new_certificate(renewal: Renewal) -> None:
    """Without a restart, as soon as the kubelet has brought it; its clients notice nothing."""
    until(lambda: renewal.serial() != renewal.serial_before, "the new certificate to be served", limit=KUBELET_LIMIT)
    print(f"\n  new certificate served after {time.monotonic() - renewal.began:.0f} s", end="")  # noqa: T201 - a figure
    assert renewal.tenant.kubectl("get", "--raw", "/readyz") == "ok"
    assert not renewal.rolled()


@pytest.mark.skipif("KAMAJI_EXPLORE" not in os.environ, reason="takes five minutes: make explore")
@pytest.mark.parametrize("component", RELOADING)
def test_clients_take_up_their_new_certificates(renewal: Renewal, component: str) -> None:
    """They close the connections of the old one and go on with the new one; nothing rolls."""
    until(lambda: "rotation detected" in renewal.logs(component), f"{component} to take up its own", limit=CLIENT_LIMIT)
    print(f"\n  {component}: new credentials after {time.monotonic() - renewal.began:.0f} s", end="")  # noqa: T201 - as above
    namespace = f"after-{component}"
    renewal.tenant.kubectl("create", "namespace", namespace)
    until(
        lambda: (
            "default" in renewal.tenant.kubectl("get", "serviceaccounts", "--output=name", "--namespace", namespace)
        ),
        "the controller manager to work",
    )
    assert not renewal.rolled()
