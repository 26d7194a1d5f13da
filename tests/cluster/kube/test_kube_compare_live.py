"""What a server makes of our objects is no difference; each field that is changed or taken away is one, once.

The Deployment here is shaped like a control plane's, with everything in it that servers complete with defaults.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kamaji_core.kube import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    SECRETS,
    SERVICES,
    KubeClient,
    Resource,
    differences,
    keep_own_managed_fields,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.real

ME = "kamaji"
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
POLICIES = Resource(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False
)
WEBHOOKS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)


def probe(path: str) -> dict[str, Any]:
    """An HTTPS probe with some of its settings."""
    return {"httpGet": {"path": path, "port": 6443, "scheme": "HTTPS"}, "periodSeconds": 10, "timeoutSeconds": 5}


def api_server_container() -> dict[str, Any]:
    """The container with the most in it."""
    return {
        "name": "kube-apiserver",
        "image": "registry.example/kube-apiserver:v1.37.1",
        "command": ["kube-apiserver"],
        "args": ["--secure-port=6443", "--etcd-servers=https://etcd:2379"],
        "env": [
            {"name": "EMPTY", "value": ""},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ],
        "envFrom": [{"configMapRef": {"name": "c"}}],
        "ports": [{"containerPort": 6443, "name": "https"}, {"containerPort": 6443, "protocol": "UDP", "name": "u"}],
        "resources": {
            "requests": {"cpu": 0.25, "memory": "1024Mi", "ephemeral-storage": 1000000},
            "limits": {"cpu": "2000m", "memory": "2Gi"},
        },
        "startupProbe": {**probe("/livez"), "periodSeconds": 1, "failureThreshold": 300},
        "livenessProbe": probe("/livez"),
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": "https", "httpHeaders": [{"name": "a", "value": "b"}]}
        },
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "securityContext": {"capabilities": {"drop": ["ALL"], "add": []}, "privileged": False, "runAsUser": 0},
        "volumeMounts": [
            {"name": "pki", "mountPath": "/etc/kubernetes/pki", "readOnly": True},
            {"name": "tmp", "mountPath": "/scratch", "readOnly": False},
            {"name": "pki", "mountPath": "/ca.crt", "subPath": "ca.crt"},
        ],
    }


def volumes() -> list[dict[str, Any]]:
    """Volumes of every kind that a control plane uses."""
    return [
        {"name": "tmp", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "0.5Gi"}},
        {"name": "secret", "secret": {"secretName": "s", "optional": False, "items": [{"key": "a", "path": "b"}]}},
        {"name": "config", "configMap": {"name": "c"}},
        {
            "name": "pki",
            "projected": {
                "sources": [
                    {"secret": {"name": "s", "items": [{"key": "ca.crt", "path": "ca.crt", "mode": 0o400}]}},
                    {"configMap": {"name": "c", "optional": True}},
                    {"serviceAccountToken": {"path": "token"}},
                    {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                ]
            },
        },
        {"name": "host", "hostPath": {"path": "/etc/ssl/certs"}},
    ]


def deployment(namespace: str) -> dict[str, Any]:
    """A control plane's Deployment."""
    labels = {"kamaji.example/name": "a"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "namespace": namespace,
            "name": "a",
            "labels": {**labels, "app": "x"},
            "annotations": {"kamaji.example/digest": "d", "kamaji.example/revision": "1"},
            "ownerReferences": [
                {
                    "apiVersion": "kamaji.clastix.io/v1alpha1",
                    "kind": "TenantControlPlane",
                    "name": "a",
                    "uid": "5c3f8f4e-0000-4000-8000-000000000000",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": 0,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": {"checksum/ca": "abc"}},
                "spec": {
                    "automountServiceAccountToken": False,
                    "hostNetwork": False,
                    "nodeSelector": {},
                    "securityContext": {},
                    "serviceAccountName": "default",
                    "priorityClassName": "",
                    "runtimeClassName": None,
                    "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 10}],
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": labels},
                        }
                    ],
                    "affinity": {
                        "nodeAffinity": {
                            "requiredDuringSchedulingIgnoredDuringExecution": {
                                "nodeSelectorTerms": [
                                    {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}
                                ]
                            }
                        },
                        "podAntiAffinity": {
                            "preferredDuringSchedulingIgnoredDuringExecution": [
                                {
                                    "weight": 100,
                                    "podAffinityTerm": {"topologyKey": "z", "labelSelector": {"matchLabels": labels}},
                                }
                            ]
                        },
                    },
                    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["etcd"]}],
                    "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
                    "imagePullSecrets": [{"name": "pull"}],
                    "initContainers": [
                        {"name": "first", "image": "i:1", "volumeMounts": [{"name": "tmp", "mountPath": "/t"}]},
                        {"name": "proxy", "image": "i:1", "restartPolicy": "Always"},
                    ],
                    "containers": [
                        api_server_container(),
                        {"name": "kube-scheduler", "image": "s", "livenessProbe": {"tcpSocket": {"port": 10259}}},
                    ],
                    "volumes": volumes(),
                },
            },
        },
    }


