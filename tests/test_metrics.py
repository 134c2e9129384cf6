"""Concentration against published values, closed forms and other programs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from model import metrics

# A busy machine is no failure.
unhurried = settings(deadline=None)

EQUAL = np.full(5, 0.2)
ONE_LARGE = np.array([0.6, 0.1, 0.1, 0.1, 0.1])
sizes = some.lists(some.floats(1e-3, 1e6), min_size=1, max_size=40).map(np.array)
INDICES = [metrics.hhi, metrics.effective_number, metrics.nakamoto, metrics.gini, metrics.entropy]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [(EQUAL, (0.2, 5, 3, 0, math.log(5))), (ONE_LARGE, (0.4, 2.5, 1, 0.4, 1.2275294))],
)
def test_known_values(shares, expected):
    assert [index(shares) for index in INDICES] == pytest.approx(expected, abs=1e-7)


@unhurried
@given(sizes)
def test_bounds(held):
    members = held.size
    assert 1 / members - 1e-12 <= metrics.hhi(held) <= 1 + 1e-12
    assert 1 - 1e-12 <= metrics.effective_number(held) <= members + 1e-9
    assert 1 <= metrics.nakamoto(held) <= members // 2 + 1
    assert 0 <= metrics.gini(held) <= 1 - 1 / members + 1e-12
    assert 0 <= metrics.entropy(held) <= math.log(members) + 1e-12


@unhurried
@given(sizes, some.randoms(use_true_random=False), some.floats(1e-3, 1e3))
def test_order_unit_and_empty_members_do_not_matter(held, random, factor):
    other = factor * np.array(random.sample(list(held), held.size))
    for index in (metrics.hhi, metrics.effective_number, metrics.gini, metrics.entropy):
        assert index(other) == pytest.approx(index(held), rel=1e-9, abs=1e-9)
        if index is not metrics.gini:
            assert index(np.append(held, [0.0, math.nan])) == pytest.approx(index(held))


@unhurried
@given(some.lists(some.integers(1, 1000), min_size=1, max_size=30), some.sampled_from([2, 3]))
def test_nakamoto_number_by_search(held, parts):
    total, coalition, members = sum(held), 0, 0
    for size in sorted(held, reverse=True):
        coalition, members = coalition + size, members + 1
        if parts * coalition > total:
            break
    assert metrics.nakamoto(np.array(held, float), 1 / parts) == members


@pytest.mark.parametrize(
    ("members", "half", "third"), [(2, 2, 1), (3, 2, 2), (6, 4, 3), (10, 6, 4)]
)
def test_nakamoto_number_of_equal_members(members, half, third):
    assert metrics.nakamoto(np.full(members, 1 / members)) == half
    assert metrics.nakamoto(np.full(members, 1 / members), 1 / 3) == third


@unhurried
@given(sizes)
def test_gini_is_half_the_relative_mean_difference(held):
    differences = np.abs(held[:, None] - held[None, :]).mean()
    assert metrics.gini(held) == pytest.approx(differences / (2 * held.mean()), abs=1e-9)


@unhurried
@given(some.lists(some.tuples(some.integers(0, 50), some.integers(1, 6)), min_size=1, max_size=12))
def test_a_row_may_stand_for_many_members(rows):
    values, counts = np.array(rows, float).T
    each = np.repeat(values, counts.astype(int))
    assert metrics.gini(values, counts) == pytest.approx(metrics.gini(each), abs=1e-12)


def test_lorenz_curve():
    members, held = metrics.lorenz(np.array([3.0, 1.0]))
    np.testing.assert_allclose(members, [0, 0.5, 1])
    np.testing.assert_allclose(held, [0, 0.25, 1])


@pytest.mark.parametrize("empty", [np.zeros(0), np.zeros(4), np.full(3, math.nan)])
def test_an_empty_network(empty):
    assert [index(empty) for index in INDICES] == [0, 0, 0, 0, 0]
    members, held = metrics.lorenz(empty)
    np.testing.assert_array_equal(members, held)
    labels = np.zeros(empty.size, np.int64)
    np.testing.assert_array_equal(metrics.shares_by(labels, empty, 2), [0, 0])


def test_no_success_in_a_hundred_runs():
    assert metrics.wilson_interval(0, 100) == pytest.approx((0.0, 0.0370), abs=5e-5)


@unhurried
@given(
    some.integers(1, 500).flatmap(lambda runs: some.tuples(some.integers(0, runs), some.just(runs)))
)
def test_wilson_interval_is_that_of_scipy(case):
    successes, runs = case
    expected = stats.binomtest(successes, runs).proportion_ci(method="wilson")
    assert metrics.wilson_interval(successes, runs) == pytest.approx(tuple(expected), abs=1e-9)


def test_wilson_interval_of_nothing_and_of_nonsense():
    assert metrics.wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="successes"):
        metrics.wilson_interval(3, 2)


def test_shares_by_label():
    labels = np.array([0, 2, 0, -1, 2])
    shares = metrics.shares_by(labels, np.array([1.0, 2.0, 3.0, 100.0, 2.0]), 4)
    np.testing.assert_allclose(shares, [0.5, 0, 0.5, 0])
