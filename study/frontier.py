"""The central question: under which cost differences do small sites outweigh large ones?

    python -m study.frontier [--full] [--points N] [--effect-seeds N] [--workers W] [--out DIR]
    python -m study.frontier --static        only the frictionless long run
    python -m study.frontier --extremes      only the worlds in which size alone decides

The full model's sweep goes to DIR and is gone on with where it stopped. The tables are printed
and written to DIR/frontier.md, the figure to DIR, and to the folder given by --docs besides.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from model.complaint import ScenarioError
from study import full_frontier as full
from study import static_frontier as static
from study import sweep
from study.claim import Interval
from study.full_frontier import D_10, D_END, FULL, LAPTOP, Size
from study.logistic import Crossing
from study.sensitivity import passage_day
from study.static_frontier import of_shares
from study.static_limit import Limit

DAYS_PER_YEAR = 365.25
STATIC_SEEDS, STATIC_SEEDS_FULL = 4, 20
MOST_FACTORS = 8
EXTREME_SEEDS, EXTREME_YEARS = 6, 12


@dataclass(frozen=True)
class StaticAnswer:
    """What the static limit says.

    Attributes
    ----------
    lines : of even shares, computed point by point
    surfaces : the same by logistic surfaces, at transmission charges as tabled, by line
    unit_usd_mwh : cost difference of small sites at a multiplier of one
    screening, box : what matters in the plausible box, and how much of it small sites lose
    """

    lines: list[static.Line]
    surfaces: list[Crossing | None]
    unit_usd_mwh: float
    screening: static.Screening
    box: static.Plausible


@dataclass(frozen=True)
class FullAnswer:
    """What the full model says.

    Attributes
    ----------
    results, course : of the sweep: one row a run, and the monthly share of small sites
    effects : paired comparisons
    size : of the experiment
    """

    results: pl.DataFrame
    course: pl.DataFrame
    effects: list[full.Effect]
    size: Size


def static_answer(whole: bool, workers: int) -> StaticAnswer:
    """Compute the static limit's part."""
    seeds = STATIC_SEEDS_FULL if whole else STATIC_SEEDS
    lines = static.lines(seeds, workers)
    points = static.grid(seeds, workers)
    surfaces = []
    for line in lines:
        found = static.surface_crossings(points, line.price_usd, line.ai_bidders, (1.0,))
        surfaces.append(None if found is None else found[0])
    base = 4096 if whole else 1024
    return StaticAnswer(
        lines,
        surfaces,
        static.cost_difference_usd_mwh(static.world(0), Limit()),
        static.screening(20, base, workers),
        static.plausible_box(base, workers),
    )


def full_answer(size: Size, folder: Path, workers: int, anew: bool = False) -> FullAnswer:
    """Run the full model's part, or what is left of it."""
    results = full.priced(full.swept(size, folder, workers, anew))
    course = pl.read_parquet(folder / sweep.COURSE)
    effects = full.effects(size, workers) if size.effect_seeds else []
    return FullAnswer(results, course, effects, size)


# Tables


def static_table(answer: StaticAnswer) -> str:
    """Where shares are even in the static limit, what matters, and the verdict."""
    rows = [
        "| price, USD | AI bidders | multiplier of scale advantages at even shares | that is, "
        "USD/MWh | logistic surface, 90 % band | that is, USD/MWh |",
        "|---|---|---|---|---|---|",
    ]
    for line, surface in zip(answer.lines, answer.surfaces, strict=True):
        place = int(abs(line.transmission_scale - 1.0).argmin())
        value, spread = float(line.advantage[place]), float(line.spread[place])
        rows.append(
            f"| {line.price_usd:,.0f} | {'yes' if line.ai_bidders else 'no'} | "
            f"{_even(value, spread)} | {_usd(value, answer.unit_usd_mwh)} | "
            f"{_band(surface)} | {_band(surface, answer.unit_usd_mwh)} |"
        )
    return "\n".join([*rows, "", box_words(answer.box), "", screening_table(answer.screening)])


def _even(value: float, spread: float) -> str:
    if value == 0.0:
        return "none: large sites win without any"
    return "above 64" if math.isinf(value) else f"{value:.2f} (sd {spread:.2f})"


def _usd(value: float, unit: float) -> str:
    return "" if value == 0.0 or math.isinf(value) else f"{value * unit:.0f}"


def _band(crossing: Crossing | None, unit: float | None = None) -> str:
    if crossing is None:
        return "no line"
    if unit is None:
        return f"{crossing.value:.2f} [{crossing.low:.2f}, {crossing.high:.2f}]"
    value, low, high = (unit * each for each in crossing)
    return f"{value:.0f} [{low:.0f}, {high:.0f}]"


