"""Political claims of the founding essay about directives, from runs and from the race itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from model.chain.censorship import Shares, orphan_rates, tipping_share
from model.chain.coin_values import holders
from model.chain.patience import Patience
from model.chain.races import race_keys, split_by_walk
from model.metrics import wilson_interval
from model.units import BLOCKS_PER_DAY, DAYS_PER_MONTH
from study.claim import Claim, Finding, Results, interval, verdict
from study.claims_chain import NEVER, SIX, word
from study.experiments import Course

WALKS = 200


def counted(hits: int, runs: int) -> str:
    """A count with its 95 % interval (Wilson)."""
    low, high = wilson_interval(hits, runs)
    return f"{hits}/{runs} [{low:.2f}, {high:.2f}]"


def classes(courses: Sequence[Course]) -> str:
    """How often runs ended in each class."""
    found = Counter(course.ended["class"] for course in courses)
    return ", ".join(f"{name} {counted(n, len(courses))}" for name, n in sorted(found.items()))


def passed(courses: Sequence[Course], milestone: str) -> int:
    """How many runs passed a milestone."""
    return sum(milestone in course.ended["first_passage"] for course in courses)


def days_to(courses: Sequence[Course], milestone: str) -> list[int]:
    """Days from the directive to a milestone, in the runs that passed it."""
    dates = [course.ended["first_passage"] for course in courses]
    return [
        (date.fromisoformat(each[milestone]) - date.fromisoformat(each["directive"])).days
        for each in dates
        if milestone in each
    ]


def whims_of_regimes(results: Results) -> Finding:
    """What becomes of the chain when whoever has most of the hashrate orders it to censor."""
    names = ("sixty percent", "made in the USA", "China orders")
    ruled = [results[name] for name in names]
    stand_by, quarter = results["sixty percent, no fork"], results["a quarter"]
    complied = [passed(runs, "all_comply") == len(runs) for runs in ruled]
    leave = [course for runs in ruled for course in runs if course.ended["base"] is not None]
    months = [day / DAYS_PER_MONTH for runs in ruled for day in days_to(runs, "split")]
    groups = holders()
    minds = float((groups.weight * groups.freedom).sum())
    return Finding(
        verdict(all(complied) and not leave, not any(complied)),
        f"USA with 60 %: {classes(ruled[0])}; paid for to come home: {classes(ruled[1])}; China "
        f"in 2020: {classes(ruled[2])}; all miners complied first in "
        f"{sum(passed(runs, 'all_comply') for runs in ruled)} of {sum(map(len, ruled))}; users who "
        f"stand by: {classes(stand_by)}; a quarter: {classes(quarter)}",
        "on users, whoever gives the order: a majority (below one half: a split) drives what is "
        "mined until users fork to a new algorithm, "
        f"{min(months):.0f} to {max(months):.0f} months later; they do if a tenth of the value "
        f"asks (assumed), up to {minds:.2f} of it",
    )


def outsiders_must_censor(results: Results) -> Finding:
    """Whether miners whom no law reaches comply, by how much of the hashrate is told."""
    sixty, quarter = results["sixty percent"], results["a quarter"]
    maps = results["a quarter, three maps"]
    days = days_to(sixty, "all_comply")
    within = f" at most {max(days)} days later" if any(days) else " on the day" if days else ""
    filters = orphan_rates(Shares(0.60, 0.20, 0.20), NEVER).filtering
    patient = [tipping_share(Patience("lag", lag)) for lag in (2, 6, BLOCKS_PER_DAY)]
    all_do, none_does = passed(sixty, "all_comply"), passed(quarter, "all_comply")
    return Finding(
        verdict(all_do == len(sixty) and none_does == 0, all_do == 0),
        f"beside 60 % all hashrate complies{within} in {counted(all_do, len(sixty))} runs (law "
        f"reaches sites, seats and pools); beside a quarter, told by site, in "
        f"{counted(none_does, len(quarter))}, told by site, seat and pool in "
        f"{counted(passed(maps, 'all_comply'), len(maps))}; who only filters beside 60 % loses "
        f"{filters:.0%} of its blocks: outsiders must enforce too",
        "on a majority told: it tips where 0.50 enforce and never give up, at "
        f"{word(patient, '.3f')} if they give up 2, 6, 144 blocks behind; with pools "
        "and seats a quarter by site may already be one",
    )


def compliant_must_fork_away(results: Results) -> Finding:
    """How often a minority that enforces ends on a coin of its own."""
    site, maps = results["a quarter"], results["a quarter, three maps"]
    left = [sum(course.ended.get("split_by") == "miners" for course in runs)
            for runs in (site, maps)]  # fmt: skip
    heavier = sum(course.ended.get("original_rules") == "compliant" for course in site)
    keys, shares = race_keys(1, WALKS), (0.49, 0.505, 0.52)
    chances = [split_by_walk(share, NEVER, keys).chance for share in shares]
    six = split_by_walk(0.25, SIX, keys).chance
    after = interval([course.ended["free_coin_value_share_after_1_years"] for course in site])
    return Finding(
        verdict(left[0] == len(site) and heavier == 0, left[0] == 0),
        f"told by site, miners split the chain in {counted(left[0], len(site))} runs, after "
        f"{max(days_to(site, 'split'))} days, told by site, seat and pool in "
        f"{counted(left[1], len(maps))}; with {word(shares, 'g')} enforcing the chance within a "
        f"year is {word(chances)}; but the compliant coin has {1 - after.mean:.2f} of the value "
        f"after a year and by mid-2030 the more work in {heavier}/{len(site)}",
        f"on patience without end (6 blocks behind: {six:.2f}) and a share below 0.505; that it is "
        "the compliant coin which leaves holds while it has less work: profit takes hashrate to "
        "the dearer coin",
    )


def machines_left_behind(results: Results) -> Finding:
    """What a fork to a new algorithm takes from those who own today's machines."""
    forked, whole = results["sixty percent"], results["sixty percent, no fork"]
    pairs = list(zip(forked, whole, strict=True))
    price = interval([one.monthly["price"][-1] / two.monthly["price"][-1] for one, two in pairs])
    opening = interval([course.ended["free_share"] for course in forked])
    return Finding(
        verdict(price.high < 1.0, price.low > 1.0),
        "old machines have no hashrate on the new coin; where users fork (after the directive at "
        f"60 %) the price of the coin they can mine is {price.mean:.2f} [{price.low:.2f}, "
        f"{price.high:.2f}] of what it is where they do not, by mid-2030",
        "by construction; what it costs hangs on who holds: here the free coin has "
        f"{opening.mean:.2f} of the value",
    )


