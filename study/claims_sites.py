"""Economic claims about sites and margins that only runs of the model can measure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.markets import sunshine
from study.claim import Claim, Finding, FloatArray, Interval, Results, interval, verdict
from study.claims_costs import flip, hashprice, of_kind, world_of_cells
from study.experiments import SUPERCHEAP_USD_MWH, Course, by_sign, mean_at, noise, paired
from study.static_limit import Limit, equilibrium, mining_cells

SUBSTANTIAL = 0.1  # part of the hashrate


def behind_the_meter(results: Results) -> Finding:
    """Share behind the meter over time, and where wires cost twice as much."""
    usual, dear = results["steady rise"], results["wires twice"]
    rise = interval(
        [course.at("behind_meter", 10) - course.at("behind_meter", 0) for course in usual]
    )
    wires = paired(dear, usual, "behind_meter", 10.0)
    cells = world_of_cells()

    def limit_share(scale: float) -> float:
        rows, power = mining_cells(cells, replace(Limit(), transmission_scale=scale))
        return float(power[~cells.on_grid[rows]].sum() / power.sum())

    half = flip(lambda scale: limit_share(scale) - 0.5, 0.0, 2.0)
    bound = f"from charges x{half:.2f} on" if np.isfinite(half) else "even without any charge"
    shares = ", ".join(f"{limit_share(scale):.2f}" for scale in (0.0, 1.0, 2.0))
    more, less = by_sign(rise)
    return Finding(
        verdict(more and wires.low > 0.0, less),
        f"in ten years from {mean_at(usual, 'behind_meter', 0):.2f} to "
        f"{mean_at(usual, 'behind_meter', 10):.2f} ({rise.words()}); wires twice as dear: "
        f"{wires.words()}; static limit at wires x0, x1, x2: {shares}",
        "on dear wires only in part: it rises at today's charges, for where cheap power is "
        "found; in "
        f"the static limit it is above one half {bound}"
        + noise(wires, "that dearer wires add to it"),
    )


def computation_outbids(results: Results) -> Finding:
    """Share of large sites with and without AI bidders, in the limit and in runs."""
    cells = world_of_cells()
    with_ai, without = (
        equilibrium(cells, replace(Limit(), ai_bidders=bid)).over_100mw for bid in (True, False)
    )
    lost = paired(results["without AI"], results["five years"], "over_100mw", 5.0)
    holds, fails = by_sign(lost)
    return Finding(
        verdict(holds and without > with_ai, fails),
        f"hashrate at sites above 100 MW in the static limit {without:.3f} without AI bidders, "
        f"{with_ai:.3f} with; in runs after five years, without less with: {lost.words()}, of "
        f"{mean_at(results['without AI'], 'over_100mw', 5):.2f}",
        "by construction of the bidder (it takes half as many sites as at most at 50 MW and pays "
        "far above the power price); how much is left to miners follows",
    )


def follows_the_sun(results: Results) -> Finding:
    """Spare sunshine against the hours a machine needs, and what follows the sun in runs."""
    needs = {"new": (16.0, 17.5, 4.0), "used": (7.0, 21.5, 3.0), "old": (3.0, 29.5, 2.0)}
    least = {
        name: float(sunshine.least_duty(price, joules, years, 0.12, hashprice()))
        for name, (price, joules, years) in needs.items()
    }
    hours = {curtailed: sunny_hours(curtailed) for curtailed in (0.0, 0.03, 0.15)}
    enough = flip(lambda part: sunny_hours(0.15, part) - least["new"], 0.01, 0.5)
    usual, sunnier = (
        interval([course.at("sunny", 10) for course in results[name]])
        for name in ("steady rise", "more sun")
    )
    most = [course.at("sunny", 10) for runs in results.values() for course in runs]
    cells = world_of_cells()
    rows, power = mining_cells(cells)
    sun = of_kind("btm_solar_wind", "home_solar")
    limit = float(power[sun[rows]].sum() / power.sum())
    return Finding(
        verdict(usual.low > SUBSTANTIAL, max(usual.high, sunnier.high) < SUBSTANTIAL),
        "least share of hours at free power and the hashprice of 2025-04: "
        f"{', '.join(f'{name} {duty:.2f}' for name, duty in least.items())}; a miner of a tenth "
        "of a plant at 30 degrees gets "
        f"{', '.join(f'{h:.2f} ({c:.0%} curtailed)' for c, h in hours.items())}; sunny sites "
        f"carry {usual.mean:.1%} [{usual.low:.1%}, {usual.high:.1%}] of the hashrate after ten "
        f"years, {sunnier.mean:.1%} [{sunnier.low:.1%}, {sunnier.high:.1%}] with twice the "
        f"curtailed sun and clocks free, {limit:.1%} in the static limit (new machines only)",
        "on written-off machines or much curtailed sun: clipping alone never carries a new "
        f"machine, 15 % curtailed does up to {enough:.0%} of the plant (spread evenly over the "
        "day, as the model has it); a substantial part is a tenth here, and no run has more than "
        f"{max(most):.1%}",
    )


def sunny_hours(curtailed: float, part: float = 0.1, latitude: float = 30.0) -> float:
    """Share of a clear year's energy that a miner of some part of a plant gets for nothing."""
    days = [
        np.minimum(
            sunshine.free_solar_share(latitude, 0.0, float(day), 1.3, curtailed), part
        ).mean()
        for day in range(1, 366, 7)
    ]
    return float(np.mean(days)) / part


