"""The figure of a directive or a fork: its panels, its marks, and that nothing lies on another."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from model.recorder import SERIES, Recorder
from model.scenario import Scenario
from study import chain_figure, gallery, page, runfolder
from tests.drawn import outside, overlaps, texts

REQUIRED = [column.name for column in SERIES if column.default is None]
START = datetime.date(2028, 1, 3)
TITLE = "Sixty percent in the United States, and a directive of many words in two lines or three"


def date(day: int) -> datetime.date:
    return START + datetime.timedelta(days=day)


# What happens: day and kind of events, and the first and last day of two coins.
Case = dict[str, Any]
CASES: dict[str, Case] = {
    "split at once": {"days": 4000, "directive": 182, "splits": [(189, 4000)]},
    "split and undone": {
        "days": 4000,
        "directive": 182,
        "splits": [(192, 204), (213, 225), (237, 245)],
        "orphans": 0.4,
    },
    "new algorithm": {
        "days": 4000,
        "directive": 182,
        "asked": 272,
        "splits": [(527, 4000)],
        "by": "new_algorithm",
        "orphans": 0.02,
    },
    "captured": {"days": 4000, "directive": 182, "orphans": 0.1},
    "filter only": {"days": 700, "filter": 400},
    "fork only": {"days": 1300, "fork": 180, "splits": [(180, 1300)]},
    "short": {"days": 60, "directive": 20, "splits": [(30, 60)]},
    "on the first day": {"days": 600, "directive": 0},
    "on the last day": {"days": 600, "directive": 599},
    "a month": {"days": 30, "directive": 29},
    "often": {"days": 4000, "directive": 100, "splits": [(n, n + 5) for n in range(110, 230, 10)]},
}


def write(folder: Path, told: Case) -> runfolder.Run:
    """A finished run of waves in which these things happen, without any model."""
    days, splits = told["days"], told.get("splits", [])
    case = Scenario.model_validate(
        {
            "name": "tiny",
            "title": TITLE,
            "question": "Is it legible?",
            "start_date": START,
            "end_date": date(days - 1),
            "price": {"mode": "gbm"},
        }
    )
    begins = told.get("directive", told.get("filter", days))
    enforcing = 0.5 if "directive" in told else 0.0
    recorder = Recorder(days, START)
    for day in range(days):
        wave = 1.0 + 0.4 * np.sin(day / 30.0)
        row = dict.fromkeys(REQUIRED, 1.0) | {"hashrate_ehs": 1500.0 * wave, "blocks": 144 * wave}
        row |= {"price_usd": 80e3 * wave * 1.0006**day, "difficulty": 2e14, "orphan_rate": 0.001}
        if day >= begins:
            row |= {"enforcing_share": enforcing, "filtering_share": 0.2, "inclusion_rate": 0.3}
            row["orphan_rate"] = told.get("orphans", 0.001)
        if day in range(*told.get("disputed", (0, 0))):
            row["inclusion_rate"] = np.nan
        if any(first <= day < after for first, after in splits):
            row["price_usd"] *= 0.4
            row |= {"compliant_price_usd": row["price_usd"], "free_price_usd": 30e3 * wave}
            row |= {"free_coin_value_share": 0.4, "free_coin_hashrate_share": 0.3}
        recorder.write(day, row)
    for kind, key in (
        ("directive",) * 2,
        ("filter",) * 2,
        ("fork",) * 2,
        ("fork_proposed", "asked"),
    ):
        if key in told:
            recorder.event(told[key], kind, "WORLD", "something happens")
    for first, last in splits:
        recorder.event(first, "split", "WORLD", "there are two coins")
        if last < told["days"]:
            recorder.event(last, "wipeout", "WORLD", "there is one coin")
    headline = {"split_by": told.get("by", "miners")} if splits else {}
    folder.mkdir(parents=True, exist_ok=True)
    runfolder.write(folder, case, recorder, 1.0, headline=headline)
    return runfolder.read(folder)


def drawn(run: runfolder.Run) -> Figure:
    with matplotlib.rc_context(page.STYLE):
        figure = chain_figure.chain(run)
        figure.canvas.draw()
    return figure


@pytest.fixture(scope="module", params=CASES)
def any_figure(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Figure:
    return drawn(write(tmp_path_factory.mktemp("any"), CASES[request.param]))


def panels(figure: Figure) -> dict[str, Axes]:
    return {str(axes.get_label()): axes for axes in figure.axes}


def said(figure: Figure) -> list[str]:
    return [text.get_text() for text in texts(figure)]


def test_no_text_lies_on_another_or_leaves_the_page(any_figure: Figure) -> None:
    assert overlaps(any_figure) == []
    assert outside(any_figure) == []


def test_no_panel_is_empty_without_numbers_or_upon_another(any_figure: Figure) -> None:
    assert any_figure.axes
    for axes in any_figure.axes:
        low, high = axes.get_ylim()
        values = [np.asarray(line.get_ydata(), dtype=float) for line in curves(axes)]
        finite = [each[np.isfinite(each)] for each in values]
        assert axes.collections or any(each.size for each in finite)
        assert all(low <= each.min() <= each.max() <= high for each in finite if each.size)
        assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 2 or low > 0.0
        assert any(low <= tick <= high for tick in axes.get_yticks())
    places = [axes.get_position() for axes in any_figure.axes]
    assert all(
        Bbox.intersection(one, other) is None for one, other in itertools.combinations(places, 2)
    )


def curves(axes: Axes) -> list[Any]:
    """The lines of a panel that are no marks."""
    return [line for line in axes.lines if line.get_color() not in
            (chain_figure.LINE_COLOUR, page.MARK_COLOUR)]  # fmt: skip


def test_panels_are_those_that_have_something_to_show(tmp_path: Path) -> None:
    shown = {
        name: {label.split()[0] for label in panels(drawn(write(tmp_path / name, CASES[name])))}
        for name in ("split at once", "captured", "filter only", "fork only")
    }
    always = {"hashrate", "blocks", "difficulty", "prices"}
    assert shown["split at once"] == always | {"shares", "inclusion", "value"}
    assert shown["captured"] == always | {"shares", "inclusion", "orphans"}
    assert shown["filter only"] == always | {"shares", "inclusion"}
    assert shown["fork only"] == always | {"value"}


def test_a_long_run_has_its_beginning_beside_it(tmp_path: Path) -> None:
    run = write(tmp_path / "long", CASES["split at once"])
    assert chain_figure.close_up(run) == (date(168), date(302))
    figure = drawn(run)
    assert {"shares 0", "shares 1", "value 1"} <= set(panels(figure))
    near = panels(figure)["hashrate 1"]
    assert near.get_xlim() == (date2num(date(168)), date2num(date(302)))
    assert chain_figure.close_up(write(tmp_path / "short", CASES["short"])) is None
    early = chain_figure.close_up(write(tmp_path / "early", CASES["on the first day"]))
    assert early == (date(0), date(134))


def test_the_close_up_is_daily_and_the_whole_a_mean(tmp_path: Path) -> None:
    run = write(tmp_path / "run", CASES["split at once"])
    shown = panels(drawn(run))
    blocks = run.series["blocks"].to_numpy()
    near = np.asarray(curves(shown["blocks 1"])[0].get_ydata())
    np.testing.assert_allclose(near, blocks[168:303])
    whole = np.asarray(curves(shown["blocks 0"])[0].get_ydata())
    np.testing.assert_allclose(whole[3:-3], np.convolve(blocks, np.full(7, 1 / 7), "valid"))


def test_the_free_coin_begins_with_the_split(tmp_path: Path) -> None:
    run = write(tmp_path / "run", CASES["split at once"])
    shown = panels(drawn(run))
    for name in ("hashrate 0", "prices 0", "value 0"):
        free = next(line for line in curves(shown[name])
                    if line.get_color() == chain_figure.FREE_COLOUR)  # fmt: skip
        values = np.asarray(free.get_ydata(), dtype=float)
        assert np.flatnonzero(np.isfinite(values))[0] == 189
    part = np.asarray(curves(shown["hashrate 1"])[1].get_ydata(), dtype=float)
    whole = np.asarray(curves(shown["hashrate 1"])[0].get_ydata(), dtype=float)
    np.testing.assert_allclose(part[21:], 0.3 * whole[21:])


def test_hashrates_of_two_algorithms_are_not_compared(tmp_path: Path) -> None:
    figure = drawn(write(tmp_path / "run", CASES["new algorithm"]))
    assert len(curves(panels(figure)["hashrate 0"])) == 1
    assert "both coins" not in said(figure)
    assert any("another algorithm" in words.replace("\n", " ") for words in said(figure))


def test_what_happened_is_marked_with_its_date(tmp_path: Path) -> None:
    once = said(drawn(write(tmp_path / "once", CASES["new algorithm"])))
    for mark in ("directive\n3 Jul 2028", "fork asked for\n1 Oct 2028", "split\n13 Jun 2029"):
        assert mark in once
    often = said(drawn(write(tmp_path / "often", CASES["split and undone"])))
    assert "directive, 3\N{MULTIPLICATION SIGN} split, 3\N{MULTIPLICATION SIGN} undone\n" \
           "3 Jul\N{EN DASH}4 Sep 2028" in often  # fmt: skip
    assert {"split\n13 Jul 2028", "undone\n25 Jul 2028", "undone\n4 Sep 2028"} <= set(often)


def test_days_without_a_value_leave_the_scale_alone(tmp_path: Path) -> None:
    case = {"days": 300, "directive": 182, "splits": [(189, 300)], "disputed": (183, 189)}
    figure = drawn(write(tmp_path / "run", case))
    scales = [axes.get_ylim() for axes in figure.axes]
    assert np.isfinite(scales).all()
    assert min(high - low for low, high in scales) > 0.5


def test_every_panel_has_a_line_at_what_happened(tmp_path: Path) -> None:
    run = write(tmp_path / "run", CASES["split at once"])
    for axes in drawn(run).axes:
        lines = [line.get_xdata()[0] for line in axes.lines
                 if line.get_color() == chain_figure.LINE_COLOUR]  # fmt: skip
        assert lines == [date2num(date(182)), date2num(date(189))]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3999), st.sampled_from(["split", "undone"])), max_size=30))
def test_nothing_that_happened_goes_unmarked(happened: list[tuple[int, str]]) -> None:
    moments = sorted((date(day), what) for day, what in happened)
    placed = chain_figure.arranged(moments, (date(0), date(3999)))
    assert [day for mark in placed for day in mark.dates] == [day for day, _ in moments]


def test_a_png_and_an_svg_are_left_and_the_same_again(tmp_path: Path) -> None:
    run = write(tmp_path / "run", CASES["short"])
    files = gallery.draw(run.folder, ["chain"])
    assert [file.name for file in files] == ["chain.png", "chain.svg"]
    content = [file.read_bytes() for file in files]
    assert int.from_bytes(content[0][16:20]) == page.WIDTH * page.DOTS_PER_INCH
    assert b"</svg>" in content[1]
    assert [file.read_bytes() for file in gallery.draw(run.folder, ["chain"])] == content


def test_without_a_story_there_is_no_figure(tmp_path: Path) -> None:
    run = write(tmp_path / "run", {"days": 40})
    assert gallery.draw(run.folder, ["chain"]) == []
    assert not list(run.folder.glob("chain*"))