def box_words(box: static.Plausible) -> str:
    """How much of a plausible box small sites lose, in a sentence."""
    verdict = "S1 is falsified there" if box.falsified else "S1 is not falsified there"
    low, middle, high = box.quartiles
    return (
        f"Sites under 10 MW have less than half of the hashrate in {box.lost} of {box.worlds} "
        f"plausible worlds ({box.share:.3f} [{box.low:.3f}, {box.high:.3f}]); quartiles of their "
        f"share {low:.2f}, {middle:.2f}, {high:.2f}: {verdict}."
    )


def screening_table(screening: static.Screening) -> str:
    """The factors that move the share of small sites most in the plausible box."""
    effects = {row["factor"]: row for row in screening.morris.iter_rows(named=True)}
    rows = [
        "| factor | Morris: mean effect, size [95 %] | Sobol: first [95 %] | total [95 %] |",
        "|---|---|---|---|",
    ]
    for row in screening.sobol.head(MOST_FACTORS).iter_rows(named=True):
        effect = effects[row["factor"]]
        rows.append(
            f"| {row['factor']} | {effect['mean']:+.2f}, {effect['size']:.2f} "
            f"[{effect['low']:.2f}, {effect['high']:.2f}] | {row['first']:.2f} "
            f"[{row['first_low']:.2f}, {row['first_high']:.2f}] | {row['total']:.2f} "
            f"[{row['total_low']:.2f}, {row['total_high']:.2f}] |"
        )
    return "\n".join(rows)


def full_table(answer: FullAnswer) -> str:
    """Shares of small sites in the full model, when they pass one half, and what moves them."""
    years = round(answer.size.days / DAYS_PER_YEAR)
    rows = [
        f"| price path | runs | share under 10 MW after 10 years: median [5 %, 95 %] | after "
        f"{years} years | runs above one half | median year of the reversal |",
        "|---|---|---|---|---|---|",
    ]
    for path in full.END_PRICES:
        runs = answer.results.filter(pl.col("scenario") == path)
        if runs.height:
            rows.append(f"| {path} | {_path_words(runs, answer.size.days)} |")
    likely = full.plausible(answer.results)
    # Runs of one point are no independent draws from the box.
    box = of_shares(likely.group_by("point").agg(pl.col(D_END).mean())[D_END].to_numpy())
    parts = [*rows, "", f"After {years} years: " + box_words(box), "", crossing_words(answer)]
    if answer.effects:
        parts += ["", effects_table(answer.effects, years)]
    return "\n".join(parts)


def _path_words(runs: pl.DataFrame, days: int) -> str:
    early, late = _spread(runs[D_10]), _spread(runs[D_END])
    day = passage_day(full.reversals(runs, days))
    when = "not half of the runs" if math.isnan(day) else f"{day / DAYS_PER_YEAR:.1f}"
    won = int((runs[D_END] > 0.5).sum())
    return f"{runs.height} | {early} | {late} | {won}/{runs.height} | {when}"


def _spread(shares: pl.Series) -> str:
    low, middle, high = (shares.quantile(q, "linear") or 0.0 for q in (0.05, 0.5, 0.95))
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"


def crossing_words(answer: FullAnswer) -> str:
    """The line of even shares in the full model, or why there is none to be seen."""
    try:
        surface = full.surface(answer.results)
        if surface is None:
            return "All runs end on the same side of one half: this sweep has no line."
        found = full.crossings(answer.results, [{}])[0]
    except ValueError as reason:
        return f"No line of even shares: {reason}."
    slope = surface.coefficients[1]
    error = float(surface.covariance[1, 1]) ** 0.5
    told = (
        f"Logistic surface through {surface.runs} runs ({surface.right:.0%} on the right side): "
        f"log odds per e-fold of (1 + multiplier of scale advantages) {slope:+.2f} "
        f"(standard error {error:.2f})"
    )
    if slope + 1.645 * error > 0.0:
        return told + "; too flat for a line of even shares along it."
    once = static.cost_difference_usd_mwh(static.world(0), Limit())
    low, middle, high = (once * max(v, 0.0) for v in (found.low, found.value, found.high))
    return told + (
        f"; shares are even at {_band(found)}, a cost difference of {middle:.0f} "
        f"[{low:.0f}, {high:.0f}] USD/MWh (the rising price, all else as assumed)."
    )


