"""The command line: parsing and printing only."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

# The model is imported by the command that needs it: help and complaints come at once, and a
# worker process that imports this file can still choose its number of threads.
if TYPE_CHECKING:
    from pydantic import BaseModel

    from model.scenario import Scenario
    from study.ensemble import Job


class Commands(TyperGroup):
    """The commands, with bad input told in one line and exit status 2."""

    def invoke(self, ctx: Any) -> Any:
        from model.scenario import ScenarioError

        try:
            return super().invoke(ctx)
        except ScenarioError as error:
            err.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Who mines bitcoin, where, at what power price, and under whose orders.",
)
out = Console()
err = Console(stderr=True)

SHOW_BAR_AFTER_S = 1.0

Name = Annotated[str, typer.Argument(help="scenario's name, or path of a TOML file")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="change a parameter, e.g. energy.pue=1.2"),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON, for machines")]


@app.command("list")
def list_scenarios(as_json: Json = False) -> None:
    """Every scenario, with the question it asks."""
    from model.scenario import catalogue

    entries = catalogue()
    if as_json:
        _print_json([{"name": name, "question": question} for name, question in entries])
        return
    table = Table("scenario", "question")
    for name, question in entries:
        table.add_row(name, question)
    out.print(table)


@app.command(epilog="Example: [bold]python run.py show china_ban_2021 --set energy.pue=1.2[/bold]")
def show(name: Name, changes: Changes = None, as_json: Json = False) -> None:
    """The resolved scenario as a TOML file, with sources, meanings and bounds."""
    from model.scenario import load, resolved

    case = load(name, changes or [])
    if as_json:
        _print_json(resolved(case))
        return
    for line in _toml(case):
        print(line)


@app.command(
    epilog="Example: [bold]python run.py run china_ban_2021 --replicates 20 --workers 2[/bold]"
)
def run(
    name: Name,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="random seed")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="stop after this many days")] = None,
    changes: Changes = None,
    replicates: Annotated[
        int, typer.Option(min=1, max=100_000, help="runs, with seeds seed, seed + 1, ...")
    ] = 1,
    workers: Annotated[int, typer.Option(min=1, max=1024, help="processes")] = 1,
    folder: Annotated[
        Path | None, typer.Option("--out", help="folder; out/NAME/SEED if not given")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="overwrite a finished run")] = False,
    paired: Annotated[
        bool, typer.Option("--paired", help="compare with a run of the same seed, no directives")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a scenario and write its folder."""
    from model.scenario import load, with_days
    from study.ensemble import Job, replicate_jobs

    case = load(name, [*(changes or []), *([] if seed is None else [f"seed={seed}"])])
    if days is not None:
        case = with_days(case, days)
    home = folder or Path("out") / case.name
    if replicates > 1:
        jobs = replicate_jobs(case, replicates, home, paired)
        _run_many(jobs, workers, home, force, as_json)
    else:
        job = Job(case, home if folder else home / str(case.seed), paired)
        _run_one(job, force, as_json)


@app.command()
def validate(
    observed: Annotated[Path | None, typer.Option(help="file of observations to score")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="shorter runs, fewer seeds")] = False,
    run: Annotated[
        list[str] | None, typer.Option(help="scenario, TOML file or run folder to score; repeat")
    ] = None,
) -> None:
    """Closed forms, history and conservation, as a table; or scores against observations."""
    from study import validate as validation

    runs = tuple(run) if run else validation.SCORED_RUNS
    raise typer.Exit(validation.main(observed, quick, out, runs))


def _run_one(job: Job, force: bool, as_json: bool) -> None:
    from study import runfolder, summary
    from study.ensemble import simulate

    folder = job.folder
    runfolder.prepare(folder, force)
    try:
        with _bar(job.case.days * (1 + job.paired), "day") as on_day:
            facts = simulate(job, on_day)
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            folder.rmdir()
        err.print("stopped before the end: nothing was written")
        raise typer.Exit(1) from None
    _draw(folder)
    if as_json:
        _print_json({"folder": str(folder)} | facts)
    else:
        summary.print_summary(out, folder)


