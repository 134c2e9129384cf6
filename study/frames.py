"""What a folder of results holds, in one call: a polars frame or an xarray data set.

A folder is one of three kinds: a run, an ensemble (a folder of runs that differ in nothing but
their seed) or a sweep. Frames are wide and tidy: one row is one observation, one column is one
variable. Of runs and ensembles an observation is a day of a run, of a sweep it is a run.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from model.complaint import ScenarioError, nearest_to
from model.scenario import Scenario
from study import runfolder
from study.provenance import Stamp, stamp_of_runs, stamp_of_sweep
from study.quantities import declared
from study.runfolder import Run

if TYPE_CHECKING:
    import xarray as xr

RUN, ENSEMBLE, SWEEP = "run", "ensemble", "sweep"
STUDY, RESULTS = "study.json", "results.parquet"
QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.50, "p75": 0.75, "p95": 0.95}


def frame(folder: Path | str) -> pl.DataFrame:
    """Everything of a folder that is told once a day, or of a sweep once a run.

    Columns are scenario, seed, date and every daily series; of a sweep those of its results:
    position, point, replicate, seed, scenario, its factors and its outputs.

    Raises
    ------
    ScenarioError : the folder holds no finished result, or one that cannot be read.
    """
    with readable(Path(folder)):
        return lazy(folder).collect()


def lazy(folder: Path | str) -> pl.LazyFrame:
    """The same as `frame`, not yet read, for what is larger than memory."""
    place = Path(folder)
    if kind(place) == SWEEP:
        if not (place / RESULTS).is_file():
            found = f"a sweep without {RESULTS} in {place}"
            raise ScenarioError("folder", found, "a sweep that ended, see --resume")
        return _scanned(place / RESULTS)
    return _daily(place, "series")


def shares(folder: Path | str) -> pl.DataFrame:
    """Shares of a run or an ensemble: scenario, seed, date, grouping, member, share."""
    with readable(Path(folder)):
        return lazy_shares(folder).collect()


def lazy_shares(folder: Path | str) -> pl.LazyFrame:
    """The same as `shares`, not yet read."""
    place = Path(folder)
    if kind(place) == SWEEP:
        raise ScenarioError("folder", f"the sweep {place}", "a run or an ensemble: it has shares")
    return _daily(place, "shares")


def events(folder: Path | str) -> pl.DataFrame:
    """What happened in a run or an ensemble: scenario, seed, date, kind, subject, what."""
    place = Path(folder)
    if kind(place) == SWEEP:
        raise ScenarioError("folder", f"the sweep {place}", "a run or an ensemble: it has events")
    return pl.concat(
        _with_run(facts, pl.read_csv(run / "events.csv", schema=runfolder.EVENTS_SCHEMA).lazy())
        for run, facts in zip(_runs_in(place), all_facts(place), strict=True)
    ).collect()


def runs(folder: Path | str) -> pl.DataFrame:
    """One row a run: scenario, seed, outcome, the headline figures and the first passages.

    A first passage is a column `first_…` of dates, null where a run never came so far.
    """
    rows = []
    for facts in all_facts(Path(folder)):
        outcome = facts["outcome"]
        row = {"scenario": facts["name"], "seed": facts["seed"]}
        row |= {"outcome": outcome["class"], "outcome_name": outcome["name"]}
        row |= {"flags": ", ".join(outcome["flags"])} | facts["headline"]
        first = outcome["first_passage"]
        rows.append(row | {f"first_{what}": day for what, day in first.items()})
    table = pl.DataFrame(rows, infer_schema_length=None)
    dates = [name for name in table.columns if name.startswith("first_")]
    return table.with_columns(pl.col(dates).cast(pl.String).str.to_date())


def bands(folder: Path | str, names: Sequence[str], smooth_days: int = 1) -> pl.DataFrame:
    """The spread over the runs of an ensemble: date, series, runs, mean and quantiles.

    Of each run the mean over so many days around each day is taken first.
    """
    place = Path(folder)
    with readable(place):
        # A column at a time, so that memory holds one series of all runs and no more.
        return pl.concat([_band(place, name, smooth_days) for name in names])


def dataset(folder: Path | str) -> xr.Dataset:
    """Everything of a folder as an xarray data set, with units and long names as attributes.

    Of runs and ensembles: the daily series over `seed` and `date`, and `share_<grouping>` over
    `seed`, `share_date` and the grouping's members. Of a sweep: its outputs over `scenario`,
    `point` and `replicate`, with the factors as coordinates of the points.

    Raises
    ------
    ScenarioError : the folder holds no finished result, or one that cannot be read.
    """
    place = Path(folder)
    with readable(place):
        if kind(place) == SWEEP:
            return _sweep_dataset(place)
        return _daily_dataset(place)


# Folders


def kind(folder: Path) -> str:
    """Whether a folder is a run, an ensemble or a sweep; refused if it is none of them."""
    if (folder / runfolder.RUN).is_file():
        return RUN
    if (folder / STUDY).is_file():
        return SWEEP
    if runfolder.finished(folder):
        return ENSEMBLE
    allowed = "the folder of a finished run, of an ensemble or of a sweep"
    if folder.is_dir():
        raise ScenarioError("folder", f"{folder}, which holds no finished run", allowed)
    raise ScenarioError("folder", f"no folder {folder}", allowed, _sibling(folder))


def read(folder: Path) -> Run:
    """A finished run, or one clear complaint."""
    with readable(folder):
        return runfolder.read(folder)


def case_of(folder: Path) -> Scenario:
    """The scenario of a run, or of the first run of an ensemble, or one clear complaint."""
    first = run_folders(folder)[0]
    with readable(first):
        return runfolder.read(first).case


def run_folders(folder: Path) -> list[Path]:
    """Folders of the runs of a run or an ensemble, in the order of their seeds."""
    all_facts(folder)
    return _runs_in(folder)


def all_facts(folder: Path) -> list[dict[str, Any]]:
    """What run.json says of each run of a run or an ensemble, in the order of their seeds."""
    found = [_facts(place) for place in _runs_in(folder)]
    hashes = {facts["parameter_hash"] for facts in found}
    if len(hashes) > 1:
        told = f"runs of {len(hashes)} different sets of parameters in {folder}"
        raise ScenarioError("folder", told, "runs that differ in nothing but their seed")
    return found


def stamp(folder: Path) -> Stamp:
    """Where the results of a folder come from."""
    with readable(folder):
        if kind(folder) == SWEEP:
            seeds = lazy(folder).select("seed").collect()
            return stamp_of_sweep(study(folder), seeds["seed"].to_list())
        return stamp_of_runs(all_facts(folder))


def study(folder: Path) -> dict[str, Any]:
    """What study.json says of a sweep."""
    with readable(folder):
        described: dict[str, Any] = json.loads((folder / STUDY).read_text(encoding="utf-8"))
        return described


def factors(folder: Path) -> list[str]:
    """Columns of a sweep's results that were varied."""
    with readable(folder):
        named: list[str] = list(study(folder)["factors"])
        scenarios = lazy(folder).select("scenario").unique().collect()
        return named if scenarios.height < 2 else [*named, "scenario"]


