"""One self-contained page about a run or an ensemble: question, answer, figures, and how to rerun.

The page asks nothing of any network: its style is inside, and its figures are pictures in data
addresses, which those who don't see them know by their alternative text.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib
import polars as pl
from matplotlib.figure import Figure

from model.complaint import ScenarioError
from model.scenario import Scenario
from study import export, frames, runfolder, story, summary, tables
from study import page as pages
from study.differences import (
    Recipe,
    assumptions,
    baseline_of,
    changes,
    new_events,
    recipe,
)
from study.export import Drawing
from study.panels import outcome_shares
from study.provenance import Stamp, seed_words
from study.quantities import quantity
from study.runfolder import Run
from study.tables import Table, percent
from study.wording import nation_names, rounded

FILE = "report.html"
MOST_EVENTS = 40
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
# What each kind of figure shows, for those who don't see it.
SHOWN = {
    "history": "Hashrate over time and shares of the largest nations, and any observations",
    "chain": "What the hashrate does under the directive, and what becomes of blocks and coins",
    "covenant": "Payouts of pools under different schemes",
    "virtual_mining": "The chain with virtual mining: prices of three routes, spending and votes",
    "royalties": "The economy in which mining is paid by royalties",
    "series": "The main series over time",
    "bands": "The main series over time: median of the runs, and bands of half and nine tenths",
    "nation_bands": "Shares of the largest nations over time, with bands over the runs",
    "outcomes": "Share of the runs that ended in each class of outcome, with 95 % intervals",
}
STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto;
  max-width: 60rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid #bbb; }
.question { font-size: 1.15rem; font-style: italic; }
.headline { font-size: 1.05rem; border-left: 4px solid #0072b2; padding-left: 1rem; }
figure { margin: 1rem 0 2rem; }
figure img { width: 100%; height: auto; }
figcaption { color: #444; font-size: 0.9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; margin: 0.5rem 0; }
caption { text-align: left; font-weight: bold; padding: 0.25rem 0; }
th, td { padding: 0.2rem 0.7rem 0.2rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid #ddd; overflow-wrap: normal; }
th { border-bottom: 1px solid #1a1a1a; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre { background: #f3f3f3; padding: 0.75rem; overflow-x: auto; white-space: pre-wrap; }
a { color: #005a8f; }
.date { white-space: nowrap; }
@media (max-width: 40rem) { figure img.wide { width: 44rem; } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; }
  figure, tr { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
  .scroll { overflow: visible; }
  figure img { max-height: 95vh; width: auto; max-width: 100%; } }
"""


def write(folder: Path, out: Path | None = None) -> Path:
    """Write the report of a run or an ensemble; return the file."""
    content = page(folder).encode()
    target = out or folder / FILE
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        runfolder.atomically(target, lambda file: file.write(content))
    except OSError as error:
        found = f"{target} ({error.strerror or error})"
        raise ScenarioError("--out", found, "a file to write") from None
    return target


def page(folder: Path) -> str:
    """The report of a run or an ensemble as a page."""
    if frames.kind(folder) == frames.SWEEP:
        found = f"the sweep {folder}"
        raise ScenarioError("folder", found, "a run or an ensemble; export draws a sweep")
    stamp, case = frames.stamp(folder), frames.case_of(folder)
    before = baseline_of(case.name)
    changed = [change.key for change in changes(before, case)]
    parts = [
        ("Headline", _headline(folder, stamp)),
        ("Figures", _figures(folder, stamp)),
        ("Outcome", _outcome(folder)),
        ("Numbers", _numbers(folder)),
        (f"What differs from {before.name}", _differences(before, case)),
        ("Assumptions touched", _assumptions(changed)),
        ("How to run it again", _rerun(folder, case, stamp)),
        ("Where this comes from", _provenance(folder, stamp)),
    ]
    return _document(stamp, [*_opening(stamp, case), *(_section(*part) for part in parts)])


