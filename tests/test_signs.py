"""The table of signs: its cells are the specification's, and its machinery judges fairly."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from model.scenario import with_days
from model.world import World
from study import signs, stages

# Cells of the specification's table that expect something: H, hp, US share, N_eff of nations,
# share above 100 MW, behind the meter, P(O3), P(split), v_F; "?" expects nothing in particular.
# What it says of templates stands below.
SPECIFIED = {
    "price up": "+ + ? + + - 0 0 0",
    "transmission charges up": "- + - + - + - ? ?",
    "scale advantages up": "- + + - + - + ? ?",
    "AI bidders": "- + ? + - + - ? ?",
    "capital depth of the USA up": "+ - + - + - + ? 0",
    "rule of law of the USA up": "+ - + ? ? 0 ? 0 0",
    "delta up": "- 0 - + 0 0 - 0 0",
    "reserves of others up": "+ - - + 0 0 - + ?",
    "enforcing share through one half": "0 0 0 0 0 0 + ± -",
    "ideology up": "0 0 0 0 0 0 - + +",
    "weight of custodians up": "0 0 0 0 0 0 0 0 -",
    "time to adjust up": "0 0 0 0 0 0 0 0 slower",
    "templates of miners' own up": "0 0 0 0 0 0 - 0 0",
    "covenant pool up": "0 0 0 0 0 0 - 0 0",
    "growth of fabs up": "+ - ? ? ? 0 0 0 0",
    "tax in the USA up": "- + - + ? ? - ? ?",
}
FIGURES = (
    "hashrate", "hashprice", "us_share", "nations", "over_100mw", "behind_meter", "captured",
    "split", "free_value",
)  # fmt: skip
MARKS = {1: "+", -1: "-", 0: "0"}


def expected(row: str, figure: str) -> str:
    """What the contrasts of a row expect of a figure."""
    found = {MARKS[each.signs[figure]] for each in stages.CONTRASTS
             if each.row == row and figure in each.signs}  # fmt: skip
    if found == {"+", "-"}:
        return "±"
    assert len(found) < 2, (row, figure)
    return found.pop() if found else "?"


def contrast(row: str, stage: str) -> stages.Contrast:
    return next(each for each in stages.CONTRASTS if (each.row, each.stage) == (row, stage))


@pytest.mark.parametrize("row", SPECIFIED)
def test_every_cell_is_the_specifications(row):
    cells = SPECIFIED[row].split()
    for figure, cell in zip(FIGURES, cells, strict=True):
        if cell == "slower":
            assert contrast(row, "minority").signs["free_shift"] == -1
        else:
            assert expected(row, figure) == cell, figure


def test_rows_are_the_specifications_and_templates_disperse():
    assert set(stages.ROWS) == set(SPECIFIED)
    for row in ("templates of miners' own up", "covenant pool up"):
        assert contrast(row, "calm").signs["templates"] == 1


@pytest.mark.parametrize("each", stages.CONTRASTS, ids=lambda each: f"{each.row}, {each.stage}")
def test_both_arms_are_possible_worlds_that_differ(each):
    low, high = (signs.jobs(each.stage, arm, 2) for arm in (each.low, each.high))
    assert len(low) == len(high)
    assert {job.seed for job in low} == {signs.FIRST_SEED, signs.FIRST_SEED + 1}
    cases = signs.case_of(low[0]), signs.case_of(high[0])
    assert cases[0] != cases[1] or each.low.change != each.high.change


def test_stages_that_expect_nothing_lose_nothing_and_discount_nothing():
    for each in stages.CONTRASTS:
        if 0 not in each.signs.values() or each.row == "delta up":
            continue
        case = signs.case_of(signs.jobs(each.stage, each.low, 1)[0])
        assert case.neutrality.discount == 0.0
        assert case.holders.network_exponent == 1.0
        assert case.holders.censored_loss == 0.0


def test_directives_come_on_their_day_and_not_at_all_on_the_calm_stage():
    for name, stage in stages.STAGES.items():
        case = signs.case_of(signs.Job(name, stages.Arm(), stage.starts[0], 1))
        orders = [event for event in case.events if event.kind == "directive"]
        assert len(orders) == (stage.directive_day is not None)
        for order in orders:
            assert order.date == case.start_date + timedelta(days=stage.directive_day)
            assert order.patience == stage.patience


# Judging


def judge(sign: int, difference: list[float], counted: bool = False) -> str:
    values = np.array(difference)
    return signs.judged(sign, values, signs.chance_of(values, counted))


def test_a_sign_holds_only_where_chance_hardly_made_it():
    draw = np.random.default_rng(2)
    clear, noise = 1.0 + 0.1 * draw.standard_normal(20), draw.standard_normal(20)
    assert judge(1, list(clear)) == "holds"
    assert judge(-1, list(clear)) == "fails"
    assert judge(1, list(noise)) == "not told"
    assert judge(1, [0.0] * 20) == "not told"
    assert judge(1, [0.5] * 20) == "holds"


def test_counted_runs_need_eight_that_agree():
    assert judge(-1, [-1.0] * 8 + [0.0] * 12, counted=True) == "holds"
    assert judge(-1, [-1.0] * 7 + [0.0] * 13, counted=True) == "not told"
    assert signs.chance_of(np.array([-1.0] * 8), counted=True) == pytest.approx(2.0**-7)


def test_nothing_expected_means_not_a_bit():
    assert judge(0, [0.0] * 20) == "holds"
    assert judge(0, [0.0] * 19 + [1e-15]) == "fails"


def test_what_chance_moves_is_nothing_only_if_it_is_known_to_be_small():
    draw = np.random.default_rng(4).standard_normal(20)
    noise = draw - draw.mean() + 0.01
    chance = signs.chance_of(noise, counted=False)
    assert signs.judged(0, noise, chance, nothing=1.0) == "holds"
    assert signs.judged(0, noise, chance, nothing=0.1) == "fails"
    clear = noise + 2.0
    assert signs.judged(0, clear, signs.chance_of(clear, counted=False), nothing=5.0) == "fails"


def test_readings_are_means_over_the_starts_of_a_seed():
    starts = stages.STAGES["economy"].starts
    jobs = signs.jobs("economy", stages.Arm(), 2)
    assert [job.start for job in jobs] == [*starts, *starts]
    found = {job: {"hashrate": job.seed + job.start} for job in jobs}
    means = signs.by_seed("economy", stages.Arm(), 2, found, "hashrate")
    centre = sum(starts) / len(starts)
    assert means == pytest.approx([signs.FIRST_SEED + centre, signs.FIRST_SEED + 1 + centre])


def test_a_table_tells_every_cell_and_a_summary_those_that_do_not_hold():
    each = contrast("ideology up", "even")
    low, high = np.zeros(8), np.ones(8)
    cells = [signs.cell(each, column, low, high) for column in each.signs]
    assert [cell.verdict for cell in cells] == ["fails", "holds", "holds"]
    assert signs.table(cells).count("\n") == 4
    told = signs.summary(cells)
    assert told.startswith("2 of 3 cells hold, 0 are not told from chance, 1 fail")
    assert "P(O3) (even): fails" in told


# Cells that are sure


def test_a_majority_captures_the_chain_and_moves_no_machine():
    shares = stages.Arm(("start.us_share=0.40",)), stages.Arm(("start.us_share=0.60",))
    expected_signs = {"captured": 1, "split": -1, "free_value": -1, "hashrate": 1}
    cells = signs.measure([stages.Contrast("majority", "still", *shares, expected_signs)], seeds=8)
    verdicts = {cell.column: cell.verdict for cell in cells}
    assert verdicts.pop("hashrate") != "holds"
    assert set(verdicts.values()) == {"holds"}


def test_custodians_move_the_free_coins_value_and_nothing_else():
    found = signs.measure([contrast("weight of custodians up", "minority")], seeds=2)
    cells = {cell.column: cell for cell in found}
    assert cells["free_value"].difference.high < 0.0
    assert {cells[name].unequal for name in ("captured", "split")} == {0}


# What lies behind a cell that the calibrated economy turns around


def test_sites_begun_later_are_smaller_than_those_of_the_first_day():
    case = signs.case_of(signs.Job("economy", stages.Arm(), 0.48, 1))
    world = World(with_days(case, 3 * 365))
    while world.running:
        world.step()
    sites, rows = world.sites, world.sites.rows
    used, large = sites["used_mw"][rows], sites["size_mw"][rows] >= 100.0
    later = sites["energised_on"][rows] > 0

    def share_of_large(chosen: np.ndarray) -> float:
        return float(used[chosen & large].sum() / used[chosen].sum())

    assert used[later].sum() > 0.1 * used.sum()
    assert share_of_large(later) < 0.5 * share_of_large(~later)