PATHS = {
    "one price": "flat price",
    "steady rise": "15 % a year",
    "half a million": "500,000 USD",
}


def either_way(results: Results) -> Finding:
    """Share of hashrate at sites below 10 MW, whatever the price does."""
    found = {
        words: [
            interval([course.at("under_10mw", year) for course in results[name]])
            for year in (10.0, 19.75)
        ]
        for name, words in PATHS.items()
    }
    first = mean_at(results["one price"], "under_10mw", 0)
    rises = [words for words, (ten, _) in found.items() if ten.low > first]
    passes = [words for words, (_, twenty) in found.items() if twenty.low > 0.5]
    table = "; ".join(
        f"{words} {' and '.join(_bounds(each) for each in pair)}" for words, pair in found.items()
    )
    limit = [_small_in_limit(1.0, usd) for usd in (2e4, 8.3e4, 5e5)]
    flips = [
        flip(lambda lam, at=usd: _small_in_limit(lam, at) - 0.5, 0.0, 32.0)  # type: ignore[misc]
        for usd in (8.3e4, 5e5)
    ]
    return Finding(
        verdict(len(passes) == len(PATHS), not rises and not passes),
        f"hashrate at sites below 10 MW after 10 and 20 years, from {first:.2f}: {table}; static "
        f"limit at 20, 83, 500 thousand USD: {', '.join(f'{share:.2f}' for share in limit)}",
        f"on time, price and frictions: it rises on {len(rises)} of {len(PATHS)} paths and passes "
        f"one half within 20 years on {len(passes)} ({', '.join(passes) or 'none'}); in the "
        f"frictionless limit it is above one half until scale advantages are {flips[0]:.1f} times "
        f"as large ({flips[1]:.1f} times at 500,000 USD)",
    )


def _small_in_limit(scale_advantage: float, price_usd: float) -> float:
    """Share of the static limit's hashrate at sites below 10 MW."""
    terms = replace(Limit(), scale_advantage=scale_advantage, price_usd=price_usd)
    return equilibrium(world_of_cells(), terms).under_10mw


def _bounds(found: Interval) -> str:
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"


SHORT_MONTHS, LONG_MONTHS = 24.0, 48.0


def short_margins(results: Results) -> Finding:
    """Months until half of a doubled price's gain in hashprice is gone."""
    still = results["one price, five years"]
    grown, frozen = (
        [_half_life(*pair) for pair in zip(results[name], still, strict=True)]
        for name in ("doubled price", "doubled, maker frozen")
    )
    words = [
        f"{np.median(months):.0f} ({', '.join(_months(month) for month in sorted(months))})"
        for months in (grown, frozen)
    ]
    return Finding(
        verdict(max(grown) <= SHORT_MONTHS, min(grown) > LONG_MONTHS),
        f"a doubled price loses half of its gain in hashprice in {words[0]} months (median, "
        f"seeds), with the maker's capacity frozen in {words[1]}",
        f"on calling {np.median(grown):.0f} months short, on fabs that may grow, and on the "
        "halving of 2028, 36 months in, which ends the better times of many a machine; with free "
        "entry, one technology and no halving the closed form has 18 to 30 months to a half (the "
        "test)",
    )


