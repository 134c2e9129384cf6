"""What including, filtering and enforcing cost in orphaned blocks, and what it takes to pay."""

from __future__ import annotations

from typing import Final, NamedTuple

from numba import njit
from scipy.optimize import brentq

from model.chain.patience import Patience
from model.chain.race import TipRule, race
from model.units import BLOCKS_PER_DAY

# Nobody plans for a race of more than a day; with a majority it needs no end.
_LONGEST_BELIEVED: Final = 144
# Rates per hash have limits as a share goes to nothing; this is as near as they are taken.
_LEAST_SHARE: Final = 1e-9


class Shares(NamedTuple):
    """How the hashrate is split among those who enforce, only filter, and include."""

    enforcing: float
    filtering: float
    including: float


class OrphanRates(NamedTuple):
    """Share of its blocks that each part of the hashrate loses."""

    enforcing: float
    filtering: float
    including: float


class SteadyState(NamedTuple):
    """What becomes of the blocks while offences keep coming.

    Attributes
    ----------
    orphaned : share of its blocks that each part of the hashrate loses.
    main_chain : share of the main chain that each part has.
    main_chain_blocks : blocks of the main chain per block found.
    """

    orphaned: OrphanRates
    main_chain: Shares
    main_chain_blocks: float


class Bribes(NamedTuple):
    """What it costs per block to buy an inclusion, and to keep the enforcers enforcing.

    Attributes
    ----------
    users_btc : to an includer, so that an offence pays as well as a block without one.
    nation_btc : to all enforcers together, for the main-chain blocks that they lose.
    sustained : whether the censors' budget is the larger.
    """

    users_btc: float
    nation_btc: float
    sustained: bool


def shares_of(enforcing: float, filtering: float = 0.0) -> Shares:
    """The shares of the three parts, the rest of the hashrate including."""
    including = 1.0 - enforcing - filtering
    if not (enforcing >= 0.0 and filtering >= 0.0 and including >= -_LEAST_SHARE):
        raise ValueError(f"no hashrate has {enforcing} enforcing and {filtering} filtering")
    return Shares(enforcing, filtering, max(including, 0.0))


def believed_patience(patience: Patience, enforcing: float) -> Patience:
    """The patience that a miner reckons with: no race is planned for longer than a day.

    Enforcers who never give up have no steady state unless they are a majority.
    """
    if patience.kind == "confirmations" or (patience.kind == "inf" and enforcing > 0.5):
        return patience
    blocks = patience.blocks if patience.kind == "lag" else _LONGEST_BELIEVED
    return Patience("lag", min(blocks, _LONGEST_BELIEVED))


def offence_chance(arrivals_day: float, including: float) -> float:
    """Chance that a block of an includer holds a forbidden transaction.

    Parameters
    ----------
    arrivals_day : forbidden transactions a day, a Poisson process; every includer takes all.
    including : share of the hashrate that includes.

    Notes
    -----
    Includers' blocks are a Poisson process too, so what comes first, a transaction or the next
    such block, is a race of the two rates.
    """
    if not (arrivals_day >= 0.0 and 0.0 <= including <= 1.0 and arrivals_day + including > 0.0):
        raise ValueError(f"no chance with {arrivals_day} a day and a share of {including}")
    arrivals = arrivals_day / BLOCKS_PER_DAY
    return arrivals / (arrivals + including)


def orphan_rates(
    shares: Shares, patience: Patience, offending: float = 1.0, tip: TipRule = "heaviest"
) -> OrphanRates:
    """Share of its blocks that each part of the hashrate loses while offences keep coming.

    Parameters
    ----------
    shares : of the three parts; that of one that nobody has is the limit for the first to join.
    patience : of the enforcers.
    offending : chance that a block of an includer, outside a race, offends.
    tip : on which tip the others build.

    Notes
    -----
    A renewal argument: blocks until an offence, then a race, then afresh.  Filterers build on
    the heaviest tip, so they lose what they have put on an offending block.
    """
    if not 0.0 <= offending <= 1.0:
        raise ValueError(f"a chance lies between 0 and 1, not at {offending}")
    per_hash = losses_per_hash(shares.enforcing, patience, tip)
    return OrphanRates(*rates_kernel(*per_hash, shares.including * offending, offending))


