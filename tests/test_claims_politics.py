"""Political claims: the values that flip them, what runs keep of nations, and how runs end."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from model.chain.compliance import Choice
from model.chain.patience import Patience
from model.metrics import wilson_interval
from model.statecraft.defence import hegemon_cap
from model.world import World
from study import claims_chain, claims_defence, claims_directives, claims_nations, nations_seen
from study.claim import Finding
from study.claims import CLAIMS
from study.experiments import EXPERIMENTS, Course, Experiment

POLITICAL = {f"C{number:02d}" for number in (*range(1, 11), *range(31, 39), *range(53, 57), 59, 60)}
DIRECTIVE = "2028-07-03"


def test_every_political_claim_is_registered():
    assert set(CLAIMS) >= POLITICAL
    assert len(POLITICAL) == 24


# Closed forms


def test_outsiders_include_beside_few_enforcers_and_beside_many_none_does():
    alone = claims_chain.outsiders_who_include(0.0)
    # Whoever gains or loses nothing by filtering includes for the premium or his conviction.
    assert alone == pytest.approx(0.667, abs=0.005)
    found = [claims_chain.outsiders_who_include(share) for share in (0.1, 0.25, 0.30, 0.45)]
    assert alone > found[0] > found[1] > 0.4
    assert found[2] == found[3] == 0.0


def test_a_network_that_filters_already_is_held_by_fewer():
    day = 144
    least = [claims_chain._least_coerced(day, start) for start in (Choice.INCLUDE, Choice.FILTER)]
    assert least[1] < 0.35 < 0.49 < least[0] < 0.501


def test_a_coerced_minority_flouts_fines_below_what_enforcing_costs_it():
    never = Patience("inf")
    assert claims_chain.flouting(0.25, 0.9, never) == 1.0
    assert claims_chain.flouting(0.25, 1.2, never) == 0.0
    assert claims_chain.flouting(0.60, 0.0, never) == 0.0


def test_told_years_are_kept_without_a_network_effect_and_passed_with_one():
    # Four times as strong a pull slows the way by the slope of demand, whatever the years told.
    slow = [claims_chain.years_to_settle(10.0, pull) for pull in (1.0, 4.0)]
    quick = [claims_chain.years_to_settle(5.0, pull) for pull in (1.0, 4.0)]
    assert quick[0] < slow[0]
    assert quick[1] / quick[0] == pytest.approx(slow[1] / slow[0], abs=0.1)
    assert quick[1] > 1.5 * quick[0]


def test_what_a_sale_took_is_forgotten_the_later_the_stronger_the_network():
    left = [claims_chain._gap_after(pull, 10.0) for pull in (0.0, 2.0, 4.0, 6.0)]
    assert (np.diff(left) > 0.0).all()
    # Without a network effect the gap falls by exp(-years / tau) and no other way.
    assert left[0] == pytest.approx(np.exp(-10.0 / 2.5), abs=1e-6)


def test_where_a_hegemon_turns_to_all_of_the_hashrate():
    coins = 726.0 / claims_defence.ISSUANCE_BTC_YR
    assert hegemon_cap(0.95 * coins) == 1.0
    assert hegemon_cap(1.05 * coins) < 0.5
    assert claims_defence._all_or_cap(0.0, 0.60) > 0.0 > claims_defence._all_or_cap(0.0, 0.65)


def test_russia_sells_as_american_templates_grow_and_china_hardly():
    shares = (0.3, 0.45, 0.5, 0.75)
    sold = [claims_defence.dumped_part("RUS", share) for share in shares]
    # Tie -0.7, sanctions 0.8, loss 0.7, hurdle 0.05: at one half of the templates; other
    # adversaries, who make none, add what the logistic leaves at nothing.
    assert sold[2] == pytest.approx((0.7 * 0.8 * 0.5 * 0.7 - 0.05) / 0.3, abs=1e-3)
    assert sold[0] == 0.0
    assert sold[3] == 1.0
    assert claims_defence.dumped_part("CHN", 1.0) < 0.15


def test_large_holders_begin_as_long_as_each_has_the_threshold():
    years = claims_defence.LARGE_HOLDERS * claims_defence.MARKET_COINS_BTC
    years /= claims_defence.ISSUANCE_BTC_YR
    assert claims_defence._largest_share(years / 9, 9) < 0.5
    assert claims_defence._largest_share(years / 10, 10) == 1.0


def test_a_prize_moves_the_best_share_past_one_half_where_it_is_said_to():
    held = 202_500.0 / claims_defence.ISSUANCE_BTC_YR
    low, high = 0.3, 0.4
    assert claims_nations._above_half(held, low) < 0.0 < claims_nations._above_half(held, high)
    assert hegemon_cap(held, prize_yr=low) < 0.5 < hegemon_cap(held, prize_yr=high)


# What runs keep


@cache
def young_world() -> World:
    world = World(Experiment("baseline_2025", days=3).case(1))
    world.step()
    return world


def test_american_hashrate_is_counted_by_site_seat_and_templates():
    """C38."""
    world = young_world()
    seen, place = nations_seen.nations_of(world), world.nation_names.index("USA")
    miners = world.miners
    home = miners["nation"] == place
    assert seen["usa_seat"] == pytest.approx(miners["work"][home].sum() / miners["work"].sum())
    listed = home & (miners["form"] == nations_seen.LISTED)
    assert seen["usa_listed"] == pytest.approx(miners["work"][listed].sum() / miners["work"].sum())
    templates = world.nations["template_hashrate"]
    assert seen["usa_templates"] == pytest.approx(templates[place] / templates.sum())
    assert seen["largest"] == world.nation_shares.max() >= world.nation_shares[place]
    assert 0.0 < seen["usa_listed"] <= seen["usa_seat"] < 1.0


def test_reserves_and_energy_of_nations_under_sanctions_are_counted_once():
    world = young_world()
    seen, nations = nations_seen.nations_of(world), world.nations
    assert seen["reserves_btc"] == pytest.approx(nations["reserve_sat"].sum() / 1e8)
    codes = [world.nation_names.index(code) for code in ("RUS", "IRN", "VEN", "ABK")]
    assert seen["sanctioned"] == pytest.approx(world.nation_shares[codes].sum())
    assert seen["sanctioned_btc"] == pytest.approx(nations["reserve_sat"][codes].sum() / 1e8)
    assert seen["stranded_mw"] <= nations["stranded_mw"].sum()


def test_how_a_run_ended_is_its_outcome_and_its_events():
    world = young_world()
    told = nations_seen.ended(world)
    assert told["class"] == "O0"
    assert told["first_passage"] == {}
    assert sum(told["told"].values()) == world.recorder.events().height


# Counting how runs ended


def course(code: str, **milestones: str) -> Course:
    """A run of which only the end is known."""
    first = {"directive": DIRECTIVE, **milestones}
    ended = {"class": code, "base": None, "first_passage": first, "told": {}}
    return Course({}, {}, np.zeros((1, 1)), np.zeros((1, 1)), ended)


def test_classes_milestones_and_days_are_counted():
    runs = [course("O3", all_comply=DIRECTIVE), course("O5", split="2028-07-10"), course("O5")]
    assert claims_directives.classes(runs).startswith("O3 1/3 [")
    low, high = wilson_interval(2, 3)
    assert claims_directives.classes(runs).endswith(f"O5 2/3 [{low:.2f}, {high:.2f}]")
    assert claims_directives.passed(runs, "all_comply") == 1
    assert claims_directives.days_to(runs, "split") == [7]
    assert claims_directives.days_to(runs, "all_comply") == [0]


@pytest.mark.parametrize(
    ("sixty", "quarter", "expected"),
    [
        (["all_comply"] * 2, [""] * 2, "supports"),
        ([""] * 2, [""] * 2, "contradicts"),
        (["all_comply"] * 2, ["all_comply", ""], "conditional"),
    ],
)
def test_outsiders_must_censor_if_all_do_beside_a_majority_and_none_beside_a_quarter(
    sixty: list[str], quarter: list[str], expected: str
):
    def runs(milestones: list[str]) -> list[Course]:
        return [course("O3", **({name: DIRECTIVE} if name else {})) for name in milestones]

    results = {
        "sixty percent": runs(sixty),
        "a quarter": runs(quarter),
        "a quarter, three maps": runs(quarter),
    }
    found: Finding = claims_directives.outsiders_must_censor(results)
    assert found.verdict == expected


def test_runs_that_are_compared_differ_in_nothing_but_what_is_asked():
    for one, other, differs in (
        ("sixty percent", "sixty percent, no fork", {"hypotheses"}),
        ("race for reserves", "nobody defends", {"hypotheses"}),
        ("race for reserves", "dominance prized", {"hypotheses"}),
        ("sanctioned energy", "five years", {"nations"}),
    ):
        first, second = (EXPERIMENTS[name].case(1) for name in (one, other))
        fields = type(first).model_fields.keys() - {"title", "question", "predicts", "sources"}
        apart = {name for name in fields if getattr(first, name) != getattr(second, name)}
        assert apart - {"name", "extends"} == differs