def _document(stamp: Stamp, body: Iterable[str]) -> str:
    """A whole page."""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta name="description" content="{_text(stamp.question)}">',
            f"<title>{_text(stamp.title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _section(heading: str, parts: Iterable[str]) -> str:
    return "\n".join(["<section>", f"<h2>{_text(heading)}</h2>", *parts, "</section>"])


def _text(words: object) -> str:
    """Words that no browser takes for anything else."""
    return html.escape(str(words))


def _paragraph(words: str, kind: str = "") -> str:
    mark = f' class="{kind}"' if kind else ""
    return f"<p{mark}>{_text(words)}</p>"


def _table(table: Table) -> str:
    """A table that scrolls by itself where the page is narrow."""
    head = "".join(
        f'<th scope="col"{_side(place, table)}>{_text(words)}</th>'
        for place, words in enumerate(table.headings)
    )
    rows = [
        "".join(f"<td{_side(place, table)}>{_text(cell)}</td>" for place, cell in enumerate(row))
        for row in table.rows
    ]
    return "\n".join(
        [
            f'<div class="scroll" tabindex="0" role="region" aria-label="{_text(table.title)}">',
            "<table>",
            f"<caption>{_text(table.title)}</caption>",
            f"<thead><tr>{head}</tr></thead>",
            "<tbody>",
            *(f"<tr>{row}</tr>" for row in rows),
            "</tbody>",
            "</table>",
            "</div>",
        ]
    )


def _side(place: int, table: Table, cell: str = "") -> str:
    """Numbers to the right, and dates in one piece."""
    if place >= table.words:
        return ' class="number"'
    return ' class="date"' if _DATE.fullmatch(cell) else ""


# What was asked, and what came out


def _opening(stamp: Stamp, case: Scenario) -> list[str]:
    when = f"{case.start_date} to {case.end_date}, {seed_words(stamp.seeds)}"
    found = [
        f"<h1>{_text(stamp.title)}</h1>",
        f"<p>Scenario <strong>{_text(stamp.name)}</strong>, {_text(when)}</p>",
        _paragraph(stamp.question, "question"),
    ]
    if case.predicts:
        found.append(f"<p><strong>What was predicted:</strong> {_text(case.predicts)}</p>")
    return found


def _headline(folder: Path, stamp: Stamp) -> list[str]:
    if frames.kind(folder) == frames.RUN:
        return [_paragraph(" ".join(run_words(frames.read(folder))), "headline")]
    return [_paragraph(" ".join(ensemble_words(folder, stamp)), "headline")]


def run_words(run: Run) -> list[str]:
    """What happened in a run, in sentences with units and dates."""
    series, outcome = run.series, run.facts["outcome"]
    first, last = series["date"][0], series["date"][-1]
    said = [
        f"From {first} to {last} the hashrate went from {_from_to(series, 'hashrate_ehs')}, "
        f"the coin price from {_from_to(series, 'price_usd')}."
    ]
    fall = summary.largest_fall(series)
    if fall is not None:
        back = "had not reached its earlier peak again by the end"
        if fall.recovered is not None:
            back = f"was back at its earlier peak on {fall.recovered}"
        said.append(
            f"The hashrate fell most, by {rounded(fall.percent)} %, from {fall.peak_day} to "
            f"{fall.trough_day}, and {back} (means of {summary.FALL_DAYS} days)."
        )
    said += _largest_words(run)
    return [*said, f"The outcome is {outcome['class']}, {outcome['name']}."]


def _from_to(series: pl.DataFrame, name: str) -> str:
    """First and last value of a series, with its unit."""
    known = series[name].drop_nulls()
    if known.is_empty():
        return "an undefined value to another"
    told = quantity(name).scaled(max(known[0], known[-1]))
    return f"{told.told(known[0])} to {told.told(known[-1])} {told.unit}"