def _gain(doubled: Course, still: Course) -> FloatArray:
    """What is left of a doubled price's gain in hashprice, by month."""
    months = doubled.monthly["hashprice"].size
    return np.asarray(doubled.monthly["hashprice"] / still.monthly["hashprice"][:months] - 1.0)


def _half_life(doubled: Course, still: Course) -> float:
    gain = _gain(doubled, still)[2:]
    below = np.flatnonzero(gain <= 0.5)
    return float(below[0] + 1) if below.size else float("inf")


def _months(months: float) -> str:
    return f"{months:.0f}" if np.isfinite(months) else "never in five years"


def supercheap_days_numbered(results: Results) -> Finding:
    """Cheap power at large sites over time, where mining grows and where it does not."""
    growing, flat = results["half a million"], results["one price"]
    falls = interval(
        [course.at("large_cheap", 10) - course.at("large_cheap", 0) for course in growing]
    )
    stays = interval(
        [course.at("large_cheap", 10) - course.at("large_cheap", 0) for course in flat]
    )
    contrast = paired(growing, flat, "large_cheap", 10.0)
    megawatts = interval(
        [course.at("large_cheap_gw", 10) - course.at("large_cheap_gw", 0) for course in growing]
    )
    bidders = paired(results["five years"], results["without AI"], "large_cheap", 5.0)
    gone = megawatts.high < 0.0
    return Finding(
        verdict(falls.high < 0.0 and gone, falls.low > 0.0),
        f"hashrate at sites above 100 MW at {SUPERCHEAP_USD_MWH:.0f} USD/MWh or less, ten years "
        f"on: {falls.words()} where the price goes to 500,000 USD and mining grows "
        f"({mean_at(growing, 'hashrate_ehs', 10):,.0f} EH/s), {stays.words()} where it stays "
        f"({mean_at(flat, 'hashrate_ehs', 10):,.0f} EH/s), growth less no growth "
        f"{contrast.words()}; in GW where it grows: {megawatts.words('+.1f')}; AI bidders: "
        f"{bidders.words()}",
        "on growth, and as a share only: where mining grows the share falls because the rest "
        "grows, while the power itself is not given up; where it does not grow the share rises"
        if megawatts.high >= 0.0 else "on growth: where mining does not grow the share rises",
    )  # fmt: skip


CLAIMS = (
    Claim(
        "C21", "mining moves behind the meter",
        "wires in the delivered price",
        "test_static_limit.py::test_distribution_falls_with_scale_advantage_and_rises_with_wires_and_gradient",
        behind_the_meter, ("steady rise", "wires twice"),
    ),
    Claim(
        "C24", "other computation outbids miners at large sites",
        "`win_probability`, `agents/leasing.py`",
        "test_firms.py::test_bidders_for_computation_win_large_sites",
        computation_outbids, ("five years", "without AI"),
    ),
    Claim(
        "C26", "a good part of the hashrate follows the sun, overclocked or on old machines",
        "`least_duty`, `free_solar_share` of `model/markets/sunshine.py`",
        "test_sunshine.py::test_only_depreciated_machines_live_on_a_solar_duty",
        follows_the_sun, ("steady rise", "more sun"),
    ),
    Claim(
        "C29", "whether the price stays, rises or leaps, mining ends up distributed",
        "static limit, sites and their prices",
        "test_static_limit.py::test_the_answer_flips_near_seven_and_a_half_times_the_scale_advantage",
        either_way, ("one price", "steady rise", "half a million"),
    ),
    Claim(
        "C30", "times of high margins are short",
        "`plan_output` of `model/markets/maker.py`",
        "test_hardware.py::test_margins_halve_in_two_years_and_free_entry_restores_the_hashprice",
        short_margins, ("one price, five years", "doubled price", "doubled, maker frozen"),
    ),
    Claim(
        "C58", "the days of very cheap power at large scale are numbered, if mining keeps growing",
        "size gradient, AI bidders, growth of sites",
        "test_firms.py::test_large_grid_sites_keep_to_the_room_of_their_nation",
        supercheap_days_numbered, ("half a million", "one price", "five years", "without AI"),
    ),
)  # fmt: skip