CLAIMS = (
    Claim(
        "C01", "whatever regime has most of the miners drives mining, and bitcoin, by its whims",
        "directives, users' forks, `model/chain/outcome.py`",
        "test_politics.py::test_a_majority_that_enforces_captures_the_chain",
        whims_of_regimes,
        ("sixty percent", "made in the USA", "China orders", "sixty percent, no fork", "a quarter"),
    ),
    Claim(
        "C02", "even miners outside the USA would have to censor",
        "`agents/complying.py`, `tipping_share`",
        "test_compliance.py::test_a_majority_that_never_gives_up_makes_all_comply_at_once",
        outsiders_must_censor, ("sixty percent", "a quarter", "a quarter, three maps"),
    ),
    Claim(
        "C05", "below one half it is the compliant bitcoin that would have to fork away",
        "block tree, `model/splitting.py`",
        "test_politics.py::test_a_minority_that_enforces_ends_on_a_coin_of_its_own",
        compliant_must_fork_away, ("a quarter", "a quarter, three maps"),
    ),
    Claim(
        "C09", "a new algorithm makes all existing machines worthless on the free coin",
        "`usable_hashrate` of `model/chain/forks.py`, `mine_apart`",
        "test_splitting.py::test_old_machines_have_no_hashrate_on_a_new_algorithm",
        machines_left_behind, ("sixty percent", "sixty percent, no fork"),
    ),
)  # fmt: skip
