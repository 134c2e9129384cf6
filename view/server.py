"""The server of the page: its address, what it hands out, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import io
import logging
import os
import socket
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from model.complaint import ScenarioError
from model.scenario import load
from view.office import MOST_SESSIONS, Office

TIDY_EVERY_S = 30.0
LONGEST_MESSAGE = 2**20  # bytes that a browser may send at once
# A tab that has lost its connection may come back for so long.
KEEP = "60s"
# The front end lies beside the server: what it might lack is looked for nowhere else.
NOWHERE = "http://127.0.0.1:9/"
ENVIRONMENT = {
    "SOLARA_APP": "view.app",
    "SOLARA_MODE": "production",
    "SOLARA_TELEMETRY_MIXPANEL_ENABLE": "false",
    "SOLARA_ASSETS_CDN": NOWHERE,
    "SOLARA_KERNEL_CULL_TIMEOUT": KEEP,
    "SOLARA_THEME_SHOW_BANNER": "false",
    "SOLARA_THEME_LOADER": "plain",
    "SOLARA_THEME_TITLE": "Hashatlas",
}


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address, or the reason why there is none."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        where = f"{host}:{port} ({reason})"
        raise ScenarioError("--host, --port", where, "an address and a free port") from None


def serve(
    name: str,
    host: str,
    port: int,
    most: int = MOST_SESSIONS,
    root_path: str = "",
    started: Callable[[str], object] = print,
) -> None:
    """Serve the page until somebody stops it.

    Parameters
    ----------
    name : scenario that a page opens with; a name, or the path of a TOML file.
    host, port : where to listen.
    most : worlds held at once.
    root_path : path under which a reverse proxy shows the page.
    started : told the page's address once it listens.

    Raises
    ------
    ScenarioError
        If there is no such scenario, or the address can't be had.
    """
    load(name)
    if importlib.util.find_spec("solara") is None:
        raise ScenarioError("view", "no front end", "an installation with the extra `view`")
    listening = listen(host, port)
    os.environ.update(ENVIRONMENT)
    if root_path:
        os.environ["SOLARA_ROOT_PATH"] = root_path
    office = Office(most)
    try:
        server = _server(name, office)
        shown = f"[{host}]" if ":" in host else host
        started(f"http://{shown}:{listening.getsockname()[1]}/")
        # The server ends on the signal and then sends it to itself once more.
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        listening.close()
        office.close()


def _server(name: str, office: Office) -> Any:
    """The server, not yet running."""
    import uvicorn

    config = uvicorn.Config(
        application(name, office),
        log_level="warning",
        access_log=False,
        ws_max_size=LONGEST_MESSAGE,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def application(name: str, office: Office) -> Any:
    """The page and what it hands out, as an ASGI application."""
    import solara.server.starlette as base
    from starlette.applications import Starlette
    from starlette.routing import Route

    # Here and now: threads that import the same library at once find half of it.
    from view import session  # noqa: F401
    from view.app import Setting

    Setting.office, Setting.name = office, name
    refuse_strangers()
    own = [
        Route("/run/{token}.zip", _handed_out(office, "zip")),
        Route("/report/{token}", _handed_out(office, "report")),
        # The front end's own page of statistics is nobody's business.
        Route("/resourcez", _nothing),
    ]

    @contextlib.asynccontextmanager
    async def life(app: Any) -> AsyncIterator[None]:
        async with base.lifespan(app):
            tidying = asyncio.create_task(_tidy(office))
            yield
            tidying.cancel()

    return Starlette(routes=[*own, *base.routes], middleware=base.middleware, lifespan=life)


async def _tidy(office: Office) -> None:
    while True:
        await asyncio.sleep(TIDY_EVERY_S)
        office.tidy()


async def _nothing(request: Any) -> Any:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse("There is nothing here.", status_code=404)


def _handed_out(office: Office, what: str) -> Callable[[Any], Any]:
    """A handler that hands a page's run out; the world is written down in the office's thread."""
    from starlette.responses import HTMLResponse, Response

    async def answer(request: Any) -> Any:
        desk = office.desks.get(request.path_params["token"])
        session = desk.session if desk is not None else None
        if session is None:
            return await _nothing(request)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / session.name
            await asyncio.wrap_future(office.run(lambda: session.write(folder)))
            if what == "zip":
                content = await asyncio.wrap_future(office.run_aside(lambda: zipped(folder)))
                headers = {"content-disposition": f'attachment; filename="{folder.name}.zip"'}
                return Response(content, media_type="application/zip", headers=headers)
            return HTMLResponse(
                await asyncio.wrap_future(office.run_aside(lambda: _report(folder)))
            )

    return answer


def zipped(folder: Path) -> bytes:
    """A folder as one file."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{folder.name}/{file.name}")
    return held.getvalue()


def _report(folder: Path) -> str:
    """The report of the run in a folder, as one page."""
    # Not before somebody asks: figures take seconds to import.
    from study import report

    return report.page(folder)


def refuse_strangers() -> None:
    """Let browsers send events and nothing else.

    The library between page and browser would also make objects of any class of any module that a
    message names. Nothing here needs that, and a stranger could.
    """
    from ipyvue import VueTemplateWidget

    handle = VueTemplateWidget.Events._handle_event

    def careful(widget: Any, sender: Any, content: Any, buffers: Any) -> None:
        if isinstance(content, dict) and set(content) <= {"event", "data"}:
            handle(widget, sender, content, [])

    if handle.__name__ != careful.__name__:
        VueTemplateWidget.Events._handle_event = careful
        logging.getLogger("view").debug("browsers may send events only")
