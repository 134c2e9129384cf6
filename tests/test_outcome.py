"""The class of a run: total, exclusive, and forced where theory forces it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from model.chain import forks
from model.chain.branch import Rule, SplitChain
from model.chain.chain import Chain
from model.chain.coin_values import holders, opening_share, settle
from model.chain.outcome import NAMES, Record, SplitKind, censorship_resistance, classify
from model.streams import Streams
from model.units import equilibrium_difficulty

UNIT = some.floats(0.0, 1.0)
# Values at which a threshold lies, and their neighbours.
EDGES = some.sampled_from([0.0, 1e-4, 0.01, 0.1, 0.9, 0.99, 1 - 1e-4, 1.0]).flatmap(
    lambda edge: some.sampled_from(
        [max(math.nextafter(edge, -1), 0.0), edge, min(math.nextafter(edge, 2), 1.0)]
    )
)
SHARE = UNIT | EDGES


@some.composite
def records(draw):
    """Every record there can be."""
    split = draw(some.none() | some.sampled_from(SplitKind))
    return Record(
        directive_effective=draw(some.booleans()),
        filtering=draw(some.booleans()),
        split=split,
        split_day=None if split is None else draw(some.floats(0, 1e4)),
        compliant_wiped_out=draw(some.booleans()),
        free_wiped_out=draw(some.booleans()),
        reverted=draw(some.booleans()),
        compliant_resistance=draw(SHARE),
        free_resistance=draw(SHARE),
        compliant_original=draw(some.booleans()),
        value_ratio=draw(some.none() | SHARE | some.floats(0, 10)),
        compliant_checkpoints=draw(some.booleans()),
        new_algorithm=draw(some.booleans()),
        rejects_by_rule=draw(some.booleans()),
        compliant_work=draw(some.floats(0, 10)),
        free_work=draw(some.floats(0, 10)),
        free_value_share=None if split is None else draw(SHARE),
    )


def conditions(record):
    """The definition of each class on its own, none leaning on another's having failed."""
    share, ratio = record.free_value_share, record.value_ratio
    live = (
        share is not None
        and not (record.reverted or record.compliant_wiped_out or record.free_wiped_out)
        and share >= 1e-4
        and 1.0 - share >= 1e-4
    )
    resistance = (
        record.compliant_resistance if record.compliant_original else record.free_resistance
    )
    abandoned = ratio is not None and ratio < 0.1
    attacked = record.directive_effective and not abandoned
    one, two = attacked and not live, attacked and live
    even = two and 0.01 <= share <= 0.99
    by_rule = record.rejects_by_rule and record.compliant_work >= record.free_work
    return {
        "O8": abandoned,
        "O0": not record.directive_effective and not abandoned,
        "O1": one and resistance >= 0.9,
        "O2": one and 0.01 <= resistance < 0.9,
        "O3": one and resistance < 0.01,
        "O4a": even and record.new_algorithm,
        "O4b": even and not record.new_algorithm and by_rule,
        "O5": even and not record.new_algorithm and not by_rule,
        "O6": two and share < 0.01,
        "O7": two and share > 0.99,
    }


@given(records())
def test_every_record_has_exactly_one_class(record):
    """T-F11."""
    holds = [code for code, condition in conditions(record).items() if condition]
    assert holds == [classify(record).code]
    assert set(conditions(record)) == set(NAMES)


@given(records())
def test_a_class_is_a_function_of_the_record(record):
    outcome = classify(record)
    assert outcome == classify(record)
    assert outcome.name == NAMES[outcome.code]
    assert outcome.base in (None, "O4a", "O4b", "O5")
    if outcome.code in ("O4a", "O4b", "O5"):
        assert outcome.base == outcome.code
    assert list(outcome.facts()) == ["class", "name", "base", "flags", "first_passage"]


@given(records())
def test_a_split_undone_is_flagged_and_no_fork(record):
    outcome = classify(record)
    if record.free_wiped_out:
        assert "wiped_out" in outcome.flags
        assert outcome.base is None
    if record.reverted:
        assert "split_reverted" in outcome.flags
        assert outcome.base is None


CENSORED = Record(directive_effective=True, compliant_resistance=0.0)
TWO_COINS = Record(
    directive_effective=True,
    split=SplitKind.USERS,
    free_value_share=0.4,
    compliant_work=2.0,
    free_work=1.0,
)


def but(record, **changes):
    fields = {name: getattr(record, name) for name in Record.__dataclass_fields__}
    return Record(**{**fields, **changes})


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (Record(), "O0"),
        (Record(filtering=True, compliant_resistance=0.2), "O0"),
        (but(CENSORED, compliant_resistance=0.95), "O1"),
        (but(CENSORED, compliant_resistance=0.6), "O2"),
        (CENSORED, "O3"),
        (but(CENSORED, value_ratio=0.09), "O8"),
        (but(TWO_COINS, new_algorithm=True), "O4a"),
        (but(TWO_COINS, rejects_by_rule=True), "O4b"),
        (but(TWO_COINS, rejects_by_rule=True, free_work=3.0), "O5"),
        (TWO_COINS, "O5"),
        (but(TWO_COINS, free_value_share=0.005), "O6"),
        (but(TWO_COINS, free_value_share=0.995), "O7"),
        (but(TWO_COINS, free_value_share=5e-5, compliant_resistance=0.0), "O3"),
        (but(TWO_COINS, free_wiped_out=True, compliant_resistance=0.0), "O3"),
        (but(TWO_COINS, free_value_share=0.99995, compliant_original=False), "O1"),
    ],
)
def test_one_record_of_each_class(record, code):
    assert classify(record).code == code


