"""What a run tells of pools and of the economies beside bitcoin's, for a person to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from study.runfolder import Run
from study.wording import plain_table, rounded

SCHEMES = {
    "solo": "mining alone",
    "pps": "PPS",
    "fpps": "FPPS",
    "pplns": "PPLNS",
    "covenant": "covenant pool",
}
PAYOUTS = (
    "over_fair_month",
    "swing_month",
    "swing_over_alone_month",
    "swing_year",
    "swing_over_alone_year",
)
# Headline figure, question, factor, unit.
TEMPLATES = (
    ("top_template_share_end", "who makes most templates has, at the end", 100.0, "%"),
    ("own_templates_share_end", "own templates at the end", 100.0, "% of the hashrate"),
    ("covenant_share_end", "in the covenant pool at the end", 100.0, "% of the hashrate"),
    ("operators_ruined", "operators ruined", 1.0, ""),
    ("withholding_attacker_gain", "the pool that withholds blocks earns, over fair", 100.0, "%"),
    ("withholding_attacker_error", "give or take by luck", 100.0, "%"),
    ("withholding_victim_gain", "the pool that is infiltrated", 100.0, "%"),
    ("withholding_victim_error", "give or take by luck", 100.0, "%"),
)
# Headline figure, words, factor, unit, by the section of the economy.
SUBECONOMIES: dict[str, tuple[tuple[str, str, float, str], ...]] = {
    "virtual_mining": (
        ("mining_spend_usd", "spent on work", 1e-6, "million USD"),
        ("donated_usd", "donated", 1e-6, "million USD"),
        ("donated_again_usd", "of it, by those whom the fund had paid", 1e-6, "million USD"),
        ("virtual_waste_share", "wasted, of all that was spent", 100.0, "%"),
        ("virtual_retained_share", "kept by the community", 100.0, "%"),
        ("net_retained_share", "kept, less what went round", 100.0, "%"),
        ("pts_price_usd", "price of a unit at the end", 1.0, "USD"),
        ("norm", "the norm of 10 % and 10 %", 1.0, ""),
        ("dacs_launched", "new chains", 1.0, ""),
        ("dacs_honouring", "of them, honour it", 1.0, ""),
        ("professional_work_share", "who mines and sells at once has, of the work", 100.0, "%"),
        ("professional_stake_share", "of the stake", 100.0, "%"),
        ("vote_by_work", "votes by work would pay miners", 100.0, "%"),
        ("vote_by_stake", "votes by stake", 100.0, "%"),
    ),
    "royalties": (
        ("royalty_miner_income_usd_day", "all miners earn a day", 1.0, "USD"),
        ("royalty_from_royalties_usd_day", "of it, from royalties", 1.0, "USD"),
        ("royalty_from_block_sales_usd_day", "from selling blocks", 1.0, "USD"),
        ("royalty_from_mining_shares_usd_day", "from mining shares", 1.0, "USD"),
        ("royalty_from_escrow_usd_day", "from escrow", 1.0, "USD"),
        ("royalty_from_merge_mining_usd_day", "from merge mining", 1.0, "USD"),
        ("royalty_miner_cost_usd_day", "mining costs them a day", 1.0, "USD"),
        ("royalty_miner_income_usd_block", "earned a block", 1.0, "USD"),
        ("royalties_ltc_day", "royalties a day", 1.0, "LTC"),
        ("royalty_block_npv_ltc", "worth of a new block at the end", 1.0, "LTC"),
        ("royalty_blocks_sold", "blocks sold", 1.0, ""),
        ("royalty_blocks_before", "of them, found before the run", 1.0, ""),
        ("royalty_earning_share", "properties that ever earned anything", 100.0, "%"),
        ("mining_share_price_usd", "price of a mining share at the end", 1.0, "USD"),
        ("royalty_told_yield_shortfall", "told yield a day below told volume", 100.0, "%"),
    ),
}


def parts(run: Run) -> list[RenderableType]:
    """What the run tells of pools and other economies; nothing if it has neither."""
    headline = run.facts["headline"]
    return [
        *_payouts(headline),
        *_answers(headline),
        *(table for name in SUBECONOMIES for table in _subeconomy(run, name)),
    ]


def _payouts(headline: Mapping[str, float | str]) -> list[RenderableType]:
    """How much of their work's worth miners were paid, and how far payouts swung, by scheme."""
    heads = ("of fair, %", "swing, month", "over alone", "swing, year", "over alone")
    rows = [
        (SCHEMES.get(scheme, scheme), [headline.get(f"payout_{what}_{scheme}") for what in PAYOUTS])
        for scheme in _paid(headline)
    ]
    rows = [(words, values) for words, values in rows if any(v is not None for v in values)]
    if not rows:
        return []
    table = plain_table("paid by (%, by work)", *heads, gap=1)
    for words, values in rows:
        table.add_row(words, *(_percent(value) for value in values))
    return [table]


def _paid(headline: Mapping[str, float | str]) -> list[str]:
    """Schemes that somebody was paid by: those with a name in words first."""
    begin = f"payout_{PAYOUTS[0]}_"
    found = [key.removeprefix(begin) for key in headline if key.startswith(begin)]
    return [*(name for name in SCHEMES if name in found), *sorted(set(found) - set(SCHEMES))]


def _percent(value: float | str | None) -> str:
    return "" if value is None else f"{100.0 * float(value):.1f}"


def _answers(headline: Mapping[str, float | str]) -> list[RenderableType]:
    return _asked(headline, TEMPLATES)


def _subeconomy(run: Run, name: str) -> list[RenderableType]:
    """What an economy beside bitcoin's comes to, if the scenario has it."""
    if not getattr(run.case, name).on:
        return []
    return _asked(run.facts["headline"], SUBECONOMIES[name])


def _asked(
    headline: Mapping[str, float | str], questions: Sequence[tuple[str, str, float, str]]
) -> list[RenderableType]:
    """Questions with their answers; nothing if the run has no answer to any."""
    asked = Table.grid(padding=(0, 2, 0, 0))
    told = [each for each in questions if headline.get(each[0]) is not None]
    for name, question, factor, unit in told:
        value = headline[name]
        words = value if isinstance(value, str) else rounded(factor * value)
        asked.add_row(Text(question, style="bold"), Text(f"{words} {unit}".rstrip()))
    return [asked] if told else []