def _run_many(jobs: Sequence[Job], workers: int, home: Path, force: bool, as_json: bool) -> None:
    from study import runfolder, summary

    for job in jobs:
        runfolder.refuse_finished(job.folder, force)
    # Other seeds of the same scenario may lie beside these.
    runfolder.prepare(home, force=force or not (home / runfolder.RUN).exists())
    done, errors = _finish(jobs, workers)
    for seed, error in errors.items():
        err.print(f"replicate with seed {seed} failed:\n{error}", highlight=False, markup=False)
    if as_json:
        _print_json([str(folder) for folder in done])
    elif done:
        summary.print_ensemble(out, done)
        out.print(f"written to {home}", highlight=False)
    if errors:
        raise typer.Exit(1)


def _finish(jobs: Sequence[Job], workers: int) -> tuple[list[Path], dict[int, str]]:
    """Run the jobs; return the folders of those that ended well and the errors by seed."""
    from study.ensemble import run_jobs

    done: list[Path] = []
    errors: dict[int, str] = {}
    try:
        with _bar(len(jobs), "replicate") as advance:
            for ended in run_jobs(jobs, workers):
                job = jobs[ended.position]
                if ended.error is None:
                    done.append(job.folder)
                else:
                    errors[job.case.seed] = ended.error
                advance(len(done) + len(errors))
    except KeyboardInterrupt:
        for job in jobs:
            # Of a replicate that was cut off there is only an empty folder.
            with contextlib.suppress(OSError):
                job.folder.rmdir()
        # What a worker wrote while it was being told counts too.
        whole = [job.folder for job in jobs if (job.folder / "run.json").is_file()]
        kept = ", ".join(str(folder) for folder in whole) or "none"
        err.print(f"stopped; finished replicates: {kept}", highlight=False)
        raise typer.Exit(1) from None
    return sorted(done, key=lambda folder: int(folder.name)), errors


def _draw(folder: Path) -> None:
    """Draw the scenario's figures, where there is somebody to draw it."""
    if importlib.util.find_spec("study.figures") is not None:
        from study import gallery

        gallery.draw(folder)


def _toml(case: Scenario) -> Iterator[str]:
    """The scenario as lines of a TOML file that loads to the same scenario."""
    from model.parameters import Section

    yield from _keys(case)
    for name in type(case).model_fields:
        section = getattr(case, name)
        if isinstance(section, Section):
            yield from ("", f"[{name}]", *_keys(section))
    for event in case.events:
        yield from ("", "[[events]]", *_keys(event))


def _keys(section: BaseModel) -> Iterator[str]:
    """Every key of a table that is no table itself, with its meaning and what it may be."""
    from model.scenario import allowed_values, is_table

    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if value is not None and not is_table(value):
            comment = "; ".join(filter(None, (field.description, allowed_values(field))))
            yield f"{name} = {_toml_value(value)}  # {comment}"


def _toml_value(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    if isinstance(value, str):
        # JSON leaves DEL as it is; TOML does not.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Rate(ProgressColumn):
    """Days or replicates a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} {task.description}/s" if task.speed else "")


@contextlib.contextmanager
def _bar(total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, for what takes longer than a second."""
    columns = (BarColumn(), MofNCompleteColumn(), _Rate(), TextColumn("left"))
    bar = Progress(*columns, TimeRemainingColumn(), console=err, disable=not err.is_terminal)
    task = bar.add_task(unit, total=total)
    began = time.monotonic()

    def advance(done: int) -> None:
        if time.monotonic() - began > SHOW_BAR_AFTER_S:
            bar.start()
        bar.update(task, completed=done)

    try:
        yield advance
    finally:
        bar.stop()


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=1))


if __name__ == "__main__":
    app()
