"""The register of claims: complete, tested, documented as measured, and measured rightly."""

from __future__ import annotations

import io
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from model import metrics
from model.world import World
from study import claims, claims_costs, claims_runs, experiments
from study.claim import interval, verdict
from study.claims import CLAIMS
from study.experiments import EXPERIMENTS, Experiment

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = (ROOT / "docs" / "CLAIMS.md").read_text(encoding="utf-8")
ECONOMIC = {*(f"C{number}" for number in range(11, 31)), "C57", "C58", "C61", "C62"}
LAST_OBSERVED = date(2021, 4, 30)
CLOSED_FORMS = [name for name, claim in CLAIMS.items() if not claim.runs]


def documented() -> dict[str, list[str]]:
    """Cells of each row of the document by the claim's id."""
    lines = re.findall(r"^\| (C\d+) \| (.*) \|$", DOCUMENT, re.M)
    return {name: cells.split(" | ") for name, cells in lines}


# The register and its document


def test_every_economic_claim_is_registered():
    assert set(CLAIMS) >= ECONOMIC
    assert list(CLAIMS) == sorted(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_a_claim_names_a_test_that_exists_and_experiments_that_exist(claim):
    file, name = claim.test.split("::")
    assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert set(claim.runs) <= set(EXPERIMENTS)
    assert claim.phrase
    assert claim.mechanism


def test_the_document_has_every_claim_once_as_registered():
    rows = documented()
    assert list(rows) == list(CLAIMS)
    assert len(re.findall(r"^\| C\d+ \|", DOCUMENT, re.M)) == len(CLAIMS)
    for name, (phrase, mechanism, told, condition, measured, test, command) in rows.items():
        claim = CLAIMS[name]
        assert (phrase, mechanism) == (claim.phrase, claim.mechanism)
        assert told in ("**supports**", "**contradicts**", "**conditional**")
        assert condition
        assert re.search(r"\d", measured)
        assert (test, command) == (f"`{claim.test}`", f"`{claim.command}`")


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_a_closed_form_still_says_what_the_document_says(name):
    found = claims.measured([name])[name]
    _, _, told, condition, measured, _, _ = documented()[name]
    assert told == f"**{found.verdict}**"
    assert (measured, condition) == (found.measured, found.condition)


def test_every_experiment_serves_a_claim():
    assert {name for claim in CLAIMS.values() for name in claim.runs} == set(EXPERIMENTS)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_no_experiment_sees_a_month_after_the_last_observed_one(name):
    case = EXPERIMENTS[name].case(1)
    if case.start_date.year >= 2025 or case.end_date <= LAST_OBSERVED:
        return
    assert case.price.mode == "path"
    assert case.fees.mode == "autoregressive"
    assert [event.what for event in case.events] == ["supposed ban"]


# The command


def shown(*arguments: str) -> str:
    text = io.StringIO()
    assert claims.main(arguments, Console(file=text, width=200)) == 0
    return text.getvalue()


def test_the_command_prints_the_claims_asked_for():
    text = shown("C13", "C19")
    assert "C13" in text
    assert "contradicts" in text
    assert "C20" not in text


def test_rows_of_the_document_are_printed_as_they_stand_there():
    row = next(line for line in DOCUMENT.splitlines() if line.startswith("| C13 |"))
    assert shown("C13", "--markdown").strip() == row


def test_an_unknown_claim_is_refused(capsys):
    with pytest.raises(SystemExit):
        claims.main(["C99"])
    assert "no claim C99" in capsys.readouterr().err


# Measuring


def test_an_interval_by_hand():
    found = interval([1.0, 2.0, 3.0, -2.0])
    assert found.mean == pytest.approx(1.0)
    assert found.high - found.mean == pytest.approx(3.182446 * np.sqrt(14 / 3) / 2)
    assert (found.above_zero, found.size) == (3, 4)
    with pytest.raises(ValueError, match="two values"):
        interval([1.0])


def test_a_finding_cannot_be_for_and_against():
    assert verdict(True, False) == "supports"
    assert verdict(False, True) == "contradicts"
    assert verdict(False, False) == "conditional"
    with pytest.raises(ValueError, match="both"):
        verdict(True, True)


@given(st.floats(0.1, 9.9))
def test_the_value_that_flips_is_where_the_sign_changes(root):
    assert claims_costs.flip(lambda at: at - root, 0.0, 10.0) == pytest.approx(root, abs=2e-3)
    assert np.isnan(claims_costs.flip(lambda at: at + root, 0.0, 10.0))


def test_one_percent_of_the_worlds_electricity_takes_a_worse_fleet():
    assert claims_costs.yearly_twh(558.0, 28.2) == pytest.approx(138, abs=0.5)
    for efficiency, expected in ((22.0, 164), (25.0, 186), (28.2, 210)):
        assert claims_costs.yearly_twh(850.0, efficiency) == pytest.approx(expected, abs=0.5)
    assert claims_costs.yearly_twh(850.0, 34.3) == pytest.approx(255.6, abs=0.3)


def test_a_miner_with_a_small_part_of_a_sunny_plant_runs_more_hours():
    parts = [claims_runs.sunny_hours(0.15, part) for part in (0.01, 0.1, 0.3)]
    assert parts[0] > parts[1] > parts[2] > 0.0
    assert parts[0] < 0.5
    assert claims_runs.sunny_hours(0.0) < claims_runs.sunny_hours(0.03) < parts[1]


def features(firms: int, seed: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {"power_usd_mwh": draw.normal(size=firms), "machines_mw": draw.normal(size=firms)}


def test_a_regression_finds_what_decides_survival():
    given_features = features(4000, 1)
    chance = 1.0 / (1.0 + np.exp(2.0 * given_features["power_usd_mwh"]))
    survived = (np.random.default_rng(2).random(4000) < chance).astype(float)
    found = claims_runs.Deviance(given_features, survived)
    assert found.alone["power_usd_mwh"] > 0.97
    assert found.dropped["power_usd_mwh"] > 0.97
    assert found.alone["machines_mw"] < 0.03
    assert found.leads("power_usd_mwh")
    assert found.trails("machines_mw")
    # Entropy of the outcome less that of the true chances, over the former.
    likely = np.where(survived > 0, chance, 1.0 - chance)
    share = survived.mean()
    null = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert found.explained == pytest.approx(1.0 + np.log(likely).mean() / null, abs=0.01)


def test_a_regression_on_noise_explains_next_to_nothing():
    survived = (np.random.default_rng(3).random(4000) < 0.7).astype(float)
    assert claims_runs.Deviance(features(4000, 4), survived).explained < 0.005


def test_a_regression_without_features_has_the_deviance_of_the_mean():
    outcome = np.array([1.0, 1.0, 1.0, 0.0])
    found = claims_runs.logistic_deviance(np.empty((4, 0)), outcome, ridge=0.0)
    assert found == pytest.approx(-2.0 * (3 * np.log(0.75) + np.log(0.25)))


# Experiments


def young_world(name: str = "baseline_2025") -> World:
    world = World(Experiment(name, days=3).case(1))
    world.step()
    return world


def test_effective_number_of_miners_counts_households_one_by_one():
    world = young_world()
    seen = experiments.observe(world, 10)
    miners = world.miners
    running = miners["work"] > 0.0
    each = miners["work"][running] / miners["multiplicity"][running]
    alone = np.repeat(each, miners["multiplicity"][running])
    assert seen["heads"] == alone.size
    assert seen["effective"] == pytest.approx(metrics.effective_number(alone))
    assert seen["firms"] < seen["heads"]


def test_idle_connections_are_sites_half_a_year_later():
    world = young_world("outlook_2021")
    before, rows = world.sites["capacity_mw"].sum(), world.sites.rows
    experiments.offer_brownfield(world)
    new = np.setdiff1d(world.sites.rows, rows)
    offered = np.bincount(
        world.sites["nation"][new], weights=world.sites["capacity_mw"][new],
        minlength=world.nations.size,
    )  # fmt: skip
    idle = world.nations["brownfield_mw"]
    assert offered.sum() == pytest.approx(world.sites["capacity_mw"].sum() - before)
    assert offered[idle > 0.0] == pytest.approx(idle[idle > 0.0])
    assert (world.sites["energised_on"][new] == world.day + experiments.BROWNFIELD_DAYS).all()
    assert (world.sites["tenant"][new] == 0).all()


def test_russian_law_changes_nothing_but_american_law():
    world = young_world()
    before, place = world.rule_of_law.copy(), world.nation_names.index("USA")
    experiments.weaken_american_law(world)
    assert world.rule_of_law[place] == experiments.RUSSIAN_LAW < before[place]
    assert (np.delete(world.rule_of_law, place) == np.delete(before, place)).all()


def test_what_firms_are_like_on_the_first_day():
    world = young_world()
    firms = experiments.first_firms(world)
    mining = firms["machines_mw"] > 1e-6
    price = firms["power_usd_mwh"][mining]
    sites = world.sites["power_price"][world.sites.rows] * world.sites["pue"][world.sites.rows]
    assert sites.min() <= price.min() < price.max() <= sites.max()
    held = np.average(firms["efficiency_j_th"][mining], weights=firms["machines_mw"][mining])
    assert 15.0 < held < 60.0


def test_a_course_has_the_first_day_and_one_entry_a_month():
    course = experiments.course_of(("ruin under law", 1))
    assert course.monthly["usa"].size == course.alive.shape[0] == 7
    assert course.alive[0].all()
    assert course.work.shape == course.alive.shape
    assert course.at("hashrate_ehs", 0.5) == course.monthly["hashrate_ehs"][6]


def test_experiments_that_share_seeds_are_alike_up_to_what_they_change():
    lawful, lawless = (
        experiments.course_of((f"ruin {law} law", 2)) for law in ("under", "without")
    )
    assert lawful.monthly["hashrate_ehs"][0] == lawless.monthly["hashrate_ehs"][0]
    assert lawful.monthly["hashrate_ehs"][-1] != lawless.monthly["hashrate_ehs"][-1]
