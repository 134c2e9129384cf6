"""Figures and tables of a folder of results, as a paper takes them, each with its provenance."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import polars as pl
from matplotlib.figure import Figure

from model.complaint import ScenarioError, nearest_to
from study import effects, frames, gallery, panels, runfolder, tables
from study import page as pages
from study.differences import recipe
from study.provenance import Stamp
from study.quantities import declared
from study.runfolder import Run
from study.tables import Table, slug

FIGURES = ("pdf", "svg", "png")
TABLES = ("tex", "csv", "parquet")
FOLDER, PROVENANCE = "export", "provenance.json"
Task = Callable[[], list[Path]]


@dataclass(frozen=True)
class Wanted:
    """What is to be exported: formats, columns of a journal, and series to draw."""

    figures: tuple[str, ...] = FIGURES
    tables: tuple[str, ...] = TABLES
    columns: int = 1
    series: tuple[str, ...] = panels.MAIN


def wanted(figures: str | None, tables: str | None, columns: int, series: str | None) -> Wanted:
    """What is asked for by lists with commas; all formats where neither list is given."""
    everything = figures is None and tables is None
    return Wanted(
        FIGURES if everything else formats("--figures", figures, FIGURES),
        TABLES if everything else formats("--tables", tables, TABLES),
        columns,
        panels.MAIN if series is None else formats("--series", series, tuple(declared())),
    )


def formats(option: str, listed: str | None, known: Sequence[str]) -> tuple[str, ...]:
    """The names in a list with commas, each of them known."""
    if listed is None:
        return ()
    names = [name.strip() for name in listed.split(",")]
    for name in names:
        if name not in known:
            some = ", ".join(known) if len(known) < 10 else "columns of series.csv"
            allowed = f"{some}, with commas between"
            raise ScenarioError(option, f'"{name}"', allowed, nearest_to(name, known))
    return tuple(dict.fromkeys(names))


def export(folder: Path, what: Wanted = Wanted(), out: Path | None = None) -> list[Path]:
    """Write the figures and tables of a folder of results; return the files."""
    return [file for task in tasks(folder, what, out) for file in task()]


def tasks(folder: Path, what: Wanted, out: Path | None = None) -> list[Task]:
    """What there is to do, a figure or a table each; nothing is written if the input is bad."""
    stamp = frames.stamp(folder)
    if frames.kind(folder) != frames.SWEEP:
        frames.case_of(folder)
        _check_series(folder, what.series)
    target = out or folder / FOLDER
    _prepare(target)
    drawn = [partial(_save, one, stamp, what, target) for one in _figures(folder, what)]
    told = [partial(_write_tex, one, stamp, target) for one in _tables(folder, what)]
    kept = [partial(_write_data, *one, stamp, what, target) for one in _data(folder, what)]
    found = [*drawn, *told, *kept, partial(_write_provenance, folder, stamp, target)]
    return [partial(_done, folder, target, task) for task in found]


def _done(folder: Path, target: Path, task: Task) -> list[Path]:
    """Do a task; what goes wrong on the way is one clear complaint."""
    try:
        return task()
    except OSError as error:
        found = f"{target} ({error.strerror or error})"
        raise ScenarioError("--out", found, "a folder with room to write to") from None
    except pl.exceptions.PolarsError as error:
        raise frames.unreadable(folder, error) from None


def _prepare(target: Path) -> None:
    """A folder to write to that holds no results of its own."""
    try:
        if (target / frames.STUDY).exists():
            raise ScenarioError("--out", f"a study in {target}", "another folder")
        runfolder.prepare(target)
    except ScenarioError as error:
        error.allowed = error.allowed.removesuffix(", or --force")
        raise


def _check_series(folder: Path, series: Sequence[str]) -> None:
    """Refuse a series that these runs do not have, unless it is one of those shown unasked."""
    known = frames.lazy(folder).collect_schema().names()
    unknown = [name for name in series if name not in known and name not in panels.MAIN]
    if unknown:
        allowed = f"a column of the runs in {folder}"
        raise ScenarioError("--series", f'"{unknown[0]}"', allowed, nearest_to(unknown[0], known))


# Figures


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn: its name, and who draws it, if there is anything to show."""

    name: str
    draw: Callable[[], Figure | None]


def _figures(folder: Path, what: Wanted) -> list[Drawing]:
    """Every figure of a folder, in the order of a paper."""
    if not what.figures:
        return []
    kind = frames.kind(folder)
    if kind == frames.RUN:
        return run_figures(folder, what.columns, what.series)
    if kind == frames.ENSEMBLE:
        return ensemble_figures(folder, what.columns, what.series)
    return [
        Drawing(slug(output.name), partial(effects.output_figure, folder, output, what.columns))
        for output in effects.outputs_of(folder)
    ]


def run_figures(folder: Path, columns: int, series: Sequence[str] = panels.MAIN) -> list[Drawing]:
    """The figures that a scenario has, and panels of series."""
    run = frames.read(folder)
    found = [
        Drawing(name, partial(_at_width, picture, run, columns))
        for name, picture in gallery.of_run(run).items()
    ]
    return [*found, Drawing("series", partial(panels.run_figure, folder, series, columns))]


def ensemble_figures(
    folder: Path, columns: int, series: Sequence[str] = panels.MAIN
) -> list[Drawing]:
    """Bands of series and of nations' shares, and how the runs ended."""
    return [
        Drawing("bands", partial(panels.bands_figure, folder, series, columns)),
        Drawing("nation_bands", partial(panels.nations_figure, folder, columns)),
        Drawing("outcomes", partial(panels.outcomes_figure, folder, columns)),
    ]


