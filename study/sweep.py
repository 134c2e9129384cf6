"""Every run of a study, each in a file of its own: started, resumed, and gathered into tables."""

from __future__ import annotations

import io
import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from model.complaint import ScenarioError
from model.scenario import Scenario
from study import outputs, runfolder
from study.design import SCENARIO, Plan
from study.engines import Engine
from study.ensemble import lived

STUDY, RUNS, FAILURES = "study.json", "runs", "failures.csv"
RESULTS, RESULTS_CSV, COURSE = "results.parquet", "results.csv", "course.parquet"
GATHERED = (RESULTS, RESULTS_CSV, COURSE, FAILURES)
ROWS_AT_ONCE = 1000
# What must not differ between runs that stand in one table.
_SAME_CODE = ("version", "git_revision", "libraries")


@dataclass(frozen=True)
class RunJob:
    """One run of a sweep: all that a worker needs, and the file that it writes.

    Attributes
    ----------
    case : scenario, seed included, or why there is none
    row : the first columns of the run's row
    schema : of the run's file
    """

    case: Scenario | ScenarioError
    paired: bool
    row: Mapping[str, Any]
    outputs: tuple[outputs.Output, ...]
    course: tuple[str, ...]
    schema: Mapping[str, Any]
    target: Path


@dataclass
class Tally:
    """What became of the runs of a sweep so far.

    Attributes
    ----------
    failed : error of each run that failed, by its position
    unwritten : why a run that ended well could not be written
    finished : runs in the folder
    silent : headline figures that no run told
    """

    failed: dict[int, str] = field(default_factory=dict)
    unwritten: str | None = None
    finished: int = 0
    silent: tuple[str, ...] = ()


# The worker's side


def run_job(job: RunJob) -> str | None:
    """Run and write one file; return why it could not be written, if it could not."""
    if isinstance(job.case, ScenarioError):
        raise job.case
    world = lived(job.case, job.paired)
    row = dict(job.row) | outputs.measured(job.outputs, world)
    if job.course:
        row |= outputs.course(job.course, world.recorder)
    try:
        _write_row(job, row)
    except OSError as error:
        return f"{job.target}: {error.strerror or error}"
    return None


def _write_row(job: RunJob, row: Mapping[str, Any]) -> None:
    """Write a run's row, nothing in it that differs between machines or hours."""
    frame = pl.DataFrame([row], schema=dict(job.schema), strict=True)
    content = io.BytesIO()
    frame.write_parquet(content)
    runfolder.atomically(job.target, lambda file: file.write(content.getvalue()))


# The folder


def file_of(folder: Path, position: int) -> Path:
    """The file of a run."""
    return folder / RUNS / f"{position:06d}.parquet"


def file_schema(plan: Plan) -> dict[str, Any]:
    """Columns of a run's file: those of results.parquet, then the course."""
    return plan.schema | outputs.course_schema(plan.study.course)


def check(plan: Plan, folder: Path, resume: bool = False, force: bool = False) -> None:
    """Refuse a folder that holds something else; nothing is written."""
    known = folder / STUDY
    if not known.exists():
        runfolder.refuse_finished(folder, force)
        if (folder / RUNS).exists() and not force:
            found = f"runs of no known study in {folder}"
            raise ScenarioError("--out", found, "another folder, or --force")
    elif not resume and not force:
        allowed = "another folder, --resume to go on, or --force to begin anew"
        raise ScenarioError("--out", f"a sweep in {folder}", allowed)
    elif resume:
        _check_same(plan, facts_of(folder), folder, force)


def prepare(plan: Plan, folder: Path, resume: bool = False, force: bool = False) -> None:
    """Make the folder ready for runs of the study, study.json first."""
    check(plan, folder, resume, force)
    runfolder.prepare(folder, force=True)
    (folder / RUNS).mkdir(exist_ok=True)
    # Whatever is half written belongs to nobody who lives.
    left = [file for name in (STUDY, *GATHERED) for file in folder.glob(f".{name}.*")]
    left += (folder / RUNS).glob(".*.parquet.*")
    if not resume:
        left += [folder / name for name in (STUDY, *GATHERED)]
        left += (folder / RUNS).glob("*.parquet")
    for file in left:
        file.unlink(missing_ok=True)
    content = json.dumps(describe(plan), indent=1, allow_nan=False) + "\n"
    runfolder.atomically(folder / STUDY, lambda file: file.write(content.encode()))


