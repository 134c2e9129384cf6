"""The command line: parsing and printing only."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

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
    from study.design import Plan
    from study.ensemble import Job
    from study.sweep import Tally


class Commands(TyperGroup):
    """The commands, with bad input told in one line and exit status 2."""

    def invoke(self, ctx: Any) -> Any:
        from model.complaint import ScenarioError

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
MOST_FAILURES_SHOWN = 10

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
    from study.scenario_file import lines

    case = load(name, changes or [])
    if as_json:
        _print_json(resolved(case))
        return
    for line in lines(case):
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


@app.command(epilog="Example: [bold]python run.py compare baseline_2025 ai_boom --workers 2[/bold]")
def compare(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME NAME...", help="two or more; each is compared with the first"),
    ],
    replicates: Annotated[
        int, typer.Option(min=2, max=100_000, help="pairs of runs under the same seed")
    ] = 10,
    workers: Annotated[int, typer.Option(min=1, max=1024, help="processes")] = 1,
    days: Annotated[int | None, typer.Option(min=1, help="compare so many days only")] = None,
    changes: Changes = None,
    extra: Annotated[
        list[str] | None,
        typer.Option("--output", metavar="OUTPUT", help="e.g. first:share_under_10mw>0.5; repeat"),
    ] = None,
    width: Annotated[
        float, typer.Option(min=1e-6, help="of an interval, as a share of the baseline's mean")
    ] = 0.10,
    folder: Annotated[
        Path | None, typer.Option("--out", help="write tables to this folder")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="overwrite a comparison")] = False,
    as_json: Json = False,
) -> None:
    """What scenarios change against the first one, paired by seed, with intervals."""
    from study import compare as comparing
    from study.engines import engine

    cases, first_day = comparing.common(names, changes or [], days)
    wanted = comparing.wanted_outputs(extra or [])
    if folder is not None:
        comparing.prepare(folder, force)
    try:
        with _bar(replicates * len(cases), "run") as advance:
            found = comparing.compare(
                cases, first_day, replicates, engine(workers), wanted, width, advance
            )
    except KeyboardInterrupt:
        err.print("stopped before the end: nothing was written")
        raise typer.Exit(1) from None
    for (seed, place), error in sorted(found.failed.items()):
        told = f"{found.labels[place]} with seed {seed} failed: {error}"
        err.print(told, markup=False, highlight=False, soft_wrap=True)
    if folder is not None:
        comparing.write(folder, found)
    if as_json:
        _print_json(comparing.facts(found))
    else:
        comparing.show(out, found)
    if found.failed:
        raise typer.Exit(1)


@app.command(epilog="Example: [bold]python run.py sweep scale_frontier --workers 2 --resume[/bold]")
def sweep(
    study: Annotated[str, typer.Argument(help="study's name, or path of a TOML file")],
    engine: Annotated[
        str | None, typer.Option(help="serial, processes or dask; by the workers if not given")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=1024, help="processes")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="of a dask scheduler that is running")
    ] = None,
    size: Annotated[str, typer.Option(help="size of the study, as its file has them")] = "laptop",
    resume: Annotated[bool, typer.Option("--resume", help="go on where a sweep stopped")] = False,
    folder: Annotated[
        Path | None, typer.Option("--out", help="folder; out/STUDY/SIZE if not given")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="overwrite a sweep")] = False,
    as_json: Json = False,
) -> None:
    """Run every run of a study, each to a file of its own; what is finished survives anything."""
    from study import design
    from study import engines as running
    from study import sweep as sweeping

    plan = design.read(study, size)
    home = folder or Path("out") / plan.name / size
    sweeping.check(plan, home, resume, force)
    chosen = running.engine(workers, engine, scheduler)
    try:
        sweeping.prepare(plan, home, resume, force)
        todo = sweeping.unfinished(plan, home)
        with _bar(len(todo), "run") as advance:
            tally = sweeping.sweep(plan, home, chosen, todo, advance)
        if tally.unwritten is None:
            sweeping.gather(plan, home, tally)
    except KeyboardInterrupt:
        _stopped(home, "stopped")
    except running.SchedulerLostError as error:
        _stopped(home, str(error))
    except OSError as error:
        _stopped(home, f"{error.filename or home}: {error.strerror or error}")
    if tally.unwritten is not None:
        _stopped(home, f"not written: {tally.unwritten}")
    _tell_sweep(plan, home, tally, as_json)


@app.command(epilog="Example: [bold]python run.py export out/us_25/1 --figures pdf[/bold]")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="of a run, an ensemble or a sweep")],
    figures: Annotated[
        str | None, typer.Option(metavar="FORMATS", help="pdf, svg and png, with commas between")
    ] = None,
    tables: Annotated[
        str | None, typer.Option(metavar="FORMATS", help="tex, csv and parquet; all if neither")
    ] = None,
    columns: Annotated[
        int, typer.Option(min=1, max=2, help="width of figures, in columns of a journal")
    ] = 1,
    series: Annotated[
        str | None, typer.Option(metavar="NAMES", help="columns of series.csv to draw, with commas")
    ] = None,
    target: Annotated[Path | None, typer.Option("--out", help="folder; DIR/export if none")] = None,
    as_json: Json = False,
) -> None:
    """Figures and tables for a paper, each with its provenance."""
    from study import export as exporting

    todo = exporting.tasks(folder, exporting.wanted(figures, tables, columns, series), target)
    written: list[Path] = []
    with _bar(len(todo), "task") as advance:
        for number, task in enumerate(todo, start=1):
            written += task()
            advance(number)
    if as_json:
        _print_json([str(file) for file in written])
        return
    for file in written:
        out.print(str(file), markup=False, highlight=False, soft_wrap=True)


@app.command(epilog="Example: [bold]python run.py report out/china_ban_2021/1[/bold]")
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="of a run or an ensemble")],
    target: Annotated[
        Path | None, typer.Option("--out", help="file; DIR/report.html if none")
    ] = None,
) -> None:
    """One self-contained HTML page: question, answer, figures, and how to run it again."""
    from study import report as reporting

    out.print(str(reporting.write(folder, target)), markup=False, highlight=False, soft_wrap=True)


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


def _stopped(home: Path, why: str) -> NoReturn:
    """Say why a sweep stopped and how it goes on."""
    kept = sum(1 for _ in home.glob("runs/[0-9]*.parquet"))
    told = f"{why}; finished runs in {home}: {kept}; go on with --resume"
    err.print(told, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1) from None


def _tell_sweep(plan: Plan, home: Path, tally: Tally, as_json: bool) -> None:
    """Say what a sweep has come to; exit status 1 if runs failed."""
    for name in tally.silent:
        told = f"no run told {name}: is there such a figure in run.json?"
        err.print(told, markup=False, highlight=False, soft_wrap=True)
    for position, error in sorted(tally.failed.items())[:MOST_FAILURES_SHOWN]:
        told = f"run {position} failed: {error}"
        err.print(told, markup=False, highlight=False, soft_wrap=True)
    figures = {"runs": plan.runs, "finished": tally.finished, "failed": len(tally.failed)}
    if as_json:
        _print_json({"folder": str(home)} | figures)
    else:
        words = ", ".join(f"{count} {name}" for name, count in figures.items())
        out.print(f"{plan.name}, size {plan.size}: {words}", highlight=False, markup=False)
        out.print(f"written to {home}", highlight=False, markup=False, soft_wrap=True)
    if tally.finished < plan.runs:
        raise typer.Exit(1)


@app.command(epilog="Example: [bold]python run.py view us_60_2028 --port 8765[/bold]")
def view(
    scenario: Annotated[
        str, typer.Argument(metavar="NAME", help="scenario to open with, or path of a TOML file")
    ] = "baseline_2025",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one")] = 8765,
    host: Annotated[
        str, typer.Option(help="address to listen on; only this machine's by default")
    ] = ("127.0.0.1"),
    sessions: Annotated[
        int, typer.Option(min=1, max=1000, help="worlds held at once, one for each open page")
    ] = 32,
    root_path: Annotated[
        str, typer.Option(help="path under which a reverse proxy shows the page, e.g. /mining")
    ] = "",
) -> None:
    """The browser page: watch the hashrate move, and pull the levers."""
    from view.server import serve

    serve(scenario, host, port, sessions, root_path, started=_tell_address)


def _tell_address(address: str) -> None:
    print(f"the page is at {address} (Ctrl-C stops it)", flush=True)


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
