"""Political claims of the founding essay about the chain and its coins, in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from model.chain.censorship import (
    Shares,
    orphan_rates,
    premium_needed,
    shares_of,
    steady_state,
)
from model.chain.coin_values import (
    Holders,
    dumped_coins,
    fixed_points,
    holders,
    opening_share,
    settle,
    settling_years,
    shifted_share,
    total_value_usd,
)
from model.chain.compliance import Choice, Compliance, Directive, comply, ideology
from model.chain.patience import Patience
from model.chain.race import split_chance
from model.markets.price import flow_impact
from model.units import BLOCKS_PER_DAY, DAYS_PER_YEAR
from study.claim import Claim, Finding, Results, verdict
from study.claims_costs import flip

NEVER = Patience("inf")
SIX = Patience("lag", 6)
NETWORK = 4.0  # pull of a coin's own value share
SUPPLY_BTC = 19.85e6
AMERICAN_PRODUCT = 0.265  # of the world's: the part of custody that its law reaches
CONTROLLERS = 500


def word(values: Sequence[float], form: str = ".2f") -> str:
    """Numbers in a row."""
    return ", ".join(format(value, form) for value in values)


# Races


def nothing_to_show(_: Results) -> Finding:
    """What noncompliant miners keep against enforcers who never give up."""
    most = steady_state(shares_of(0.51), NEVER).orphaned.including
    filtering = orphan_rates(Shares(0.60, 0.20, 0.20), NEVER).filtering
    patient = {z: _lost(0.60, z) for z in (2, 6, 24)}
    below = _lost(0.49, BLOCKS_PER_DAY)
    half = flip(lambda share: _lost(share, 6) - 0.5, 0.3, 0.9)
    return Finding(
        verdict(most > 0.999 and below < 0.999, most < 0.5),
        f"at 51 % that never gives up includers lose {most:.0%} of their blocks, and those who "
        f"only filter (20 % beside 60 %) {filtering:.0%}; at 60 % that gives up 2, 6, 24 blocks "
        f"behind includers lose {word([100 * v for v in patient.values()], '.1f')} %",
        "on a majority that never gives up, as the essay's order says; enforcers who give up 6 "
        f"blocks behind take half of the includers' blocks from a share of {half:.2f} on",
    )


def _lost(enforcing: float, lag: int) -> float:
    """Share of its blocks that the rest of the hashrate loses if all of them offend."""
    return steady_state(shares_of(enforcing), Patience("lag", lag)).orphaned.including


def heaviest_chain_offends(_: Results) -> Finding:
    """Share of the main chain that offending blocks have beside a quarter that enforces."""
    lags = (2, 6, BLOCKS_PER_DAY)
    shares = [_offending(0.25, lag) for lag in lags]
    even = flip(lambda share: _offending(share, 6) - 0.5, 0.1, 0.9)
    split = split_chance(0.25)
    return Finding(
        verdict(min(shares) > 0.75, max(shares) < 0.5),
        f"blocks of includers, 75 % of the hashrate, are {word(shares, '.3f')} of the main chain "
        "while enforcers give up 2, 6, 144 blocks behind; if they never do, each offence leads "
        f"to two chains with chance {split:.2f}, of which the heavier is the includers'",
        f"on the share: at a lag of 6 includers have half of the chain until {even:.2f} enforce",
    )


def _offending(enforcing: float, lag: int) -> float:
    return steady_state(shares_of(enforcing), Patience("lag", lag)).main_chain.including


# Who complies


@cache
def at_rest(coerced: float, lag: int, start: Choice) -> Compliance:
    """A network of which a part is coerced, once nobody wants to change."""
    draws = (np.arange(CONTROLLERS) + 0.5) / CONTROLLERS
    hashrate = np.append(np.full(CONTROLLERS, (1.0 - coerced) / CONTROLLERS), coerced)
    told = np.zeros(CONTROLLERS + 1, np.int8)
    told[-1] = Directive.ENFORCE
    choice = np.full(CONTROLLERS + 1, start, np.int8)
    choice[-1] = Choice.ENFORCE
    for _ in range(200):
        reply = comply(
            hashrate, np.append(ideology(draws), 0.0), told, np.ones(CONTROLLERS + 1), choice,
            enforcing_believed=coerced, patience=Patience("lag", lag),
        )  # fmt: skip
        if reply.settled and np.array_equal(reply.choice, choice):
            break
        choice = reply.choice
    return reply


def outsiders_who_include(coerced: float, lag: int = 6, start: Choice = Choice.INCLUDE) -> float:
    """Share of the hashrate nobody orders about that goes on including."""
    return at_rest(coerced, lag, start).shares.including / (1.0 - coerced)


def _least_coerced(lag: int, start: Choice) -> float:
    """Least coerced share at which fewer than one in a hundred outsiders include."""
    low, high = 0.05, 0.60
    while high - low > 1e-3:
        middle = 0.5 * (low + high)
        few = outsiders_who_include(middle, lag, start) < 0.01
        low, high = (low, middle) if few else (middle, high)
    return high


def outsiders_go_on(_: Results) -> Finding:
    """Whether three quarters of the hashrate go on including beside a quarter that enforces."""
    alone = outsiders_who_include(0.0)
    day, six = (outsiders_who_include(0.25, lag) for lag in (BLOCKS_PER_DAY, 6))
    beside = premium_needed(orphan_rates(shares_of(0.25), SIX))
    first = premium_needed(orphan_rates(Shares(0.25, 0.75, 0.0), SIX))
    few = [
        _least_coerced(BLOCKS_PER_DAY, Choice.INCLUDE), _least_coerced(6, Choice.INCLUDE),
        _least_coerced(BLOCKS_PER_DAY, Choice.FILTER),
    ]  # fmt: skip
    return Finding(
        verdict(day > 0.9 * alone and six > 0.5 * alone, day < 0.5 * alone),
        f"of outsiders {day:.0%} go on where enforcers never give up (believed for a day), "
        f"{six:.0%} where they give up 6 blocks behind; {alone:.0%} would if nobody enforced; at a "
        f"lag of 6 an includer beside 75 % who include needs {beside:.1%} of a block to gain by "
        f"it, the first to include {first:.0%}",
        "on convictions (mean 2 % of a block, assumed: a third have none), and on a quarter: "
        f"nearly nobody includes from a coerced share of {few[0]:.2f} on (lag 6: {few[1]:.2f}; "
        f"in a network that filters already {few[2]:.2f})",
    )


def flouting(coerced: float, expected_fine: float, patience: Patience = NEVER) -> float:
    """Part of those told to enforce who do not, by fine times detection, in block rewards."""
    draws = (np.arange(CONTROLLERS) + 0.5) / CONTROLLERS
    hashrate = np.repeat([coerced, 1.0 - coerced], CONTROLLERS) / CONTROLLERS
    told = np.repeat(np.array([Directive.ENFORCE, Directive.NONE], np.int8), CONTROLLERS)
    reply = comply(
        hashrate, np.tile(ideology(draws), 2), told, np.ones(told.size), np.zeros_like(told),
        enforcing_believed=coerced, patience=patience, fine=expected_fine,
    )  # fmt: skip
    return float(np.mean(reply.choice[:CONTROLLERS] != Choice.ENFORCE))


def flout_the_law(_: Results) -> Finding:
    """Who does not do as told, by what he must expect to pay."""
    fine, at_home = 50.0, 0.05
    now, majority = flouting(0.25, fine * at_home), flouting(0.60, 0.0)
    patiences = (NEVER, SIX, Patience("lag", 2))
    half = [_fine_for_half(patience) for patience in patiences]
    least = half[0] / at_home
    return Finding(
        verdict(now > 0.05, now < 0.01 and half[0] < 0.1 * fine * at_home),
        f"{now:.0%} flout a fine of {fine:.0f} block rewards a block, even at home, where "
        f"{at_home:.0%} is found out; beside 25 % coerced half would below a fine times detection "
        f"of {word(half)} block rewards, if enforcers never give up, or do 6 or 2 "
        f"blocks behind; beside 60 % coerced {majority:.0%} would without any fine",
        "on fine and detection (assumed) where the coerced are few: enforcing then costs them "
        f"next to all they earn, so that households flout fines below {least:.0f} block rewards; "
        "among a majority obeying pays by itself",
    )


def _fine_for_half(patience: Patience) -> float:
    """Fine times detection from which half of a coerced quarter obeys."""
    return flip(lambda fine: flouting(0.25, fine, patience) - 0.5, 0.0, 3.0)


# Two coins


def free_share_at_rest(groups: Holders, network: float = NETWORK) -> float:
    """Where the free coin's share of the value settles from its opening."""
    opening = opening_share(groups, network)
    points = fixed_points(groups, network)
    if len(points) == 1:
        return points[0]
    low, middle, high = points
    return high if opening > middle else low