def service(namespace: str) -> dict[str, Any]:
    """A control plane's Service."""
    return {
        "metadata": {"namespace": namespace, "name": "a", "labels": {"a": "b"}, "annotations": {}},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"a": "b"},
            "loadBalancerSourceRanges": ["10.0.0.0/8"],
            "ports": [
                {"name": "kube-apiserver", "port": 6443, "targetPort": 6443},
                {"name": "konnectivity", "port": 8132, "targetPort": "agents", "appProtocol": "tcp"},
                {"name": "dns", "port": 6443, "protocol": "UDP"},
            ],
        },
    }


def others(namespace: str) -> list[tuple[Resource, dict[str, Any]]]:
    """Further kinds, with lists that the server keeps whole and completes."""
    # Of a group that nobody serves: the server is shared with other tests.
    rule = {"apiGroups": ["x.example"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}
    webhook = {
        "name": "a.example.com",
        "rules": [rule],
        "clientConfig": {"service": {"namespace": "n", "name": "s", "path": "/p"}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    policy = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "true", "message": "m"}],
        "variables": [{"name": "v", "expression": "1"}],
    }
    subjects = [{"kind": "ServiceAccount", "name": "a", "namespace": "n"}, {"kind": "Group", "name": "g"}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    return [
        (SERVICES, service(namespace)),
        (CONFIG_MAPS, {"metadata": {"namespace": namespace, "name": "a"}, "data": {"k": "v", "empty": ""}}),
        (SECRETS, {"metadata": {"namespace": namespace, "name": "a"}, "data": {"k": "dg==", "empty": ""}}),
        (
            SECRETS,
            {"metadata": {"namespace": namespace, "name": "b"}, "type": "Opaque", "immutable": False, "data": {}},
        ),
        (
            ENDPOINT_SLICES,
            {
                "metadata": {"namespace": namespace, "name": "a", "labels": {"kubernetes.io/service-name": "a"}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}],
                "ports": [{"port": 6443}],
            },
        ),
        (
            ROLE_BINDINGS,
            {"metadata": {"namespace": namespace, "name": "a"}, "roleRef": role, "subjects": subjects},
        ),
        (POLICIES, {"metadata": {"name": namespace}, "spec": policy}),
        (WEBHOOKS, {"metadata": {"name": namespace}, "webhooks": [webhook]}),
    ]


async def test_what_was_applied_is_equal(client: KubeClient, namespace: str) -> None:
    """No kind shows a difference after it was applied: in the answer, when read again, and in a list's bare form."""
    for resource, obj in [(DEPLOYMENTS, deployment(namespace)), *others(namespace)]:
        applied = await client.apply(resource, obj, field_manager=ME)
        assert differences(obj, applied, manager=ME) == [], resource.kind
        name, place = obj["metadata"]["name"], obj["metadata"].get("namespace")
        read = await client.get(resource, name, place)
        assert differences(obj, keep_own_managed_fields(read, ME), manager=ME) == []
        listing = await client.list(resource, place, field_selector=f"metadata.name={name}")
        assert differences(obj, msgspec.json.decode(listing.items[0]), manager=ME) == []


