"""Numbers, names and tables as a person reads them."""

from __future__ import annotations

import math

from rich import box
from rich.table import Table

from model import geography
from model.known import DATA


def rounded(value: float | None) -> str:
    """A number in three significant digits, with separators of thousands."""
    if value is None or not math.isfinite(value):
        return "undefined"
    if value != 0.0 and not 1e-3 <= abs(value) < 999_500.0:
        return f"{value:.2e}"
    shortened = float(f"{value:.2e}")
    # Digits after the point, so that 9.996 is 10.0 and not 10.00.
    digits = 2 - math.floor(math.log10(abs(shortened))) if shortened else 0
    return f"{shortened:,.{max(digits, 0)}f}"


def nation_names() -> dict[str, str]:
    """Names of the nations by their ISO codes."""
    nations = geography.load_nations(DATA)
    return dict(zip(nations.iso3, nations.name, strict=True))


def plain_table(first: str, *others: str, gap: int = 2) -> Table:
    """A table without frame, its first column to the left and the others to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, gap - 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for words in others:
        table.add_column(words, justify="right", no_wrap=True)
    return table
