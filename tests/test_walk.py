"""The race of two branches as a walk: closed forms, and how often the chain splits in a year."""

import math

import numpy as np
import pytest
from hypothesis import settings

from model.chain.patience import Patience
from model.chain.races import race_keys, split_by_tree, split_by_walk
from model.chain.walk import NEVER, walk

unhurried = settings(deadline=None)
NEVER_GIVES_UP = Patience("inf")

# Chance that a race is won by enforcers who give up `lag` behind.
RACES_WON = {
    2: {0.1: 0.0109890, 0.25: 0.0769231, 0.4: 0.2105263, 0.5: 0.3333333, 0.6: 0.4736842},
    6: {0.1: 0.0123455, 0.25: 0.1107045, 0.4: 0.4099077, 0.5: 0.7142857, 0.6: 0.9222924},
    100: {0.1: 0.0123457, 0.25: 0.1111111, 0.45: 0.6694215, 0.5: 0.9801980, 0.55: 1.0},
}
# Orphan share of the others' blocks and of the enforcers', every one of the former offending.
ORPHANED = {
    (0.25, 2): (0.0439560, 0.2967033),
    (0.25, 6): (0.0296477, 0.7295106),
    (0.40, 6): (0.1876732, 0.5000276),
    (0.45, 6): (0.3129317, 0.3719026),
    (0.45, 100): (0.0385531, 0.9424084),
    (0.50, 6): (0.4761905, 0.2380953),
    (0.55, 6): (0.6498195, 0.1268881),
    (0.60, 6): (0.7978734, 0.0552973),
    (0.75, 6): (0.9852552, 0.0012317),
}
# Chance of a final split within a year and its median day, from 200 runs at a constant difficulty.
SPLITS_IN_A_YEAR = {
    0.10: (1.0, 7.0),
    0.25: (1.0, 7.0),
    0.40: (1.0, 7.0),
    0.45: (1.0, 9.2),
    0.48: (1.0, 21.0),
    0.49: (1.0, 35.0),
    0.495: (1.0, 59.0),
    0.50: (0.96, 98.0),
    0.505: (0.505, 157.0),
    0.51: (0.135, 146.0),
    0.52: (0.0, math.nan),
    0.55: (0.0, math.nan),
    0.60: (0.0, math.nan),
}
# The same from 1,000 runs with difficulty and work by branch.
SPLITS_WITH_DIFFICULTY = {
    0.45: (1.0, 9.4),
    0.48: (1.0, 21.0),
    0.49: (1.0, 39.0),
    0.495: (1.0, 67.0),
    0.50: (0.76, 147.0),
    0.505: (0.07, 168.0),
    0.51: (0.008, math.nan),
    0.52: (0.0, math.nan),
}


def keys(runs, seed=1):
    return race_keys(seed, runs)


def two_sample_error(one, runs, other, other_runs):
    """Standard error of the difference of two observed chances that are really the same."""
    pooled = (one * runs + other * other_runs) / (runs + other_runs)
    return math.sqrt(pooled * (1 - pooled) * (1 / runs + 1 / other_runs))


def check_median(split, printed, printed_from):
    """Half of the days lie below a median that was printed from another sample."""
    days = split.days[~np.isnan(split.days)]
    if not math.isnan(printed) and days.size:
        error = math.sqrt(0.25 / days.size + 0.25 / printed_from)
        rounding = 0.05 if printed < 10 else 0.5
        below = [np.mean(days < printed - rounding), np.mean(days <= printed + rounding)]
        assert below[0] - 3 * error <= 0.5 <= below[1] + 3 * error


@pytest.mark.parametrize("lag", RACES_WON)
def test_races_won_by_enforcers_who_give_up(lag):
    for share, expected in RACES_WON[lag].items():
        walked = walk(share, lag, 4_000_000, keys(1)[0])
        error = math.sqrt(max(expected * (1 - expected), 1e-9) / walked.races)
        assert walked.races > 8_000
        assert abs(walked.races_won / walked.races - expected) < 3 * error


@pytest.mark.parametrize(("share", "lag"), ORPHANED)
def test_orphan_shares_when_every_block_of_the_others_offends(share, lag):
    events, runs = 500_000, 40
    walks = [walk(share, lag, events, key) for key in keys(runs)]
    lost = np.array([(w.orphans_offending, w.orphans_enforcing) for w in walks]) / events
    shares = lost / [1 - share, share]
    errors = shares.std(axis=0, ddof=1) / math.sqrt(runs)
    np.testing.assert_array_less(np.abs(shares.mean(axis=0) - ORPHANED[share, lag]), 3 * errors)


def test_a_majority_that_never_gives_up_wins_every_race():
    for share, lost in ((0.51, 50), (0.55, 10), (0.6, 5), (0.75, 2), (0.9, 1.25)):
        walked = walk(share, NEVER, 2_000_000, keys(1)[0])
        assert walked.races_won == walked.races
        assert walked.orphans_enforcing == 0
        # Two steps down, each of variance 4 s (1 - s) / (2 s - 1)**3; half the blocks are lost.
        error = math.sqrt(2 * share * (1 - share) / (2 * share - 1) ** 3 / walked.races)
        assert abs(walked.orphans_offending / walked.races - lost) < 3 * error


def test_impatient_enforcers_never_race():
    walked = walk(0.4, 1, 100_000, keys(1)[0])
    assert walked.races == walked.orphans_enforcing == walked.orphans_offending == 0


@pytest.mark.parametrize("share", SPLITS_IN_A_YEAR)
def test_final_splits_within_a_year_at_a_constant_difficulty(share):
    expected, median_days = SPLITS_IN_A_YEAR[share]
    split = split_by_walk(share, NEVER_GIVES_UP, keys(1_000))
    error = two_sample_error(split.chance, split.runs, expected, 200)
    assert abs(split.chance - expected) <= 3 * error
    check_median(split, median_days, 200 * expected)


@pytest.mark.parametrize(("share", "printed"), [(0.1, 7.0), (0.25, 7.0), (0.4, 7.0)])
def test_a_clear_minority_splits_after_the_seven_days_it_must_wait(share, printed):
    split = split_by_walk(share, NEVER_GIVES_UP, keys(200))
    assert split.median_days == pytest.approx(printed, abs=0.05)


@pytest.mark.parametrize(
    ("share", "runs"),
    [(0.45, 200), (0.48, 200), (0.49, 200), (0.495, 100), (0.50, 60), (0.505, 40), (0.52, 20)],
)
def test_final_splits_within_a_year_with_difficulty_and_work(share, runs):
    expected, median_days = SPLITS_WITH_DIFFICULTY[share]
    split = split_by_tree(share, NEVER_GIVES_UP, keys(runs))
    error = two_sample_error(split.chance, runs, expected, 1_000)
    assert abs(split.chance - expected) <= 3 * error
    check_median(split, median_days, 1_000 * expected)


@pytest.mark.parametrize("split", [split_by_walk, split_by_tree])
def test_a_share_that_cannot_be_is_refused(split):
    for share in (0.0, 1.2, math.nan):
        with pytest.raises(ValueError, match="share"):
            split(share, NEVER_GIVES_UP, keys(1))
    assert split(1e-6, NEVER_GIVES_UP, keys(2)).chance == 1.0
    assert split(1.0, NEVER_GIVES_UP, keys(2)).chance == 0.0
