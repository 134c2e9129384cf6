"""Political claims of the founding essay about nations that only runs of the model can measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq

from model.neutrality import Discount, neutrality
from model.statecraft.contest import outcome
from model.statecraft.defence import defence_contest, defend_alone, hegemon_cap
from model.statecraft.dominance import settle
from model.statecraft.netback import mines_at_a_loss, netback_usd_mwh
from model.statecraft.reserves import buy_fraction
from study.claim import Claim, Finding, Interval, Results, interval, verdict
from study.claims_chain import word
from study.claims_costs import POWER_USD_MWH, flip
from study.claims_defence import (
    DISCOUNT,
    ISSUANCE_BTC_YR,
    NONE,
    five_states,
    templates_for,
)
from study.experiments import Course, by_sign, mean_at, noise, paired

WORLD_USD_MWH, LIFT_USD_MWH = 60.0, 10.0
RUSSIA, IRAN = 0.7, 0.9  # sanctions, as a share of trade
END_OF_2028 = 44 / 12  # years after April 2025


def bracketed(found: Interval, form: str = ".2f") -> str:
    """Mean and interval in words."""
    return f"{found.mean:{form}} [{found.low:{form}}, {found.high:{form}}]"


def seeds(courses: Sequence[Course], name: str, year: float) -> Interval:
    """Mean over seeds of a series over the year up to some year."""
    return interval([course.over_year(name, year) for course in courses])


# Under sanctions


def netback(sanctions: float) -> float:
    """What a nation earns with its energy where it does not mine, USD/MWh."""
    return float(netback_usd_mwh(sanctions, WORLD_USD_MWH, LIFT_USD_MWH))


def states_mine_at_a_loss(results: Results) -> Finding:
    """Whether states mine where whoever pays for the power would not, and how much."""
    with_it, without = results["sanctioned energy"], results["five years"]
    gained = paired(with_it, without, "sanctioned", 5.0)
    opened = interval([one.at("stranded_mw", 0) - one.at("stranded_mw", 5) for one in with_it])
    margins = np.array([course.monthly["margin_usd_mwh"] for course in with_it])
    energy = netback(RUSSIA), netback(IRAN)
    months = [float(mines_at_a_loss(margins, at, POWER_USD_MWH).mean()) for at in energy]
    late = float(margins[:, -12:].mean())
    least = flip(lambda sanctions: late - netback(sanctions), 0.0, 0.83)
    holds, fails = by_sign(gained)
    return Finding(
        verdict(holds and min(months) > 0.5, fails or max(months) == 0.0),
        f"states open {opened.mean / 1e3:.1f} GW of energy that they cannot sell, and nations "
        f"under heavy sanctions have {mean_at(with_it, 'sanctioned', 5):.2f} of the hashrate after "
        f"five years, {gained.words()} by it; in {months[0]:.0%} of months new machines pay for "
        f"Russia's energy ({energy[0]:.0f} USD/MWh), in {months[1]:.0%} for Iran's "
        f"({energy[1]:.0f}), and not for power at {POWER_USD_MWH:.0f}",
        "on a poor hashprice: in the other months who pays for power gains too, and a state opens "
        "sites only where mining pays it more than selling (by construction); at the margin of "
        f"the fifth year, {late:.0f} USD/MWh, that takes {least:.2f} of trade kept "
        f"from the market (Russia {RUSSIA}, Iran {IRAN}: assumptions, as are the energy and its "
        "price)",
    )


def sanctioned_mining_checks_others(results: Results) -> Finding:
    """What American mining loses to states that mine under sanctions."""
    with_it, without = results["sanctioned energy"], results["five years"]
    site, listed, seat = (
        paired(with_it, without, name, 5.0) for name in ("usa", "usa_listed", "usa_seat")
    )
    hashrate = interval(
        [
            one.over_year("hashrate_ehs", 5.0) / two.over_year("hashrate_ehs", 5.0) - 1.0
            for one, two in zip(with_it, without, strict=True)
        ]
    )
    holds, fails = by_sign(site)
    return Finding(
        verdict(fails, holds),
        f"US share by site in the fifth year, with states' mining less without: {site.words()}, "
        f"of {mean_at(without, 'usa', 5):.2f}; by seat {seat.words()}; listed American firms "
        f"{listed.words()}; the network's hashrate {hashrate.words('+.1%')}",
        "sign by construction: that states may open 8 GW is assumed; its weight follows, on a "
        "price that rises 15 % a year; the network grows by it, so that others are pushed out "
        "only in part" + noise(listed, "what listed American firms lose"),
    )


def hold_what_cannot_be_frozen(results: Results) -> Finding:
    """What nations under heavy sanctions buy, and what they sell again."""
    race = results["race for reserves"]
    held = interval([course.at("sanctioned_btc", 5) for course in race])
    sold = [float(-np.minimum(np.diff(c.monthly["sanctioned_btc"]), 0.0).sum()) for c in race]
    bought = [
        float(np.maximum(np.diff(course.monthly["sanctioned_btc"]), 0.0).sum()) for course in race
    ]
    begins = [templates_for(1e-6, nation) for nation in ("RUS", "IRN")]
    made = seeds(race, "usa_templates", 5.0)
    parts = [float(buy_fraction(s, 0.0)) for s in (0.05, RUSSIA, IRAN)]
    kept = 1.0 - sum(sold) / sum(bought)
    return Finding(
        verdict(held.low > 0.0 and kept > 0.5, held.high <= 0.0),
        f"nations under heavy sanctions buy {np.mean(bought):,.0f} coins in five years and sell "
        f"{np.mean(sold):,.0f} of them again; they hold {bracketed(held, ',.0f')}; of what they "
        f"may spend (0.1 % of product, assumed) sanctions of {word((0.05, RUSSIA, IRAN))} put "
        f"{word(parts)} into coins",
        f"on who makes templates: Russia sells from an American share of {begins[0]:.2f} on, Iran "
        f"from {begins[1]:.2f}, and the USA make {bracketed(made)} in the fifth year; no buying "
        "below sanctions of 0.05 (another reserve's return, assumed)",
    )


# Dominance


def no_country_mines_a_majority(results: Results) -> Finding:
    """The largest share where states defend their coins, where none does, and in closed form."""
    race, nobody = results["race for reserves"], results["nobody defends"]
    with_it, without = (seeds(runs, "largest", 5.0) for runs in (race, nobody))
    paid = [course.over_year("largest", 5.0) for course in results["made in the USA"]]
    effect = paired(race, nobody, "largest", 5.0)
    over = [_years_over_half(runs) for runs in (race, nobody)]
    strategic, blind = (_leader(discount) for discount in (DISCOUNT, NONE))
    empty = defence_contest([0.0, 0.0], 0.4)
    alone = outcome(empty, defend_alone(empty, 0.0).profile).concentration
    return Finding(
        verdict(with_it.high < 0.5 < without.low, with_it.low > 0.5),
        f"in runs from 0.60 the largest share in the fifth year is {bracketed(with_it)}, where "
        f"nobody defends {bracketed(without)}, difference {effect.words()}, above one half for "
        f"{over[0]:.1f} and {over[1]:.1f} years; in closed form a cheap state holds back at "
        f"{strategic:.2f} ({blind:.2f} if blind to the price), firms alone go to {alone:.2f}",
        "on what sites abroad offer: the USA's share falls by itself as mining grows, so that no "
        "majority lasts in runs even if nobody defends; paid 30 USD/MWh it ends at "
        f"{min(paid):.2f} to {max(paid):.2f}; where hashrate can go anywhere it takes states that "
        "reckon with the price" + noise(effect, "what defence adds"),
    )


def _leader(discount: Discount) -> float:
    game = five_states(0.0, 0.0, discount)
    profile = settle(game, np.full(5, 0.1)).profile
    return float(profile[0] / profile.sum())


def _years_over_half(courses: Sequence[Course]) -> float:
    """Years in which one nation has most of the hashrate, mean over seeds."""
    return float(np.mean([(course.monthly["largest"] > 0.5).sum() / 12.0 for course in courses]))


def hash_wars(results: Results) -> Finding:
    """The largest share where dominance is prized, less where it is feared."""
    prized, feared = results["dominance prized"], results["race for reserves"]
    effect = paired(prized, feared, "largest", 5.0)
    held = 202_500.0 / ISSUANCE_BTC_YR
    caps = [hegemon_cap(held, prize_yr=prize) for prize in (0.0, 1.0)]
    turn = brentq(lambda prize: _above_half(held, prize), 0.0, 5.0)
    defends = [
        float(np.mean([course.ended["told"].get("defence", 0) for course in runs]))
        for runs in (prized, feared)
    ]
    holds, fails = by_sign(effect)
    return Finding(
        verdict(holds and caps[1] > 0.5 > caps[0], fails),
        f"with their coins the USA do best at {caps[0]:.2f} of the hashrate, just above "
        f"{caps[1]:.2f} if a majority is worth an issue a year; in runs the largest share in the "
        f"fifth year is {mean_at(prized, 'largest', 5):.2f} where dominance is prized, "
        f"{effect.words()} against where it is feared; states begin or end payments for "
        f"mining {defends[0]:.0f} and {defends[1]:.0f} times",
        f"on the prize: {turn:.2f} issues a year undo the restraint of the USA; a state pays for "
        "mining up to 40 % of the power price (assumed), which moves little in five years"
        + noise(effect, "that it shows"),
    )


def _above_half(reserves_yr: float, prize_yr: float) -> float:
    """What just above half is worth to a hegemon, less the best share below."""
    shares = np.linspace(0.0, 0.5, 5001)
    below = float(np.max(neutrality(shares, DISCOUNT) * (reserves_yr + 0.1 * shares)))
    half = float(neutrality(0.5, DISCOUNT)) * (reserves_yr + 0.05)
    return half + prize_yr - below


def sixty_percent_by_2028(results: Results) -> Finding:
    """The USA's share of 2028 from the state of 2025, by site, seat, listing and templates."""
    runs, paid = results["from 2025"], results["made in the USA"]
    maps = ("usa", "usa_seat", "usa_listed", "usa_templates")
    site, seat, listed, templates = (seeds(runs, name, END_OF_2028) for name in maps)
    most = max(course.over_year("usa", END_OF_2028) for course in runs)
    seats = max(course.over_year("usa_seat", END_OF_2028) for course in runs)
    helped = seeds(paid, "usa", END_OF_2028)
    steady = seeds(results["five years"], "usa", END_OF_2028)
    return Finding(
        verdict(site.low > 0.6, most < 0.6 and seats < 0.6),
        f"US share of the hashrate in 2028, from {mean_at(runs, 'usa', 0):.2f}: by site "
        f"{bracketed(site)}, at most {most:.2f}; by seat of the owner {bracketed(seat)}, at most "
        f"{seats:.2f}; listed there {bracketed(listed)}; by templates {bracketed(templates)}; on "
        f"a price that rises 15 % a year by site {bracketed(steady)}",
        "on a state that pays: with 0.75 at the start and 30 USD/MWh paid it is "
        f"{bracketed(helped)} by site; the start (0.36) is assumed; "
        f"{len(runs)} seeds of a random price",
    )