def dump_the_governments_coin(_: Results) -> Finding:
    """What the two coins are worth at rest, by who holds them."""
    pulls = (0.0, 2.0, 4.0, 6.0)
    kept = [1.0 - free_share_at_rest(holders(), pull) for pull in pulls]
    weights = (0.2, 0.3, 0.4, 0.5)
    by_weight = [1.0 - _free_share(weight) for weight in weights]
    even, left = (_freedom_for(share) for share in (0.5, 0.9))
    return Finding(
        verdict(min(by_weight) > 0.5, max(by_weight) < 0.1),
        f"the government's coin comes to {word(kept)} of the value at network effects of "
        f"{word(pulls, 'g')}; at 4, with {word(weights, 'g')} of the coins held by seekers of "
        f"freedom (custodians 0.75 less that), {word(by_weight)}",
        f"on who holds (weights are assumptions): it has the larger part while seekers of freedom "
        f"hold less than {even:.2f}, and is dumped down to a tenth only where they hold "
        f"{left:.2f}",
    )


def _free_share(freedom: float) -> float:
    return free_share_at_rest(holders(freedom, 0.75 - freedom))


def _freedom_for(share: float) -> float:
    """Weight of seekers of freedom at which the free coin has a share of the value."""
    return flip(lambda freedom: _free_share(freedom) - share, 0.05, 0.74)