def _largest_words(run: Run) -> list[str]:
    """Which nation has most of the hashrate at the end."""
    moved = summary.moves(run.shares, run.series["date"][0])
    if not moved:
        return []
    most = max(moved, key=lambda move: move.after)
    name = nation_names().get(most.nation, most.nation)
    return [
        f"The largest nation at the end: {name}, with {most.after:.1f} % of it by site "
        f"({most.before:.1f} % at the start)."
    ]


HEADLINE_SERIES = ("hashrate_ehs", "price_usd", "top_nation_share", "power_cost_usd_mwh")


def ensemble_words(folder: Path, stamp: Stamp) -> list[str]:
    """What happened in the runs of an ensemble, in sentences with units and intervals."""
    rows = {row[0]: row for row in tables.ends_table(folder).rows}
    told = []
    for name in HEADLINE_SERIES:
        label, unit = quantity(name).label, quantity(name).unit
        if label in rows:
            words = quantity(name).words
            words = words[0].lower() + words[1:]
            spread = rows[label][5].replace("\N{EN DASH}", " to ")
            told.append(f"{words} {rows[label][3]} {unit} ({spread})")
    last = frames.lazy(folder).select(pl.col("date").max()).collect().item()
    said = f"{stamp.runs} runs, median on {last} and in brackets 5 to 95 %: {'; '.join(told)}."
    shares = [
        f"{row['runs']} of {row['of']} runs end in {row['outcome']}, {row['outcome_name']} "
        f"({percent(row['share'])} %, 95 % interval {percent(row['low'])} to "
        f"{percent(row['high'])} %)"
        for row in outcome_shares(folder).iter_rows(named=True)
    ]
    return [said, f"{'; '.join(shares)}."]


def _figures(folder: Path, stamp: Stamp) -> list[str]:
    """Every figure as a picture within the page, narrower where the page is."""
    single = frames.kind(folder) == frames.RUN
    drawings = export.run_figures if single else export.ensemble_figures
    pairs = zip(drawings(folder, 2), drawings(folder, 1), strict=True)
    return [line for wide, narrow in pairs for line in _picture(wide, narrow, stamp)]


def _picture(wide: Drawing, narrow: Drawing, stamp: Stamp) -> list[str]:
    """A figure for wide pages, and one for narrow pages unless it needs the width."""
    broad, slim = export.drawn(wide, stamp), export.drawn(narrow, stamp)
    if broad is None or slim is None:
        return []
    needs_width = slim.get_figwidth() == broad.get_figwidth()
    shown = SHOWN.get(wide.name, wide.name)
    kind = ' class="wide"' if needs_width else ""
    image = f'<img{kind} alt="{_text(f"{stamp.title}: {shown}.")}" src="{_address(broad)}">'
    if not needs_width:
        source = f'<source media="(max-width: 40rem)" srcset="{_address(slim)}">'
        image = f"<picture>{source}{image}</picture>"
    return [
        "<figure>",
        f'<div class="scroll">{image}</div>',
        f"<figcaption>{_text(shown)}.</figcaption>",
        "</figure>",
    ]


def _address(figure: Figure) -> str:
    """A figure as an address that holds all of it."""
    held = io.BytesIO()
    with matplotlib.rc_context(pages.STYLE):
        figure.savefig(held, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(held.getvalue()).decode()}"


def _outcome(folder: Path) -> list[str]:
    if frames.kind(folder) == frames.ENSEMBLE:
        found = [tables.outcomes_table(folder), tables.passages_table(folder)]
        return [_table(table) for table in found if table.rows]
    run = frames.read(folder)
    outcome = run.facts["outcome"]
    said = [_paragraph(f"{outcome['class']}, {outcome['name']}.")]
    flags = [story.FLAGS.get(flag, flag.replace("_", " ")) for flag in outcome["flags"]]
    said += [_list(flags)] if flags else []
    if not story.is_told(run):
        return said
    dated = tuple((str(line.date), line.words) for line in story.lines(run))
    asked = tuple(story.answers(run))
    told = [
        Table("story", "What happened", ("Date", "What"), dated, words=2),
        Table("answers", "What a reader asks", ("About", "Answer"), asked, words=2),
    ]
    return [*said, *(_table(table) for table in told if table.rows)]


