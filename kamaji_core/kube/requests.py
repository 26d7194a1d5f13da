"""Building requests, apart from sending them: pure functions from what is wanted to what goes over the wire."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from kamaji_core.kube.resources import SECRETS

if TYPE_CHECKING:
    from kamaji_core.kube.resources import Resource

Propagation = Literal["Background", "Foreground", "Orphan"]
Query = tuple[tuple[str, str], ...]

JSON = "application/json"
# Without a second choice: a server that cannot leave the data out answers 406 instead of sending it.
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
APPLY = "application/apply-patch+yaml"  # JSON is YAML
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, complete but for the server's address and the credentials.

    Args:
        method: HTTP method.
        path: absolute and quoted; a query within it passes as it is.
        what: the request in words, for errors.
        query: parameters, unquoted, in order.
        body: JSON; hidden from representations, since it may be a Secret.
        content_type: of the body.
        carries_secret: whether the server's words about the body may quote a Secret.
        accept: the representation that is asked for.
    """

    method: str
    path: str
    what: str
    query: Query = ()
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    carries_secret: bool = False
    accept: str = JSON

    @property
    def is_watch(self) -> bool:
        """Whether its answer goes on until somebody ends it."""
        return ("watch", "true") in self.query


def read(resource: Resource, name: str, namespace: str | None) -> Request:
    """Ask for one object."""
    what = f"read {_called(resource, name, namespace)}"
    return Request(method="GET", path=resource.path(namespace, name), what=what)


def read_page(
    resource: Resource,
    namespace: str | None,
    selection: Query,
    *,
    limit: int,
    following: str,
    metadata_only: bool = False,
) -> Request:
    """Ask for one page of a collection.

    Args:
        resource: what to list.
        namespace: None for all.
        selection: from `select`.
        limit: objects in the page; 0 for no limit.
        following: the `continue` of the page before; empty for the first.
        metadata_only: leave out all but the metadata.
    """
    query = selection
    if limit:
        query += (("limit", str(limit)),)
    if following:
        query += (("continue", following),)
    what = _all(resource, "list", namespace)
    accept = METADATA_LIST if metadata_only else JSON
    return Request(method="GET", path=resource.path(namespace), what=what, query=query, accept=accept)


def follow(
    resource: Resource,
    namespace: str | None,
    selection: Query,
    *,
    resource_version: str,
    metadata_only: bool = False,
) -> Request:
    """Ask for a watch from `resource_version` on, with bookmarks, that the server ends after 240-300 s."""
    query = (
        *selection,
        ("watch", "true"),
        ("allowWatchBookmarks", "true"),
        ("resourceVersion", resource_version),
        # Spread, so that the watches of many clients do not end together.
        ("timeoutSeconds", str(random.randint(240, 300))),  # noqa: S311 - spreads load, guards nothing
    )
    what = _all(resource, "watch", namespace)
    accept = METADATA if metadata_only else JSON
    return Request(method="GET", path=resource.path(namespace), what=what, query=query, accept=accept)


def create(resource: Resource, obj: dict[str, Any], *, field_manager: str, dry_run: bool) -> Request:
    """Ask for a new object; its metadata may hold a `generateName` instead of a name."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    name = metadata.get("name") or metadata.get("generateName", "")
    query: Query = (("fieldManager", field_manager),)
    if dry_run:
        query += (("dryRun", "All"),)
    what = f"create {_called(resource, name, namespace)}"
    return _writing(resource, "POST", resource.path(namespace), what, _whole(resource, obj), query)


def apply(
    resource: Resource, obj: dict[str, Any], *, field_manager: str, force: bool, subresource: str | None
) -> Request:
    """Ask to own exactly the fields of `obj`."""
    name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace")
    query: Query = (("fieldManager", field_manager), ("force", "true" if force else "false"))
    what = f"apply {_called(resource, name, namespace, subresource)}"
    path = resource.path(namespace, name, subresource)
    return _writing(resource, "PATCH", path, what, _whole(resource, obj), query, APPLY)


def replace(resource: Resource, obj: dict[str, Any], *, field_manager: str) -> Request:
    """Ask to put `obj` in the place of what is stored."""
    name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace")
    what = f"replace {_called(resource, name, namespace)}"
    query: Query = (("fieldManager", field_manager),)
    return _writing(resource, "PUT", resource.path(namespace, name), what, _whole(resource, obj), query)


def patch(
    resource: Resource,
    name: str,
    namespace: str | None,
    changes: dict[str, Any] | list[dict[str, Any]],
    *,
    field_manager: str,
    subresource: str | None,
) -> Request:
    """Ask for some fields to be changed: a mapping is a merge patch, a list is a JSON patch."""
    query: Query = (("fieldManager", field_manager),)
    what = f"change {_called(resource, name, namespace, subresource)}"
    kind = MERGE_PATCH if isinstance(changes, dict) else JSON_PATCH
    return _writing(resource, "PATCH", resource.path(namespace, name, subresource), what, changes, query, kind)


def delete(
    resource: Resource, name: str, namespace: str | None, *, uid: str | None, propagation: Propagation
) -> Request:
    """Ask for an object's deletion, where `uid` is given only for that incarnation's."""
    options: dict[str, Any] = {"propagationPolicy": propagation}
    if uid is not None:
        options["preconditions"] = {"uid": uid}
    what = f"delete {_called(resource, name, namespace)}"
    return Request(method="DELETE", path=resource.path(namespace, name), what=what, body=msgspec.json.encode(options))


def select(label_selector: str, field_selector: str) -> Query:
    """Give the parameters of a selection; an empty selector selects everything."""
    given = (("labelSelector", label_selector), ("fieldSelector", field_selector))
    return tuple((name, value) for name, value in given if value)


def _writing(
    resource: Resource,
    method: str,
    path: str,
    what: str,
    content: object,
    query: Query,
    content_type: str = "application/json",
) -> Request:
    return Request(
        method=method,
        path=path,
        what=what,
        query=query,
        body=msgspec.json.encode(content),
        content_type=content_type,
        carries_secret=(resource.group, resource.plural) == (SECRETS.group, SECRETS.plural),
    )


def _whole(resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def _called(resource: Resource, name: str, namespace: str | None, subresource: str | None = None) -> str:
    of = f"{subresource} of " if subresource else ""
    where = f"{namespace}/" if namespace is not None else ""
    return f"{of}{resource.kind} {where}{name}"


def _all(resource: Resource, verb: str, namespace: str | None) -> str:
    return f"{verb} {resource.plural}" + (f" in {namespace}" if namespace is not None else "")