def years_to_settle(years_to_95_percent: float, network: float) -> float:
    """Years until 95 % of the way from the opening share to rest is done."""
    groups, tau = holders(), settling_years(years_to_95_percent)
    start, end = opening_share(groups, network), free_share_at_rest(groups, network)
    share, quarters = start, 0
    while abs(share - end) > 0.05 * abs(start - end) and quarters < 400:
        share = settle(share, groups, network, tau, days=DAYS_PER_YEAR / 4.0)
        quarters += 1
    return quarters / 4.0


def five_to_ten_years(_: Results) -> Finding:
    """How long value shares really take, given the time that the model is told."""
    pulls = (1.0, 2.0, 4.0)
    quick, slow = ([years_to_settle(each, pull) for pull in pulls] for each in (5.0, 10.0))
    late = flip(lambda pull: years_to_settle(5.0, pull) - 10.0, 1.0, 5.0)
    return Finding(
        verdict(slow[-1] <= 10.0, quick[0] > 10.0),
        f"told 5 and 10 years, 95 % of the way takes {word(quick, '.1f')} and "
        f"{word(slow, '.1f')} years at network effects of {word(pulls, 'g')}",
        "by construction (5 to 10 years is what the model is told) without a network effect; "
        "holders who look at one another take longer: even the quick pass ten years from a "
        f"network effect of {late:.1f} on",
    )


def weakened(_: Results) -> Finding:
    """What both coins together lose."""
    share = free_share_at_rest(holders())
    exponents = (1.0, 1.25, 1.5, 2.0)
    divided = [1.0 - total_value_usd(1.0, share, each, 0.0) for each in exponents]
    censored = [1.0 - total_value_usd(1.0, share, each) for each in exponents]
    return Finding(
        verdict(censored[1] > 0.02, censored[1] <= 0.0),
        f"both coins at the default share of {share:.2f} are worth {word(divided)} less than one "
        f"for values as the power {word(exponents, 'g')} of a network, {word(censored)} less if "
        "censorship takes 15 % of the compliant coin",
        "by construction: a value that only divides (power 1) and a censored coin worth no less "
        "would flip it; both are assumptions",
    )


def custody_is_a_threat(_: Results) -> Finding:
    """What a sale by custodians does to the free coin, beside what their demand does."""
    sold = dumped_coins(holders(), SUPPLY_BTC, AMERICAN_PRODUCT, "sell")
    opening = opening_share(holders(), NETWORK)
    after = [
        shifted_share(opening, -flow_impact(sold, volume_btc_day=volume)) for volume in (3e5, 3e4)
    ]
    loyal = free_share_at_rest(holders())
    neutral = free_share_at_rest(holders(custodian_attachment=0.0))
    return Finding(
        verdict(after[0] < opening and loyal < neutral, after[0] >= opening),
        f"custodians under American law who sell half of their clients' free coins "
        f"({sold / 1e6:.2f} million) lower the opening share from {opening:.3f} to "
        f"{after[0]:.3f}, on markets a tenth as deep to {after[1]:.3f}; that custodians prefer "
        f"the compliant coin lowers the share at rest from {neutral:.2f} to {loyal:.2f}",
        "sign by construction; the sale weighs little, whom custodians side with much: with "
        f"{_custody_for_half():.2f} or less of the coins in custody the free coin has half",
    )


