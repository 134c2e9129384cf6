"""The figure of a register paid by royalties: its panels, its dates, and that nothing is empty."""

from __future__ import annotations

import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from model.incentives import royalties
from model.parameters_royalties import Royalties
from model.recorder import SERIES, Recorder
from model.scenario import Scenario
from model.streams import Streams
from study import gallery, page, royalties_figure, runfolder
from tests.drawn import outside, overlaps

START = datetime.date(2019, 9, 1)
COLUMNS = {column.name: column for column in (*SERIES, *royalties.SERIES)}
REQUIRED = [column.name for column in SERIES if column.default is None]
NAMES = ["royalty_issues_day", "royalty_transfers_day", "earnings", "royalty_block_npv_ltc",
         "royalty_blocks_sold_day", "mining_share_price_usd", "mining_shares_active"]  # fmt: skip


def write(folder: Path, days: int, **terms: Any) -> runfolder.Run:
    """A finished run with a register in it, and nothing else."""
    case = Scenario.model_validate(
        {
            "name": "register",
            "title": "A register whose miners are paid by royalties on transfers of property",
            "question": "Is it legible?",
            "start_date": START,
            "end_date": START + datetime.timedelta(days=days - 1),
            "price": {"mode": "gbm"},
        }
    )
    register = royalties.RoyaltiesEconomy(Royalties(on=True, **terms), Streams(7))
    recorder = Recorder(days, START, list(COLUMNS.values()))
    for day in range(days):
        values = register.step(day, 10_000.0 * 1.0003**day, 50.0)
        recorder.write(day, dict.fromkeys(REQUIRED, 1.0) | values)
    folder.mkdir(parents=True, exist_ok=True)
    runfolder.write(folder, case, recorder, 1.0)
    return runfolder.read(folder)


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> runfolder.Run:
    folder = tmp_path_factory.mktemp("royalties") / "run"
    return write(folder, 500, share_use="burn", escrow=True, merge_mined_usd_block=0.001)


def drawn(run: runfolder.Run) -> Figure:
    with matplotlib.rc_context(page.STYLE):
        figure = royalties_figure.royalties(run)
        figure.canvas.draw()
    return figure


def test_every_series_that_is_drawn_is_recorded() -> None:
    used = [*royalties_figure.EARNINGS, royalties_figure.COST]
    pairs = (royalties_figure.RECORDS, royalties_figure.BLOCKS, royalties_figure.SHARES)
    small = [panel.column for pair in pairs for panel in pair]
    names = {column.name for column in royalties.SERIES}
    assert {earning.column for earning in used} | set(small) <= names


def test_every_panel_has_lines_with_values_and_real_dates(long_run: runfolder.Run) -> None:
    figure = drawn(long_run)
    assert [axes.get_label() for axes in figure.axes] == NAMES
    for axes in figure.axes:
        assert axes.lines
        assert any(np.nanmax(np.asarray(line.get_ydata(), float)) > 0.0 for line in axes.lines)
        assert any(label.get_text().startswith("20") for label in axes.get_xticklabels())
        assert len(axes.get_yticks()) >= 2
    earnings = figure.axes[NAMES.index("earnings")]
    assert len(earnings.lines) == len(royalties_figure.EARNINGS) + 1


@pytest.mark.parametrize("days", [500, 40])
def test_no_words_lie_on_others_or_outside_the_page(
    long_run: runfolder.Run, tmp_path: Path, days: int
) -> None:
    figure = drawn(long_run if days == 500 else write(tmp_path / "run", days))
    assert overlaps(figure) == []
    assert outside(figure) == []


def test_what_is_never_earned_has_no_line(tmp_path: Path) -> None:
    figure = drawn(write(tmp_path / "run", 40))
    earnings = figure.axes[NAMES.index("earnings")]
    words = [text.get_text() for text in earnings.texts]
    assert "escrow" not in words
    assert "royalties" in words


def test_a_png_and_an_svg_are_left_and_the_same_again(
    long_run: runfolder.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = gallery.Picture(royalties_figure.royalties, lambda run: True)
    monkeypatch.setattr(gallery, "PICTURES", {"royalties": shown})
    files = gallery.draw(long_run.folder, ["royalties"])
    assert [file.name for file in files] == ["royalties.png", "royalties.svg"]
    content = [file.read_bytes() for file in files]
    assert int.from_bytes(content[0][16:20]) == page.WIDTH * page.DOTS_PER_INCH
    assert [file.read_bytes() for file in gallery.draw(long_run.folder, ["royalties"])] == content


def test_only_a_run_with_a_register_has_the_figure() -> None:
    def run(case: object) -> Any:
        return SimpleNamespace(case=case)

    assert royalties_figure.is_drawn(run(SimpleNamespace(royalties=Royalties(on=True))))
    assert not royalties_figure.is_drawn(run(SimpleNamespace(royalties=Royalties())))
    assert not royalties_figure.is_drawn(run(SimpleNamespace()))


def test_a_run_without_a_register_leaves_no_figure(long_run: runfolder.Run) -> None:
    # It records a register's columns, but its scenario has none.
    assert not royalties_figure.is_drawn(long_run)
    assert gallery.draw(long_run.folder, ["royalties"]) == []