def outputs(folder: Path) -> list[str]:
    """Columns of a sweep's results that came out."""
    with readable(folder):
        return list(study(folder)["outputs"])


@contextlib.contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Whatever goes wrong with the files of a folder, as one clear complaint."""
    try:
        yield
    except ScenarioError:
        raise
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise unreadable(folder, error) from None


def unreadable(folder: Path, error: Exception) -> ScenarioError:
    """The complaint about a folder that is not whole."""
    reason = " ".join(str(error).split()) or type(error).__name__
    found = f"{folder}, which cannot be read ({reason[:160]})"
    return ScenarioError("folder", found, "a folder of finished results, whole")


def _sibling(folder: Path) -> str | None:
    """The nearest name beside a folder that isn't there."""
    if not folder.parent.is_dir():
        return None
    names = [place.name for place in sorted(folder.parent.iterdir()) if place.is_dir()]
    return nearest_to(folder.name, names)


def _runs_in(folder: Path) -> list[Path]:
    return [folder] if kind(folder) == RUN else runfolder.finished(folder)


def _facts(folder: Path) -> dict[str, Any]:
    """What run.json says, if it says all that others ask for."""
    with readable(folder):
        facts = json.loads((folder / runfolder.RUN).read_text(encoding="utf-8"))
        needed = ("name", "seed", "parameter_hash", "outcome", "headline", "start_date")
        missing = [name for name in needed if name not in facts]
        if missing:
            raise ValueError(f"run.json lacks {', '.join(missing)}")
        whole: dict[str, Any] = facts
        return whole


# Frames


def _daily(folder: Path, name: str) -> pl.LazyFrame:
    """A table of each run of a folder, with its scenario and seed, one after another."""
    found = zip(_runs_in(folder), all_facts(folder), strict=True)
    tables = [_with_run(facts, _scanned(run / f"{name}.parquet")) for run, facts in found]
    return pl.concat(tables, how="diagonal")


def _with_run(facts: dict[str, Any], table: pl.LazyFrame) -> pl.LazyFrame:
    marked = (
        pl.lit(facts["name"]).alias("scenario"),
        pl.lit(facts["seed"], pl.Int64).alias("seed"),
    )
    return table.select(*marked, pl.all())


