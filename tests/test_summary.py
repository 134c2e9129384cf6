"""What is said of a run, against runs whose story is known."""

from __future__ import annotations

import datetime
import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from model.recorder import SERIES, Recorder
from model.scenario import Scenario
from study import runfolder, summary, wording

REQUIRED = [column.name for column in SERIES if column.default is None]
START = datetime.date(2021, 1, 1)
# Thirty days at 200 EH/s, sixty at 100, then 220.
STORY = np.repeat([200.0, 100.0, 220.0], [30, 60, 30])


def date(day: int) -> datetime.date:
    return START + datetime.timedelta(days=day)


def series(values: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame(
        {"date": [date(day) for day in range(len(values))], "hashrate_ehs": values},
        schema={"date": pl.Date, "hashrate_ehs": pl.Float64},
    )


def write(folder: Path, hashrate: np.ndarray = STORY, seed: int = 5, told: bool = True) -> Path:
    """A finished run with this hashrate; a lowest hashprice on day 40 and a highest on day 7."""
    case = Scenario.model_validate(
        {
            "name": "tiny",
            "title": "A small story",
            "question": "Is [bold]it[/bold] told as it was?",
            "start_date": START,
            "end_date": date(len(hashrate) - 1),
            "seed": seed,
            "price": {"path": [[START, 40_000.0]]},
        }
    )
    recorder = Recorder(case.days, START)
    for day, value in enumerate(hashrate):
        hashprice = {40: 61.234, 7: 1234.5}.get(day, 300.0)
        row = dict.fromkeys(REQUIRED, 1.0) | {
            "hashrate_ehs": float(value),
            "hashprice_usd_ph_day": hashprice,
            "electricity_share_of_opex": 0.7512,
        }
        recorder.write(day, row)
        if told and day % 7 == 0:
            moved = 0.0 if day < 30 else 0.3
            shares = np.array([0.6 - moved, 0.1 + 0.8 * moved, 0.1 + 0.2 * moved, 0.2])
            recorder.share(day, "nation", ["CHN", "USA", "KAZ", "RUS"], shares)
            recorder.share(day, "reported_nation", ["CHN", "USA"], np.array([0.0, 1.0]))
    if told:
        recorder.event(35, "bankruptcy", "USA miner 3", "12.5 MW liquidated")
        recorder.event(31, "bankruptcy", "CHN miner 8", "140.2 MW liquidated")
        recorder.event(90, "bankruptcy", "CHN miner 9", "9.0 MW liquidated")
        recorder.event(50, "halt", "IRN miner 1", "stopped by a regulator")
    folder.mkdir(parents=True)
    runfolder.write(folder, case, recorder, 1.0)
    return folder


def printed(folder: Path, width: int = 80) -> str:
    file = io.StringIO()
    summary.print_summary(Console(file=file, width=width), folder)
    return file.getvalue()


def test_the_fall_is_between_means_of_fourteen_days() -> None:
    fall = summary.largest_fall(series(STORY))
    assert fall is not None
    # The first whole mean ends on day 13; the first without a high day on 43; twelve days at 220
    # and two at 100 have a mean of 202.9, eleven and three one of 194.3.
    assert (fall.peak, fall.peak_day) == (pytest.approx(200.0), date(13))
    assert (fall.trough, fall.trough_day) == (pytest.approx(100.0), date(43))
    assert fall.percent == pytest.approx(50.0)
    assert fall.recovered == date(101)


def test_a_peak_not_reached_again_is_not_recovered() -> None:
    fall = summary.largest_fall(series(STORY[:95]))
    assert fall is not None
    assert fall.recovered is None


def test_the_largest_fall_is_relative_to_its_own_peak() -> None:
    # Forty of 100 is more than a hundred of 1000.
    values = np.repeat([100.0, 60.0, 1000.0, 900.0], 20)
    fall = summary.largest_fall(series(values))
    assert fall is not None
    assert (fall.percent, fall.trough) == (pytest.approx(40.0), pytest.approx(60.0))


@pytest.mark.parametrize("values", [np.ones(13), np.full(60, 0.1), np.arange(60.0), np.array([])])
def test_what_is_short_or_rises_has_no_fall(values: np.ndarray) -> None:
    assert summary.largest_fall(series(values)) is None


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.floats(1.0, 1e6), min_size=14, max_size=60))
def test_no_later_mean_is_further_below_an_earlier_one(values: list[float]) -> None:
    means = np.convolve(values, np.full(14, 1.0 / 14.0), "valid")
    most = max(
        1.0 - later / earlier for place, earlier in enumerate(means) for later in means[place:]
    )
    fall = summary.largest_fall(series(np.array(values)))
    assert (0.0 if fall is None else fall.percent / 100.0) == pytest.approx(most, abs=1e-6)


def test_moves_are_by_site_from_the_last_record_before_the_day(tmp_path: Path) -> None:
    shares = runfolder.read(write(tmp_path / "run")).shares
    moved = summary.moves(shares, date(13))
    assert [move.nation for move in moved] == ["USA", "KAZ", "RUS", "CHN"]
    assert [move.points for move in moved] == pytest.approx([24.0, 6.0, 0.0, -30.0])
    assert (moved[-1].before, moved[-1].after) == (pytest.approx(60.0), pytest.approx(30.0))
    assert [move.points for move in summary.moves(shares, date(60))] == pytest.approx([0.0] * 4)


