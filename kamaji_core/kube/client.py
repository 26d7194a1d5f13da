"""The operator's own client of an API server: the verbs, paging, watches, and a time limit on each of them.

It is lean because a thousand tenants pay for it: an object goes out as it is given and comes in as the caller's type,
or as raw JSON that only the caller decodes. It does not guess: a request is sent once, but where the server itself
asked to send it again (429).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import msgspec

from kamaji_core.kube import requests
from kamaji_core.kube.answers import Listing, WatchEvent, event_of, lines, object_of, page_of
from kamaji_core.kube.errors import (
    GoneError,
    ServerError,
    TooManyRequestsError,
    UnreachableError,
    error_from_answer,
)
from kamaji_core.kube.requests import Propagation, Request
from kamaji_core.kube.transport import USER_AGENT, HttpTransport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from kamaji_core.kube.config import ClusterConfig
    from kamaji_core.kube.errors import ApiError
    from kamaji_core.kube.resources import Resource
    from kamaji_core.kube.transport import Answer, Transport

T = TypeVar("T")


class KubeClient:
    """Talks to one API server.

    Every method raises the subclass of `ApiError` that says what went wrong, and none waits longer than its limit.
    Connections are opened as they are needed; `aclose`, or leaving the context, closes them.

    Args:
        config: address, trust and credentials.
        user_agent: its part before the slash is the field manager of every write but `apply`.
        timeout: seconds for one whole request.
        transport: carries the requests instead of connections of our own; the caller closes it.
        most_bytes: that an answer may have, but for a watch's, which is read as it comes; None for any number.
    """

    def __init__(
        self,
        config: ClusterConfig,
        *,
        user_agent: str = USER_AGENT,
        timeout: float = 10.0,
        transport: Transport | None = None,
        most_bytes: int | None = None,
    ) -> None:
        self._connections: HttpTransport | None = None
        if transport is None:
            transport = self._connections = HttpTransport(config, user_agent=user_agent)
        self._transport = transport
        self._config = config
        self._user_agent = user_agent
        self._server = config.server
        self._timeout = timeout
        self._most_bytes = most_bytes
        self._manager = user_agent.partition("/")[0]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def through(self, wrap: Callable[[Transport], Transport]) -> KubeClient:
        """Give a client that sends through one more transport; the connections stay this one's, which closes them.

        Args:
            wrap: puts its transport around ours.
        """
        transport = wrap(self._transport)
        return KubeClient(
            self._config,
            user_agent=self._user_agent,
            timeout=self._timeout,
            transport=transport,
            most_bytes=self._most_bytes,
        )

    async def aclose(self) -> None:
        """Close all connections of its own; requests under way fail."""
        if self._connections is not None:
            await self._connections.aclose()

    @overload
    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> dict[str, Any]: ...

    @overload
    async def get(self, resource: Resource, name: str, namespace: str | None = None, *, type: type[T]) -> T: ...

    async def get(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        type: type[Any] = dict,  # noqa: A002 - msgspec's own word for it
    ) -> Any:
        """Read one object as a dict or as a msgspec type.

        Raises:
            NotFoundError: when it does not exist.
            msgspec.ValidationError: when it is JSON that does not fit the type.
        """
        request = requests.read(resource, name, namespace)
        body = await self._send(request)
        return object_of(request, body) if type is dict else msgspec.json.decode(body, type=type)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        page: int = 500,
        metadata_only: bool = False,
    ) -> Listing:
        """Read all objects, of all namespaces where none is given, in pages.

        Args:
            resource: what to list.
            namespace: None for all.
            label_selector: as in kubectl's `-l`; empty for no selection.
            field_selector: as in kubectl's `--field-selector`; empty for no selection.
            page: objects in one answer; 0 for all in one.
            metadata_only: have the server leave out all but the metadata (`PartialObjectMetadata`).
        """

        def pages(size: int) -> AsyncGenerator[Listing, None]:
            return self.pages(
                resource,
                namespace,
                label_selector=label_selector,
                field_selector=field_selector,
                page=size,
                metadata_only=metadata_only,
            )

        try:
            return await _joined(pages(page))
        except GoneError:
            # The pages took longer than the server keeps a moment (5 minutes): once more, all in one.
            return await _joined(pages(0))

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        page: int = 500,
        metadata_only: bool = False,
    ) -> AsyncGenerator[Listing, None]:
        """Read all objects as `list` does, a page at a time, so that the caller can drop each.

        All pages are of one moment and carry the same resourceVersion.

        Raises:
            GoneError: when the pages took so long that the moment is no longer kept: begin anew.
        """
        selection = requests.select(label_selector, field_selector)
        following = ""
        while True:
            request = requests.read_page(
                resource, namespace, selection, limit=page, following=following, metadata_only=metadata_only
            )
            listing, following = page_of(request, await self._send(request))
            yield listing
            if not following:
                return

    async def create(self, resource: Resource, obj: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        """Create an object in the namespace of its metadata and give it back as stored.

        Args:
            resource: its kind.
            obj: the object; `apiVersion` and `kind` may be left out.
            dry_run: have everything checked and nothing stored.

        Raises:
            AlreadyExistsError: when there is one of that name.
        """
        return await self._write(requests.create(resource, obj, field_manager=self._manager, dry_run=dry_run))

    async def apply(
        self,
        resource: Resource,
        obj: dict[str, Any],
        *,
        field_manager: str = "kamaji",
        force: bool = True,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Own exactly the fields of `obj` (server-side apply) and give the object back as stored.

        Fields that the manager owned and `obj` lacks are removed; an object that is missing is created.

        Raises:
            ConflictError: without `force`, when another manager owns one of the fields.
        """
        return await self._write(
            requests.apply(resource, obj, field_manager=field_manager, force=force, subresource=subresource)
        )

    async def replace(self, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
        """Replace a whole object and give it back as stored.

        Raises:
            ConflictError: when `metadata.resourceVersion` is given and no longer the object's.
            NotFoundError: when it does not exist.
        """
        return await self._write(requests.replace(resource, obj, field_manager=self._manager))

    async def merge_patch(
        self,
        resource: Resource,
        name: str,
        patch: dict[str, Any],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Change the fields that are given (RFC 7386; None removes) and give the object back as stored.

        Raises:
            ConflictError: when the patch holds a `metadata.resourceVersion` that is no longer the object's.
        """
        return await self._write(
            requests.patch(resource, name, namespace, patch, field_manager=self._manager, subresource=subresource)
        )

    async def json_patch(
        self,
        resource: Resource,
        name: str,
        patch: list[dict[str, Any]],  # type: ignore[valid-type] # mypy takes `list` for the method above
        namespace: str | None = None,
        *,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """Carry out the operations in order, all or none (RFC 6902), and give the object back as stored.

        Raises:
            InvalidError: when a `test` operation fails.
        """
        return await self._write(
            requests.patch(resource, name, namespace, patch, field_manager=self._manager, subresource=subresource)
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        propagation: Propagation = "Background",
    ) -> None:
        """Ask for an object's deletion; finalizers may keep it for longer.

        Args:
            resource: its kind.
            name: of the object.
            namespace: of the object.
            uid: delete only this incarnation.
            propagation: what becomes of the objects that it owns.

        Raises:
            NotFoundError: when it does not exist.
            ConflictError: when it is another incarnation.
        """
        await self._send(requests.delete(resource, name, namespace, uid=uid, propagation=propagation))

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        idle: float = 150.0,
        metadata_only: bool = False,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Give what happens after `resource_version`, bookmarks included, until the server ends it (240-300 s).

        Close the iterator (`contextlib.aclosing`) when leaving it early.

        Args:
            resource: what to watch.
            namespace: None for all.
            resource_version: of the listing, or of the last event seen.
            label_selector: as in `list`.
            field_selector: as in `list`.
            idle: seconds without a byte after which the connection counts as dead; bookmarks come about once a minute.
            metadata_only: as in `list`.

        Raises:
            GoneError: in either form, when `resource_version` is no longer kept: list anew.
            UnreachableError: when the connection breaks or falls silent.
        """
        selection = requests.select(label_selector, field_selector)
        request = requests.follow(
            resource, namespace, selection, resource_version=resource_version, metadata_only=metadata_only
        )
        async with contextlib.AsyncExitStack() as stack:
            async with self._limit(request, self._timeout):
                answer = await stack.enter_async_context(self._transport.send(request))
                if answer.status not in _SUCCESSES:
                    raise _refusal(request, answer, await self._body(request, answer))
            chunks = await stack.enter_async_context(contextlib.aclosing(self._bounded(request, answer, idle)))
            events = await stack.enter_async_context(contextlib.aclosing(lines(chunks)))
            async for line in events:
                yield event_of(request, line)

    async def raw(self, path: str, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - a limit like the others'
        """Read any address, such as `/version` or `/readyz?verbose`.

        Args:
            path: absolute and quoted; may hold a query.
            timeout: seconds; None for the client's own limit.
        """
        return await self._send(Request(method="GET", path=path, what=f"read {path}"), timeout)

    async def _write(self, request: Request) -> dict[str, Any]:
        return object_of(request, await self._send(request))

    async def _send(self, request: Request, seconds: float | None = None) -> bytes:
        """Send it, and again where the server refused it only for now, as long as the time limit allows."""
        seconds = self._timeout if seconds is None else seconds
        async with self._limit(request, seconds):
            deadline = asyncio.get_running_loop().time() + seconds
            while True:
                try:
                    return await self._send_once(request)
                except TooManyRequestsError as error:
                    # Without Retry-After it is no overload but a disruption budget, which waiting does not change.
                    pause = error.retry_after
                    if pause is None or asyncio.get_running_loop().time() + pause >= deadline:
                        raise
                await asyncio.sleep(max(pause, _SHORTEST_PAUSE))

    async def _send_once(self, request: Request) -> bytes:
        async with self._transport.send(request) as answer:
            body = await self._body(request, answer)
            if answer.status not in _SUCCESSES:
                raise _refusal(request, answer, body)
            return body

    async def _body(self, request: Request, answer: Answer) -> bytes:
        if self._most_bytes is None:
            return await answer.read()
        body = bytearray()
        async with contextlib.aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > self._most_bytes:
                    message = f"the answer of {self._server} is larger than {self._most_bytes} bytes"
                    raise ServerError(request.what, status=answer.status, reason="TooLarge", message=message)
        return bytes(body)

    async def _bounded(self, request: Request, answer: Answer, idle: float) -> AsyncGenerator[bytes, None]:
        """Give the answer's chunks, with a limit on each silence between them."""
        async with contextlib.aclosing(answer.chunks()) as chunks:
            while True:
                async with self._limit(request, idle):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                yield chunk

    @contextlib.asynccontextmanager
    async def _limit(self, request: Request, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            message = f"{self._server} did not answer within {seconds:g} s"
            raise UnreachableError(request.what, reason="Timeout", message=message) from error


async def _joined(pages: AsyncIterator[Listing]) -> Listing:
    items: list[msgspec.Raw] = []
    resource_version = ""
    async for page in pages:
        items += page.items
        resource_version = page.resource_version
    return Listing(items, resource_version)


def _refusal(request: Request, answer: Answer, body: bytes) -> ApiError:
    return error_from_answer(
        request.what, status=answer.status, headers=answer.headers, body=body, withhold=request.carries_secret
    )


_SUCCESSES = frozenset({200, 201, 202})
_SHORTEST_PAUSE = 0.1
