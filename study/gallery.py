"""Every figure of a run: each knows whether it has anything to show."""

from __future__ import annotations

from pathlib import Path

from study import (
    chain_figure,
    covenant_figure,
    figures,
    royalties_figure,
    virtual_figure,
)

FIGURES = (figures, chain_figure, covenant_figure, virtual_figure, royalties_figure)


def draw(folder: Path) -> list[Path]:
    """Draw all figures of the finished run in a folder into that folder; return the files."""
    return [file for figure in FIGURES for file in figure.draw(folder)]
