"""Political claims of the founding essay about nations' interest in neutrality, in closed form."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from model.atlas import load_atlas
from model.markets.price import flow_impact
from model.neutrality import Discount, neutrality
from model.statecraft.contest import Contest, contest, outcome, payoffs
from model.statecraft.defence import (
    defence_contest,
    defence_threshold_yr,
    defend_alone,
    defend_together,
    hegemon_cap,
)
from model.statecraft.dominance import settle
from model.statecraft.reserves import blacklist_risk, dump_fraction, expected_loss
from model.units import BLOCKS_PER_DAY, DAYS_PER_YEAR
from study.claim import Claim, Finding, FloatArray, Results, verdict
from study.claims_chain import word
from study.claims_costs import REWARD_BTC, flip

DISCOUNT = Discount()
NONE = Discount(depth=0.0)
MARKUP = 0.4
ISSUANCE_BTC_YR = BLOCKS_PER_DAY * DAYS_PER_YEAR * REWARD_BTC
# One leader with cheap hashrate and four followers, by cost.
LEADER_COSTS = (0.5, 1.2, 1.2, 1.2, 1.2)
MARKET_COINS_BTC, LARGE_HOLDERS = 19.3e6, 0.04
DUMPED_BTC = 200e3


def five_states(own_yr: float, others_yr: float, discount: Discount = DISCOUNT) -> Contest:
    """A leader and four followers who may mine, with coins in years of issuance."""
    return contest(
        LEADER_COSTS, 3.0, reserves_btc=[own_yr, *[others_yr] * 4], tax=0.0, discount=discount
    )


def at_rest(game: Contest) -> FloatArray:
    """Hashrates where best responses rest."""
    return np.asarray(settle(game, np.full(game.most.size, 0.1)).profile)


def everyone_loses(_: Results) -> Finding:
    """What each of five states gains where one dominates, and where it holds back."""
    game = five_states(0.0, 0.0)
    profiles = at_rest(game), at_rest(five_states(0.0, 0.0, NONE))
    shares = [profile[0] / profile.sum() for profile in profiles]
    rest, dominated = (payoffs(game, profile) for profile in profiles)
    prices = [outcome(game, profile).neutrality for profile in profiles]
    depth = brentq(lambda d: _all_or_cap(0.0, d), 0.3, 0.9)
    coins = brentq(lambda yr: _all_or_cap(yr, DISCOUNT.depth), 0.0, 0.1)
    strategic = bool((dominated < rest).all())
    return Finding(
        verdict(strategic and hegemon_cap(0.0) < 0.5, not strategic),
        f"of five states without coins the leader has {shares[0]:.2f} of the hashrate at rest and "
        f"{shares[1]:.2f} if it ignores the price, which then is {prices[1]:.2f} of a neutral "
        f"coin's, not {prices[0]:.2f}; the leader's yearly gain falls from {rest[0]:.3f} to "
        f"{dominated[0]:.3f} issues, the others' from {rest[1]:.3f} to {dominated[1]:.3f}",
        "on what the dominator pays: that the price falls is by construction (depth 0.6), and a "
        "nation whose firms mine at no cost to it loses nothing by having all, if it holds "
        f"fewer than {coins * ISSUANCE_BTC_YR:,.0f} coins (rent 0.1) and control destroys less "
        f"than {depth:.2f} of the price",
    )


def _all_or_cap(reserves_yr: float, depth: float) -> float:
    """What all of the hashrate is worth to a hegemon, less the best share below one half."""
    discount, shares = Discount(depth=depth), np.linspace(0.0, 0.5, 5001)
    best = neutrality(shares, discount) * (reserves_yr + 0.1 * shares)
    return float(neutrality(1.0, discount)) * (reserves_yr + 0.1) - float(np.max(best))


def others_defend(_: Results) -> Finding:
    """From how many coins on a nation mines at a loss to keep the coin neutral."""
    alone = defence_threshold_yr(MARKUP)
    several = {
        number: outcome(game, defend_alone(game, 1.0 / (number + 1)).profile).concentration
        for number, game in ((n, defence_contest([1.0] * n, MARKUP)) for n in (1, 2, 3))
    }
    pair = defence_contest([0.9 * alone] * 2, MARKUP)
    nobody = outcome(pair, defend_alone(pair, 0.0).profile).concentration
    allied = outcome(pair, defend_together(pair)).concentration
    depths = [defence_threshold_yr(MARKUP, Discount(depth=d)) for d in (0.1, 0.3, 0.9)]
    cost = MARKUP * 0.5 * float(neutrality(0.5, DISCOUNT))
    return Finding(
        verdict(alone < 0.1, alone > 10.0),
        f"a nation alone defends from {alone:.2f} years of issuance "
        f"({alone * ISSUANCE_BTC_YR:,.0f} coins) on, at a cost of {cost:.2f} issues a year; one, "
        f"two, three with a year's each bring the largest share to {word(list(several.values()))}; "
        f"two with 0.9 of the threshold leave it at {nobody:.2f}, as allies bring it to "
        f"{allied:.2f}",
        f"on coins, markup and discount: the threshold is {alone / MARKUP:.2f} years times the "
        f"markup (0.4 assumed), {word(depths)} years where control destroys 0.1, 0.3, 0.9 of the "
        "price; of the states of 2025 the USA and China hold more; below it each waits for others",
    )


def hegemon_restrains_itself(_: Results) -> Finding:
    """The share at which the USA do best to stop their own miners."""
    held = _coins("USA") / ISSUANCE_BTC_YR
    caps = [hegemon_cap(reserves) for reserves in (0.0, 0.1, held)]
    least = brentq(lambda yr: _all_or_cap(yr, DISCOUNT.depth), 0.0, 0.1)
    depth = brentq(lambda d: _all_or_cap(held, d), 0.01, 0.5)
    dear = brentq(lambda rent: _all_for_rent(held, rent), 0.1, 100.0)
    return Finding(
        verdict(caps[2] < 0.5, caps[2] > 0.5),
        f"with {_coins('USA'):,.0f} coins ({held:.2f} years of issuance) the USA do best with "
        f"{caps[2]:.2f} of the hashrate, with a tenth of a year {caps[1]:.2f}, without any "
        f"{caps[0]:.2f}",
        f"on coins: from {least * ISSUANCE_BTC_YR:,.0f} on at a rent of 0.1 issues a year for all "
        f"hashrate; with what they hold it flips where control destroys less than {depth:.2f} of "
        f"the price or the rent passes {dear:.0f} issues",
    )


def _all_for_rent(reserves_yr: float, rent_yr: float) -> float:
    return _all_or_cap(0.1 * reserves_yr / rent_yr, DISCOUNT.depth)


def _coins(nation: str) -> float:
    """Coins that a nation held in 2025."""
    atlas = load_atlas()
    return float(atlas.means.reserves_btc[atlas.nations.row(nation)])


def dumped_part(nation: str, american_templates: float) -> float:
    """Part of its coins that a nation sells in a quarter, by the USA's share of templates."""
    atlas = load_atlas()
    shares = np.zeros(len(atlas.relations))
    shares[atlas.nations.row("USA")] = american_templates
    risk = blacklist_risk(atlas.relations.alliances, shares, atlas.relations.sanctions)
    return float(dump_fraction(expected_loss(risk[atlas.nations.row(nation)])))