def _custody_for_half() -> float:
    """Custodians' weight at which the free coin has half, seekers of freedom at 0.30."""
    return flip(
        lambda weight: free_share_at_rest(holders(0.30, weight, 0.70 - weight)) - 0.5, 0.0, 0.7
    )


def threat_for_a_time(_: Results) -> Finding:
    """How long what custodians' sale takes from the free coin stays lost."""
    opening = opening_share(holders(), NETWORK)
    gaps = {pull: _gap_after(pull, 10.0) for pull in (2.0, NETWORK, 6.0)}
    halves = [10.0 * math.log(2.0) / -math.log(gap) for gap in gaps.values()]
    two = _pull_of_two_outcomes()
    return Finding(
        verdict(max(gaps.values()) < 0.5, min(gaps.values()) > 1.0),
        f"a sale at an opening share of {opening:.2f} is half made up for after "
        f"{word(halves, '.1f')} years at network effects of {word(list(gaps), 'g')} (where 95 % "
        f"of the way would take 7.5 years without), {1 - gaps[NETWORK]:.0%} of it after ten years "
        "at 4",
        f"on a network effect below {two:.1f}: from there on holders have two outcomes, and a "
        "sale that carries the free coin across the point between is for good",
    )


def _gap_after(network: float, years: float) -> float:
    """Part that is left, some years on, of what a sale took of the opening share."""
    groups, tau = holders(), settling_years(7.5)
    free = opening_share(groups, network)
    sold = shifted_share(free, -0.03)
    first = free - sold
    for _ in range(round(4 * years)):
        free, sold = (settle(v, groups, network, tau, days=DAYS_PER_YEAR / 4) for v in (free, sold))
    return (free - sold) / first


def _pull_of_two_outcomes() -> float:
    """Network effect from which the default holders have two outcomes."""
    pulls = np.arange(4.0, 12.0, 0.1)
    return float(next(pull for pull in pulls if len(fixed_points(holders(), float(pull))) > 1))


CLAIMS = (
    Claim(
        "C03", "noncompliant miners are left with nothing to show for their work",
        "`steady_state` of `model/chain/censorship.py`",
        "test_censorship.py::test_a_majority_that_never_gives_up_leaves_the_others_nothing",
        nothing_to_show,
    ),
    Claim(
        "C04", "beside a quarter that enforces, the other three quarters go on including",
        "`comply` of `model/chain/compliance.py`",
        "test_compliance.py::test_at_one_quarter_outsiders_go_on_including",
        outsiders_go_on,
    ),
    Claim(
        "C06", "it may be doubted that everyone would dump the government's coin",
        "`fixed_points` of `model/chain/coin_values.py`",
        "test_coin_values.py::test_the_weight_of_freedom_seekers_decides",
        dump_the_governments_coin,
    ),
    Claim(
        "C07", "what counts is what the coins are worth five to ten years on",
        "time constant of value shares, `settle`",
        "test_coin_values.py::test_the_path_from_even_values",
        five_to_ten_years,
    ),
    Claim(
        "C08", "a fork leaves bitcoin weakened, economically and in what it stands for",
        "`total_value_usd`", "test_coin_values.py::test_a_split_creates_no_value",
        weakened,
    ),
    Claim(
        "C10", "custodians who are told which coin to credit are an economic threat to the other",
        "`dumped_coins`, attachment of custodians",
        "test_coin_values.py::test_a_dump_lowers_the_free_coin_and_a_freeze_does_not",
        custody_is_a_threat,
    ),
    Claim(
        "C53", "miners may choose to flout the law",
        "fine times detection in `comply`",
        "test_compliance.py::test_who_is_hard_to_catch_flouts_the_law",
        flout_the_law,
    ),
    Claim(
        "C59", "beside a quarter that enforces, the heaviest chain still has noncompliant blocks",
        "`steady_state` of `model/chain/censorship.py`",
        "test_censorship.py::test_below_one_half_offending_blocks_fill_the_main_chain",
        heaviest_chain_offends,
    ),
    Claim(
        "C60", "custodians who opt out are a threat at least for a time",
        "`settle`, `shifted_share` of `model/chain/coin_values.py`",
        "test_coin_values.py::test_what_a_dump_took_comes_back_where_holders_have_one_mind",
        threat_for_a_time,
    ),
)  # fmt: skip
