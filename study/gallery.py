"""Every figure of a run: its name, what composes it, and whether the run has anything to show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure

from study import (
    chain_figure,
    covenant_figure,
    figures,
    royalties_figure,
    runfolder,
    story,
    virtual_figure,
)
from study import page as pages
from study.runfolder import Run


class Picture(NamedTuple):
    """A figure of a run: what composes it, and whether a run has anything to show in it."""

    compose: Callable[[Run], Figure]
    is_drawn: Callable[[Run], bool]


def _history(run: Run) -> Figure:
    return figures.history(run, figures.observe(run.case))


def _always(run: Run) -> bool:
    return True


# By the name of their files.
PICTURES: Mapping[str, Picture] = MappingProxyType(
    {
        figures.NAME: Picture(_history, _always),
        chain_figure.NAME: Picture(chain_figure.chain, story.is_told),
        covenant_figure.NAME: Picture(covenant_figure.covenant, covenant_figure.is_drawn),
        virtual_figure.NAME: Picture(virtual_figure.virtual_mining, virtual_figure.is_drawn),
        royalties_figure.NAME: Picture(royalties_figure.royalties, royalties_figure.is_drawn),
    }
)


def of_run(run: Run) -> dict[str, Picture]:
    """The figures in which a run has something to show."""
    return {name: picture for name, picture in PICTURES.items() if picture.is_drawn(run)}


def draw(folder: Path, names: Iterable[str] = tuple(PICTURES)) -> list[Path]:
    """Draw the figures of these names that the finished run in a folder has; return the files."""
    run = runfolder.read(folder)
    has = of_run(run)
    return [file for name in names if name in has for file in _save(name, has[name], run, folder)]


def _save(name: str, picture: Picture, run: Run, folder: Path) -> list[Path]:
    with matplotlib.rc_context(pages.STYLE):
        figure = picture.compose(run)
        return [pages.save(figure, folder / f"{name}.{suffix}") for suffix in pages.FORMATS]
