"""Comparisons: exactly nothing where nothing differs, and honest intervals where something does."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student
from typer.testing import CliRunner, Result

import run
from model.complaint import ScenarioError
from study import compare
from study.compare import Comparison, common, difference, replicates_needed, wanted_outputs
from study.engines import Serial
from study.ensemble import lived

CLI = CliRunner()
SMALL = ("start.miners=60", "start.sites=120")
DAYS = 45
LAST_DAY = "2025-05-18"
Pairs = list[tuple[compare.Values, compare.Values]]
FLOATS = st.floats(-1e6, 1e6)
# Policies that never act, in a world where nothing is forbidden.
IDLE = {
    "tax of nothing": 'kind = "tax"\ndate = 2025-04-10\nplace = "USA"',
    "subsidy of nothing": 'kind = "subsidy"\ndate = 2025-04-10\nplace="USA"\npower_usd_mwh = 0.0',
    "duty of nothing": 'kind = "duty"\ndate = 2025-04-10\nplace = "USA"\nmachine_share = 0.0',
    "ban of nobody": f'kind = "ban"\ndate = {LAST_DAY}\nplace = "USA"\naffected = 0.0',
    "shock of one": f'kind = "price_shock"\ndate = {LAST_DAY}\nfactor = 1.0',
    "note": 'kind = "note"\ndate = 2025-04-20\nwhat = "nothing happens"',
    "filter of nothing": 'kind = "filter"\ndate = 2025-04-10\npool = "Foundry USA"',
    "cap that binds nowhere": (
        f'kind = "cap"\ndate = {LAST_DAY}\nplace = "USA"\ncapacity_mw = 1e7'
    ),
}


def compared(names: Sequence[str], replicates: int = 2, **more: int) -> Comparison:
    changes = (*SMALL, "censorship.forbidden_day=0")
    cases, first = common(names, changes, more.get("days", DAYS))
    return compare.compare(cases, first, replicates, Serial(), wanted_outputs())


def call(*arguments: str) -> Result:
    return CLI.invoke(run.app, ["compare", *arguments])


# Exactly nothing


def test_a_scenario_beside_itself_differs_in_nothing() -> None:
    found = compared(["baseline_2025", "baseline_2025"])
    rows = found.differences(1)
    assert len(rows) > 20
    for row in rows:
        assert row.change is not None
        assert (row.change.mean, row.change.low, row.change.high) == (0.0, 0.0, 0.0), row.figure
        assert (row.above, row.below, row.needed) == (0, 0, 2)
    assert found.classes(1) == {("O0", "O0"): 2}
    assert found.labels == ("baseline_2025 (1)", "baseline_2025 (2)")
    # Seeds do differ, so that nothing is not all there is.
    assert len({told["mean:price_usd"] for told in found.values.values()}) == 2


def test_policies_that_never_act_change_exactly_nothing(tmp_path: Path) -> None:
    for number, event in enumerate(IDLE.values()):
        text = f'extends = "baseline_2025"\n[[events]]\n{event}\n'
        (tmp_path / f"idle{number}.toml").write_text(text)
    names = [str(tmp_path / f"idle{number}.toml") for number in range(len(IDLE))]
    found = compared(["baseline_2025", *names], replicates=1)
    assert not found.failed
    for place, words in enumerate(IDLE, start=1):
        changed = {row.figure for row in found.differences(place) if row.above or row.below}
        assert not changed, words
        assert len(found.differences(place)) > 20


def test_a_policy_that_acts_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "taxed.toml"
    event = 'kind = "tax"\ndate = 2025-04-10\nplace = "USA"\npower_usd_mwh = 30.0'
    path.write_text(f'extends = "baseline_2025"\n[[events]]\n{event}\n')
    found = compared(["baseline_2025", str(path)], replicates=3)
    rows = {row.figure: row for row in found.differences(1)}
    hashrate = rows["mean:hashrate_ehs"]
    assert (hashrate.above, hashrate.below, hashrate.pairs) == (0, 3, 3)
    assert hashrate.change is not None
    assert hashrate.change.mean < -5.0
    # Paired: the price of a seed has nothing to do with the tax, up to who dominates.
    assert rows["mean:price_usd"].needed == 2


# Days


def test_scenarios_of_other_dates_are_compared_over_the_days_they_share() -> None:
    cases, first = common(["baseline_2025", "us_60_2028"], SMALL, days=20)
    assert str(first) == "2028-01-03"
    assert {str(case.end_date) for case in cases} == {"2028-01-22"}
    assert [str(case.start_date) for case in cases] == ["2025-04-04", "2028-01-03"]
    found = Comparison(cases, first, 0.1, (1,), {}, {})
    assert "begin on different days" in compare.days_in_words(found)


def test_series_are_read_from_the_first_common_day_on(tmp_path: Path) -> None:
    later = tmp_path / "later.toml"
    later.write_text('extends = "baseline_2025"\nstart_date = 2025-04-14\nreplace_events = true\n')
    found = compared(["baseline_2025", str(later)], replicates=1, days=5)
    series = lived(found.cases[0]).recorder.series()
    days = [str(day) for day in series["date"]]
    assert (days[0], days[-1]) == ("2025-04-04", "2025-04-18")
    mean = float(np.mean(series["hashrate_ehs"].to_numpy()[10:]))
    assert found.values[1, 0]["mean:hashrate_ehs"] == pytest.approx(mean, rel=1e-12)


def test_scenarios_without_a_common_day_are_refused() -> None:
    with pytest.raises(ScenarioError, match="scenarios that share days"):
        common(["baseline_2025", "china_ban_2021"])
    with pytest.raises(ScenarioError, match="two scenarios or more"):
        common(["baseline_2025"])


# Statistics


def test_a_difference_is_of_pairs_not_of_means() -> None:
    pairs: Pairs = [
        ({"x": 1.0}, {"x": 2.0}),
        ({"x": 100.0}, {"x": 101.0}),
        ({"x": 7.0}, {"x": 8.5}),
    ]
    found = difference("x", pairs)
    assert found is not None
    assert found.baseline == 36.0
    assert found.change is not None
    half = float(student.ppf(0.975, 2)) * np.std([1.0, 1.0, 1.5], ddof=1) / math.sqrt(3)
    assert found.change.mean == pytest.approx(7 / 6)
    assert found.change.high - found.change.mean == pytest.approx(half)
    assert (found.above, found.below, found.pairs) == (3, 0, 3)


def test_pairs_that_lack_the_figure_do_not_count_and_words_are_no_figure() -> None:
    pairs: Pairs = [
        ({"x": 1.0, "class": "O0"}, {"class": "O3"}),
        ({"x": 1.0}, {"x": 3.0}),
        ({}, {}),
    ]
    found = difference("x", pairs)
    assert found is not None
    assert (found.pairs, found.change, found.needed) == (1, None, None)
    assert difference("class", pairs) is None


def test_replicates_needed_give_the_width_and_one_fewer_does_not() -> None:
    changes = np.random.default_rng(5).normal(3.0, 2.0, 12).tolist()
    needed = replicates_needed(changes, 1.5)
    assert needed is not None
    spread = float(np.std(changes, ddof=1))

    def width(pairs: int) -> float:
        return 2.0 * float(student.ppf(0.975, pairs - 1)) * spread / math.sqrt(pairs)

    assert width(needed) <= 1.5 < width(needed - 1)


def test_replicates_needed_are_right_in_a_simulation() -> None:
    # With a known spread the mean width of many intervals of that size is what was asked for.
    random = np.random.default_rng(1)
    needed = replicates_needed([-1.0, 1.0] * 500, 0.5)
    assert needed is not None
    widths = [
        2.0 * float(student.ppf(0.975, needed - 1)) * np.std(sample, ddof=1) / math.sqrt(needed)
        for sample in random.normal(0.0, 1.0, (2000, needed))
    ]
    assert np.mean(widths) == pytest.approx(0.5, abs=3.0 * np.std(widths) / math.sqrt(2000) + 0.005)


@given(changes=st.lists(FLOATS, min_size=2, max_size=20), width=st.floats(1e-3, 1e6))
def test_a_narrower_interval_never_needs_fewer(changes: list[float], width: float) -> None:
    wide, narrow = (replicates_needed(changes, part * width) for part in (1.0, 0.5))
    assert wide is None or wide >= 2
    assert narrow is None or (wide is not None and narrow >= wide)


@given(value=FLOATS, size=st.integers(2, 20))
def test_equal_changes_need_no_more_than_two(value: float, size: int) -> None:
    assert replicates_needed([value] * size, 0.0) == 2


# The command


@pytest.mark.usefixtures("small_world")
def test_the_command_tells_and_writes_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ("baseline_2025", "ai_boom", "--days", "9", "--replicates", "4", "--out", "here")
    told = call(*command, "--output", "first:hashrate_ehs>0.5")
    assert told.exit_code == 0, told.output
    assert "ai_boom less baseline_2025" in told.stdout
    assert "outcome O0: 4 of 4 pairs" in told.stdout
    facts = json.loads(Path("here/compare.json").read_text())
    assert facts["seeds"] == [1, 2, 3, 4]
    figures = {row["figure"] for row in facts["differences"]}
    assert {"last_price_usd", "end:hhi_nation", "first:hashrate_ehs>0.5"} <= figures
    assert all(row["difference"] == 0.0 for row in facts["differences"])
    values = pl.read_csv("here/values.csv")
    assert values["scenario"].to_list() == ["baseline_2025"] * 4 + ["ai_boom"] * 4
    assert values["seed"].to_list() == [1, 2, 3, 4] * 2
    again = call(*command)
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    assert call(*command, "--force", "--json").exit_code == 0


@pytest.mark.usefixtures("small_world")
def test_a_failed_run_costs_its_pair_and_is_told(tmp_path: Path) -> None:
    command = ("baseline_2025", "ai_boom", "--days", "3", "--replicates", "3", "--set", "seed=8")
    told = call(*command, "--json")
    assert told.exit_code == 1
    assert "baseline_2025 with seed 9 failed: ArithmeticError" in told.stderr
    facts = json.loads(told.stdout)
    assert {row["pairs"] for row in facts["differences"]} == {2}
    assert [(row["scenario"], row["seed"]) for row in facts["failed"]] == [
        ("baseline_2025", 9),
        ("ai_boom", 9),
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("baseline_2025",), "two scenarios or more"),
        (("baseline_2025", "baseline_2026"), 'did you mean "baseline_2025"'),
        (("baseline_2025", "china_ban_2021"), "share days"),
        (("baseline_2025", "ai_boom", "--output", "end:hhi"), "--output"),
        (("baseline_2025", "ai_boom", "--replicates", "1"), "--replicates"),
        (("baseline_2025", "ai_boom", "--width", "0"), "--width"),
        (("baseline_2025", "ai_boom", "--days", "0"), "--days"),
        (("baseline_2025", "ai_boom", "--out", "/proc/no/such"), "--out"),
    ],
)
def test_bad_input_is_refused_with_status_2(
    arguments: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = call(*arguments)
    assert refused.exit_code == 2
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []
