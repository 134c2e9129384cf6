"""Sweeps survive anything: dead workers, a dead parent, a full disk; and lose and tear nothing."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import subprocess
import sys
import time
import tracemalloc
import weakref
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psutil
import pytest
from typer.testing import CliRunner, Result

import run
from model.complaint import ScenarioError
from study import design, engines, runfolder, sweep
from study.engines import Dask, Engine, Processes, Serial, engine

ROOT = Path(run.__file__).parent
CLI = CliRunner()
SCENARIO = """
question = "Does it run?"
start_date = 2021-03-01
end_date = 2021-12-31
[start]
miners = 50
sites = 60
"""
STUDY = """
question = "Does it survive?"
scenario = "tiny.toml"
replicates = {replicates}
days = {days}
outputs = ["end:share_under_10mw", "hashrate_end_ehs", "class", "first:hashrate_ehs>100"]
course = ["price_usd"]
[[factors]]
key = "energy.pue"
values = [1.1, 1.2]
"""
TABLES = ("results.parquet", "results.csv", "course.parquet")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a scenario and a study, which becomes the working folder."""
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path)
    return tmp_path


def write_study(folder: Path, replicates: int = 4, days: int = 5) -> None:
    (folder / "tiny.toml").write_text(SCENARIO)
    (folder / "study.toml").write_text(STUDY.format(replicates=replicates, days=days))


def call(*arguments: str) -> Result:
    return CLI.invoke(run.app, ["sweep", "study.toml", *arguments])


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a sweep."""
    files = [*folder.glob("*.*"), *(folder / "runs").iterdir()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def written(folder: Path) -> list[str]:
    """Whole files of runs."""
    return sorted(file.name for file in (folder / "runs").glob("[0-9]*.parquet"))


def readable(folder: Path) -> bool:
    """Whether every file that has a run's name is a whole run."""
    return all(
        pl.read_parquet(folder / "runs" / name, glob=False).height == 1 for name in written(folder)
    )


# What is written


@pytest.mark.usefixtures("small_world")
def test_a_sweep_writes_one_file_a_run_and_gathers_them(home: Path) -> None:
    result = call("--out", "here")
    assert result.exit_code == 0, result.output
    folder = home / "here"
    assert written(folder) == [f"{position:06d}.parquet" for position in range(8)]
    assert set(contents(folder)) == {
        "study.json",
        *TABLES,
        *(f"runs/{name}" for name in written(folder)),
    }
    table = sweep.results(folder)
    assert table.columns == [
        *("position", "point", "replicate", "seed", "scenario", "energy.pue"),
        *("end:share_under_10mw", "hashrate_end_ehs", "class", "first:hashrate_ehs>100"),
    ]
    assert table["position"].to_list() == list(range(8))
    assert table["seed"].to_list() == [1, 2, 3, 4] * 2
    assert table["energy.pue"].to_list() == [1.1] * 4 + [1.2] * 4
    # The small world knows nothing but its seed, and that is common to both points.
    ends = table["end:share_under_10mw"].to_list()
    assert ends[:4] == ends[4:]
    assert len(set(ends)) == 4
    assert table["class"].unique().to_list() == ["O0"]
    read = pl.read_csv(folder / "results.csv", schema=table.schema)
    assert read.equals(table)


@pytest.mark.usefixtures("small_world")
def test_the_monthly_course_is_kept_beside_the_results(home: Path) -> None:
    write_study(home, replicates=1, days=40)
    assert call("--out", "here").exit_code == 0
    course = pl.read_parquet(home / "here" / "course.parquet")
    assert course.columns == ["position", "date", "price_usd"]
    assert course["position"].to_list() == [0, 0, 1, 1]
    assert [str(day) for day in course["date"][:2]] == ["2021-03-31", "2021-04-09"]
    assert course["price_usd"].null_count() == 0


@pytest.mark.usefixtures("small_world")
def test_study_json_says_what_was_asked_and_of_which_code(home: Path) -> None:
    assert call("--out", "here").exit_code == 0
    facts = sweep.facts_of(home / "here")
    plan = design.read("study.toml")
    assert facts["hash"] == plan.hash
    assert (facts["runs"], facts["points"], facts["factors"]) == (8, 2, ["energy.pue"])
    assert facts["version"] == runfolder.version()
    assert facts["scenarios"]["tiny.toml"]["start"]["miners"] == 50
    assert "wall_seconds" not in facts


@pytest.mark.usefixtures("small_world")
def test_failed_runs_are_told_and_the_rest_is_kept(home: Path) -> None:
    write_study(home, replicates=10)
    result = call("--out", "here")
    assert result.exit_code == 1
    assert "run 8 failed: ArithmeticError: this seed fails" in result.stderr
    assert sweep.results(home / "here").height == 18
    failures = pl.read_csv(home / "here" / "failures.csv")
    assert failures["position"].to_list() == [8, 18]
    assert failures["seed"].to_list() == [9, 9]
    assert failures["error"].unique().to_list() == ["ArithmeticError: this seed fails"]
    # Failed runs are tried again, and nothing else.
    assert call("--out", "here", "--resume").exit_code == 1


def test_factors_that_only_together_are_impossible_fail_their_own_runs(home: Path) -> None:
    Path("study.toml").write_text(
        STUDY.format(replicates=1, days=2).partition("[[factors]]")[0]
        + '[[factors]]\nkey = "forks.fickle_share"\nvalues = [0.1, 0.5]\n'
        + '[[factors]]\nkey = "forks.automatic_share"\nvalues = [0.3, 0.6]\n'
    )
    plan = design.read("study.toml")
    made = list(sweep.jobs(plan, home, range(4)))
    assert [isinstance(job.case, ScenarioError) for job in made] == [False, False, False, True]
    with pytest.raises(ScenarioError, match="add up to at most 1"):
        sweep.run_job(made[3])


# The same results from every engine


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of a sweep of the real world that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_study(folder, replicates=6, days=20)
    plan = design.read(folder / "study.toml")
    sweep.prepare(plan, folder / "out")
    tally = sweep.sweep(plan, folder / "out", Serial(), sweep.unfinished(plan, folder / "out"))
    sweep.gather(plan, folder / "out", tally)
    assert tally.finished == plan.runs == 12
    return contents(folder / "out")


@pytest.mark.parametrize("name", ["processes", "dask"])
def test_results_are_the_same_bytes_whichever_engine_ran_them(
    name: str, home: Path, undisturbed: dict[str, bytes]
) -> None:
    write_study(home, replicates=6, days=20)
    plan = design.read("study.toml")
    sweep.prepare(plan, home / "out")
    todo = sweep.unfinished(plan, home / "out")
    tally = sweep.sweep(plan, home / "out", engine(2, name), todo)
    sweep.gather(plan, home / "out", tally)
    assert contents(home / "out") == undisturbed


def test_a_scheduler_at_an_address_runs_the_jobs() -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        processes=False,
        protocol="tcp",
    ) as cluster:
        chosen = engine(1, None, cluster.scheduler_address)
        assert isinstance(chosen, Dask)
        ended = sorted(chosen.map(abs, range(-9, 0)), key=lambda done: done.position)
        assert [done.result for done in ended] == list(range(9, 0, -1))
        worker = next(iter(cluster.workers.values())).address
        with pytest.raises(ScenarioError, match="a worker"):
            engine(1, "dask", worker)


def test_dask_loses_no_job_with_a_worker_and_an_error_costs_only_its_own(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    dies_once = f"__import__('os')._exit(9) if (p := __import__('pathlib').Path({str(mark)!r}))"
    dies_once += ".exists() is False and p.touch() is None else 'alive'"
    jobs = ["1 + 1", dies_once, "1 / 0", "2 + 2", "__import__('numba').config.NUMBA_NUM_THREADS"]
    ended = {done.position: done for done in Dask(2).map(eval, jobs)}
    assert [ended[place].result for place in (0, 1, 3, 4)] == [2, "alive", 4, 1]
    assert "ZeroDivisionError" in str(ended[2].error)


@pytest.mark.parametrize("chosen", [Serial(), Processes(2), Dask(1)])
def test_engines_take_jobs_only_when_there_is_somebody_to_run_them(chosen: Engine) -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        for number in itertools.count():
            taken += 1
            yield number

    ended = chosen.map(abs, endless())
    assert {next(ended).position for _ in range(3)} <= set(range(8))
    ended.close()
    assert taken <= 3 + 2 * 2 + 1


# Killed


def begin(folder: Path, *more: str) -> subprocess.Popen[str]:
    """A sweep in a process of its own."""
    command = [sys.executable, str(ROOT / "run.py"), "sweep", "study.toml", "--workers", "2"]
    return subprocess.Popen(
        [*command, "--out", "out", *more], cwd=folder, stderr=subprocess.PIPE, text=True
    )


def wait_for_runs(folder: Path, process: subprocess.Popen[str], least: int = 1) -> None:
    """Wait until some runs are written."""
    until = time.monotonic() + 120
    while not (folder / "runs").is_dir() or len(written(folder)) < least:
        assert process.poll() is None, "the sweep ended too early"
        assert time.monotonic() < until, "no run ended"
        time.sleep(0.01)


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def resumed(folder: Path, *more: str) -> None:
    """The sweep carried on to its end."""
    process = begin(folder, "--resume", *more)
    _, told = process.communicate(timeout=240)
    assert process.returncode == 0, told


def test_a_killed_worker_costs_nothing(home: Path, undisturbed: dict[str, bytes]) -> None:
    write_study(home, replicates=6, days=20)
    process = begin(home)
    wait_for_runs(home / "out", process)
    workers_of(process)[0].kill()
    _, told = process.communicate(timeout=240)
    assert process.returncode == 0, told
    assert contents(home / "out") == undisturbed


def test_a_killed_sweep_goes_on_to_the_same_bytes(
    home: Path, undisturbed: dict[str, bytes]
) -> None:
    write_study(home, replicates=6, days=20)
    process = begin(home)
    wait_for_runs(home / "out", process, 3)
    workers = workers_of(process)
    process.kill()
    process.wait(timeout=60)
    gone, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive, "workers outlive their parent"
    assert len(gone) == 2
    kept = written(home / "out")
    assert 3 <= len(kept) < 12
    assert readable(home / "out")
    assert not (home / "out" / "results.parquet").exists()
    # What a worker leaves behind when it dies while writing.
    (home / "out" / "runs" / ".000011.parquet.99999").write_bytes(b"PAR1 half")
    resumed(home)
    assert contents(home / "out") == undisturbed


def test_ctrl_c_keeps_what_is_finished(home: Path, undisturbed: dict[str, bytes]) -> None:
    write_study(home, replicates=6, days=20)
    process = begin(home)
    wait_for_runs(home / "out", process, 2)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "go on with --resume" in told
    assert "Traceback" not in told
    assert readable(home / "out")
    resumed(home)
    assert contents(home / "out") == undisturbed


@pytest.mark.usefixtures("small_world")
def test_a_full_disk_stops_the_sweep_and_tears_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("--out", "whole").exit_code == 0
    flush, calls = os.fsync, itertools.count()

    def full(file: int) -> None:
        if next(calls) >= 4:
            raise OSError(28, "No space left on device")
        flush(file)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        stopped = call("--out", "out")
    assert stopped.exit_code == 1
    assert "No space left on device; finished runs in out: 3; go on with --resume" in stopped.stderr
    assert len(written(home / "out")) == 3
    assert readable(home / "out")
    assert not list((home / "out").rglob(".*"))
    assert call("--out", "out", "--resume").exit_code == 0
    assert contents(home / "out") == contents(home / "whole")


@pytest.mark.usefixtures("small_world")
def test_a_full_disk_while_gathering_leaves_no_table(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("--out", "whole").exit_code == 0
    write_whole = sweep._write_csv

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sweep, "_write_csv", full)
    assert call("--out", "out").exit_code == 1
    assert not (home / "out" / "results.csv").exists()
    monkeypatch.setattr(sweep, "_write_csv", write_whole)
    assert call("--out", "out", "--resume").exit_code == 0
    assert contents(home / "out") == contents(home / "whole")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 100 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True, timeout=30)


@pytest.mark.usefixtures("small_world")
def test_a_file_system_that_fills_up_is_survived(home: Path, small_disk: Path) -> None:
    write_study(home, replicates=8)
    assert call("--out", "whole").exit_code == 0
    stopped = call("--out", str(small_disk / "out"))
    assert stopped.exit_code == 1
    assert "No space left on device" in stopped.stderr
    assert readable(small_disk / "out")
    room = ["mount", "-o", "remount,size=10m", str(small_disk)]
    subprocess.run(room, check=True, timeout=30)
    assert call("--out", str(small_disk / "out"), "--resume").exit_code == 0
    assert contents(small_disk / "out") == contents(home / "whole")


# Resumed


@pytest.mark.usefixtures("small_world")
def test_resume_runs_what_is_missing_torn_or_of_another_run_and_nothing_else(home: Path) -> None:
    assert call("--out", "out").exit_code == 0
    before = contents(home / "out")
    runs = home / "out" / "runs"
    (runs / "000001.parquet").unlink()
    (runs / "000002.parquet").write_bytes((runs / "000002.parquet").read_bytes()[:-20])
    (runs / "000003.parquet").write_bytes(b"")
    (runs / "000004.parquet").write_bytes((runs / "000005.parquet").read_bytes())
    plan = design.read("study.toml")
    assert list(sweep.unfinished(plan, home / "out")) == [1, 2, 3, 4]
    untouched = (runs / "000000.parquet").stat().st_mtime_ns
    assert call("--out", "out", "--resume").exit_code == 0
    assert contents(home / "out") == before
    assert (runs / "000000.parquet").stat().st_mtime_ns == untouched


@pytest.mark.usefixtures("small_world")
def test_a_torn_file_is_never_gathered(home: Path) -> None:
    assert call("--out", "out").exit_code == 0
    torn = home / "out" / "runs" / "000002.parquet"
    torn.write_bytes(torn.read_bytes()[:100])
    tally = sweep.Tally()
    sweep.gather(design.read("study.toml"), home / "out", tally)
    assert tally.finished == 7
    assert 2 not in sweep.results(home / "out")["position"].to_list()


@pytest.mark.usefixtures("small_world")
def test_a_folder_of_another_study_is_refused(home: Path) -> None:
    assert call("--out", "out").exit_code == 0
    before = contents(home / "out")
    again = call("--out", "out")
    assert (again.exit_code, "--resume to go on" in again.stderr) == (2, True)
    write_study(home, replicates=5)
    other = call("--out", "out", "--resume")
    assert other.exit_code == 2
    assert "another study (study, size laptop" in other.stderr
    assert contents(home / "out") == before
    assert call("--out", "out", "--force").exit_code == 0
    assert len(written(home / "out")) == 10


@pytest.mark.usefixtures("small_world")
def test_runs_of_other_code_are_not_mixed_unless_that_is_meant(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("--out", "out").exit_code == 0
    monkeypatch.setattr(runfolder, "git_revision", lambda: "f" * 40)
    refused = call("--out", "out", "--resume")
    assert refused.exit_code == 2
    assert "runs of another git_revision" in refused.stderr
    assert call("--out", "out", "--resume", "--force").exit_code == 0


@pytest.mark.usefixtures("small_world")
def test_folders_that_hold_something_else_are_refused(home: Path) -> None:
    (home / "odd" / "runs").mkdir(parents=True)
    (home / "odd" / "runs" / "mine.txt").write_text("not of a sweep")
    assert call("--out", "odd").exit_code == 2
    assert call("--out", "odd", "--force").exit_code == 0
    assert (home / "odd" / "runs" / "mine.txt").exists()
    (home / "torn").mkdir()
    (home / "torn" / "study.json").write_text('{"study": ')
    refused = call("--out", "torn", "--resume")
    assert refused.exit_code == 2
    assert "no readable study.json" in refused.stderr
    assert call("--out", "study.toml").exit_code == 2
    (home / "run").mkdir()
    (home / "run" / "run.json").write_text("{}")
    assert call("--out", "run").exit_code == 2
    with pytest.raises(ScenarioError, match="the folder of a sweep"):
        sweep.results(home / "run")
    (home / "odd" / "results.parquet").write_bytes(b"PAR1")
    with pytest.raises(ScenarioError, match="a sweep that ended"):
        sweep.results(home / "odd")


# Bad input


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--engine", "das"), 'did you mean "dask"'),
        (("--engine", "serial", "--workers", "2"), "1 with --engine serial"),
        (("--engine", "processes", "--scheduler", "tcp://127.0.0.1:1"), "--engine dask"),
        (("--scheduler", "tcp://127.0.0.1:1"), "a dask scheduler that answers"),
        (("--scheduler", "nonsense"), "a dask scheduler that answers"),
        (("--scheduler", ""), "a dask scheduler that answers"),
        (("--size", "cluster"), "--size"),
        (("--workers", "0"), "--workers"),
    ],
)
def test_bad_input_is_refused_with_status_2_and_nothing_is_written(
    arguments: tuple[str, ...], told: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "SCHEDULER_ANSWERS_S", 0.3)
    began = time.monotonic()
    refused = call(*arguments, "--out", "out")
    assert refused.exit_code == 2
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (home / "out").exists()
    assert time.monotonic() - began < 10


def test_a_headline_figure_that_no_run_tells_is_noted(home: Path) -> None:
    text = Path("study.toml").read_text().replace("hashrate_end_ehs", "hashrate_end_eh")
    Path("study.toml").write_text(text)
    result = call("--out", "out", "--json")
    assert result.exit_code == 0
    assert "no run told hashrate_end_eh" in result.stderr
    assert "first:hashrate_ehs" not in result.stderr


# Memory


@pytest.mark.usefixtures("small_world")
def test_memory_does_not_grow_with_the_number_of_runs(home: Path) -> None:
    write_study(home, replicates=250, days=2)
    plan = design.read("study.toml")
    sweep.prepare(plan, home / "out")
    held: dict[int, int] = {}

    def watch(ended: int) -> None:
        if ended in (100, 500):
            gc.collect()  # what is only waiting to be swept up is not held
            held[ended] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        sweep.sweep(plan, home / "out", Serial(), sweep.unfinished(plan, home / "out"), watch)
    finally:
        tracemalloc.stop()
    assert len(written(home / "out")) == 500 - 2  # a seed that fails, at two points
    # 400 results of two kilobytes would be eight times as much.
    assert held[500] - held[100] < 100_000


class Ring:
    """Something that refers to itself, as a world does."""

    def __init__(self) -> None:
        self.itself = self


RINGS: list[weakref.ref[Ring]] = []


def earlier_rings(_: int) -> int:
    """How many of the rings that earlier jobs left are still there."""
    there = sum(ring() is not None for ring in RINGS)
    RINGS.append(weakref.ref(Ring()))
    return there


def test_a_worker_keeps_nothing_of_the_jobs_before() -> None:
    assert [done.result for done in Processes(1).map(earlier_rings, range(4))] == [0, 0, 0, 0]
