"""Secrets are nowhere but in their Secret: not in logs, sentences, files, arguments or names.

Whoever reads a log, a condition or a list of processes must not get a tenant's data by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from kamaji_core.contracts import ProbeKind, StoreError
from kamaji_core.testing.datastore.desk import all_logs
from kamaji_core.testing.datastore.gate import GateMode
from kamaji_core.testing.datastore.pure import PROGRAMS, acts, is_written
from kamaji_core.testing.datastore.steps import ASKING, STEPS, make_whole, prepare
from kamaji_core.testing.datastore.under_test import Feature

if TYPE_CHECKING:
    from kamaji_core.testing.datastore.desk import Desk


async def whole_life(desk: Desk) -> list[BaseException]:
    """Live through every step, with a fault at each and with strange credentials; gives the errors that came."""
    errors: list[BaseException] = []
    for step in STEPS:
        if step in ASKING and not desk.can(ASKING[step]):
            continue
        session = desk.open()
        case = await prepare(desk, step, session)
        if desk.can(Feature.SERVER):
            desk.door.set(GateMode.SHUT)
            try:
                await case.call(session)
            except StoreError as error:
                errors.append(error)
            desk.door.set(GateMode.OPEN)
        await make_whole(case, session)
        await session.aclose()
    if desk.can(Feature.OWNERS):
        claim, credentials = await desk.make()
        for rival in (desk.claim(schema=claim.schema), desk.claim(user=claim.user)):
            try:
                await desk.session.ensure(rival, desk.issue(rival))
            except StoreError as error:
                errors.append(error)
        try:
            await desk.session.ensure(desk.claim(), credentials)
        except StoreError as error:
            errors.append(error)
    return errors


def chain(error: BaseException | None) -> list[BaseException]:
    """An error with what it came from, as a traceback would show it."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


class Secrecy:
    """What a life leaves to be read."""

    async def test_no_secret_is_logged(self, desk: Desk) -> None:
        """At no level, by the driver or its libraries, in good days and bad."""
        with all_logs(level=logging.DEBUG) as logged:
            await whole_life(desk)
        assert desk.secrets
        assert not desk.seen_in("\n".join(logged)), "a secret was logged"

    async def test_no_secret_in_a_sentence(self, desk: Desk) -> None:
        """Neither in an error's words nor in those of what caused it."""
        errors = await whole_life(desk)
        for error in errors:
            for one in chain(error):
                assert not desk.seen_in(f"{one!s} {one!r}"), f"{type(one).__name__} quotes a secret"

    async def test_no_secret_in_a_probe_s_sentence(self, desk: Desk) -> None:
        """Of a login that fails, however the store puts it."""
        for kind in (ProbeKind.AUTH, ProbeKind.TLS, ProbeKind.PERMISSION):
            if desk.can(kind):
                async with desk.server.probed(kind) as store:
                    sentence = (await desk.open(store).probe()).sentence
                assert not desk.seen_in(sentence), f"a probe's sentence quotes a secret ({kind})"

    async def test_no_secret_on_disk(self, desk: Desk) -> None:
        """No file is written at all, not even for a moment: what libraries read from files goes through memory."""
        with acts() as seen:
            await whole_life(desk)
        written = sorted({str(arguments[0]) for event, arguments in seen if event == "open" and is_written(arguments)})
        assert written == [], "files are written"

    async def test_no_secret_in_arguments(self, desk: Desk) -> None:
        """Neither of this process nor of one that the driver starts."""
        with acts() as seen:
            await whole_life(desk)
        for event, arguments in seen:
            if event in PROGRAMS:
                assert not desk.seen_in(repr(arguments)), "a program gets a secret as its argument"
        for command in await asyncio.to_thread(_commands):
            assert not desk.seen_in(command)

    async def test_no_secret_in_names(self, desk: Desk) -> None:
        """Nothing at the store is named by one, nor is it kept there to be read."""
        claim, credentials = await desk.make()
        renewed = desk.issue(claim, current=credentials, renew=True)
        await desk.session.ensure(claim, renewed)
        assert not desk.seen_in(repr(await desk.holds(claim)))

    async def test_nothing_shows_them_by_accident(self, desk: Desk) -> None:
        """Driver, session and DataStore can be printed."""
        await desk.session.probe()
        assert not desk.seen_in(repr((desk.driver, desk.session, vars(desk.driver))))
        assert not desk.seen_in(repr(desk.store))


def _commands() -> list[bytes]:
    """Arguments of this process and of its children, as everybody on the machine may read them."""
    processes = ["self"]
    for path in Path("/proc/self/task").glob("*/children"):
        processes += path.read_text().split()
    commands = []
    for process in processes:
        with contextlib.suppress(OSError):  # it has ended
            commands.append(Path(f"/proc/{process}/cmdline").read_bytes())
    return commands