async def test_what_others_add_stays(client: KubeClient, namespace: str) -> None:
    """Labels, ports, containers and a status by others are no difference."""
    obj = deployment(namespace)
    await client.apply(DEPLOYMENTS, obj, field_manager=ME)
    theirs = {
        "metadata": {"namespace": namespace, "name": "a", "labels": {"theirs": "1"}, "finalizers": ["x.example/y"]},
        "spec": {
            "template": {
                "metadata": {"annotations": {"restartedAt": "now"}},
                "spec": {
                    "containers": [
                        {"name": "sidecar", "image": "s"},
                        {"name": "kube-apiserver", "env": [{"name": "THEIRS", "value": "1"}]},
                    ]
                },
            }
        },
    }
    await client.apply(DEPLOYMENTS, theirs, field_manager="them")
    live = await client.merge_patch(DEPLOYMENTS, "a", {"status": {"replicas": 1}}, namespace, subresource="status")
    assert differences(obj, live, manager=ME) == []


def at(obj: dict[str, Any]) -> dict[str, Any]:
    """The API server's container."""
    container: dict[str, Any] = obj["spec"]["template"]["spec"]["containers"][0]
    return container


def pod(obj: dict[str, Any]) -> dict[str, Any]:
    """The pod template's spec."""
    spec: dict[str, Any] = obj["spec"]["template"]["spec"]
    return spec


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "replicas": lambda obj: obj["spec"].update(replicas=2),
    "a label": lambda obj: obj["metadata"]["labels"].update(app="y"),
    "an annotation of the template": lambda obj: obj["spec"]["template"]["metadata"]["annotations"].update(new="1"),
    "an image": lambda obj: at(obj).update(image="other:1"),
    "an argument": lambda obj: at(obj)["args"].__setitem__(0, "--secure-port=6444"),
    "the order of arguments": lambda obj: at(obj)["args"].reverse(),
    "one more argument": lambda obj: at(obj)["args"].append("--v=2"),
    "a variable": lambda obj: at(obj)["env"][0].update(value="full"),
    "the order of variables": lambda obj: at(obj)["env"].reverse(),
    "an amount": lambda obj: at(obj)["resources"]["limits"].update(cpu="2001m"),
    "a probe's port": lambda obj: at(obj)["livenessProbe"]["httpGet"].update(port=6444),
    "a probe's default": lambda obj: at(obj)["livenessProbe"].update(successThreshold=1, failureThreshold=4),
    "a mount's option": lambda obj: at(obj)["volumeMounts"][1].update(readOnly=True),
    "one more volume": lambda obj: pod(obj)["volumes"].append({"name": "more", "emptyDir": {}}),
    "a projected path": lambda obj: pod(obj)["volumes"][4]["projected"]["sources"][0]["secret"]["items"][0].update(
        path="x"
    ),
    "a zero value": lambda obj: pod(obj).update(hostNetwork=True),
    "a toleration": lambda obj: pod(obj)["tolerations"][0].update(tolerationSeconds=11),
    "the order of init containers": lambda obj: pod(obj)["initContainers"].reverse(),
    "the surge": lambda obj: obj["spec"]["strategy"]["rollingUpdate"].update(maxSurge=1),
}