def _at_width(picture: gallery.Picture, run: Run, columns: int) -> Figure:
    """A scenario's figure, as wide as was asked for; one that needs two columns keeps them."""
    figure = picture.compose(run)
    needed = 2 if figure.get_figwidth() > pages.WIDTH else 1
    pages.stretched(figure, panels.WIDTHS[max(columns, needed)])
    return figure


def drawn(drawing: Drawing, stamp: Stamp) -> Figure | None:
    """A figure in the style of all figures, with its provenance at the foot."""
    with matplotlib.rc_context(pages.STYLE):
        figure = drawing.draw()
        if figure is not None:
            pages.stamped(figure, stamp.words())
        return figure


def _save(drawing: Drawing, stamp: Stamp, what: Wanted, target: Path) -> list[Path]:
    with matplotlib.rc_context(pages.STYLE):
        figure = drawn(drawing, stamp)
        if figure is None:
            return []
        return [
            pages.save(figure, target / f"{drawing.name}.{suffix}", metadata(suffix, stamp))
            for suffix in what.figures
        ]


def metadata(suffix: str, stamp: Stamp) -> dict[str, Any]:
    """The provenance under the names that a format knows."""
    told = "; ".join(f"{name}: {value}" for name, value in stamp.facts().items())
    facts: dict[str, Any] = {"Title": stamp.title}
    if suffix == "pdf":
        return facts | {"Subject": stamp.question, "Keywords": told, "Creator": "Hashatlas"}
    if suffix == "svg":
        return facts | {"Description": told, "Creator": ["Hashatlas"]}
    return facts | {"Description": told, "Source": "Hashatlas"}


# Tables


def _tables(folder: Path, what: Wanted) -> list[Table]:
    """Every table of a folder, for LaTeX."""
    if "tex" not in what.tables:
        return []
    kind = frames.kind(folder)
    if kind == frames.SWEEP:
        return tables.sweep_tables(folder)
    if kind == frames.ENSEMBLE:
        return tables.ensemble_tables(folder, frames.case_of(folder))
    return [table for table in tables.run_tables(frames.read(folder)) if table.rows]


def _write_tex(table: Table, stamp: Stamp, target: Path) -> list[Path]:
    return [_write(target / f"{table.name}.tex", tables.tex(table, stamp))]


def _data(folder: Path, what: Wanted) -> list[tuple[str, Callable[[], pl.LazyFrame]]]:
    """Every tidy table of a folder, by name."""
    if not {"csv", "parquet"} & set(what.tables):
        return []
    kind = frames.kind(folder)
    if kind == frames.SWEEP:
        return [
            ("results", partial(frames.lazy, folder)),
            ("effects", lambda: tables.effects_frame(folder).lazy()),
        ]
    found: list[tuple[str, Callable[[], pl.LazyFrame]]] = [
        ("series", partial(frames.lazy, folder)),
        ("shares", partial(frames.lazy_shares, folder)),
        ("events", lambda: frames.events(folder).lazy()),
        ("runs", lambda: frames.runs(folder).lazy()),
        ("columns", lambda: columns_of(folder).lazy()),
    ]
    if kind == frames.ENSEMBLE:
        found += [
            ("bands", lambda: bands_of(folder, what.series).lazy()),
            ("nation_bands", lambda: panels.nation_bands(folder).lazy()),
            ("outcomes", lambda: panels.outcome_shares(folder).lazy()),
        ]
    return found


def columns_of(folder: Path) -> pl.DataFrame:
    """What the daily columns are: column, unit, meaning."""
    known = frames.lazy(folder).collect_schema().names()
    rows = [(one.name, one.unit, one.doc) for one in declared().values() if one.name in known]
    return pl.DataFrame(rows, schema=["column", "unit", "meaning"], orient="row")


def bands_of(folder: Path, series: Sequence[str]) -> pl.DataFrame:
    """The bands that are drawn of an ensemble."""
    known = frames.lazy(folder).collect_schema().names()
    return frames.bands(folder, [name for name in series if name in known], pages.SMOOTHED_DAYS)


def _write_data(
    name: str, table: Callable[[], pl.LazyFrame], stamp: Stamp, what: Wanted, target: Path
) -> list[Path]:
    """A tidy table as CSV and as Parquet; the latter holds its provenance."""
    lazy, written = table(), []
    if "csv" in what.tables:
        flat = [key for key, kind in lazy.collect_schema().items() if not kind.is_nested()]
        file = target / f"{name}.csv"
        runfolder.atomically(file, lazy.select(flat).sink_csv)
        written.append(file)
    if "parquet" in what.tables:
        file = target / f"{name}.parquet"
        runfolder.atomically(file, partial(lazy.sink_parquet, metadata=stamp.facts()))
        written.append(file)
    return written


def _write_provenance(folder: Path, stamp: Stamp, target: Path) -> list[Path]:
    """What CSV files have no place for, and how to make all of it again."""
    facts: dict[str, Any] = stamp.facts() | {"kind": frames.kind(folder)}
    facts["bands"] = f"quantiles of means over {pages.SMOOTHED_DAYS} days"
    facts["rerun"] = list(rerun(folder))
    return [_write(target / PROVENANCE, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")]


def rerun(folder: Path) -> Iterator[str]:
    """The commands that give the same results again."""
    if frames.kind(folder) == frames.SWEEP:
        study = frames.study(folder)
        yield shlex.join(["python", "run.py", "sweep", study["study"], "--size", study["size"]])
        return
    facts = frames.all_facts(folder)
    case = frames.case_of(folder)
    paired = "value_over_paired_run" in facts[0]["headline"]
    yield from recipe(case, [each["seed"] for each in facts], paired).commands


def _write(file: Path, words: str) -> Path:
    runfolder.atomically(file, lambda opened: opened.write(words.encode()))
    return file