def test_moves_from_before_the_first_record_are_from_the_first(tmp_path: Path) -> None:
    shares = runfolder.read(write(tmp_path / "run")).shares
    assert summary.moves(shares, date(-9)) == summary.moves(shares, date(0))


def test_a_nation_that_comes_or_goes_moves_by_all_it_had() -> None:
    shares = pl.DataFrame(
        {
            "date": [date(0), date(7)],
            "grouping": ["nation"] * 2,
            "member": ["CHN", "USA"],
            "share": [1.0, 1.0],
        }
    )
    assert [(move.nation, move.points) for move in summary.moves(shares, date(0))] == [
        ("USA", 100.0),
        ("CHN", -100.0),
    ]


def test_losses_are_counted_dated_and_measured(tmp_path: Path) -> None:
    events = runfolder.read(write(tmp_path / "run")).events
    assert summary.losses(events, "bankruptcy") == summary.Losses(
        3, date(31), date(90), 140.2, "CHN miner 8"
    )
    assert summary.losses(events, "halt") == summary.Losses(1, date(50), date(50), None, "")
    assert summary.losses(events, "seizure") is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (61.234, "61.2"),
        (1234.5, "1,230"),
        (9.996, "10.0"),
        (99.95, "100"),
        (64_123.0, "64,100"),
        (0.7512, "0.751"),
        (-4.567, "-4.57"),
        (999_499.0, "999,000"),
        (1e8, "1.00e+08"),
        (1.234e-5, "1.23e-05"),
        (float("nan"), "undefined"),
    ],
)
def test_numbers_have_three_digits(value: float, words: str) -> None:
    assert wording.rounded(value) == words


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.floats(1e-9, 1e12))
def test_a_rounded_number_is_the_number(value: float) -> None:
    words = wording.rounded(value)
    assert float(words.replace(",", "")) == pytest.approx(value, rel=0.00501)
    assert len(words) <= 8


def test_the_summary_tells_the_story(tmp_path: Path) -> None:
    said = " ".join(printed(write(tmp_path / "run")).split())
    assert "A small story" in said
    assert "Is [bold]it[/bold] told as it was?" in said
    fallen = f"50.0 %, from 200 EH/s on {date(13)} to 100 EH/s on {date(43)}"
    assert fallen in said
    assert f"back at the earlier peak on {date(101)}, 88 days after it" in said
    assert "United States 10.0 34.0 +24.0" in said
    assert "China 60.0 30.0 -30.0" in said
    assert "Russia" not in said
    assert f"bankruptcies 3 {date(31)} {date(90)} CHN miner 8, 140 MW" in said
    assert f"halts by a regulator 1 {date(50)} {date(50)}" in said
    assert f"hashprice, USD/PH/day 300 300 61.2 {date(40)} 1,230 {date(7)}" in said
    assert "electricity, % of cost 75.1 75.1" in said
    assert "outcome: O0, no attack" in said
    assert f"written to {tmp_path / 'run'}" in said


def test_gains_come_before_losses_in_the_table(tmp_path: Path) -> None:
    said = printed(write(tmp_path / "run"))
    assert said.index("United States") < said.index("Kazakhstan") < said.index("China  ")


def test_without_a_terminal_it_is_plain_and_fits_eighty_columns(tmp_path: Path) -> None:
    lines = printed(write(tmp_path / "run"), width=200).splitlines()
    assert not any("\x1b" in line for line in lines)
    assert max(len(line) for line in lines if "written to" not in line) <= 80
    assert not any("…" in line for line in lines)


def test_an_uneventful_short_run_is_said_to_be_one(tmp_path: Path) -> None:
    said = " ".join(printed(write(tmp_path / "run", np.ones(5), told=False)).split())
    assert "too short for a 14-day mean" in said
    assert "No nation's share moved by 0.5 points between the start and the end." in said
    assert "No bankruptcies, no halts, no seizures." in said


def test_a_run_that_only_grows_never_fell(tmp_path: Path) -> None:
    said = " ".join(printed(write(tmp_path / "run", np.arange(1.0, 50.0))).split())
    assert "never fell" in said
    assert "at the start, % at the end, %" in said


def test_replicates_are_told_by_their_spread(tmp_path: Path) -> None:
    paths = (STORY, STORY[:95], np.arange(1.0, 50.0))
    folders = [
        write(tmp_path / str(seed), path, seed=seed) for seed, path in enumerate(paths, start=1)
    ]
    file = io.StringIO()
    summary.print_ensemble(Console(file=file, width=80), folders)
    said = " ".join(file.getvalue().split())
    assert "3 replicates" in said
    assert "hashrate, EH/s 49.0 163 220" in said
    assert "largest fall of hashrate, % 50.0 50.0 50.0" in said
    assert "back at its earlier peak: 1 of 3" in said
    assert "outcome no attack: 3 of 3" in said