def just_below(threshold):
    return math.nextafter(threshold, 0.0)


@pytest.mark.parametrize(
    ("record", "field", "threshold", "at", "below"),
    [
        (CENSORED, "compliant_resistance", 0.9, "O1", "O2"),
        (CENSORED, "compliant_resistance", 0.01, "O2", "O3"),
        (CENSORED, "value_ratio", 0.1, "O3", "O8"),
        (TWO_COINS, "free_value_share", 0.01, "O5", "O6"),
        (TWO_COINS, "free_value_share", math.nextafter(0.99, 1.0), "O7", "O5"),
        (TWO_COINS, "free_value_share", 1e-4, "O6", "O1"),
        (but(TWO_COINS, rejects_by_rule=True), "compliant_work", 1.0, "O4b", "O5"),
    ],
)
def test_a_class_changes_at_its_threshold_and_not_beside_it(record, field, threshold, at, below):
    assert classify(but(record, **{field: threshold})).code == at
    assert classify(but(record, **{field: just_below(threshold)})).code == below


def test_a_dead_coin_keeps_its_base_while_it_is_worth_something():
    outcome = classify(but(TWO_COINS, new_algorithm=True, free_value_share=0.005))
    assert (outcome.code, outcome.base) == ("O6", "O4a")


def test_what_no_class_tells_stands_in_the_flags():
    assert classify(Record(filtering=True)).flags == ("voluntary_filtering",)
    assert classify(but(CENSORED, filtering=True)).flags == ("filtering",)
    worthless = but(TWO_COINS, free_value_share=0.0, compliant_checkpoints=True)
    assert classify(worthless).flags == ("checkpoints", "free_worthless")
    passage = {"directive": "2028-01-01"}
    assert classify(but(CENSORED, first_passage=passage)).facts()["first_passage"] == passage


@pytest.mark.parametrize("seed", range(5))
def test_no_directive_no_attack(seed):
    """T-F14, whatever else happened short of ruin."""
    draws = np.random.default_rng(seed)
    record = but(
        TWO_COINS,
        directive_effective=False,
        free_value_share=draws.random(),
        compliant_resistance=draws.random(),
        value_ratio=0.1 + draws.random(),
    )
    assert classify(record).code == "O0"


@pytest.mark.parametrize("pending", [1, 200, 12_960])
def test_an_enforcing_majority_captures_the_chain_if_users_are_passive(pending):
    """T-F12: every offending block is orphaned, and nobody forks."""
    record = but(CENSORED, compliant_resistance=censorship_resistance(0, pending))
    assert (classify(record).code, classify(record).base) == ("O3", None)


def split_after(days, enforcing):
    """Both sides of a chain that enforcers left, mined for some days."""
    hashrate = 82e6
    streams = Streams(1)
    parent = Chain(592_704, equilibrium_difficulty(hashrate), streams.key("parent"), mode="event")
    sides = [SplitChain(parent, streams.key(name), Rule.EPOCHS) for name in ("one", "other")]
    final = math.inf
    held = 0.0
    for day in range(days):
        for side, share in zip(sides, (enforcing, 1 - enforcing), strict=True):
            side.mine(day, np.full(24, share * hashrate), 0.1)
        compliant, free = sides
        ahead = free.work - compliant.work >= 144 * parent.difficulty
        held = held + 1.0 if ahead else 0.0
        if held >= 7.0:
            final = min(final, day)
    return *sides, final


def test_an_enforcing_minority_opts_out_of_bitcoin():
    """T-F13: a quarter enforces without end, nobody else filters, custodians stay with it."""
    compliant, free, final = split_after(60, 0.25)
    assert 7 <= final <= 10
    share = opening_share(holders(), 4.0, 0.75)
    for _ in range(3_650):
        share = settle(share, holders(), 4.0, 2.5, 0.75)
    record = Record(
        directive_effective=True,
        split=SplitKind.MINERS,
        split_day=final,
        compliant_resistance=0.0,
        compliant_original=forks.compliant_is_original(None, compliant.work, free.work),
        compliant_work=compliant.work,
        free_work=free.work,
        free_value_share=share,
    )
    assert not record.compliant_original
    assert classify(record).base == classify(record).code == "O5"


@given(some.integers(0, 10**6), some.integers(0, 10**6))
def test_censorship_resistance_is_a_share_of_blocks_that_could(one, other):
    included, pending = sorted((one, other))
    resistance = censorship_resistance(included, pending)
    assert 0.0 <= resistance <= 1.0
    if pending == 0:
        assert resistance == 1.0
    else:
        assert resistance * pending == pytest.approx(included)
    assert censorship_resistance(pending + 1, pending) == 1.0


def test_filtering_miners_lower_resistance_by_their_share():
    filtering, blocks = 0.3, 12_960
    found = np.random.default_rng(1).random(blocks) >= filtering
    error = math.sqrt(filtering * (1 - filtering) / blocks)
    assert abs(censorship_resistance(int(found.sum()), blocks) - 0.7) < 3 * error


@pytest.mark.parametrize(
    "wrong",
    [
        {"split": SplitKind.USERS},
        {"free_value_share": 0.5},
        {"compliant_resistance": 1.1},
        {"free_resistance": math.nan},
        {"value_ratio": -1.0},
        {"compliant_work": math.inf},
    ],
)
def test_a_record_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"unlike|value share"):
        Record(**wrong)
