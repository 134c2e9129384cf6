"""Alliances and sanctions: the table read out as arrays, and what the data say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.geography import load_nations, read_table
from model.relations import load_relations
from model.statecraft.adoption import adoption_threshold, cascade

DATA = Path(__file__).resolve().parent.parent / "scenarios" / "data"
NATIONS = load_nations(DATA)
RELATIONS = load_relations(read_table(DATA / "relations.csv").iter_rows(named=True), NATIONS.iso3)
MEANS = read_table(DATA / "nation_means.csv")


def pair(one="USA", other="IRN", alliance=-0.5, by_a=0.3, by_b=0.1):
    return {
        "nation_a": one,
        "nation_b": other,
        "alliance": alliance,
        "sanctions_by_a": by_a,
        "sanctions_by_b": by_b,
    }


def test_a_pair_stands_both_ways_and_its_sanctions_one_way_each():
    found = load_relations([pair()], ["CAN", "IRN", "USA"])
    assert found.nations == ("CAN", "IRN", "USA")
    assert len(found) == 3
    np.testing.assert_array_equal(found.alliances, [[0, 0, 0], [0, 0, -0.5], [0, -0.5, 0]])
    np.testing.assert_array_equal(found.sanctions, [[0, 0, 0], [0, 0, 0.1], [0, 0.3, 0]])


def test_the_order_of_rows_and_of_nations_changes_nothing_else():
    rows = [pair(), pair("CAN", "USA", 0.9, 0.0, 0.0), pair("CAN", "IRN", -0.2, 0.5, 0.0)]
    usual = load_relations(rows, ["CAN", "IRN", "USA"])
    other = load_relations(rows[::-1], ["USA", "CAN", "IRN"])
    order = [2, 0, 1]
    np.testing.assert_array_equal(other.alliances, usual.alliances[np.ix_(order, order)])
    np.testing.assert_array_equal(other.sanctions, usual.sanctions[np.ix_(order, order)])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([pair("USB")], r'found "USB"; not among the nations \(did you mean "USA"\?\)'),
        ([pair("usa")], r'did you mean "USA"'),
        ([pair("QQQ")], r'found "QQQ"; not among the nations$'),
        ([pair("USA", "USA")], "one nation, or there twice"),
        ([pair(), pair("IRN", "USA")], "one nation, or there twice"),
        ([pair(alliance=-1.5)], r"alliance of USA-IRN is -1\.5; it lies from -1 to 1"),
        ([pair(by_b=-0.1)], r"sanctions_by_b of USA-IRN is -0\.1; it lies from 0 to 1"),
        ([pair(alliance=float("nan"))], "alliance of USA-IRN is nan"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(rows, said):
    with pytest.raises(ValueError, match=said):
        load_relations(rows, ["CAN", "IRN", "USA"])


def test_nobody_sanctions_its_friends():
    assert (RELATIONS.alliances == RELATIONS.alliances.T).all()
    assert (np.diag(RELATIONS.alliances) == 0).all()
    assert (RELATIONS.alliances[RELATIONS.sanctions > 0] < 0).all()
    assert (RELATIONS.alliances != 0).any(axis=1).sum() >= 25


def test_the_means_of_nations_cover_the_world_and_follow_the_sanctions():
    assert set(MEANS["iso3"]) <= set(NATIONS.iso3)
    assert MEANS["iso3"].n_unique() == MEANS.height
    assert MEANS["gdp_share_pct"].sum() == pytest.approx(100, abs=1e-9)
    assert MEANS["reserves_btc"].sum() == 202_500 + 192_000 + 61_000 + 46_000 + 9_500 + 6_200
    assert MEANS["sanctioned"].is_between(0, 1).all()
    assert MEANS.select("stranded_mw", "brownfield_mw").min_horizontal().min() >= 0
    weights = np.zeros(len(NATIONS))
    for iso3, percent in zip(MEANS["iso3"], MEANS["gdp_share_pct"], strict=True):
        weights[NATIONS.row(iso3)] = percent
    worst = [NATIONS.iso3[row] for row in np.argsort(-(weights @ RELATIONS.sanctions))[:3]]
    assert set(worst) <= set(MEANS.filter(MEANS["sanctioned"] >= 0.5)["iso3"])


def test_a_directive_of_the_united_states_alone_convinces_nobody():
    """At the default threshold allies of a quarter of the world's product are too few."""
    weights = np.zeros(len(NATIONS))
    for iso3, percent in zip(MEANS["iso3"], MEANS["gdp_share_pct"], strict=True):
        weights[NATIONS.row(iso3)] = percent / 100
    first = np.arange(len(NATIONS)) == NATIONS.row("USA")
    default = adoption_threshold(np.zeros(len(NATIONS)))
    assert cascade(RELATIONS.alliances, weights, first, default).adopted.sum() == 1
    eager = cascade(RELATIONS.alliances, weights, first, 0.4 * default)
    followers = {NATIONS.iso3[row] for row in np.flatnonzero(eager.adopted)}
    assert {"CAN", "GBR", "AUS", "DEU"} <= followers
    assert not followers & {"CHN", "RUS", "IRN"}
