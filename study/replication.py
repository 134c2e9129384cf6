"""The published simulation of the covenant pool, run again: `python -m study.replication`.

As it was published, faults and all, and with its faults mended, beside what it reported.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from model.rewards.covenant_script import Replication, corrected, literal

# What the script printed under its own seed, and what it printed once mended.
PUBLISHED = {
    "members' part of the hashrate": ("0.4229", "0.4229"),
    "members": ("43", "43"),
    "metric, sharing": ("0.001658", "0.001813"),
    "metric, alone": ("0.013493", "0.013444"),
    "metric, sharing over alone": ("0.1229", ""),
    "deviation of a block, sharing": ("0.1671", ""),
    "deviation of a block, alone": ("1.2270", ""),
    "deviation of all revenue, sharing": ("0.0378", "0.0331"),
    "deviation of all revenue, alone": ("0.0379", "0.0434"),
}


def figures(found: Replication) -> dict[str, str]:
    """What a run of the script shows, in the digits it reported."""
    return dict(
        zip(
            PUBLISHED,
            (
                f"{found.pool_share:.4f}",
                f"{found.sharers}",
                f"{found.metric.sharing:.6f}",
                f"{found.metric.solo:.6f}",
                f"{found.ratio:.4f}",
                f"{found.deviation.sharing:.4f}",
                f"{found.deviation.solo:.4f}",
                f"{found.cumulative.sharing:.4f}",
                f"{found.cumulative.solo:.4f}",
            ),
            strict=True,
        )
    )


def table() -> Table:
    """Both readings of the script beside the published numbers."""
    shown = Table("", "as published", "here", "mended, as reported", "here")
    as_it_was, mended = figures(literal()), figures(corrected())
    for what, (first, second) in PUBLISHED.items():
        shown.add_row(what, first, as_it_was[what], second, mended[what])
    return shown


def main(console: Console | None = None) -> int:
    """Run both and print them."""
    (console or Console()).print(table())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