def templates_for(part: float, nation: str = "RUS") -> float:
    """American share of templates at which a nation sells a part of its coins in a quarter."""
    return flip(lambda share: dumped_part(nation, share) - part, 0.2, 0.9)


def russia_dumps(_: Results) -> Finding:
    """What Russia would sell as the USA come to make more of the templates."""
    shares = (0.40, 0.45, 0.50, 0.60)
    sold = [dumped_part("RUS", share) for share in shares]
    china = dumped_part("CHN", 1.0)
    first, half = (templates_for(part) for part in (1e-6, 0.5))
    shift = 1.0 - np.exp(-flow_impact(DUMPED_BTC))
    return Finding(
        verdict(sold[2] > 0.99, dumped_part("RUS", 1.0) < 0.5),
        f"where the USA make {word(shares)} of the templates Russia sells {word(sold)} of what it "
        f"holds in a quarter, China {china:.2f} even where they make all; 200,000 coins sold at "
        f"once move the price by {shift:.1%}",
        f"on templates and on enmity (tie -0.7, sanctions 0.8: assumptions): it begins at a share "
        f"of {first:.2f}, which the USA of 2025 about have, and is half in a quarter at "
        f"{half:.2f}; Russia holds no coins in the tables",
    )


def large_holders_defend(_: Results) -> Finding:
    """Whether a holder who is no nation would mine at a loss."""
    held = LARGE_HOLDERS * MARKET_COINS_BTC
    years = held / ISSUANCE_BTC_YR
    alone = defence_threshold_yr(MARKUP) * ISSUANCE_BTC_YR
    parts = (1, 4, 9, 10)
    reached = [_largest_share(years / n, n) for n in parts]
    markup = years / defence_threshold_yr(1.0)
    return Finding(
        verdict(reached[-1] < 0.6, reached[0] > 0.6),
        f"a holder alone defends from {alone:,.0f} coins on; large holders with 4 % of the market "
        f"({held:,.0f} coins, assumed) as {word(parts, 'd')} holders bring the largest share from "
        f"1 to {word(reached)}",
        f"on how many they are: more than {int(held / alone)} alike begin nothing unless allied; "
        f"as one they would bear a markup up to {markup:.1f} (0.4 assumed)",
    )


def _largest_share(each_yr: float, several: int) -> float:
    """Largest share once holders have replied who all began with nothing."""
    game = defence_contest([each_yr] * several, MARKUP)
    return float(outcome(game, defend_alone(game, 0.0).profile).concentration)


CLAIMS = (
    Claim(
        "C33", "everyone loses when anyone dominates",
        "discount of the price, `payoffs` of `model/statecraft/contest.py`",
        "test_dominance.py::test_the_leader_restrains_itself_even_without_reserves",
        everyone_loses,
    ),
    Claim(
        "C34", "other nations begin to mine at a loss to keep mining decentralised",
        "`model/statecraft/defence.py`",
        "test_defence.py::test_thresholds_in_closed_form_and_by_search",
        others_defend,
    ),
    Claim(
        "C35", "the USA themselves should not want their miners to win",
        "`hegemon_cap`", "test_defence.py::test_a_hegemon_with_reserves_caps_its_own_miners",
        hegemon_restrains_itself,
    ),
    Claim(
        "C36", "Russia would dump its coins for another asset",
        "`blacklist_risk`, `dump_fraction` of `model/statecraft/reserves.py`",
        "test_statecraft.py::test_more_templates_of_an_adversary_never_sell_fewer_coins",
        russia_dumps,
    ),
    Claim(
        "C54", "large holders would begin to mine at a loss too",
        "holders in `model/statecraft/defence.py`",
        "test_defence.py::test_a_large_holder_defends_by_the_same_rule_as_a_nation",
        large_holders_defend,
    ),
)  # fmt: skip