REMOVALS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a label": lambda obj: obj["metadata"]["labels"].pop("app"),
    "all annotations": lambda obj: obj["metadata"].pop("annotations"),
    "an annotation of the template": lambda obj: obj["spec"]["template"]["metadata"]["annotations"].clear(),
    "the owner": lambda obj: obj["metadata"].pop("ownerReferences"),
    "a container": lambda obj: pod(obj)["containers"].pop(),
    "an argument": lambda obj: at(obj)["args"].pop(),
    "all arguments": lambda obj: at(obj).pop("args"),
    "a variable": lambda obj: at(obj)["env"].pop(1),
    "a port": lambda obj: at(obj)["ports"].pop(),
    "a limit": lambda obj: at(obj)["resources"]["limits"].pop("cpu"),
    "a probe": lambda obj: at(obj).pop("livenessProbe"),
    "a probe's setting": lambda obj: at(obj)["startupProbe"].pop("failureThreshold"),
    "a probe's header": lambda obj: at(obj)["readinessProbe"]["httpGet"].pop("httpHeaders"),
    "a capability": lambda obj: at(obj)["securityContext"]["capabilities"].pop("drop"),
    "a mount": lambda obj: at(obj)["volumeMounts"].pop(),
    "a mount's option": lambda obj: at(obj)["volumeMounts"][0].pop("readOnly"),
    "a volume": lambda obj: pod(obj)["volumes"].pop(),
    "a projected source": lambda obj: pod(obj)["volumes"][4]["projected"]["sources"].pop(1),
    "a projected option": lambda obj: pod(obj)["volumes"][4]["projected"]["sources"][1]["configMap"].pop("optional"),
    "a projected mode": lambda obj: pod(obj)["volumes"][4]["projected"]["sources"][0]["secret"]["items"][0].pop("mode"),
    "a toleration's time": lambda obj: pod(obj)["tolerations"][0].pop("tolerationSeconds"),
    "the affinity": lambda obj: pod(obj).pop("affinity"),
    "a pull secret": lambda obj: pod(obj)["imagePullSecrets"].clear(),
    "all limits": lambda obj: at(obj)["resources"]["limits"].clear(),
    "a memory volume's settings": lambda obj: pod(obj)["volumes"][1]["emptyDir"].clear(),
    "all labels": lambda obj: obj["metadata"]["labels"].clear(),
    "all ports": lambda obj: at(obj)["ports"].clear(),
    "all variables": lambda obj: at(obj)["env"].clear(),
    "all init containers": lambda obj: pod(obj)["initContainers"].clear(),
    "all capabilities": lambda obj: at(obj)["securityContext"]["capabilities"].clear(),
    "all aliases": lambda obj: pod(obj)["hostAliases"].clear(),
    "all tolerations": lambda obj: pod(obj)["tolerations"].clear(),
    "all of a pod's security": lambda obj: pod(obj).pop("securityContext"),
    "all of a container's security": lambda obj: at(obj)["securityContext"].clear(),
    "a zero value that is a pointer": lambda obj: pod(obj).pop("automountServiceAccountToken"),
}


UNSETTLED = {"all capabilities", "all of a container's security"}
"""A mapping that is emptied vanishes with the first apply and is shown as empty after a second: the server's whim."""


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_is_a_difference_once(client: KubeClient, namespace: str, name: str) -> None:
    """Each changed field is found, and is none any more after it was applied."""
    await _differs_once(client, deployment(namespace), CHANGES[name])


@pytest.mark.parametrize("name", REMOVALS)
async def test_a_removal_is_a_difference_once(client: KubeClient, namespace: str, name: str) -> None:
    """Each field that is no longer wanted is found, and is none any more after it was applied."""
    await _differs_once(client, deployment(namespace), REMOVALS[name], settles=name not in UNSETTLED)


async def _differs_once(
    client: KubeClient, obj: dict[str, Any], change: Callable[[dict[str, Any]], object], *, settles: bool = True
) -> None:
    live = await client.apply(DEPLOYMENTS, obj, field_manager=ME)
    wanted = copy.deepcopy(obj)
    change(wanted)
    assert differences(wanted, live, manager=ME)
    after = await client.apply(DEPLOYMENTS, wanted, field_manager=ME)
    assert after["metadata"]["generation"] > 1 or after["metadata"] != live["metadata"]
    assert differences(wanted, after, manager=ME) == []
    # And nothing was overlooked that the server sees: applying once more changes nothing.
    again = await client.apply(DEPLOYMENTS, wanted, field_manager=ME)
    assert differences(wanted, again, manager=ME) == []
    if settles:
        assert again["metadata"]["generation"] == after["metadata"]["generation"]


