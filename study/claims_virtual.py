"""Claims about virtual mining: what donations in place of work waste, keep and decide."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from model import metrics
from model.incentives import consensus, routes
from model.incentives.virtual_mining import VirtualMiningEconomy
from model.parameters_virtual import VirtualMining
from model.streams import Streams
from study.claim import Claim, Finding, FloatArray, Results, verdict
from study.claims_costs import flip

Series = dict[str, FloatArray]

DAYS, SETTLED = 200, 60
BTC_USD, POWER_USD_MWH = 800.0, 50.0
EQUAL = 0.05  # of routes that cost the same
TERMS = VirtualMining()


@cache
def chain(days: int = DAYS, seed: int = 1, **terms: Any) -> tuple[VirtualMiningEconomy, Series]:
    """A chain that lives so many days, at one price of bitcoin and of power, and its series."""
    economy = VirtualMiningEconomy(VirtualMining.model_validate(terms), Streams(seed))
    rows = [economy.step(day, BTC_USD, POWER_USD_MWH) for day in range(days)]
    return economy, {name: np.array([row[name] for row in rows]) for name in rows[0]}


def lived(days: int = DAYS, seed: int = 1, **terms: Any) -> Series:
    """The series of such a chain."""
    return chain(days, seed, **terms)[1]


def settled(name: str, seed: int = 1, **terms: Any) -> float:
    """Mean of a series once spending has found its level."""
    return float(lived(DAYS, seed, **terms)[name][SETTLED:].mean())


def words(values: Any, form: str = ".2f") -> str:
    """Numbers in a row."""
    return ", ".join(format(value, form) for value in values)


# Work and donations


def dispersed(dispersion: float, miners: int = 100) -> FloatArray:
    """Shares of miners whose log costs have this standard deviation."""
    normals = np.random.default_rng(1).standard_normal(miners)
    return routes.contest_shares(np.exp(dispersion * normals))


def arms_race(_: Results) -> Finding:
    """How concentrated work is by the dispersion of its costs."""
    dispersions = (0.0, 0.02, 0.05, 0.1, 0.3, 1.0)
    index = [metrics.hhi(dispersed(each)) for each in dispersions]
    spent = [routes.spent_by_equals(1.0, miners) for miners in (2, 5, 10, 100)]
    ten = flip(lambda sd: metrics.hhi(dispersed(sd)) - 0.1, 0.01, 1.0)
    rises = bool((np.diff(index) > 0.0).all())
    grown = [lived(cost_dispersion=each)["work_hhi"][-1] for each in (0.0, 0.4)]
    return Finding(
        verdict(rises and grown[1] > 1.5 * grown[0], index[-1] <= 1.05 * index[0]),
        f"HHI of a hundred miners {words(index, '.3f')} at log costs that differ by "
        f"{words(dispersions, 'g')}; in 200 days of the simulated chain {words(grown, '.3f')} at "
        f"0 and 0.4; equals spend {words(spent)} of the prize if they are 2, 5, 10, 100",
        f"on costs, not on the race: equals who spend all stay equal; from a dispersion of "
        f"{ten:.2f} on a hundred miners are as concentrated as ten",
    )


def net_kept(recycled: float, belief: float = TERMS.equivalence) -> float:
    """Part of spending that the community keeps once its fund pays out what it gets."""
    return (1.0 - recycled) * (1.0 - routes.equilibrium(1.0, belief).waste_share)


def waste_or_keep(_: Results) -> Finding:
    """What is spent on work and what the community keeps."""
    beliefs = (1.0, 0.9, 0.5)
    waste = [routes.equilibrium(1.0, each).waste_share for each in beliefs]
    apart = [routes.equilibrium(1.0, each, "per_address").waste_share for each in beliefs]
    simulated = settled("virtual_waste_share")
    net = settled("net_retained_share")
    third = flip(lambda share: net_kept(share) - 1.0 / 3.0, 0.0, 1.0)
    later = lived(DAYS + 60)["virtual_waste_share"][-1]
    return Finding(
        verdict(net > 1.0 / 3.0, net < 0.1),
        f"work takes {words(waste, '.3f')} of what is spent where an AGS is thought worth "
        f"{words(beliefs, 'g')} PTS, {words(apart, '.3f')} if each of two addresses has its issue; "
        f"simulated at 0.9: {simulated:.3f}, kept without loops {net:.3f}; after the last "
        f"donation work takes {later:.0%}",
        "on the days of donation (200, as recorded), after which all is work again, and on loops "
        f"(a tenth of the fund's payouts, assumed): from {third:.2f} on less than a third is kept",
    )


def three_routes(_: Results) -> Finding:
    """Whether mining, donating and buying cost the same."""
    off = [worst_ratio(seed) for seed in (1, 2, 3)]
    wedge = 1.0 / TERMS.equivalence - 1.0
    spread_out = worst_ratio(1, cost_dispersion=0.4)
    rents = flip(lambda sd: metrics.hhi(dispersed(sd)) - EQUAL, 0.005, 1.0)
    worst = max(off)
    apart = float(np.quantile(lived(DAYS, 1)["route_spread"][SETTLED:], 0.9))
    return Finding(
        verdict(worst < EQUAL, worst > 4.0 * EQUAL),
        "worth over cost of mining and of donating, on average over days 60 to 200, is off one by "
        f"{words(off, '.3f')} on the worse route (three seeds), on most days the routes lie within "
        f"{apart:.3f} of each other; {spread_out:.3f} if log "
        f"costs differ by 0.4; by the community's count, an AGS for a PTS, donors get {wedge:.0%} "
        "more for their money",
        "on miners alike in cost: cheap ones keep a rent, the HHI of work, which passes "
        f"{EQUAL:.0%} for a hundred miners from a dispersion of {rents:.3f} on",
    )


def worst_ratio(seed: int, **terms: Any) -> float:
    """How far worth over cost is off one, on the worse of two routes."""
    ratios = [settled(name, seed, **terms) for name in ("pts_ratio", "ags_ratio")]
    return max(abs(ratio - 1.0) for ratio in ratios)


# Consensus and votes


def holds(boost: float, noise: float = 0.0, reputation: float = 1.0) -> bool:
    """Whether the norm is still believed in after fifty years of launches."""
    airdrop = TERMS.airdrop_pts + TERMS.airdrop_ags
    norm = consensus.Norm(
        boost, airdrop, TERMS.norm_feedback, noise, TERMS.reputation_gain, reputation
    )
    for taste in np.random.default_rng(1).standard_normal(200):
        norm.launch(1.0, float(taste))
    return norm.holds


def least_boost(noise: float = 0.0, reputation: float = 1.0) -> float:
    """Boost from which on the norm holds, found by letting founders choose."""
    return flip(lambda boost: holds(boost, noise, reputation) - 0.5, 0.0, 1.0)


def social_norm(_: Results) -> Finding:
    """From which boost on founders go on giving their part."""
    sure, doubted = least_boost(), least_boost(reputation=TERMS.reputation_start)
    noises = (0.01, 0.03, 0.1)
    wilful = [least_boost(noise=noise) for noise in noises]
    at = (holds(0.0), holds(0.3), holds(1.0))
    return Finding(
        verdict(all(at), not any(at)),
        f"founders who choose honour 10 % and 10 % from a boost of {sure:.3f} on "
        f"(closed form {consensus.boost_needed(0.2):.2f}), {doubted:.3f} if nine of ten are "
        f"expected to; {words(wilful, '.3f')} if what it is worth to each differs by "
        f"{words(noises, 'g')} of a chain",
        f"on what the community adds: below {sure:.2f} of a chain's value nobody pays, and a norm "
        "once broken takes the support away that would pay for it",
    )


def who_votes(_: Results) -> Finding:
    """What votes by work and votes by stake decide after a year."""
    economy, series = chain(365)
    names = ("vote_by_work", "vote_by_stake", "professional_work_share", "professional_stake_share")
    work, stake, mined, owned = (float(series[name][-1]) for name in names)
    voters = economy.voters()
    even = flip(lambda weight: voters.decide(weight) - 0.5, 0.0, 1.0)
    return Finding(
        verdict(work > 0.5 and stake > 0.5, work < 0.5),
        f"of the points 1 (all to miners) and 0 (all to holders) votes by work choose {work:.2f}, "
        f"by stake {stake:.2f}; who mines and sells at once has {mined:.0%} of the work and "
        f"{owned:.1%} of the stake",
        "on what counts: by work it is so by construction, by stake who sells what he mines has "
        f"next to no vote; mixed, miners decide from a weight of {even:.2f} on their votes",
    )


# Discrepancies


def compare_costs(_: Results) -> Finding:
    """What it gains to compare the three routes, by how wrong a day's prices are."""
    noises = (0.0, 0.02, 0.05, 0.1, 0.3)
    costs = [unit_costs(noise) for noise in noises]
    seen = [float(routes.seen_gain(each).mean()) for each in costs]
    followed = [float(routes.followed_gain(each).mean()) for each in costs]
    back = [persistence(each) for each in costs[1:]]
    bounded = all(
        gain <= 0.4 * noise + seen[0] + 0.01 for gain, noise in zip(seen, noises, strict=True)
    )
    even = flip(lambda noise: float(np.interp(noise, noises, followed)), noises[0], noises[-1])
    return Finding(
        verdict(min(followed) > 0.0 and bounded, max(seen) < 0.01),
        f"routes {words(noises, 'g')} apart by a day's error: who sees the day's costs gains "
        f"{words(seen, '.3f')} of the price, who takes yesterday's cheapest "
        f"{words(followed, '.3f')}; a gap lasts {words(back)} of itself to the next day",
        "on seeing costs before one chooses: gains are at most 0.4 of the error and the rent of "
        f"cheap miners; a day late there is none from an error of {even:.2f} on",
    )