def describe(plan: Plan) -> dict[str, Any]:
    """What study.json says of a sweep."""
    return {
        "study": plan.name,
        "question": plan.study.question,
        "size": plan.size,
        "hash": plan.hash,
        "version": runfolder.version(),
        "git_revision": runfolder.git_revision(),
        "libraries": runfolder.libraries(),
        "runs": plan.runs,
        "points": len(plan.points),
        "factors": plan.keys,
        "outputs": list(plan.study.outputs),
        "design": plan.resolved(),
        "scenarios": plan.parameters(),
    }


def facts_of(folder: Path) -> dict[str, Any]:
    """What a sweep's study.json says."""
    try:
        facts: dict[str, Any] = json.loads((folder / STUDY).read_text(encoding="utf-8"))
        if "hash" not in facts:
            raise ValueError
    except (OSError, ValueError, TypeError):
        found = f"no readable {STUDY} in {folder}"
        raise ScenarioError("sweep", found, "the folder of a sweep") from None
    return facts


def _check_same(plan: Plan, facts: Mapping[str, Any], folder: Path, force: bool) -> None:
    """Refuse runs of another study, and of other code unless that is meant."""
    if facts["hash"] != plan.hash:
        told = f"{facts.get('study')}, size {facts.get('size')}"
        found = f"another study ({told}, hash {str(facts['hash'])[:12]}) in {folder}"
        allowed = f"a sweep of {plan.name}, size {plan.size}, hash {plan.hash[:12]}"
        raise ScenarioError("--resume", found, allowed)
    now = describe(plan)
    for name in _SAME_CODE:
        if facts.get(name) != now[name] and not force:
            found = f"runs of another {name} in {folder}: {_short(facts.get(name))}"
            allowed = f"{_short(now[name])}, or --force to mix them"
            raise ScenarioError("--resume", found, allowed)


def _short(value: object) -> str:
    return json.dumps(value)


def unfinished(plan: Plan, folder: Path) -> array[int]:
    """Positions of the runs without a whole file."""
    there = {entry.name for entry in os.scandir(folder / RUNS)}
    schema = file_schema(plan)
    return array(
        "q",
        (
            position
            for position in range(plan.runs)
            if file_of(folder, position).name not in there
            or _stored(plan, folder, position, schema) is None
        ),
    )


def _stored(
    plan: Plan, folder: Path, position: int, schema: Mapping[str, Any]
) -> pl.DataFrame | None:
    """The row of a finished run; None if its file is missing, torn or another run's."""
    try:
        frame = pl.read_parquet(file_of(folder, position), glob=False)
    except (OSError, pl.exceptions.PolarsError):
        return None
    if dict(frame.schema) != dict(schema) or frame.height != 1:
        return None
    stored, known = frame.row(0, named=True), plan.row(position)
    return frame if all(stored[key] == value for key, value in known.items()) else None


# The sweep


def sweep(
    plan: Plan,
    folder: Path,
    engine: Engine,
    positions: array[int],
    advance: Callable[[int], object] = lambda _: None,
) -> Tally:
    """Run the given positions; stop at the first that cannot be written."""
    tally = Tally()
    with closing(engine.map(run_job, jobs(plan, folder, positions))) as ended:
        for number, done in enumerate(ended, start=1):
            if done.error is not None:
                tally.failed[positions[done.position]] = done.error.strip().splitlines()[-1]
            elif done.result is not None:
                tally.unwritten = done.result
                break
            advance(number)
    return tally


def jobs(plan: Plan, folder: Path, positions: Iterable[int]) -> Iterator[RunJob]:
    """The jobs of the given positions, each made when it is asked for."""
    schema, home = file_schema(plan), folder.resolve()
    before: tuple[int, str] | None = None
    case: Scenario | ScenarioError
    for position in positions:
        row = plan.row(position)
        # Replicates follow one another and differ in nothing but their seed.
        if (row["point"], row[SCENARIO]) != before:
            before, case = (row["point"], row[SCENARIO]), _case(plan, row)
        yield RunJob(
            case=_seeded(case, row["seed"]),
            paired=plan.study.paired,
            row=row,
            outputs=plan.outputs,
            course=plan.study.course,
            schema=schema,
            target=file_of(home, position),
        )


def _case(plan: Plan, row: Mapping[str, Any]) -> Scenario | ScenarioError:
    """The scenario of a point; factors that only together are impossible fail their own runs."""
    try:
        return plan.case(row)
    except ScenarioError as error:
        return error


