"""The figure of the covenant pool: when it is drawn, what its panels show, that it is legible."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from model.recorder import SERIES, Recorder
from model.scenario import Scenario
from study import covenant_figure, gallery, page, runfolder
from tests.drawn import outside, overlaps

START = datetime.date(2028, 1, 3)
TITLE = "Half of the hashrate would mine in a pool without an operator, told in many words"
FEW_PERIODS = 2 * covenant_figure.SAMPLES * covenant_figure.PARTS
# Scenario parameters of pools.
CASES: dict[str, dict[str, Any]] = {
    "half": {"covenant_share": 0.5},
    "few": {"covenant_share": 0.01, "covenant_window_blocks": 1},
    "a part": {
        "covenant_share": 0.1,
        "covenant_window_blocks": 40,
        "covenant_shared": 0.5,
    },
    "all and long": {"covenant_share": 1.0, "covenant_window_blocks": 52_560},
}


def write(folder: Path, pools: dict[str, Any], seed: int = 1) -> runfolder.Run:
    """A finished run of nothing but its scenario."""
    case = Scenario.model_validate(
        {
            "name": "tiny",
            "title": TITLE,
            "question": "Is it legible?",
            "start_date": START,
            "end_date": START + datetime.timedelta(days=2),
            "seed": seed,
            "price": {"mode": "gbm"},
            "chain": {"payout": "pools"},
            "pools": pools,
        }
    )
    recorder = Recorder(3, START)
    required = [column.name for column in SERIES if column.default is None]
    for day in range(3):
        recorder.write(day, dict.fromkeys(required, 1.0))
    folder.mkdir(parents=True, exist_ok=True)
    runfolder.write(folder, case, recorder, 1.0)
    return runfolder.read(folder)


def drawn(run: runfolder.Run) -> Figure:
    with matplotlib.rc_context(page.STYLE):
        figure = covenant_figure.covenant(run)
        figure.canvas.draw()
    return figure


@pytest.fixture(scope="module", params=CASES)
def any_figure(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Figure:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(covenant_figure, "PERIODS", FEW_PERIODS)
        return drawn(write(tmp_path_factory.mktemp("any"), CASES[request.param]))


@pytest.fixture
def few_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covenant_figure, "PERIODS", FEW_PERIODS)


def panels(figure: Figure) -> dict[str, Axes]:
    return {str(axes.get_label()): axes for axes in figure.axes}


def curve(axes: Axes, colour: str, points: bool = False) -> np.ndarray:
    """Values of the first line of a colour, or of its points."""
    marker = "o" if points else "None"
    line = next(
        line
        for line in axes.lines
        if line.get_color() == colour and line.get_marker() == marker
    )  # fmt: skip
    return np.asarray(line.get_ydata(), dtype=float)


def test_no_text_lies_on_another_or_leaves_the_page(any_figure: Figure) -> None:
    assert overlaps(any_figure) == []
    assert outside(any_figure) == []


def test_no_panel_is_empty_or_without_numbers(any_figure: Figure) -> None:
    assert set(panels(any_figure)) == {"sharing", "deviation", "alone", "ratio"}
    for axes in any_figure.axes:
        low, high = axes.get_ylim()
        assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 2
        assert sum(axes.get_xlim()[0] <= tick <= axes.get_xlim()[1] for tick in axes.get_xticks())
        values = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
        seen = [((each >= low) & (each <= high)).mean() for each in values if each.size > 2]
        assert len(seen) >= 2
        assert np.mean(seen) > 0.6
    places = [axes.get_position() for axes in any_figure.axes]
    assert all(
        Bbox.intersection(one, other) is None for one, other in itertools.combinations(places, 2)
    )


def test_both_left_panels_have_one_scale_and_a_line_a_member(any_figure: Figure) -> None:
    shown = panels(any_figure)
    assert shown["sharing"].get_ylim() == shown["alone"].get_ylim()
    for name, colour in (
        ("sharing", covenant_figure.SHARING_COLOUR),
        ("alone", covenant_figure.ALONE_COLOUR),
    ):
        lines = [line for line in shown[name].lines if line.get_color() == colour]
        assert len(lines) == covenant_figure.MEMBERS


def test_points_lie_on_the_curves(any_figure: Figure) -> None:
    axes = panels(any_figure)["deviation"]
    for colour in (covenant_figure.SHARING_COLOUR, covenant_figure.ALONE_COLOUR):
        points = curve(axes, colour, points=True)
        line = next(each for each in axes.lines if each.get_color() == colour)
        days = next(
            each for each in axes.lines if each.get_color() == colour and each.get_marker() == "o"
        ).get_xdata()
        expected = np.interp(
            np.log(np.asarray(days, float)),
            np.log(np.asarray(line.get_xdata(), float)),
            np.log(np.asarray(line.get_ydata(), float)),
        )
        # Of the longest horizons there are few samples, which luck of the pool moves together.
        assert np.abs(np.log(points) - expected).max() < 0.25
        assert np.abs(np.log(points) - expected)[:3].max() < 0.12


@pytest.mark.usefixtures("few_periods")
def test_sharing_smooths_within_the_window_and_not_beyond(tmp_path: Path) -> None:
    axes = panels(drawn(write(tmp_path / "run", CASES["half"])))["ratio"]
    ratio = curve(axes, covenant_figure.SHARING_COLOUR)
    assert ratio[0] < 20.0
    assert ratio[-1] > 99.0
    assert (np.diff(ratio) > 0.0).all()
    pplns = curve(axes, covenant_figure.PPLNS_COLOUR)
    assert pplns.max() < 10.0
    window = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [float(np.asarray(line.get_xdata())[0]) for line in window] == pytest.approx([6.0])


@pytest.mark.usefixtures("few_periods")
def test_lines_are_of_the_runs_seed(tmp_path: Path) -> None:
    first, again, other = (
        covenant_figure.live(covenant_figure.setting_of(run), run.case.seed)
        for run in (
            write(tmp_path / "first", CASES["a part"], 1),
            write(tmp_path / "again", CASES["a part"], 1),
            write(tmp_path / "other", CASES["a part"], 2),
        )
    )
    for name, paid in first.paid.items():
        np.testing.assert_array_equal(paid, again.paid[name])
        assert not np.array_equal(paid, other.paid[name])
    # Whichever way they are paid, together they get what their blocks bring.
    np.testing.assert_allclose(
        first.paid["solo"] @ first.part, first.paid["pplns"] @ first.part, atol=1e-6
    )


def test_a_window_of_days_holds_the_blocks_that_the_pool_finds_in_them(tmp_path: Path) -> None:
    windows = [
        covenant_figure.window_of(write(tmp_path / kind, {"covenant_share": 0.5} | terms))
        for kind, terms in (
            ("count", {"covenant_window_blocks": 7}),
            ("time", {"covenant_window": "time", "covenant_window_days": 3.0}),
            ("range", {"covenant_window": "range", "covenant_range_days": (1.0, 2.0)}),
        )
    ]
    assert windows == [7, 216, 72]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.5, 150.0, [1.0, 10.0, 100.0]),
        (2.0, 150.0, [3.0, 10.0, 30.0, 100.0]),
        (10.0, 60.0, [10.0, 20.0, 50.0]),
    ],
)
def test_a_logarithmic_axis_has_numbers(low: float, high: float, ticks: list[float]) -> None:
    assert covenant_figure.log_ticks(low, high) == pytest.approx(ticks)


def test_the_scale_is_the_narrowest_that_holds_most_lines() -> None:
    assert covenant_figure.scale_of(np.array([95.0, 105.0])) == (80.0, 120.0)
    assert covenant_figure.scale_of(np.array([60.0, 149.0])) == (50.0, 150.0)
    assert covenant_figure.scale_of(np.array([0.0, 900.0])) == (0.0, 300.0)


@pytest.mark.usefixtures("few_periods")
def test_a_png_and_an_svg_are_left_and_the_same_again(tmp_path: Path) -> None:
    run = write(tmp_path / "run", CASES["a part"])
    files = gallery.draw(run.folder, ["covenant"])
    assert [file.name for file in files] == ["covenant.png", "covenant.svg"]
    content = [file.read_bytes() for file in files]
    assert int.from_bytes(content[0][16:20]) == 2 * page.WIDTH * page.DOTS_PER_INCH
    assert b"</svg>" in content[1]
    assert [file.read_bytes() for file in gallery.draw(run.folder, ["covenant"])] == content


def test_without_a_covenant_pool_there_is_no_figure(tmp_path: Path) -> None:
    run = write(tmp_path / "run", {})
    assert gallery.draw(run.folder, ["covenant"]) == []
    assert not list(run.folder.glob("covenant*"))
    assert not covenant_figure.is_drawn(SimpleNamespace(case=SimpleNamespace()))  # type: ignore[arg-type]
