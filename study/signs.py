"""The table of signs: what each lever does to each headline figure, seed by seed.

    python -m study.signs [--workers W] [--seeds N] [--rows NAME ...] [--elsewhere] [--out FILE]

A cell that expects a sign holds if the mean difference of paired runs has it with p below .01. A
cell that expects nothing holds if every pair of runs agrees to the last bit, on a stage where the
economy, or politics, cannot carry the lever's effect to the figure by a detour: it says that the
lever has no way of its own to the figure, not that the world around it has none. One such cell,
whose blocks are other blocks, holds if its mean is within a hundredth and nothing but chance.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import polars as pl
from scipy.stats import binomtest, ttest_1samp

from model.events import Directive
from model.scenario import Scenario, load, with_days
from study.claim import FloatArray, Interval, interval
from study.history import in_order
from study.stages import CONTRASTS, ELSEWHERE, ROWS, STAGES, USA, Arm, Contrast, Stage

if TYPE_CHECKING:
    from model.world import World

LEVEL = 0.01
SEEDS = 20
# The stages were chosen with seeds from 1 on; they are judged on others.
FIRST_SEED = 301
# Of what chance moves in each pair, this much of it is nothing.
NOTHING = 0.01
CAPTURED = "O3"
WINDOW_DAYS = 365

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "hashrate": "H",
        "hashprice": "hp",
        "us_share": "US share",
        "nations": "N_eff nation",
        "templates": "N_eff template",
        "over_100mw": "share >100 MW",
        "behind_meter": "BTM share",
        "captured": "P(O3)",
        "split": "P(split)",
        "free_value": "v_F",
        "free_shift": "way of v_F in a year",
    }
)
COUNTED = ("captured", "split")
Verdict = Literal["holds", "not told", "fails"]


# Runs


class Job(NamedTuple):
    """One run: a stage, an arm, the share of the USA at the start, and a seed."""

    stage: str
    arm: Arm
    start: float
    seed: int


def case_of(job: Job) -> Scenario:
    """The scenario of a job."""
    stage = STAGES[job.stage]
    given = any(each.startswith("start.us_share") for each in job.arm.sets)
    start = () if given else (f"start.us_share={job.start}",)
    case = with_days(load(stage.scenario, (*stage.sets, *start, *job.arm.sets)), stage.days)
    events = (*(case.events if stage.keeps_laws else ()), *job.arm.laws)
    if stage.directive_day is not None:
        events = (*events, directive(case.start_date, stage))
    return case.model_copy(update={"seed": job.seed, "events": events})


def directive(start: datetime.date, stage: Stage) -> Directive:
    """The order of the USA to build on no block that holds a blacklisted payment."""
    day = datetime.timedelta(days=stage.directive_day or 0)
    return Directive(
        kind="directive",
        date=start + day,
        until=None,
        place=USA,
        level="enforce",
        patience=stage.patience,
        what="the USA order miners to enforce",
        source="assumption",
    )


def live(job: Job) -> dict[str, float]:
    """Live through a job; every figure of the table."""
    # Only here, so that nothing else compiles the model.
    from model.world import World

    world = World(case_of(job))
    for change in (STAGES[job.stage].change, job.arm.change):
        if change is not None:
            change(world)
    while world.running:
        world.step()
    return readings(world, STAGES[job.stage])


def readings(world: World, stage: Stage) -> dict[str, float]:
    """The figures of a run: economic ones over the year before the directive, or the last."""
    last = stage.directive_day or world.days
    window = slice(max(last - WINDOW_DAYS, 0), last)
    record = world.recorder

    def mean(name: str) -> float:
        return float(record[name][window].mean())

    return {
        "hashrate": mean("hashrate_ehs"),
        "hashprice": mean("hashprice_usd_ph_day"),
        "us_share": american_share(record.shares(), world, window),
        "nations": float((1.0 / record["hhi_nation"][window]).mean()),
        "templates": float((1.0 / record["hhi_template"][window]).mean()),
        "over_100mw": mean("share_over_100mw"),
        "behind_meter": mean("share_behind_meter"),
    } | politics(world)


def american_share(shares: pl.DataFrame, world: World, window: slice) -> float:
    """Mean share of the hashrate at sites in the USA, over the weeks of a window."""
    first, last = (world.case.date_of(day) for day in (window.start, window.stop - 1))
    held = shares.filter(
        (pl.col("grouping") == "nation")
        & (pl.col("member") == USA)
        & pl.col("date").is_between(first, last)
    )
    return float(held["share"].mean() or 0.0)  # type: ignore[arg-type]


def politics(world: World) -> dict[str, float]:
    """What became of the chain.

    `free_value` is the value share of the free coin: all of it where no directive rules the only
    coin there is, nothing where one does. `free_shift` is how far it went in a year from where it
    began, 0 without a split.
    """
    end = world.outcome()
    held = world.recorder["free_coin_value_share"]
    parted = held < 1.0
    captured = end["class"] == CAPTURED
    alone = 0.0 if captured else 1.0
    opening = int(np.argmax(parted))
    year = min(opening + WINDOW_DAYS, held.size - 1)
    apart = bool(parted[-1])
    return {
        "captured": float(captured),
        "split": float(apart),
        "free_value": float(held[-1]) if apart else alone,
        "free_shift": float(abs(held[year] - held[opening])) if apart else 0.0,
    }


# Cells


class Cell(NamedTuple):
    """What was measured of one cell of the table.

    Attributes
    ----------
    row, column, stage, sign : what is expected where
    difference : high arm minus low arm, seed by seed
    chance : p-value of the difference; 1 where all pairs agree
    unequal : pairs that differ at all
    verdict : "holds", "fails", or "not told" where the direction is right within the noise
    """

    row: str
    column: str
    stage: str
    sign: int
    difference: Interval
    chance: float
    unequal: int
    verdict: Verdict


def cell(contrast: Contrast, column: str, low: FloatArray, high: FloatArray) -> Cell:
    """Judge one cell from the readings of both arms, one entry a seed."""
    sign = contrast.signs[column]
    difference = high - low
    chance = chance_of(difference, column in COUNTED)
    nothing = NOTHING * float(np.abs(low).mean()) if column in contrast.by_chance else 0.0
    return Cell(
        contrast.row, column, contrast.stage, sign, interval(difference.tolist()), chance,
        int((high != low).sum()),
        judged(sign, difference, chance, nothing),
    )  # fmt: skip


def chance_of(difference: FloatArray, counted: bool) -> float:
    """Two-sided p-value of paired differences: sign test where runs are counted, else Student."""
    if not difference.any():
        return 1.0
    if counted:
        up, down = int((difference > 0.0).sum()), int((difference < 0.0).sum())
        return float(binomtest(up, up + down).pvalue)
    if np.ptp(difference) == 0.0:
        return 0.0
    return float(ttest_1samp(difference, 0.0).pvalue)


def judged(sign: int, difference: FloatArray, chance: float, nothing: float = 0.0) -> Verdict:
    """Whether differences have the sign that is expected of them.

    Where nothing is expected they must be exactly nothing; or, where chance moves each pair, no
    more than chance makes, with a 95 % interval within `nothing` of zero.
    """
    if sign == 0:
        found = interval(difference.tolist())
        by_chance = chance >= LEVEL and max(-found.low, found.high) < nothing
        return "holds" if by_chance or not difference.any() else "fails"
    if chance < LEVEL:
        return "holds" if float(difference.mean()) * sign > 0.0 else "fails"
    return "not told"


def measure(
    contrasts: Sequence[Contrast] = CONTRASTS, seeds: int = SEEDS, workers: int = 1
) -> list[Cell]:
    """Every cell of some contrasts; runs that several cells share are run once."""
    wanted = [
        job
        for each in contrasts
        for arm in (each.low, each.high)
        for job in jobs(each.stage, arm, seeds)
    ]
    runs = list(dict.fromkeys(wanted))
    found = dict(zip(runs, in_order(live, runs, workers), strict=True))

    def read(each: Contrast, arm: Arm, column: str) -> FloatArray:
        return by_seed(each.stage, arm, seeds, found, column)

    return [
        cell(each, column, read(each, each.low, column), read(each, each.high, column))
        for each in contrasts
        for column in each.signs
    ]


def jobs(stage: str, arm: Arm, seeds: int) -> list[Job]:
    """The runs of an arm, all starts of a seed together; one start where the arm sets it."""
    starts = STAGES[stage].starts
    if any(each.startswith("start.us_share") for each in arm.sets):
        starts = starts[:1]
    return [
        Job(stage, arm, start, seed)
        for seed in range(FIRST_SEED, FIRST_SEED + seeds)
        for start in starts
    ]


def by_seed(
    stage: str, arm: Arm, seeds: int, found: Mapping[Job, Mapping[str, float]], column: str
) -> FloatArray:
    """A figure by seed, the mean over the starts of the stage."""
    values = np.array([found[job][column] for job in jobs(stage, arm, seeds)])
    return np.asarray(values.reshape(seeds, -1).mean(axis=1))


# Telling it


def table(cells: Sequence[Cell]) -> str:
    """The cells as a Markdown table, one line a cell."""
    lines = [
        "| lever | figure | stage | expected | high less low, 95 % | p | pairs that differ | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in cells:
        sign = {1: "+", -1: "-", 0: "0"}[one.sign]
        centre, low, high = (f"{value:+.4g}" for value in one.difference[:3])
        # Two digits where one could hide on which side of the level it lies.
        digits = ".2g" if one.chance > 0.1 * LEVEL else ".1g"
        chance = "" if one.chance == 1.0 else f"{one.chance:{digits}}"
        lines.append(
            f"| {one.row} | {COLUMNS[one.column]} | {one.stage} | {sign} | {centre} [{low}, {high}]"
            f" | {chance} | {one.unequal}/{one.difference.size} | {one.verdict} |"
        )
    return "\n".join(lines)


def summary(cells: Sequence[Cell]) -> str:
    """How many cells hold, and which do not."""
    count = {
        name: sum(one.verdict == name for one in cells) for name in ("holds", "not told", "fails")
    }
    told = [f"{count['holds']} of {len(cells)} cells hold, {count['not told']} are not told from "
            f"chance, {count['fails']} fail"]  # fmt: skip
    told += [f"- {one.row}, {COLUMNS[one.column]} ({one.stage}): {one.verdict}, "
             f"{one.difference.words('+.4g')}, p {one.chance:.2g}"
             for one in cells if one.verdict != "holds"]  # fmt: skip
    return "\n".join(told)


def main() -> None:
    """Measure the table, or some rows of it, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=ROWS)
    parser.add_argument(
        "--elsewhere",
        action="store_true",
        help="instead, some cells on stages where they need not hold",
    )
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.seeds < 2:
        parser.error("--seeds: two or more")
    known = ELSEWHERE if given.elsewhere else CONTRASTS
    chosen = [each for each in known if each.row in given.rows]
    if not chosen:
        parser.error("--rows: none of these is measured elsewhere")
    cells = measure(chosen, given.seeds, given.workers)
    text = f"{table(cells)}\n\n{summary(cells)}\n"
    print(text, end="")
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
