"""The page: one component that draws what the office sends, and hears what the browser does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import solara
from solara.server import kernel_context

from model.known import column
from view import levers, worldmap
from view.office import Desk, Frame, Office

TITLE = "Hashatlas"

log = logging.getLogger("view")


class Setting:
    """What the server was started with: whose office it is, and the scenario it opens with."""

    office: Office
    name: str


@solara.component_vue("board.vue", vuetify=False)
def Board(  # noqa: N802
    frame: Frame,
    levers: list[dict[str, Any]],
    nations: dict[str, str],
    legend: list[dict[str, str]],
    map_svg: str,
    event_act: Callable[[object], object],
) -> None:
    """The whole page in the browser."""


@solara.component
def Page() -> None:  # noqa: N802
    """A page with a world of its own."""
    frame, set_frame = solara.use_state(Frame())
    desk = solara.use_memo(lambda: seat(set_frame), [])
    solara.use_effect(lambda: lambda: Setting.office.leave(desk), [])
    names = dict(zip(column("nations.csv", "iso3"), column("nations.csv", "name"), strict=True))
    solara.Title(TITLE)
    Board(
        frame=frame,
        levers=levers.described(Setting.name),
        nations=names,
        legend=worldmap.legend(),
        map_svg=worldmap.drawing(),
        event_act=desk.hear,
    )


@solara.component
def Layout(children: Any = ()) -> Any:  # noqa: N802
    """Nothing round the page."""
    return solara.Div(children=children, classes=["atlas-frame"])


def seat(set_frame: Callable[[Frame], object]) -> Desk:
    """A desk whose frames go to the page that is being made now."""
    context = kernel_context.get_current_context()

    def show(frame: Frame) -> None:
        try:
            with context:
                set_frame(frame)
        except Exception:
            # The page has gone while its frame was drawn.
            log.debug("nobody to show a frame to", exc_info=True)

    return Setting.office.welcome(Setting.name, show)