def unit_costs(noise: float) -> FloatArray:
    """Costs of the three routes by day, once settled."""
    series = lived(noise=noise)
    names = ("mine_cost_usd", "donate_cost_usd", "pts_price_usd")
    return np.stack([series[name][SETTLED:] for name in names], axis=1)


def persistence(costs: FloatArray) -> float:
    """Part of the gap between mining and buying that is left the next day."""
    gap = np.log(costs[:, 0] / costs[:, -1])
    return float(np.corrcoef(gap[1:], gap[:-1])[0, 1])


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "C43",
        "mining is an arms race that concentrates hash power",
        "`contest_shares` of `model/incentives/routes.py`",
        "test_virtual_mining.py::test_work_concentrates_as_costs_disperse",
        arms_race,
    ),
    Claim(
        "C44",
        "mining wastes what a donation would leave to the community",
        "`equilibrium`, loops of the fund in `model/incentives/virtual_mining.py`",
        "test_virtual_mining.py::test_waste_at_equilibrium_is_that_of_the_oracle",
        waste_or_keep,
    ),
    Claim(
        "C45",
        "to mine, to donate and to buy are equivalent",
        "`next_spending` and the auction of `model/incentives/virtual_mining.py`",
        "test_virtual_mining.py::test_agents_bring_the_three_routes_to_one_price",
        three_routes,
    ),
    Claim(
        "C46",
        "that new chains give 10 % and 10 % to holders holds as a custom, like a tip",
        "`Norm` of `model/incentives/consensus.py`",
        "test_virtual_mining.py::test_the_norm_holds_from_a_boost_of_a_quarter_on",
        social_norm,
    ),
    Claim(
        "C47",
        "miners hold all of the voting power",
        "`weighted_median` of votes by work and by stake",
        "test_virtual_mining.py::test_mine_and_dump_miners_have_no_stake_to_vote_with",
        who_votes,
    ),
    Claim(
        "C65",
        "compare what each route costs, and watch for discrepancies in thin markets",
        "`route_spread`, `seen_gain`, `followed_gain`",
        "test_virtual_mining.py::test_to_compare_costs_gains_no_more_than_the_noise",
        compare_costs,
    ),
)