def _list(items: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{_text(item)}</li>" for item in items) + "</ul>"


def _numbers(folder: Path) -> list[str]:
    if frames.kind(folder) == frames.ENSEMBLE:
        found = [tables.ends_table(folder), tables.spread_table(folder)]
    else:
        run = frames.read(folder)
        found = [tables.paths_table(run.series), tables.headline_table(run.facts["headline"])]
    return [_table(table) for table in found if table.rows]


# What went in


def _differences(before: Scenario, case: Scenario) -> list[str]:
    changed = changes(before, case)
    if changed:
        rows = tuple((each.key, each.before, each.after, each.meaning) for each in changed)
        headings = ("Parameter", before.name, "Here", "Meaning")
        title = f"{len(rows)} parameter{'s' if len(rows) > 1 else ''} set otherwise"
        found = [_table(Table("parameters", title, headings, rows, words=4))]
    else:
        found = [_paragraph(f"No parameter differs from those of {before.name}.")]
    added = new_events(before, case)
    if added:
        rows = tuple(
            (str(each.date), each.kind.replace("_", " "), str(each.subject), each.what)
            for each in added[:MOST_EVENTS]
        )
        more = len(added) - len(rows)
        title = f"{len(added)} dated events{f', {more} of them not shown' if more else ''}"
        found.append(_table(Table("events", title, ("Date", "Kind", "Place", "What"), rows, 4)))
    return found


def _assumptions(keys: Sequence[str]) -> list[str]:
    """The assumptions that set what differs."""
    found = assumptions(keys)
    if not found:
        return [_paragraph("None of docs/ASSUMPTIONS.md sets what differs.")]
    rows = tuple((each.key, each.what, each.value, each.range, each.source) for each in found)
    headings = ("Parameter", "Assumption", "Default", "Range worth trying", "Source")
    title = "From docs/ASSUMPTIONS.md"
    return [_table(Table("assumptions", title, headings, rows, words=5))]


def _rerun(folder: Path, case: Scenario, stamp: Stamp) -> list[str]:
    facts = frames.all_facts(folder)
    paired = "value_over_paired_run" in facts[0]["headline"]
    how = recipe(case, stamp.seeds, paired)
    code = f"In a checkout of Hashatlas {stamp.version}, revision {stamp.revision}:"
    commands = "\n".join(how.commands)
    return [_paragraph(code), f"<pre><code>{_text(commands)}</code></pre>", *_file(how)]


def _file(how: Recipe) -> list[str]:
    """The scenario file that the commands need, if they need one."""
    if not how.file:
        return []
    return [
        f"<details><summary>First save this as {_text(how.file)}</summary>",
        f"<pre><code>{_text(how.content)}</code></pre></details>",
    ]


def _provenance(folder: Path, stamp: Stamp) -> list[str]:
    facts = frames.all_facts(folder)
    rows = [(name.replace("_", " "), value) for name, value in stamp.facts().items()]
    seconds = sum(float(each.get("wall_seconds", 0.0)) for each in facts)
    rows.append(("seconds of computing", f"{seconds:,.1f}"))
    used = facts[0].get("libraries", {})
    rows.append(("libraries", ", ".join(f"{name} {number}" for name, number in used.items())))
    table = Table("provenance", "Provenance", ("What", "Value"), tuple(rows), words=2)
    return [_table(table), *_sources(frames.case_of(folder))]


def _sources(case: Scenario) -> list[str]:
    if not case.sources:
        return []
    return ["<h3>Sources of the scenario</h3>", _list(case.sources)]
