"""Checks and their verdicts, and files of observed months: scored, or refused in one line."""

from __future__ import annotations

import io
import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from model.complaint import ScenarioError
from model.scenario import catalogue, load, with_days
from study import history, validate
from study.ensemble import Job, simulate
from study.validate import Check

DAYS = 45


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def printed(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


# Checks


@pytest.mark.parametrize(
    ("found", "holds"), [(1.0, True), (1.1, True), (1.11, False), (0.89, False), (math.nan, False)]
)
def test_a_check_holds_within_its_tolerance(found: float, holds: bool) -> None:
    assert Check("one", 1.0, found, 0.1 + 1e-12).holds is holds


def test_closed_forms_hold() -> None:
    checks = validate.closed_forms()
    assert [check.name for check in checks if not check.holds] == []
    assert len(checks) > 90


def test_a_wrong_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "hashprice_usd_ths_day", lambda *_: 0.045)
    assert not all(check.holds for check in validate.hashprice_checks())


def test_status_tells_whether_all_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = Check("good", 1.0, 1.0, 0.0), Check("bad", 1.0, 2.0, 0.5, "no change 0.3")
    for checks, status in (([good], 0), ([good, bad], 1)):
        monkeypatch.setattr(
            validate, "SECTIONS", {"all": lambda quick, workers, found=checks: found}
        )
        screen = console()
        assert validate.main(console=screen, workers=1) == status
        assert ("NO" in printed(screen)) is bool(status)
        assert ("1 checks fail" in printed(screen)) is bool(status)


def test_every_scenario_is_checked_daily() -> None:
    for name, _ in catalogue():
        whole, quick = (validate._checked_daily(name, short) for short in (False, True))
        assert whole.record.ledger_every_days == quick.record.ledger_every_days == 1
        assert whole.days == load(name).days
        assert quick.days == validate.QUICK_DAYS


def test_a_broken_law_fails_only_its_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(case: object) -> int:
        if case.name == "stagnation":  # type: ignore[attr-defined]
            raise ArithmeticError("coins were lost")
        return case.days  # type: ignore[attr-defined, no-any-return]

    monkeypatch.setattr(validate, "lawful_days", breaks)
    checks = validate.conservation(quick=True, workers=1)
    failed = [check for check in checks if not check.holds]
    assert len(checks) == len(catalogue())
    assert [check.name for check in failed] == ["stagnation: days within the laws"]
    assert failed[0].beside == "ArithmeticError: coins were lost"


def test_a_lawful_run_counts_its_days() -> None:
    case = validate._checked_daily("china_ban_2021", quick=True)
    assert validate.lawful_days(with_days(case, 20)) == 20


def test_history_is_checked_against_the_goals_and_beside_baselines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = history.observed_months()
    perfect = history.score(seen.with_columns(electricity_share_of_opex=pl.lit(0.8)), seen)
    monkeypatch.setattr(validate, "training_scores", lambda *_: [perfect])
    checks = validate.in_sample()
    assert all(check.holds for check in checks)
    assert {check.name for check in checks} == {history.WORDS[name][0] for name in history.GOALS}
    assert "no change 0.471, 12-month slope 0.099" in checks[0].beside
    assert "last month alone +0.000" in checks[0].beside
    assert validate.training_case().end_date.isoformat() == "2021-04-30"


def test_a_poor_history_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = history.observed_months().filter(pl.col("month") >= "2019-09")
    poor = history.score(history.unchanged(seen, "2019-09", seen["month"].to_list()), seen)
    monkeypatch.setattr(validate, "training_scores", lambda *_: [poor])
    assert not any(check.holds for check in validate.in_sample())


# Files of observed months


def write(folder: Path, text: str) -> Path:
    file = folder / "months.csv"
    file.write_text(text, encoding="utf-8")
    return file


ITEMISED = "month,share_CAN,share_CHN,share_IRN,share_KAZ,share_MYS,share_RUS,share_USA"


def test_a_wide_file_is_read(tmp_path: Path) -> None:
    text = f"# source\n{ITEMISED},share_DEU,hashrate_ehs,efficiency_j_th\n"
    text += "2021-01,2,60,4,6,4,7,10,3,100,70\n\n2021-02,2,60,4,6,,7,10,,,\n"
    found = validate.read_observed(write(tmp_path, text))
    assert found["month"].to_list() == ["2021-01", "2021-02"]
    assert found["share_OTH"].to_list() == [7.0, None]
    assert found["share_MYS"].to_list() == [4.0, None]
    assert found["hashrate_ehs"].to_list() == [100.0, None]
    assert found["efficiency_cambridge_j_th"].to_list() == [70.0, None]


def test_a_long_file_is_read(tmp_path: Path) -> None:
    text = "month,nation,share_pct,hashrate_ehs\n2021-01,USA,20,100\n2021-01,IRL,3,\n"
    found = validate.read_observed(write(tmp_path, text))
    assert found["share_USA"].to_list() == [20.0]
    assert found["share_OTH"].to_list() == [None]
    assert found["hashrate_ehs"].to_list() == [100.0]


