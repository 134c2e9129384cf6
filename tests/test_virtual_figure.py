"""The figure of virtual mining: its panels, its marks, and that nothing lies on another."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.incentives.virtual_mining import SERIES as VIRTUAL_SERIES
from model.incentives.virtual_mining import VirtualMiningEconomy
from model.parameters_virtual import VirtualMining
from model.recorder import SERIES, Recorder
from model.scenario import Scenario
from model.streams import Streams
from study import gallery, page, runfolder, virtual_figure
from study.chain_figure import LINE_COLOUR
from tests.drawn import outside, overlaps, texts

START = datetime.date(2028, 1, 3)
TITLE = "A chain that gives half of its issue to donors, beside bitcoin, in a title of two lines"
REQUIRED = [column.name for column in SERIES if column.default is None]

CASES: dict[str, dict[str, Any]] = {
    "donations and after": {"days": 400, "dacs_yr": 8.0},
    "long": {"days": 900, "donation_days": 100},
    "norm broken": {"days": 400, "community_boost": 0.1, "dacs_yr": 30.0},
    "norm in doubt": {
        "days": 500, "community_boost": 0.27, "dacs_yr": 60.0, "norm_feedback": 0.0,
        "founder_noise": 0.2, "miner_vote": 0.6,
    },
    "loops": {
        "days": 250, "recycled": 0.9, "fund_payout_day": 0.05, "issue_reading": "per_address",
    },
    "a month": {"days": 30},
    "a day": {"days": 1},
}  # fmt: skip


class FakeRun(runfolder.Run):
    """A run whose scenario has a chain with virtual mining, whatever scenarios can say."""

    @property
    def case(self) -> Any:
        """What a figure asks of a scenario."""
        return SimpleNamespace(start_date=START, virtual_mining=VirtualMining(on=True))


def write(folder: Path, told: dict[str, Any]) -> FakeRun:
    """A finished run in which only the chain lives."""
    terms = {key: value for key, value in told.items() if key != "days"}
    economy = VirtualMiningEconomy(VirtualMining(on=True, **terms), Streams(1))
    known = {column.name for column in SERIES}
    added = [column for column in VIRTUAL_SERIES if column.name not in known]
    recorder = Recorder(told["days"], START, [*SERIES, *added])
    for day in range(told["days"]):
        recorder.write(day, dict.fromkeys(REQUIRED, 1.0) | economy.step(day, 80e3, 50.0))
        for kind, what in economy.tell:
            recorder.event(day, kind, "WORLD", what)
    case = Scenario.model_validate(
        {
            "name": "tiny",
            "title": TITLE,
            "question": "Is it legible?",
            "start_date": START,
            "end_date": START + datetime.timedelta(days=max(told["days"] - 1, 1)),
            "price": {"mode": "gbm"},
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    runfolder.write(folder, case, recorder, 1.0, headline={})
    found = runfolder.read(folder)
    return FakeRun(found.folder, found.facts, found.series, found.shares, found.events)


Seen = Callable[[str], tuple[FakeRun, Figure]]


def drawn(run: runfolder.Run) -> Figure:
    with matplotlib.rc_context(page.STYLE):
        figure = virtual_figure.virtual_mining(run)
        figure.canvas.draw()
    return figure


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """A case by its name: the run and its figure, each made once."""

    @cache
    def look(name: str) -> tuple[FakeRun, Figure]:
        found = write(tmp_path_factory.mktemp("case"), CASES[name])
        return found, drawn(found)

    return look


@pytest.fixture(params=CASES)
def any_figure(request: pytest.FixtureRequest, seen: Seen) -> Figure:
    return seen(request.param)[1]


@pytest.fixture
def run(seen: Seen) -> FakeRun:
    return seen("donations and after")[0]


@pytest.fixture
def figure(seen: Seen) -> Figure:
    return seen("donations and after")[1]


def said(figure: Figure) -> list[str]:
    return [text.get_text() for text in texts(figure)]


def panels(figure: Figure) -> dict[str, Axes]:
    return {str(axes.get_label()): axes for axes in figure.axes}


def line(axes: Axes, colour: str) -> Any:
    """Dates and values of the thin line of a colour."""
    found = next(
        each for each in axes.lines if each.get_color() == colour and each.get_linestyle() == "-"
    )
    return np.asarray(found.get_ydata(), dtype=float)


def test_no_text_lies_on_another_or_leaves_the_page(any_figure: Figure) -> None:
    assert overlaps(any_figure) == []
    assert outside(any_figure) == []


def test_no_panel_is_empty_or_without_numbers(any_figure: Figure) -> None:
    assert len(any_figure.axes) >= 6
    for axes in any_figure.axes:
        low, high = axes.get_ylim()
        assert low < high
        assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 2
        marks = (LINE_COLOUR, page.MARK_COLOUR)
        curves = [each.get_ydata() for each in axes.lines if each.get_color() not in marks]
        values = [np.asarray(each, dtype=float) for each in curves]
        finite = [each[np.isfinite(each)] for each in values]
        assert axes.collections or any(each.size for each in finite)
        assert all(low <= each.min() <= each.max() <= high for each in finite if each.size)


def test_a_long_run_has_its_donations_beside_it(seen: Seen, run: FakeRun, figure: Figure) -> None:
    long, beside = seen("long")
    last = START + datetime.timedelta(days=139)
    assert virtual_figure.days_of_donations(long) == (START, last)
    shown = panels(beside)
    assert {"routes 0", "routes 1", "votes 1"} <= set(shown)
    assert shown["spending 1"].get_xlim() == (page.number(START), page.number(last))
    assert virtual_figure.days_of_donations(run) is None
    assert "routes 1" not in panels(figure)


def test_bands_take_two_days(seen: Seen) -> None:
    assert "spending 0" in panels(seen("a month")[1])
    assert "spending 0" not in panels(seen("a day")[1])


def test_lines_are_the_series_of_the_run(run: FakeRun, figure: Figure) -> None:
    shown = panels(figure)
    price = run.series["pts_price_usd"].to_numpy()
    means = np.convolve(price, np.full(7, 1 / 7), "valid")
    np.testing.assert_allclose(line(shown["routes 0"], virtual_figure.BUY_COLOUR)[3:-3], means)
    donated = line(shown["routes 0"], virtual_figure.DONATE_COLOUR)
    assert np.isfinite(donated[:200]).all()
    assert np.isnan(donated[200:]).all()
    by_work = 100.0 * run.series["vote_by_work"].to_numpy()
    np.testing.assert_allclose(line(shown["votes 0"], virtual_figure.MINE_COLOUR), by_work)


def test_bands_of_spending_add_up(run: FakeRun, figure: Figure) -> None:
    highest = panels(figure)["spending 0"].collections[-1].get_paths()[0]
    top = np.asarray(highest.vertices)[:, 1].max()
    days = virtual_figure.smooth(run.series)
    spent = (days["pts_mining_spend_usd_day"] + days["ags_donations_usd_day"]) / 1e3
    assert top == pytest.approx(spent.max())


def test_every_launch_has_a_sign(seen: Seen) -> None:
    doubted, shown = seen("norm in doubt")
    norm = panels(shown)["norm 0"]
    count = {
        sign: sum(np.size(each.get_xdata()) for each in norm.lines if each.get_marker() == sign)
        for sign in "ox"
    }
    honoured = int(doubted.series["dacs_honouring"][-1])
    launched = int(doubted.series["dacs_launched"][-1])
    assert 0 < honoured < launched
    # Two of a kind on one day have one sign.
    assert honoured * 0.8 < count["o"] <= honoured
    assert (launched - honoured) * 0.8 < count["x"] <= launched - honoured


def test_what_happened_is_marked_with_its_date(seen: Seen, figure: Figure) -> None:
    words = said(figure)
    assert "donations end\n20 Jul 2028" in words
    assert any(each.startswith("routes equal\n") for each in words)
    assert any("norm broken" in each for each in said(seen("norm broken")[1]))


def test_a_png_and_an_svg_are_left_and_the_same_again(
    run: FakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runfolder, "read", lambda folder: run)
    files = gallery.draw(tmp_path, ["virtual_mining"])
    assert [file.name for file in files] == ["virtual_mining.png", "virtual_mining.svg"]
    content = [file.read_bytes() for file in files]
    assert int.from_bytes(content[0][16:20]) == page.WIDTH * page.DOTS_PER_INCH
    assert b"</svg>" in content[1]
    assert [file.read_bytes() for file in gallery.draw(tmp_path, ["virtual_mining"])] == content


def test_without_such_a_chain_there_is_no_figure(
    run: FakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert virtual_figure.is_drawn(run)
    for case in (
        SimpleNamespace(start_date=START),
        SimpleNamespace(start_date=START, virtual_mining=VirtualMining(on=False)),
    ):
        monkeypatch.setattr(FakeRun, "case", case)
        assert not virtual_figure.is_drawn(run)
        monkeypatch.setattr(runfolder, "read", lambda folder: run)
        assert gallery.draw(tmp_path, ["virtual_mining"]) == []
    assert not list(tmp_path.glob("virtual*"))
