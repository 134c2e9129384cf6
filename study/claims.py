"""The register of claims of the founding texts: what each says, and what the model says of it.

`python -m study.claims [ID ...]` measures the named claims, or all of them, and prints a table.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from rich.console import Console
from rich.table import Table

from study import (
    claims_chain,
    claims_costs,
    claims_covenant,
    claims_defence,
    claims_directives,
    claims_firms,
    claims_nations,
    claims_pools,
    claims_royalties,
    claims_sites,
    claims_virtual,
    experiments,
)
from study.claim import Claim, Finding

COLOURS = {"supports": "green", "contradicts": "red", "conditional": "yellow"}

# Every claim by its id; a further part of the register is one more tuple of claims.
CLAIMS: Mapping[str, Claim] = MappingProxyType(
    {
        claim.id: claim
        for claim in sorted(
            (
                *claims_costs.CLAIMS,
                *claims_firms.CLAIMS,
                *claims_sites.CLAIMS,
                *claims_chain.CLAIMS,
                *claims_defence.CLAIMS,
                *claims_directives.CLAIMS,
                *claims_nations.CLAIMS,
                *claims_pools.CLAIMS,
                *claims_covenant.CLAIMS,
                *claims_virtual.CLAIMS,
                *claims_royalties.CLAIMS,
            ),
            key=lambda claim: claim.id,
        )
    }
)


def measured(ids: Iterable[str], workers: int = 1) -> dict[str, Finding]:
    """The finding of each named claim; an experiment that several need is run once."""
    chosen = [CLAIMS[name] for name in ids]
    wanted = [name for claim in chosen for name in claim.runs]
    results = experiments.results(wanted, workers) if wanted else {}
    return {
        claim.id: claim.measure({name: results[name] for name in claim.runs}) for claim in chosen
    }


def as_table(findings: Mapping[str, Finding]) -> Table:
    """Claim, verdict, numbers and condition of each finding."""
    table = Table("id", "claim", "verdict", "measured", "condition", show_lines=True)
    for name, found in findings.items():
        colour = COLOURS[found.verdict]
        verdict = f"[{colour}]{found.verdict}[/]"
        table.add_row(name, CLAIMS[name].phrase, verdict, found.measured, found.condition)
    return table


def as_markdown(findings: Mapping[str, Finding]) -> str:
    """The rows of `docs/CLAIMS.md`, one a claim."""
    rows = []
    for name, found in findings.items():
        claim = CLAIMS[name]
        cells = (
            name, claim.phrase, claim.mechanism, f"**{found.verdict}**", found.condition,
            found.measured, f"`{claim.test}`", f"`{claim.command}`",
        )  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Measure claims and print them."""
    parser = argparse.ArgumentParser(prog="study.claims", description="Measure claims.")
    parser.add_argument("ids", nargs="*", metavar="ID", help="claims such as C11; all by default")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--markdown", action="store_true", help="print rows of docs/CLAIMS.md")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.ids if name not in CLAIMS]
    if unknown:
        parser.error(f"no claim {', '.join(unknown)}; there are {', '.join(CLAIMS)}")
    screen = console or Console()
    with screen.status("measuring"):
        findings = measured(given.ids or CLAIMS, given.workers)
    if given.markdown:
        screen.out(as_markdown(findings), highlight=False)
    else:
        screen.print(as_table(findings))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