def test_the_models_own_observations_survive_the_way_through_a_file(tmp_path: Path) -> None:
    seen = history.observed_months()
    names = [f"share_{nation}" for nation in history.ITEMISED]
    file = tmp_path / "own.csv"
    table = seen.select(
        "month", "hashrate_ehs", *names, efficiency_j_th="efficiency_cambridge_j_th"
    )
    table.write_csv(file)
    assert history.score(validate.read_observed(file), seen).hashrate_log_error == 0.0
    errors = history.score(validate.read_observed(file), seen)
    # Rounded shares do not sum to 100, so the rest differs by the rounding.
    assert errors.shares_error_points < 0.05


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a line of column names"),
        ("# only a comment\n", "a line of column names"),
        ("month\n2021-01\n", "month and a column besides"),
        ("hashrate_ehs\n3\n", "month and a column besides"),
        ("month,nation\n2021-01,USA\n", "only together"),
        ("month,hashrate_ehs\n", "at least one observed month"),
        ("month,hashrate_ehs\n2021-01,\n", "at least one observed month"),
        ("month,hashrate_ehs\n2021-13,3\n", "line 2, month: found 2021-13"),
        ("month,hashrate_ehs\n2021-01,three\n", "line 2, hashrate_ehs: found three"),
        ("month,hashrate_ehs\n2021-01,0\n", "a number above 0"),
        ("month,hashrate_ehs\n2021-01,nan\n", "found nan"),
        ("month,hashrate_ehs\n2021-01,inf\n", "found inf"),
        ("month,hashrate_ehs\n2021-01,3,4\n", "line 2: found 3 cells"),
        ("month,hashrate_ehs\n2021-01,3\n2021-01,4\n", "one value a month"),
        ("month,hashrate\n2021-01,3\n", 'did you mean "hashrate_ehs"'),
        ("month,hashrate_ehs,hashrate_ehs\n2021-01,3,3\n", "each once"),
        ("month,share_USX\n2021-01,3\n", 'did you mean "share_USA"'),
        ("month,nation,share_pct\n2021-01,CNH,3\n", 'did you mean "CHN"'),
        ("month,share_USA\n2021-01,101\n", "at most 100"),
        ("month,share_USA\n2021-01,-1\n", "from 0"),
        ("month,share_USA,share_CHN\n2021-01,60,50\n", "110 percent in all"),
        ("month,share_USA,share_CHN\n2021-01,0.3,0.5\n", "percent, not fractions"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        validate.main(write(tmp_path, text), console=console())
    message = str(caught.value)
    assert complaint in message
    assert "months.csv" in message
    assert "\n" not in message


def test_a_missing_or_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00month")
    for file in (tmp_path / "none.csv", tmp_path, tmp_path / "binary.csv"):
        with pytest.raises(ScenarioError, match="a readable CSV file"):
            validate.read_observed(file)


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    text=st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            ["month", "nation", "share_pct", "share_USA", "hashrate_ehs", ",", ",", "\n", "\n",
             "2021-05", "USA", "12.5", "-3", "", '"', "#", "efficiency_j_th"]
        ),
        max_size=24,
    ).map("".join)
)  # fmt: skip
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "any.csv"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    complaint, found = "", None
    try:
        found = validate.read_observed(file)
    except ScenarioError as refused:
        complaint = str(refused)
    assert complaint.startswith(str(file)) if found is None else found.height > 0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two short runs."""
    home = tmp_path_factory.mktemp("runs")
    case = with_days(load("outlook_2021", ["start.miners=60", "start.sites=150"]), DAYS)
    for seed in (1, 2):
        simulate(Job(case.model_copy(update={"seed": seed}), home / str(seed)))
    return home


def test_finished_runs_are_scored_apart_from_what_they_were_fitted_to(
    tmp_path: Path, finished: Path
) -> None:
    # The later months are invented.
    file = write(tmp_path, "month,hashrate_ehs\n2021-04,157.2\n2021-05,200\n2021-06,200\n")
    screen = console()
    assert validate.main(file, console=screen, runs=(str(finished),), workers=1) == 0
    text = printed(screen)
    assert "after 2021-04, mean over runs: 2" in text
    assert "up to 2021-04" not in text
    # No change: log of 200 over the 157.2 EH/s of the last training month.
    assert f"{math.log(200 / 157.2):.3f}" in text


def test_a_file_whose_months_no_run_has_is_refused(tmp_path: Path, finished: Path) -> None:
    file = write(tmp_path, "month,hashrate_ehs\n2031-01,3\n2031-02,3\n")
    with pytest.raises(ScenarioError, match="found 2031-01 to 2031-02"):
        validate.main(file, console=console(), runs=("china_ban_2021", str(finished)), workers=1)


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "month,hashrate_ehs\n2021-05,3\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ScenarioError, match="folder with finished runs"):
        validate.main(file, console=console(), runs=(str(tmp_path / "empty"),))


def test_a_scenario_is_run_only_as_far_as_the_months_go(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = []

    def ending(case: object) -> pl.DataFrame:
        ends.append(case.end_date.isoformat())  # type: ignore[attr-defined]
        return pl.DataFrame({"month": ["2021-05"]})

    monkeypatch.setattr(history, "run_months", ending)
    validate.run_tables("outlook_2021", ["2021-05", "2021-07"], quick=False, workers=1)
    validate.run_tables("outlook_2021", ["2021-04"], quick=False, workers=1)
    assert ends == ["2021-07-31"] * validate.SEEDS_OF_SCORES
