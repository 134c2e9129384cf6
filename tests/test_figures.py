"""The figure of a run: its panels, its words, and that nothing lies on anything else."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.dates import date2num, num2date
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from model.recorder import SERIES, Recorder
from model.scenario import Scenario
from study import figures, gallery, page, runfolder
from tests.drawn import outside, overlaps, texts

REQUIRED = [column.name for column in SERIES if column.default is None]
NATIONS = ("CHN", "USA", "RUS", "KAZ", "IRN", "MYS", "CAN", "DEU", "NOR", "OTH")
BANS = (
    ("2021-05-25", "CHN-Nei Mongol", 0),
    ("2021-05-26", "IRN", 0),
    ("2021-06-18", "CHN-Sichuan", 2),
    ("2021-09-24", "CHN", 0),
    ("2022-01-04", "XKX", 0),
)
END = datetime.date(2021, 4, 30)


def case(first: str, last: str, **keys: Any) -> Scenario:
    """A scenario that the observed months may be compared with."""
    bans = [
        {"kind": "ban", "date": date, "place": place, "lead_days": days}
        for date, place, days in BANS
        if first <= date <= last
    ]
    table = {
        "name": "tiny",
        "title": "A world that is small",
        "question": "Is it legible?",
        "start_date": first,
        "end_date": last,
        "price": {"mode": "historical"},
        "events": bans,
    }
    return Scenario.model_validate(table | keys)


def write(folder: Path, chosen: Scenario, hashrate: Sequence[float] | None = None) -> runfolder.Run:
    """A finished run of waves, without any model."""
    folder.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(chosen.days, chosen.start_date)
    waves = 120.0 + 60.0 * np.sin(np.arange(chosen.days) / 90.0)
    for day, value in enumerate(waves if hashrate is None else hashrate):
        row = dict.fromkeys(REQUIRED, 1.0) | {"hashrate_ehs": float(value), "blocks": 144.0}
        recorder.write(day, row | {"hashprice_usd_ph_day": 300.0 - float(value)})
        if day % 7 == 0:
            turned = np.roll(np.array([45.0, 17, 12, 8, 5, 4, 3, 3, 2, 1]) / 100.0, day // 200)
            recorder.share(day, "reported_nation", NATIONS, turned)
            recorder.share(day, "nation", NATIONS, turned[::-1])
    runfolder.write(folder, chosen, recorder, 1.0)
    return runfolder.read(folder)


def drawn(run: runfolder.Run) -> Figure:
    with matplotlib.rc_context(page.STYLE):
        figure = figures.history(run, figures.observe(run.case))
        figure.canvas.draw()
    return figure


def panels(figure: Figure) -> dict[str, Axes]:
    return {str(axes.get_label()): axes for axes in figure.axes}


CASES = {
    "observed": case("2019-09-01", "2022-06-30", calibration_end=END),
    "calibration ends soon": case("2021-04-01", "2022-06-30", calibration_end=END),
    "calibration ends late": case("2019-09-01", "2021-05-10", calibration_end=END),
    "calibration ended before": case("2021-02-01", "2022-06-30", calibration_end="2021-01-31"),
    "not calibrated": case("2020-09-01", "2022-06-30"),
    "all used": case("2019-09-01", "2021-01-31", calibration_end=END),
    "ten years": case("2016-01-04", "2026-06-30", calibration_end=END),
    "before any map": case("2016-05-01", "2016-11-30", start={"height": 419_000}),
    "after": case("2022-01-01", "2023-01-31", calibration_end=END),
    "a week": case("2021-04-27", "2021-05-03", calibration_end=END),
    "a day": case("2021-04-27", "2021-04-27"),
    "two months": case("2021-04-01", "2021-06-02", calibration_end=END),
    "long title": case("2020-01-01", "2021-06-30", title="A title of many words " * 5),
    "a century": case("2025-01-01", "2075-01-01", price={"mode": "gbm"}),
    "another price": case("2020-01-01", "2021-06-30", price={"mode": "gbm"}, calibration_end=END),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> runfolder.Run:
    return write(tmp_path_factory.mktemp("run"), CASES["observed"])


@pytest.fixture(scope="module", params=CASES)
def any_figure(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Figure:
    return drawn(write(tmp_path_factory.mktemp("any"), CASES[request.param]))


def test_no_text_lies_on_another_or_leaves_the_page(any_figure: Figure) -> None:
    assert overlaps(any_figure) == []
    assert outside(any_figure) == []


def test_no_panel_is_empty_and_none_overlaps_another(any_figure: Figure) -> None:
    for axes in any_figure.axes:
        values = np.asarray(axes.lines[0].get_ydata(), dtype=float)
        assert np.isfinite(values).any()
        assert len(values) > 1 or axes.lines[0].get_marker() == "o"
        low, high = axes.get_ylim()
        assert low <= values.min() <= values.max() <= high
    places = [axes.get_position() for axes in any_figure.axes]
    assert all(
        Bbox.intersection(one, other) is None for one, other in itertools.combinations(places, 2)
    )


def test_a_png_and_an_svg_are_left_and_the_same_again(run: runfolder.Run) -> None:
    files = gallery.draw(run.folder, ["history"])
    assert [file.name for file in files] == ["history.png", "history.svg"]
    assert not list(run.folder.glob(".*"))
    content = [file.read_bytes() for file in files]
    assert content[0][:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(content[0][16:20]) == page.WIDTH * page.DOTS_PER_INCH
    assert b"</svg>" in content[1]
    assert [file.read_bytes() for file in gallery.draw(run.folder, ["history"])] == content


def test_what_was_observed_stands_beside_the_model(run: runfolder.Run) -> None:
    shown = panels(drawn(run))
    first, *nations, last = shown
    assert (first, last) == ("hashrate", "OTH")
    assert set(nations) == {"CHN", "USA", "RUS", "KAZ", "IRN", "MYS", "CAN"}
    months, levels = shown["hashrate"].lines[1].get_data()
    # March 2021: 159.6 EH/s by block headers; the map of 2021-04 has China at 46.0 %.
    march = list(months).index(np.datetime64("2021-03-15"))
    assert levels[march] == pytest.approx(159.6)
    share = shown["CHN"].lines[1].get_data()
    assert share[1][list(share[0]).index(np.datetime64("2021-04-15"))] == pytest.approx(46.0)


def test_other_is_all_that_has_no_panel(run: runfolder.Run) -> None:
    shown = panels(drawn(run))
    for line in (0, 1):
        total = sum(np.asarray(shown[name].lines[line].get_ydata()) for name in list(shown)[1:])
        np.testing.assert_allclose(total, 100.0, atol=0.35)  # observed shares are rounded to 0.1


def test_the_model_is_drawn_as_a_mean_of_seven_days(tmp_path: Path) -> None:
    values = np.random.default_rng(3).uniform(50.0, 150.0, 300)
    chosen = case("2021-01-01", "2021-10-27")
    shown = panels(drawn(write(tmp_path, chosen, values)))["hashrate"]
    line = np.asarray(shown.lines[0].get_ydata())
    np.testing.assert_allclose(line[3:-3], np.convolve(values, np.full(7, 1 / 7), "valid"))


def test_the_end_of_calibration_is_a_line_in_every_panel_with_words_beside_it(
    run: runfolder.Run,
) -> None:
    figure = drawn(run)
    for axes in figure.axes:
        ends = [line for line in axes.lines if line.get_gid() == "calibration end"]
        assert [line.get_xdata()[0] for line in ends] == [date2num(END)]
    words = {text.get_text(): text for text in panels(figure)["hashrate"].texts}
    place = panels(figure)["hashrate"].transData.transform((date2num(END), 0.0))[0]
    assert words["used for calibration"].get_window_extent().x1 < place
    assert words["not used for calibration"].get_window_extent().x0 > place


def test_points_that_calibration_did_not_use_are_hollow(tmp_path: Path) -> None:
    chosen = case("2020-09-01", "2021-12-31", calibration_end="2021-01-31")
    axes = panels(drawn(write(tmp_path, chosen)))["hashrate"]
    used, unused = axes.lines[1:3]
    assert max(used.get_xdata()) < np.datetime64("2021-01-31") < min(unused.get_xdata())
    assert (used.get_markerfacecolor(), unused.get_markerfacecolor()) == ("#000000", "white")


def test_a_world_that_never_was_is_drawn_alone_with_its_hashprice(tmp_path: Path) -> None:
    figure = drawn(write(tmp_path, CASES["another price"]))
    assert list(panels(figure))[:2] == ["hashrate", "hashprice"]
    assert all(len(axes.lines) == 1 for name, axes in panels(figure).items() if name != "hashrate")
    said = " ".join(text.get_text() for text in texts(figure))
    assert "observed" not in said.lower()
    assert "calibration" not in said
    assert "by site" in said


def test_without_shares_there_are_no_nations(tmp_path: Path) -> None:
    chosen = case("2021-01-01", "2021-02-28")
    recorder = Recorder(chosen.days, chosen.start_date)
    for day in range(chosen.days):
        recorder.write(day, dict.fromkeys(REQUIRED, 1.0))
    runfolder.write(tmp_path, chosen, recorder, 1.0)
    assert list(panels(drawn(runfolder.read(tmp_path)))) == ["hashrate"]


def test_dates_below_an_axis_are_the_dates_they_name(run: runfolder.Run) -> None:
    for axes in drawn(run).axes:
        low, high = axes.get_xlim()
        assert (low, high) == (date2num(run.case.start_date), date2num(run.case.end_date))
        for tick in axes.xaxis.get_major_ticks():
            date, words = num2date(tick.get_loc()), tick.label1.get_text()
            assert date.day == 1
            assert words == f"{date:%Y-%m}" or (words == f"{date:%Y}" and date.month == 1)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    first=st.dates(datetime.date(2009, 1, 3), datetime.date(2099, 1, 1)),
    days=st.integers(0, 36_525),
    width=st.sampled_from([1.28, 2.96]),
)
def test_dates_are_few_and_within_the_run(first: datetime.date, days: int, width: float) -> None:
    last = first + datetime.timedelta(days=days)
    dates, form = page.date_ticks(first, last, width)
    assert 1 <= len(dates) <= width / page.LABEL_WIDTHS[form]
    assert all(first <= date <= last for date in dates)
    assert dates == sorted(set(dates))


def test_a_wide_range_is_logarithmic_and_a_narrow_one_begins_at_zero(tmp_path: Path) -> None:
    chosen = case("2021-01-01", "2021-12-31")
    wide = drawn(write(tmp_path / "wide", chosen, np.geomspace(1.0, 500.0, chosen.days)))
    narrow = drawn(write(tmp_path / "narrow", chosen, np.linspace(100.0, 500.0, chosen.days)))
    assert panels(wide)["hashrate"].get_yscale() == "log"
    assert panels(narrow)["hashrate"].get_yscale() == "linear"
    assert panels(narrow)["hashrate"].get_ylim()[0] == 0.0


def test_a_halving_is_marked_on_the_day_of_its_block(tmp_path: Path) -> None:
    # 144 blocks a day from 288 below the halving: the second day's last block is the first of it.
    chosen = case("2020-05-01", "2020-05-30", start={"height": 630_000 - 288})
    marks = figures.halvings(write(tmp_path, chosen))
    assert [mark.dates for mark in marks] == [(datetime.date(2020, 5, 2),)]
    assert marks[0].words == "halving\n2 May 2020"


def test_bans_near_each_other_are_one_mark_and_places_not_shown_none(run: runfolder.Run) -> None:
    found = [mark.words for mark in figures.marks(run, ["CHN", "IRN", "USA"])]
    assert "bans: China, Iran\n25 May\N{EN DASH}20 Jun 2021" in found
    assert "ban: China\n24 Sep 2021" in found
    assert not any("Kosovo" in words for words in found)


def test_laws_of_the_first_day_are_no_news(tmp_path: Path) -> None:
    run = write(tmp_path, case("2021-09-24", "2021-12-31"))
    assert figures.marks(run, ["CHN"]) == []


DAYS = st.dates(datetime.date(2020, 1, 1), datetime.date(2022, 12, 31))
MARKS = st.lists(
    st.builds(
        page.Mark,
        dates=st.tuples(DAYS),
        words=st.sampled_from(["ban: A\n1 May", "bans: Iran, Kazakhstan, China\n2020", "halving"]),
    ),
    max_size=7,
)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(happened=MARKS)
def test_marks_find_room_without_clashes(happened: list[page.Mark]) -> None:
    happened.sort(key=lambda mark: mark.dates)
    placed = page.arranged(happened, datetime.date(2020, 1, 1), datetime.date(2022, 12, 31))
    assert [mark.words for mark in placed] == [mark.words for mark in happened[: len(placed)]]
    assert bool(placed) == bool(happened)
    for one, other in itertools.permutations(placed, 2):
        if one.row == other.row:
            assert one.right < other.left or other.right < one.left
        if one.row > other.row:
            assert not other.left <= one.line <= other.right


def test_only_what_cambridge_itemises_has_a_panel_beside_it() -> None:
    day = datetime.date(2021, 1, 1)
    shares = pl.DataFrame(
        {"date": [day] * 3, "member": ["NOR", "CHN", "USA"], "share": [0.5, 0.3, 0.2]}
    )
    observed = pl.DataFrame(
        {"date": [day] * 3, "member": ["USA", "CHN", "DEU"], "share": [0.4, 0.1, 0.5]}
    )
    assert figures.largest_nations(shares, observed) == ["USA", "CHN"]
    assert figures.largest_nations(shares, observed.clear()) == ["NOR", "CHN", "USA"]