SERVICE_CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a target": lambda spec: spec["ports"][0].update(targetPort=6444),
    "a named target": lambda spec: spec["ports"][1].update(targetPort="other"),
    "a port's name": lambda spec: spec["ports"][0].update(name="other"),
    "one port less": lambda spec: spec["ports"].pop(1),
    "the same number with another protocol": lambda spec: spec["ports"].pop(2),
    "an application protocol": lambda spec: spec["ports"][1].pop("appProtocol"),
    "a selector": lambda spec: spec["selector"].update(c="d"),
    "another selector": lambda spec: spec.update(selector={"c": "d"}),
    "the type": lambda spec: spec.update(type="NodePort", loadBalancerSourceRanges=[]),
    "a source range": lambda spec: spec["loadBalancerSourceRanges"].append("192.168.0.0/16"),
    "no source range": lambda spec: spec.pop("loadBalancerSourceRanges"),
}


@pytest.mark.parametrize("name", SERVICE_CHANGES)
async def test_a_services_change_is_a_difference_once(client: KubeClient, namespace: str, name: str) -> None:
    """The same for a Service, whose addresses and node ports are the server's."""
    obj = service(namespace)
    live = await client.apply(SERVICES, obj, field_manager=ME)
    assert live["spec"]["clusterIP"]
    SERVICE_CHANGES[name](obj["spec"])
    assert differences(obj, live, manager=ME)
    after = await client.apply(SERVICES, obj, field_manager=ME)
    assert differences(obj, after, manager=ME) == []
    await client.delete(SERVICES, "a", namespace)  # its cluster IP is one of few


async def test_a_secrets_change_is_a_difference_without_its_value(client: KubeClient, namespace: str) -> None:
    """A changed, added or removed key is named, and no value is."""
    obj: dict[str, Any] = {"metadata": {"namespace": namespace, "name": "a"}, "data": {"a": "MQ==", "b": "Mg=="}}
    live = await client.apply(SECRETS, obj, field_manager=ME)
    obj["data"] = {"a": "Mw==", "c": "NA=="}
    assert differences(obj, live, manager=ME) == ["data.a", "data.c", "data.b (no longer wanted)"]
    assert differences(obj, await client.apply(SECRETS, obj, field_manager=ME), manager=ME) == []


async def test_drift_is_a_difference(client: KubeClient, namespace: str) -> None:
    """What another changes of ours, or takes away, is put back."""
    obj = deployment(namespace)
    await client.apply(DEPLOYMENTS, obj, field_manager=ME)
    theirs = {"spec": {"replicas": 5, "template": {"spec": {"automountServiceAccountToken": None}}}}
    live = await client.merge_patch(DEPLOYMENTS, "a", theirs, namespace)
    assert differences(obj, live, manager=ME) == [
        "spec.replicas",
        "spec.template.spec.automountServiceAccountToken",
    ]
    assert differences(obj, await client.apply(DEPLOYMENTS, obj, field_manager=ME), manager=ME) == []


async def test_an_object_that_another_made_as_we_want_it(client: KubeClient, namespace: str) -> None:
    """Taken over with one write at most: equal values need none, zero values that are not shown need one."""
    plain = {"metadata": {"namespace": namespace, "name": "a"}, "data": {"k": "v"}}
    assert differences(plain, await client.create(CONFIG_MAPS, plain), manager=ME) == []
    obj = deployment(namespace)
    made = await client.create(DEPLOYMENTS, obj)
    assert "spec.template.spec.hostNetwork" in differences(obj, made, manager=ME)
    assert differences(obj, await client.apply(DEPLOYMENTS, obj, field_manager=ME), manager=ME) == []
