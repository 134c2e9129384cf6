"""Engines and ensembles: the same results from each, and no job that costs another."""

from __future__ import annotations

import json
import math
import operator
import time
from pathlib import Path

import pytest

from model.scenario import Scenario
from study import runfolder
from study.engines import Processes, Serial, engine
from study.ensemble import Job, replicate_jobs, run_jobs, simulate

CASE = Scenario.model_validate(
    {
        "name": "small",
        "question": "Do seeds matter?",
        "start_date": "2021-03-01",
        "end_date": "2021-03-20",
        "seed": 7,
        "start": {"miners": 50, "sites": 60},
    }
)


@pytest.mark.parametrize("chosen", [Serial(), Processes(2)])
def test_every_job_ends_once_and_an_error_costs_only_its_own(chosen: Serial | Processes) -> None:
    ended = sorted(chosen.map(math.sqrt, [4.0, -1.0, 9.0]), key=operator.attrgetter("position"))
    assert [done.position for done in ended] == [0, 1, 2]
    assert [done.result for done in ended] == [2.0, None, 3.0]
    assert ended[1].error is not None
    assert "ValueError" in ended[1].error


def test_a_lost_worker_costs_only_its_running_job() -> None:
    jobs = ["1 + 1", "__import__('os')._exit(3)", "2 + 2", "3 + 3", "4 + 4"]
    ended = {done.position: done for done in Processes(2).map(eval, jobs)}
    assert [ended[place].result for place in range(5)] == [2, None, 4, 6, 8]
    assert ended[1].error is not None


def test_a_worker_has_one_numba_thread() -> None:
    asked = "__import__('numba').config.NUMBA_NUM_THREADS"
    assert [done.result for done in Processes(1).map(eval, [asked])] == [1]


def test_a_job_that_cannot_be_sent_is_an_error_of_its_own() -> None:
    ended = {done.position: done for done in Processes(2).map(repr, [lambda: 0, 5])}
    assert ended[0].error is not None
    assert ended[1].result == "5"


def test_no_jobs_give_no_results() -> None:
    assert list(Processes(2).map(math.sqrt, [])) == list(Serial().map(math.sqrt, [])) == []


def test_leaving_early_ends_the_workers_at_once() -> None:
    began = time.monotonic()
    results = Processes(2).map(time.sleep, [0.0, 60.0, 60.0])
    assert next(results).position == 0
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 30


def test_one_worker_needs_no_second_process() -> None:
    assert isinstance(engine(1), Serial)
    assert isinstance(engine(3), Processes)


def test_replicates_have_consecutive_seeds_and_folders_of_their_own(tmp_path: Path) -> None:
    jobs = replicate_jobs(CASE, 3, tmp_path)
    assert [(job.case.seed, job.folder.name) for job in jobs] == [(7, "7"), (8, "8"), (9, "9")]


@pytest.mark.usefixtures("small_world")
def test_a_run_is_written_and_its_days_are_told(tmp_path: Path) -> None:
    days: list[int] = []
    facts = simulate(Job(CASE, tmp_path / "run"), days.append)
    assert days == list(range(1, 21))
    run = runfolder.read(tmp_path / "run")
    assert run.facts == facts
    assert facts["headline"]["last_price_usd"] == run.series["price_usd"][-1]


@pytest.mark.usefixtures("small_world")
def test_a_failing_replicate_does_not_lose_the_others(tmp_path: Path) -> None:
    ended = list(run_jobs(replicate_jobs(CASE, 4, tmp_path)))
    assert [done.error is None for done in ended] == [True, True, False, True]
    assert [folder.name for folder in runfolder.finished(tmp_path)] == ["7", "8", "10"]


def tables(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("series.csv", "shares.csv", "events.csv")]


def test_results_are_the_same_whichever_engine_ran_them(tmp_path: Path) -> None:
    assert all(done.error is None for done in run_jobs(replicate_jobs(CASE, 2, tmp_path / "one")))
    processes = run_jobs(replicate_jobs(CASE, 2, tmp_path / "two"), workers=2)
    assert all(done.error is None for done in processes)
    for seed in ("7", "8"):
        assert tables(tmp_path / "one" / seed) == tables(tmp_path / "two" / seed)
    assert tables(tmp_path / "one" / "7") != tables(tmp_path / "one" / "8")


def test_a_seed_gives_the_same_run_again(tmp_path: Path) -> None:
    first, second = (simulate(Job(CASE, tmp_path / name)) for name in ("a", "b"))
    assert tables(tmp_path / "a") == tables(tmp_path / "b")
    assert first["headline"] == second["headline"]
    assert json.loads((tmp_path / "a" / "run.json").read_text())["days"] == 20
