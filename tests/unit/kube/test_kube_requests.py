"""What goes over the wire for each verb, seen without sending it."""

from urllib.parse import parse_qs, urlencode

import msgspec
import pytest

from kamaji_core.kube import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, SECRETS, Request, requests

CONFIG = {"metadata": {"namespace": "a", "name": "b"}, "data": {"k": "v"}}


def body(request: Request) -> object:
    """Decode what is sent."""
    assert request.body is not None
    return msgspec.json.decode(request.body)


def test_read() -> None:
    """Reading names the object and sends nothing."""
    request = requests.read(CONFIG_MAPS, "b", "a")
    assert (request.method, request.path, request.query, request.body) == (
        "GET",
        "/api/v1/namespaces/a/configmaps/b",
        (),
        None,
    )
    assert request.what == "read ConfigMap a/b"


def test_pages_continue_with_the_same_selection() -> None:
    """A following page repeats selectors and limit, and adds where to go on."""
    selection = requests.select("app=x", "metadata.name=y")
    first = requests.read_page(CONFIG_MAPS, None, selection, limit=500, following="")
    second = requests.read_page(CONFIG_MAPS, None, selection, limit=500, following="token")
    assert dict(first.query) == {"labelSelector": "app=x", "fieldSelector": "metadata.name=y", "limit": "500"}
    assert dict(second.query) == {**dict(first.query), "continue": "token"}
    assert first.what == "list configmaps"
    assert requests.read_page(CONFIG_MAPS, "a", (), limit=0, following="").query == ()


def test_watches_end_at_different_times() -> None:
    """A watch asks for bookmarks and for an end between four and five minutes, not always the same."""
    ends = set()
    for _ in range(50):
        query = dict(requests.follow(CONFIG_MAPS, "a", (), resource_version="7").query)
        assert (query["watch"], query["allowWatchBookmarks"], query["resourceVersion"]) == ("true", "true", "7")
        ends.add(int(query["timeoutSeconds"]))
    assert 240 <= min(ends) < max(ends) <= 300


def test_create_goes_to_the_collection() -> None:
    """Creating posts to the collection of the object's namespace, with apiVersion and kind filled in."""
    request = requests.create(CONFIG_MAPS, CONFIG, field_manager="kamaji", dry_run=True)
    assert (request.method, request.path) == ("POST", "/api/v1/namespaces/a/configmaps")
    assert dict(request.query) == {"fieldManager": "kamaji", "dryRun": "All"}
    assert body(request) == {"apiVersion": "v1", "kind": "ConfigMap", **CONFIG}


def test_create_takes_a_generated_name() -> None:
    """An object whose name the server makes up is called by its beginning."""
    obj = {"metadata": {"namespace": "a", "generateName": "b-"}}
    assert requests.create(CONFIG_MAPS, obj, field_manager="kamaji", dry_run=False).what == "create ConfigMap a/b-"


def test_apply_is_json_called_yaml() -> None:
    """Server-side apply has its own content type, a manager and says whether it takes fields from others."""
    request = requests.apply(DEPLOYMENTS, CONFIG, field_manager="me", force=False, subresource="status")
    assert (request.method, request.path) == ("PATCH", "/apis/apps/v1/namespaces/a/deployments/b/status")
    assert request.content_type == "application/apply-patch+yaml"
    assert dict(request.query) == {"fieldManager": "me", "force": "false"}
    assert request.what == "apply status of Deployment a/b"


def test_the_given_object_is_not_changed() -> None:
    """Filling in apiVersion and kind happens on a copy."""
    obj = {"metadata": {"name": "a"}}
    requests.apply(NAMESPACES, obj, field_manager="me", force=True, subresource=None)
    assert obj == {"metadata": {"name": "a"}}


def test_the_kind_of_patch_follows_from_its_form() -> None:
    """A mapping is a merge patch, a list is a JSON patch."""
    merge = requests.patch(CONFIG_MAPS, "b", "a", {"data": {}}, field_manager="me", subresource=None)
    operations = requests.patch(CONFIG_MAPS, "b", "a", [{"op": "remove"}], field_manager="me", subresource=None)
    assert merge.content_type == "application/merge-patch+json"
    assert operations.content_type == "application/json-patch+json"


def test_replace_puts_the_object_in_its_place() -> None:
    """A replacement carries the whole object, with its resourceVersion if it has one."""
    obj = {"metadata": {"namespace": "a", "name": "b", "resourceVersion": "3"}}
    request = requests.replace(CONFIG_MAPS, obj, field_manager="me")
    assert (request.method, request.path) == ("PUT", "/api/v1/namespaces/a/configmaps/b")
    assert body(request) == {"apiVersion": "v1", "kind": "ConfigMap", **obj}


def test_delete_can_be_bound_to_one_incarnation() -> None:
    """With a UID the server refuses to delete a namesake."""
    request = requests.delete(CONFIG_MAPS, "b", "a", uid="u", propagation="Foreground")
    assert body(request) == {"propagationPolicy": "Foreground", "preconditions": {"uid": "u"}}
    bare = requests.delete(CONFIG_MAPS, "b", "a", uid=None, propagation="Background")
    assert body(bare) == {"propagationPolicy": "Background"}


def test_a_secret_does_not_show_in_a_representation() -> None:
    """A request may be logged or stand in a traceback; its body may not."""
    obj = {"metadata": {"namespace": "a", "name": "b"}, "data": {"password": "aHVudGVyMg=="}}
    request = requests.create(SECRETS, obj, field_manager="me", dry_run=False)
    assert "aHVudGVyMg" not in repr(request)
    assert request.carries_secret
    assert not requests.create(CONFIG_MAPS, obj, field_manager="me", dry_run=False).carries_secret


@pytest.mark.parametrize("selector", ["a=b,c in (d,e)", "x.y/z!=ä+%"])
def test_selectors_stay_unquoted_until_they_are_sent(selector: str) -> None:
    """Quoting is the transport's, once, so that nothing is quoted twice."""
    assert parse_qs(urlencode(requests.select(selector, ""))) == {"labelSelector": [selector]}