def effects_table(effects: Sequence[full.Effect], years: int) -> str:
    """Paired effects on the share of small sites."""
    rows = [
        "| change | on the share under 10 MW after 10 years, 95 % | seeds above 0 | "
        f"after {years} years | seeds above 0 |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {each.name} | {_interval(each.after_10)} | {_interval(each.after_end)} |"
        for each in effects
    ]
    return "\n".join(rows)


def _interval(found: Interval) -> str:
    return (
        f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}] | {found.above_zero}/{found.size}"
    )


SHARES = (
    ("firms under 10 MW", "small_firms"), ("firms from 100 MW", "large_firms"),
    ("sites under 10 MW", "small_sites"), ("sites above 100 MW", "large_sites"),
)  # fmt: skip


def extremes_table(contest: full.Contest, years: int) -> str:
    """Who wins where size alone decides."""
    rows = [
        "| world | firms under 10 MW, first month to last year | firms from 100 MW | firms alive | "
        "sites under 10 MW | sites above 100 MW |",
        "|---|---|---|---|---|---|",
    ]
    names = {
        "level": "size makes no difference",
        "advantages": f"power equally dear, scale advantages {full.SCALE_PAYS:.0f} times today's",
        "gradient": "no scale advantages, power "
        f"{full.LARGE_IS_DEAR:.0f} USD/MWh dearer per e-fold of size",
    }
    for name, words in names.items():
        worlds = getattr(contest, name)
        ends = [
            [sum(getattr(each, field)[end] for each in worlds) / len(worlds) for end in (0, 1)]
            for field in ("small_firms", "large_firms", "firms", "small_sites", "large_sites")
        ]
        told = [f"{a:.0f} to {b:.0f}" if max(a, b) > 1.5 else f"{a:.2f} to {b:.2f}"
                for a, b in ends]  # fmt: skip
        rows.append(f"| {words} | {' | '.join(told)} |")
    advantages, gradient = (
        "; ".join(
            f"{called} {full.paired_difference(world, contest.level, name).words()}"
            for called, name in SHARES
        )
        for world in (contest.advantages, contest.gradient)
    )
    return "\n".join(
        [
            *rows,
            "",
            f"After {years} years, paired with the level world. Scale advantages: {advantages}.",
            f"Dearer power at large sites: {gradient}.",
        ]
    )


def main() -> None:
    """Answer the central question and say it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="the full size: hours")
    parser.add_argument("--static", action="store_true", help="only the static limit")
    parser.add_argument("--extremes", action="store_true", help="only the extremes")
    parser.add_argument("--points", type=int, metavar="N", help="points of the full model's sample")
    parser.add_argument(
        "--effect-seeds", type=int, metavar="N", help="seeds of paired effects; 0 leaves them out"
    )
    parser.add_argument("--force", action="store_true", help="begin the sweep in DIR anew")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/frontier"))
    parser.add_argument("--docs", type=Path, help="folder that gets the figure too, such as docs")
    given = parser.parse_args()
    try:
        _answer(given)
    except ScenarioError as error:
        parser.exit(2, f"{error}\n")


def _sized(size: Size, given: argparse.Namespace) -> Size:
    """The size with what was asked for by itself."""
    asked = {"points": given.points, "effect_seeds": given.effect_seeds}
    least = {"points": 2, "effect_seeds": 0}
    for name, value in asked.items():
        if value is not None and value < least[name]:
            raise ScenarioError(
                f"--{name.replace('_', '-')}", value, f"a whole number from {least[name]} on"
            )
    return replace(size, **{name: value for name, value in asked.items() if value is not None})


def _answer(given: argparse.Namespace) -> None:
    """Compute what was asked for, print it and write it."""
    size = _sized(FULL if given.full else LAPTOP, given)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.extremes:
        contest = full.extremes(EXTREME_SEEDS, EXTREME_YEARS, given.workers)
        print(extremes_table(contest, EXTREME_YEARS))
        return
    limit = static_answer(given.full, given.workers)
    parts = [static_table(limit)]
    print(parts[0], flush=True)
    if not given.static:
        name = "full" if given.full else "laptop"
        answer = full_answer(size, given.out / name, given.workers, given.force)
        parts.append(full_table(answer))
        print("\n" + parts[1])
        _draw(limit, answer, given.out, given.docs)
    (given.out / "frontier.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _draw(limit: StaticAnswer, answer: FullAnswer, folder: Path, docs: Path | None) -> None:
    """Write the figure."""
    from study.frontier_figure import save

    for place in filter(None, (folder, docs)):
        save(limit.lines, limit.unit_usd_mwh, answer.results, answer.course, place)


if __name__ == "__main__":
    main()