def _seeded(case: Scenario | ScenarioError, seed: int) -> Scenario | ScenarioError:
    return case.model_copy(update={"seed": seed}) if isinstance(case, Scenario) else case


# The tables


def gather(plan: Plan, folder: Path, tally: Tally) -> None:
    """Write results.parquet, results.csv and failures.csv from the files of the runs."""
    told = {output.name: 0 for output in plan.outputs if output.kind == outputs.HEADLINE}

    def counted() -> Iterator[pl.DataFrame]:
        tally.finished = 0
        for rows in _rows(plan, folder):
            tally.finished += rows.height
            for name in told:
                told[name] += rows.height - rows[name].null_count()
            yield rows.select(list(plan.schema))

    _write_table(folder / RESULTS, plan.schema, counted())
    _write_csv(folder / RESULTS_CSV, folder / RESULTS)
    if plan.study.course:
        _gather_course(plan, folder)
    tally.silent = tuple(name for name, count in told.items() if count == 0)
    _write_failures(plan, folder, tally)


def _rows(plan: Plan, folder: Path) -> Iterator[pl.DataFrame]:
    """The rows of all finished runs in the order of their positions, some at a time."""
    schema = file_schema(plan)
    for first in range(0, plan.runs, ROWS_AT_ONCE):
        these = range(first, min(first + ROWS_AT_ONCE, plan.runs))
        stored = (_stored(plan, folder, position, schema) for position in these)
        found = [frame for frame in stored if frame is not None]
        if found:
            yield pl.concat(found)


def _write_table(target: Path, schema: Mapping[str, Any], tables: Iterable[pl.DataFrame]) -> None:
    """Write tables one below the other into one Parquet file, of which one is held at a time."""
    import pyarrow.parquet as parquet

    level = pl.CompatLevel.oldest()
    empty = pl.DataFrame(schema=dict(schema)).to_arrow(compat_level=level)

    def write_to(file: Any) -> None:
        with parquet.ParquetWriter(file, empty.schema, compression="zstd") as writer:
            for rows in tables:
                writer.write_table(rows.to_arrow(compat_level=level))

    runfolder.atomically(target, write_to)


def _write_csv(target: Path, source: Path) -> None:
    """Write a Parquet file as text, some rows at a time."""
    import pyarrow.parquet as parquet

    def write_to(file: Any) -> None:
        stored = parquet.ParquetFile(source)
        header = pl.DataFrame(pl.from_arrow(stored.schema_arrow.empty_table()))
        header.write_csv(file)
        for batch in stored.iter_batches(batch_size=ROWS_AT_ONCE):
            pl.DataFrame(pl.from_arrow(batch)).write_csv(file, include_header=False)

    runfolder.atomically(target, write_to)


def _gather_course(plan: Plan, folder: Path) -> None:
    """Write the monthly courses of all runs below one another: position, date, series."""
    names = list(outputs.course_schema(plan.study.course))
    plain = {name: name.removeprefix(outputs.COURSE) for name in names}
    types = [pl.Date, *[pl.Float64] * len(plan.study.course)]
    schema = {"position": pl.Int64} | dict(zip(plain.values(), types, strict=True))
    long = (
        rows.select("position", *names).explode(names).rename(plain) for rows in _rows(plan, folder)
    )
    _write_table(folder / COURSE, schema, long)


def _write_failures(plan: Plan, folder: Path, tally: Tally) -> None:
    """Write the runs that failed and why; no file where none did."""
    (folder / FAILURES).unlink(missing_ok=True)
    if not tally.failed:
        return
    rows = [
        plan.row(position) | {"error": tally.failed[position]} for position in sorted(tally.failed)
    ]
    first = [name for name in plan.schema if name not in plan.study.outputs]
    schema = {name: plan.schema[name] for name in first} | {"error": pl.String}
    frame = pl.DataFrame(rows, schema=schema)
    runfolder.atomically(folder / FAILURES, frame.write_csv)


def results(folder: Path) -> pl.DataFrame:
    """The results of a finished sweep, one row a run."""
    facts_of(folder)
    try:
        return pl.read_parquet(folder / RESULTS, glob=False)
    except (OSError, pl.exceptions.PolarsError):
        found = f"no readable {RESULTS} in {folder}"
        raise ScenarioError("sweep", found, "a sweep that ended, see --resume") from None
