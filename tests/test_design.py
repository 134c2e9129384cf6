"""The study file: designs, factors, sizes, and one clear complaint about each mistake."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import run
from model.complaint import ScenarioError
from study import design, outputs
from study.design import Plan, Points, from_table, sized, unit_sample
from study.factors import Factor, known_keys

BASE: Mapping[str, Any] = {
    "question": "What matters?",
    "scenario": "baseline_2025",
    "days": 30,
    "outputs": ["end:hhi_nation"],
    "factors": [
        {"key": "energy.pue", "values": [1.0, 1.2]},
        {"key": "price.start_usd", "low": 10_000.0, "high": 1_000_000.0, "log": True, "levels": 3},
    ],
}


def plan(**changes: Any) -> Plan:
    return Plan(sized(from_table({**BASE, **changes}), "laptop"), "test", "laptop")


def factors(*given: dict[str, Any]) -> dict[str, Any]:
    return {"factors": list(given)}


PUE = {"key": "energy.pue", "low": 1.0, "high": 1.5}
TAX = {"key": "events.tax.power_usd_mwh", "low": 0.0, "high": 10.0}


def test_a_grid_has_every_combination_once() -> None:
    points = list(plan().points)
    assert points == [
        (pue, pytest.approx(price)) for pue in (1.0, 1.2) for price in (1e4, 1e5, 1e6)
    ]


def test_positions_count_replicates_then_scenarios_then_points() -> None:
    made = plan(scenario=None, scenarios=["baseline_2025", "ai_boom"], replicates=3, seed=7)
    assert made.runs == 6 * 2 * 3
    rows = [made.row(position) for position in range(made.runs)]
    assert [row["position"] for row in rows] == list(range(36))
    places = [(row["point"], row["scenario"], row["replicate"]) for row in rows]
    assert places == [
        (point, name, replicate)
        for point in range(6)
        for name in ("baseline_2025", "ai_boom")
        for replicate in range(3)
    ]
    # Common random numbers: a replicate has its seed whatever else differs.
    assert all(row["seed"] == 7 + row["replicate"] for row in rows)


def test_a_run_has_the_values_of_its_row_and_nothing_else_changed() -> None:
    made = plan(set=["firms.haircut=0.4"])
    case = made.case(made.row(made.runs - 1))
    assert (case.energy.pue, case.price.start_usd, case.firms.haircut) == (1.2, 1e6, 0.4)
    assert case.days == 30
    changed = {
        "energy": case.energy.model_copy(update={"pue": made.cases["baseline_2025"].energy.pue}),
        "price": case.price.model_copy(update={"start_usd": 83_000.0}),
    }
    assert case.model_copy(update=changed) == made.cases["baseline_2025"]


def test_every_parameter_of_the_scenario_may_be_a_factor() -> None:
    keys = known_keys()
    assert {"energy.pue", "start.us_share", "compute.bidders", "chain.payout"} <= set(keys)
    assert not {"seed", "name", "question", "events"} & set(keys)


def test_choices_may_be_words_switches_and_dates() -> None:
    made = plan(
        **factors(
            {"key": "compute.bidders", "values": [True, False]},
            {"key": "hypotheses.tip", "values": ["heaviest", "tie_join"]},
            {"key": "compute.from_date", "values": [datetime.date(2024, 1, 1)]},
        )
    )
    case = made.case(made.row(3))
    assert (case.compute.bidders, case.hypotheses.tip) == (False, "tie_join")
    assert case.compute.from_date == datetime.date(2024, 1, 1)


def test_an_event_is_named_by_its_kind_or_its_number() -> None:
    named, numbered = (
        plan(**factors(TAX), levels=2),
        plan(**factors({**TAX, "key": "events.2.power_usd_mwh"}), levels=2),
    )
    for made in (named, numbered):
        assert made.case(made.row(1)).events[2].power_usd_mwh == 10.0  # type: ignore[union-attr]
    patience = plan(
        scenario="us_60_2028",
        days=400,
        **factors({"key": "events.directive.patience", "values": ["inf", "lag:6", "conf:1"]}),
    )
    found = [patience.case(patience.row(place)).events[-1] for place in range(3)]
    assert [event.patience for event in found] == ["inf", "lag:6", "conf:1"]  # type: ignore[union-attr]


def test_shares_that_add_up_are_offset() -> None:
    freedom = {"key": "holders.freedom_weight", "low": 0.1, "high": 0.6}
    with pytest.raises(ScenarioError, match="shares that add up to 1"):
        plan(**factors(freedom), levels=6)
    made = plan(**factors({**freedom, "offset_by": "holders.custodian_weight"}), levels=6)
    for position in range(made.runs):
        holders = made.case(made.row(position)).holders
        total = holders.freedom_weight + holders.custodian_weight + holders.neutral_weight
        assert total == pytest.approx(1.0, abs=1e-12)
        assert holders.neutral_weight == 0.25


@pytest.mark.parametrize(
    ("terms", "runs"),
    [
        ({"design": "latin_hypercube", "points": 10}, 10),
        ({"design": "sobol", "points": 8}, 8 * 4),
        ({"design": "morris", "trajectories": 5}, 5 * 3),
    ],
)
def test_samples_lie_within_bounds_and_are_the_same_again(terms: dict[str, Any], runs: int) -> None:
    miners = {"key": "start.miners", "low": 10, "high": 1000, "log": True}
    made, again = (plan(**terms, **factors(PUE, miners)) for _ in range(2))
    assert made.runs == runs
    assert list(made.points) == list(again.points)
    assert made.hash == again.hash
    assert all(1.0 <= pue <= 1.5 and 10 <= count <= 1000 for pue, count in made.points)
    assert {type(count) for _, count in made.points} == {int}
    other = plan(**terms, **factors(PUE, miners), seed=2)
    assert list(other.points) != list(made.points)


def test_a_latin_hypercube_has_one_point_in_each_stratum() -> None:
    study = plan(design="latin_hypercube", points=16, **factors(PUE, TAX)).study
    strata = np.sort((unit_sample(study) * 16).astype(int), axis=0)
    assert (strata == np.arange(16)[:, np.newaxis]).all()


def test_a_morris_trajectory_changes_one_factor_at_a_time() -> None:
    made = plan(design="morris", trajectories=4, **factors(PUE, TAX))
    points = np.array(list(made.points)).reshape(4, 3, 2)
    assert ((np.diff(points, axis=1) != 0.0).sum(axis=2) == 1).all()


@given(unit=st.floats(0.0, 1.0), low=st.floats(1e-6, 1e3), ratio=st.floats(1.001, 1e3))
def test_a_value_between_bounds_stays_there_and_reaches_both(
    unit: float, low: float, ratio: float
) -> None:
    for log in (False, True):
        factor = Factor.model_validate({"key": "x", "low": low, "high": low * ratio, "log": log})
        assert factor.at(0.0) == low
        assert factor.at(1.0) == low * ratio
        assert low <= factor.at(unit) <= low * ratio


def test_choices_of_a_sample_are_taken_equally_often() -> None:
    choices = {"key": "hypotheses.tip", "values": ["heaviest", "tie_join"]}
    made = plan(design="latin_hypercube", points=20, **factors(PUE, choices))
    assert [tip for _, tip in made.points].count("tie_join") == 10


def test_a_size_overrides_and_leaves_the_rest() -> None:
    table = {
        **BASE,
        "replicates": 20,
        "set": ["firms.haircut=0.4"],
        "sizes": {
            "laptop": {"design": "latin_hypercube", "points": 4, "replicates": 1, "days": 10},
            "cluster": {"set": ["firms.haircut=0.3"]},
        },
    }
    study = from_table(table)
    small, large = sized(study, "laptop"), sized(study, "cluster")
    assert (small.design, small.points, small.replicates, small.days) == (
        "latin_hypercube",
        4,
        1,
        10,
    )
    assert (large.design, large.replicates, large.days) == ("grid", 20, 30)
    assert Plan(large, "t", "cluster").cases["baseline_2025"].firms.haircut == 0.3
    assert sized(from_table(BASE), "laptop") == from_table(BASE)


def test_words_make_no_other_study_and_values_do() -> None:
    made = plan()
    assert plan(question="In other words?").hash == made.hash
    assert plan(set=["energy.idle_cost_usd_mwh=1"]).hash != made.hash
    assert plan(replicates=2).hash != made.hash


def test_a_scenario_may_lie_beside_its_study(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('extends = "baseline_2025"\n[energy]\npue = 1.3\n')
    (tmp_path / "study.toml").write_text(
        'question = "?"\nscenario = "mine.toml"\noutputs = ["class"]\n'
        '[[factors]]\nkey = "firms.haircut"\nvalues = [0.5]\n'
    )
    assert design.read(tmp_path / "study.toml").cases["mine.toml"].energy.pue == 1.3


def test_every_study_that_comes_with_the_model_can_be_run() -> None:
    files = sorted(design.STUDIES.glob("*.toml"))
    assert {file.stem for file in files} >= {"scale_frontier", "fork_frontier", "reserves"}
    for file in files:
        study = from_table(design._table(file))
        assert set(study.sizes) >= {"laptop", "cluster"}
        laptop, cluster = design.read(file.stem), design.read(file.stem, "cluster")
        assert 50 <= laptop.runs <= 1000 < cluster.runs


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"question": None}, "question: found nothing"),
    ({"factors": []}, "factors: found nothing; allowed: one or more"),
    ({"outputs": []}, "outputs: found nothing"),
    ({"scenario": None}, "scenario: found nothing"),
    ({"scenarios": ["ai_boom"]}, "one of the two keys"),
    ({"scenario": "baseline_2026"}, 'did you mean "baseline_2025"'),
    ({"replicate": 3}, 'replicate: found an unknown key.*did you mean "replicates"'),
    ({"replicates": 0}, "replicates: found 0; allowed: a whole number from 1"),
    ({"days": 10**9}, "days: found 1000000000; allowed"),
    ({"set": ["energy.pu=1"]}, "energy.pu: found an unknown key"),
    ({"design": "latin_hypercub"}, 'design: found latin_hypercub; allowed: one of "grid"'),
    ({"design": "latin_hypercube"}, 'points: found nothing; .* design = "latin_hypercube"'),
    ({"design": "morris"}, "trajectories: found nothing"),
    ({"design": "sobol", "points": 6}, "points: found 6; allowed: a power of two"),
    (factors({**PUE, "key": "energy.pu"}), 'factors.0.key: found "energy.pu".*"energy.pue"'),
    (factors({**PUE, "key": "pue"}), "factors.0.key"),
    (factors({**PUE, "low": 1.5, "high": 1.0}), "factors.0.low: found 1.5; .*reversed"),
    (factors({**PUE, "high": 2.5}), "factors.0.high: found 2.5; allowed: a number from 1 to 2"),
    (factors({"key": "energy.pue"}), "factors.0.low: found nothing"),
    (factors({**PUE, "values": [1.1]}), "factors.0: found values besides a range"),
    (factors(PUE), "factors.0.levels: found nothing"),
    (factors({**PUE, "levels": 1}), "factors.0.levels: found 1"),
    (factors({**PUE, "hi": 1}), "factors.0.hi: found an unknown key"),
    (factors(PUE, PUE), "factors.1.key.*each parameter once"),
    (factors({**TAX, "log": True}), "factors.0.low: found 0.0; allowed: above 0"),
    (factors({"key": "compute.bidders", "low": 0, "high": 1}), "values = .*true or false"),
    (factors({"key": "compute.bidders", "values": [1]}), "factors.0.values.0: found 1"),
    (factors({"key": "start.miners", "values": [50.5]}), "factors.0.values.0: found 50.5"),
    (factors({"key": "hypotheses.tip", "values": ["heavy"]}), "factors.0.values.0: found heavy"),
    (factors({"key": "nations.reserves_btc", "values": [1]}), "not a list"),
    (factors({**TAX, "key": "events.ban.affected"}), "events.0, events.1, events.5"),
    (factors({**TAX, "key": "events.taxx.power_usd_mwh"}), 'did you mean "tax"'),
    (factors({**TAX, "key": "events.tax.power_usd_mw"}), 'did you mean "power_usd_mwh"'),
    (factors({**TAX, "key": "events.99.power_usd_mwh"}), "a number below 9"),
    (factors({"key": "events.8.capacity_mw", "values": [1.0]}), "the last of the study's days"),
    (factors({"key": "start.miners", "low": 10, "high": 12, "levels": 9}), "whole numbers"),
    (factors({**PUE, "levels": 2, "offset_by": "chain.payout"}), "factors.0.offset_by"),
    ({"outputs": ["class", "class"]}, "each name once"),
    ({"outputs": ["ends:hhi_nation"]}, 'outputs.0: found "ends:hhi_nation".*did you mean "end"'),
    ({"outputs": ["end:hhi_nations"]}, 'did you mean "hhi_nation"'),
    ({"outputs": ["first:hhi_nation"]}, "first:COLUMN>NUMBER"),
    ({"outputs": ["first:hhi_nation>much"]}, "outputs.0"),
    ({"outputs": ["class:O9"]}, "class:O3"),
    ({"outputs": ["hhi nation"]}, "outputs.0"),
    ({"course": ["hhi"]}, "course.0"),
]


@pytest.mark.parametrize(("changes", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_each_mistake_gets_one_clear_complaint(changes: dict[str, Any], told: str) -> None:
    table = {key: value for key, value in {**BASE, **changes}.items() if value is not None}
    with pytest.raises(ScenarioError, match=told):
        Plan(sized(from_table(table), "laptop"), "test", "laptop")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "an empty file"),
        ("question =", "valid TOML"),
        ('question = "?"\nscenario = "none"\noutputs = ["class"]\n', "study.toml"),
    ],
)
def test_a_bad_file_is_refused_by_the_command_with_status_2_and_nothing_is_written(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(text)
    refused = CliRunner().invoke(run.app, ["sweep", "study.toml"])
    assert refused.exit_code == 2
    assert "study.toml" in refused.stderr
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["study.toml"]


def test_unknown_studies_and_sizes_are_told_with_the_nearest() -> None:
    with pytest.raises(ScenarioError, match='did you mean "scale_frontier"'):
        design.read("scale_frontiers")
    with pytest.raises(ScenarioError, match='did you mean "cluster"'):
        design.read("scale_frontier", "clusters")
    with pytest.raises(ScenarioError, match="a readable TOML file"):
        design.read("no/such.toml")


# Outputs


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("end:hhi_nation", 0.4),
        ("mean:hhi_nation", pytest.approx(0.25)),
        ("lowest:hhi_nation", 0.1),
        ("highest:hhi_nation", 0.4),
        ("first:hhi_nation>0.15", 1.0),
        ("first:hhi_nation<0.15", 0.0),
        ("first:hhi_nation > 0.9", None),
        ("day:hhi_nation@2", 0.3),
        ("day:hhi_nation@9", None),
    ],
)
def test_readings_of_a_series(name: str, expected: float | None) -> None:
    values = np.array([0.1, 0.2, 0.3, 0.4])
    assert outputs.read_series(outputs.parse(name), values) == expected


def test_days_without_a_value_are_not_read() -> None:
    values = np.array([np.nan, 2.0, 4.0])
    assert outputs.read_series(outputs.parse("mean:hhi_nation"), values) == 3.0
    assert outputs.read_series(outputs.parse("first:hhi_nation>3"), values) == 2.0
    assert outputs.read_series(outputs.parse("mean:hhi_nation"), values[:1]) is None
    assert outputs.read_series(outputs.parse("end:hhi_nation"), values[:0]) is None


def test_points_are_made_when_asked_for() -> None:
    levels = [{**PUE, "levels": 1000}, {**TAX, "levels": 1000}]
    assert isinstance(plan(**factors(*levels)).points, Points)
    assert len(plan(**factors(*levels)).points) == 1_000_000