def losses_per_hash(
    enforcing: float, patience: Patience, tip: TipRule = "heaviest"
) -> tuple[float, float, float, float]:
    """What one race costs: its events, chance to lose, and losses per hash of both branches.

    Returns
    -------
    events, won : of the race
    enforcer, other : blocks orphaned per race and share of the hashrate on either branch
    """
    if patience.kind == "inf" and enforcing <= 0.5:
        raise ValueError("without a majority, enforcers who never give up have no steady state")
    inside = min(max(enforcing, _LEAST_SHARE), 1.0 - _LEAST_SHARE)
    found = race(inside, patience, tip)
    return (
        found.events,
        found.won,
        found.enforcers_orphaned / inside,
        found.others_orphaned / (1.0 - inside),
    )


@njit(cache=True)
def rates_kernel(
    events: float,
    won: float,
    enforcer: float,
    other: float,
    offences: float,
    offending: float,
) -> tuple[float, float, float]:
    """The fields of `OrphanRates`, from `losses_per_hash` and offences per block outside races."""
    races = offences / (1.0 + offences * events)
    first = offending * won / (1.0 + offences * events)
    # Rounding may carry the last sum past one.
    return races * enforcer, races * other, min(first + races * other, 1.0)


def steady_state(
    shares: Shares, patience: Patience, offending: float = 1.0, tip: TipRule = "heaviest"
) -> SteadyState:
    """What becomes of the blocks of the three parts while offences keep coming.

    Parameters are those of `orphan_rates`.
    """
    orphaned = orphan_rates(shares, patience, offending, tip)
    kept = [share * (1.0 - lost) for share, lost in zip(shares, orphaned, strict=True)]
    total = sum(kept)
    return SteadyState(orphaned, Shares(*(part / total for part in kept)), total)


def tipping_share(patience: Patience, tip: TipRule = "heaviest") -> float:
    """Enforcing share above which a block on the enforcers' tip is safer than on the heaviest.

    It depends neither on how many include nor on how often they offend: both losses grow with
    the number of races alone.  Above it, who has no reason to include does best to enforce.
    """
    if patience.kind == "inf":
        return 0.5
    low, high = _LEAST_SHARE, 1.0 - _LEAST_SHARE
    if not _enforcer_excess(high, patience, tip) < 0.0:
        raise ValueError("enforcers so impatient never cost the others more than themselves")
    return float(brentq(_enforcer_excess, low, high, args=(patience, tip), xtol=1e-12))


def _enforcer_excess(enforcing: float, patience: Patience, tip: TipRule) -> float:
    _, _, enforcer, other = losses_per_hash(enforcing, patience, tip)
    return enforcer - other


def enforcing_subsidy_btc_day(
    shares: Shares,
    patience: Patience,
    reward_btc: float,
    *,
    retargeted: bool,
    offending: float = 1.0,
) -> float:
    """What a nation must pay the enforcers a day for what enforcing loses them; 0 if it gains.

    Parameters
    ----------
    shares, patience, offending : as in `orphan_rates`.
    reward_btc : subsidy and transaction fees of a block.
    retargeted : whether difficulty has fallen with the orphans, so that the main chain grows by
        144 blocks a day again; before that, 144 blocks are found and some are orphaned.
    """
    state = steady_state(shares, patience, offending)
    if retargeted:
        lost = max(shares.enforcing - state.main_chain.enforcing, 0.0)
    else:
        lost = shares.enforcing * state.orphaned.enforcing
    return BLOCKS_PER_DAY * reward_btc * lost


def premium_needed(rates: OrphanRates, ideology: float = 0.0) -> float:
    """Premium of forbidden transactions, in block rewards, from which including beats filtering.

    Parameters
    ----------
    rates : of the three parts.
    ideology : what including is worth to the miner beside its revenue, in block rewards.
    """
    if rates.including >= 1.0:
        return float("inf")
    return (1.0 - rates.filtering - ideology) / (1.0 - rates.including) - 1.0


def bribes(
    shares: Shares,
    patience: Patience,
    reward_btc: float,
    *,
    nation_budget_btc: float,
    users_budget_btc: float,
) -> Bribes:
    """What users and a nation must pay per block, and who has the longer purse.

    Parameters
    ----------
    shares : of the three parts; every block of an includer offends.
    patience : of the enforcers, as miners believe it.
    reward_btc : subsidy and transaction fees of a block.
    nation_budget_btc, users_budget_btc : what either side can spend per block.
    """
    believed = believed_patience(patience, shares.enforcing)
    # A lone offence risks its own block, and filterers hardly ever meet a race.
    lone = OrphanRates(0.0, 0.0, race(shares.enforcing, believed).won)
    state = steady_state(shares, believed)
    lost = max(shares.enforcing - state.main_chain.enforcing, 0.0)
    return Bribes(
        users_btc=reward_btc * premium_needed(lone),
        nation_btc=reward_btc * lost,
        sustained=nation_budget_btc > users_budget_btc,
    )
