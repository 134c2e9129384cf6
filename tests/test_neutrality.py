"""The price of concentration: its table, its average over time, and whose shares count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.neutrality import (
    MEASURES,
    Discount,
    attack_concentration,
    concentration,
    neutrality,
    smoothed,
)

SHARES = st.lists(st.floats(0, 1), min_size=2, max_size=8).map(
    lambda parts: np.array(parts) / max(sum(parts), 1.0)
)
INDIFFERENT = np.zeros((3, 3))


@pytest.mark.parametrize(
    ("share", "oracle"),
    [
        (0.25, 0.9960),
        (0.29, 0.9911),
        (0.35, 0.9715),
        (0.40, 0.9285),
        (0.45, 0.8386),
        (0.50, 0.7000),
        (0.60, 0.4715),
        (0.75, 0.4040),
        (1.00, 0.4000),
    ],
)
def test_the_table_of_the_discount(share, oracle):
    assert neutrality(share, Discount()) == pytest.approx(oracle, abs=5e-5)
    assert neutrality(np.full(2, share), Discount())[1] == neutrality(share, Discount())


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(1, 40), st.floats(0, 1))
def test_the_price_never_rises_with_concentration(one, other, depth, steepness, midpoint):
    discount = Discount(depth, steepness, midpoint)
    low, high = sorted((one, other))
    assert 1 >= neutrality(low, discount) >= neutrality(high, discount) >= 1 - depth - 1e-15
    assert neutrality(high, Discount(0.0, steepness, midpoint)) == 1.0


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 400), st.floats(0, 400))
def test_the_average_is_exact_in_any_step(before, latest, days, more):
    halfway = smoothed(smoothed(before, latest, days), latest, more)
    assert halfway == pytest.approx(smoothed(before, latest, days + more), abs=1e-12)


def test_the_average_has_gone_half_way_after_its_half_life():
    assert smoothed(0.2, 0.6, 90.0) == pytest.approx(0.4, abs=1e-15)
    assert smoothed(0.2, 0.6, 30.0, half_life_days=30.0) == pytest.approx(0.4, abs=1e-15)
    assert smoothed(0.3, 0.3) == 0.3


def test_three_measures_of_concentration():
    shares, ties = (
        np.array([0.5, 0.3, 0.2]),
        np.array([[0, 0.9, -1], [0.9, 0, -0.5], [-1, -0.5, 0]]),
    )
    assert concentration(shares, "max_share", ties) == 0.5
    assert concentration(shares, "root_hhi", ties) == pytest.approx(np.sqrt(0.38))
    # The third nation's adversaries hold .5 and half of .3.
    assert concentration(shares, "adversaries", ties) == pytest.approx(0.65)
    assert concentration(shares, "adversaries", np.abs(ties)) == 0.0


@given(SHARES, st.randoms(use_true_random=False))
def test_the_order_of_nations_does_not_matter(shares, random):
    order = random.sample(range(len(shares)), len(shares))
    ties = np.cos(np.add.outer(np.arange(len(shares)), np.arange(len(shares))))
    for measure in MEASURES:
        usual = concentration(shares, measure, ties)
        other = concentration(shares[order], measure, ties[np.ix_(order, order)])
        assert other == pytest.approx(usual, abs=1e-14)


@given(SHARES)
def test_no_nation_is_larger_than_the_root_of_the_hhi(shares):
    ties = np.zeros((len(shares), len(shares)))
    largest = concentration(shares, "max_share", ties)
    assert largest <= concentration(shares, "root_hhi", ties) + 1e-15 <= 1 + 1e-9


def test_templates_alarm_the_market_less_than_machines():
    nations, templates = [0.30, 0.25, 0.2], [0.6, 0.1, 0.1]
    assert attack_concentration(nations, templates, INDIFFERENT) == pytest.approx(0.48)
    assert attack_concentration(nations, [0.3, 0.3, 0.3], INDIFFERENT) == pytest.approx(0.30)
    assert attack_concentration(
        nations, templates, INDIFFERENT, template_weight=0.0
    ) == pytest.approx(0.30)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="one of max_share, root_hhi"):
        concentration([0.5, 0.5, 0.0], "gini", INDIFFERENT)
    for wrong in ([0.6, 0.6, 0.0], [-0.1, 0.5, 0.0], [np.nan, 0.0, 0.0]):
        with pytest.raises(ValueError, match="shares"):
            concentration(wrong, "max_share", INDIFFERENT)