CLAIMS = (
    Claim(
        "C31", "a state under sanctions may mine at a loss, as Iran and Russia do",
        "`model/statecraft/netback.py`, `mine_stranded_energy`",
        "test_statecraft.py::test_a_state_under_sanctions_mines_where_a_private_miner_would_not",
        states_mine_at_a_loss, ("sanctioned energy", "five years"),
    ),
    Claim(
        "C32", "mining under sanctions checks the advance of American firms",
        "`mine_stranded_energy` of `agents/governing.py`",
        "test_governing.py::test_the_share_mined_rises_with_sanctions_and_others_are_pushed_out",
        sanctioned_mining_checks_others, ("sanctioned energy", "five years"),
    ),
    Claim(
        "C37", "the USA will mine no more than leaves every country, itself too, below a majority",
        "`agents/guarding.py`, `model/statecraft/dominance.py`",
        "test_dominance.py::test_no_nation_mines_a_majority_when_states_are_strategic",
        no_country_mines_a_majority, ("race for reserves", "nobody defends", "made in the USA"),
    ),
    Claim(
        "C38", "60 % of the hashrate in the USA by 2028",
        "the whole model from April 2025",
        "test_claims_politics.py::test_american_hashrate_is_counted_by_site_seat_and_templates",
        sixty_percent_by_2028, ("from 2025", "made in the USA", "five years"),
    ),
    Claim(
        "C55", "nations under sanctions buy and hold what cannot be frozen",
        "`buy_fraction`, `plan_reserves`",
        "test_statecraft.py::test_reserves_rise_with_sanctions_and_fall_with_the_risk",
        hold_what_cannot_be_frozen, ("race for reserves",),
    ),
    Claim(
        "C56", "nations keep anyone from dominating, rather than race to dominate",
        "prize of dominance in `contest`",
        "test_dominance.py::test_a_race_for_dominance_ends_above_half_where_neutrality_ends_below",
        hash_wars, ("dominance prized", "race for reserves"),
    ),
)  # fmt: skip