def _scanned(file: Path) -> pl.LazyFrame:
    """A table that is there and whole."""
    with readable(file.parent):
        pl.read_parquet_schema(file)
        return pl.scan_parquet(file)


def _band(folder: Path, name: str, smooth_days: int) -> pl.DataFrame:
    """The spread of one series over the runs, on each day."""
    smooth = pl.col(name).rolling_mean(smooth_days, min_samples=1, center=True)
    paths = [
        _scanned(run / "series.parquet").select("date", value=smooth).collect()
        for run in run_folders(folder)
    ]
    known = pl.col("value").drop_nulls()
    spread = [known.quantile(part, "linear").alias(word) for word, part in QUANTILES.items()]
    counted = (known.len().alias("runs"), known.mean().alias("mean"))
    table = pl.concat(paths).group_by("date").agg(*counted, *spread)
    return table.sort("date").select("date", pl.lit(name).alias("series"), pl.exclude("date"))


# Data sets


def _daily_dataset(folder: Path) -> xr.Dataset:
    import xarray as xr

    table = frame(folder)
    seeds, dates = _axis(table["seed"]), _axis(table["date"])
    rows, columns = _places(table["seed"], seeds), _places(table["date"], dates)
    data: dict[str, Any] = {}
    for name in table.columns[3:]:
        values = np.full((len(seeds), len(dates)), np.nan)
        values[rows, columns] = table[name].cast(pl.Float64).to_numpy()
        data[name] = (("seed", "date"), values, _attributes(name))
    held = shares(folder)
    weeks = _axis(held["date"])
    for (grouping,), part in held.group_by("grouping", maintain_order=True):
        data[f"share_{grouping}"] = _share_variable(str(grouping), part, seeds, weeks)
        members = sorted(part["member"].unique())
        data[str(grouping)] = ((str(grouping),), members)
    coordinates = {"seed": seeds, "date": dates.astype("datetime64[ns]")}
    if len(weeks):
        coordinates["share_date"] = weeks.astype("datetime64[ns]")
    return xr.Dataset(data, coordinates, stamp(folder).facts())


def _share_variable(
    grouping: str, part: pl.DataFrame, seeds: Any, weeks: Any
) -> tuple[tuple[str, str, str], Any, dict[str, str]]:
    """Shares of a grouping's members: zero where a member has none on a day with records."""
    members = np.array(sorted(part["member"].unique()))
    values = np.full((len(seeds), len(weeks), len(members)), np.nan)
    rows, columns = _places(part["seed"], seeds), _places(part["date"], weeks)
    values[rows, columns] = 0.0
    values[rows, columns, np.searchsorted(members, part["member"].to_numpy())] = part["share"]
    about = {"units": "1", "long_name": f"share of the hashrate by {grouping.replace('_', ' ')}"}
    return ("seed", "share_date", grouping), values, about


def _sweep_dataset(folder: Path) -> xr.Dataset:
    import xarray as xr

    table = frame(folder)
    dimensions = ("scenario", "point", "replicate")
    axes = [_axis(table[name]) for name in dimensions]
    places = tuple(_places(table[name], axis) for name, axis in zip(dimensions, axes, strict=True))
    data = {
        name: (dimensions, _spread(table[name], places, axes), _attributes(name))
        for name in outputs(folder)
    }
    coordinates: dict[str, Any] = dict(zip(dimensions, axes, strict=True))
    points = table.unique("point", keep="first").sort("point")
    for name in study(folder)["factors"]:
        coordinates[name] = ("point", points[name].to_numpy())
    replicates = table.unique("replicate", keep="first").sort("replicate")
    coordinates["seed"] = ("replicate", replicates["seed"].to_numpy())
    return xr.Dataset(data, coordinates, stamp(folder).facts())


def _spread(column: pl.Series, places: tuple[Any, ...], axes: Sequence[Any]) -> Any:
    """A column of runs over the axes of a sweep; missing where a run failed."""
    shape = tuple(len(axis) for axis in axes)
    if column.dtype == pl.String:
        words = np.full(shape, "", dtype=np.object_)
        words[places] = column.fill_null("").to_list()
        return words.astype(np.str_)
    values = np.full(shape, np.nan)
    values[places] = column.cast(pl.Float64).to_numpy()
    return values


def _axis(column: pl.Series) -> Any:
    """The values of an axis, in order, each once."""
    return column.unique().sort().to_numpy()


def _places(column: pl.Series, axis: Any) -> Any:
    """Places of a column's values on an axis."""
    return np.searchsorted(axis, column.to_numpy())


def _attributes(name: str) -> dict[str, str]:
    column = declared().get(name)
    if column is None:
        return {}
    return {"units": column.unit, "long_name": column.doc}
