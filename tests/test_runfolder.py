"""The folder of a run: whole, atomic, read back without loss."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.complaint import ScenarioError
from model.recorder import SERIES, Recorder
from model.scenario import Scenario, parameter_hash
from study import runfolder
from study.runfolder import RUN, finished, prepare, read, refuse_finished, write

CASE = Scenario.model_validate(
    {
        "name": "tiny",
        "question": "Does it survive a round trip?",
        "start_date": "2021-05-20",
        "end_date": "2021-05-22",
        "seed": 5,
        "price": {"path": [["2021-05-20", 40_000.5]]},
        "events": [{"kind": "note", "date": "2021-05-21", "what": "a fact"}],
    }
)
REQUIRED = [column.name for column in SERIES if column.default is None]
FILES = {"events.csv", "run.json", "series.csv", "series.parquet", "shares.csv", "shares.parquet"}


def record(values: list[float]) -> Recorder:
    recorder = Recorder(len(values), CASE.start_date)
    for day, value in enumerate(values):
        recorder.write(day, dict.fromkeys(REQUIRED, value))
        recorder.share(day, "nation", ["CHN", "côte, d'or"], np.array([abs(value), 0.0]))
        recorder.event(day, "note", "WORLD", 'he said "no",\nand left')
    return recorder


def save(folder: Path, values: list[float] | None = None) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    headline = {"hashrate_ehs": np.float64(1.5), "undefined": math.nan, "top": "CHN"}
    return write(folder, CASE, record(values or [1.0, 2.0, 3.0]), 1.23456, headline=headline)


def test_a_folder_holds_these_files_and_no_other(tmp_path: Path) -> None:
    save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == FILES


def test_run_json_says_what_was_run_and_how(tmp_path: Path) -> None:
    facts = save(tmp_path)
    assert json.loads((tmp_path / RUN).read_text()) == facts
    assert facts["name"] == "tiny"
    assert facts["parameter_hash"] == parameter_hash(CASE)
    assert (facts["seed"], facts["days"]) == (5, 3)
    assert (facts["start_date"], facts["end_date"]) == ("2021-05-20", "2021-05-22")
    assert facts["wall_seconds"] == 1.235
    assert {"python", "mesa", "numba", "numpy", "polars"} <= facts["libraries"].keys()
    assert facts["version"] == runfolder.version()
    assert facts["headline"] == {"hashrate_ehs": 1.5, "undefined": None, "top": "CHN"}


def test_a_world_without_attack_has_that_outcome(tmp_path: Path) -> None:
    expected = {"class": "O0", "name": "no attack", "base": None, "flags": [], "first_passage": {}}
    assert save(tmp_path)["outcome"] == expected


def test_a_run_is_read_back_whole(tmp_path: Path) -> None:
    save(tmp_path, [1.5, math.nan, 0.1 + 0.2])
    run, written = read(tmp_path), record([1.5, math.nan, 0.1 + 0.2])
    assert run.case == CASE
    assert run.series.equals(written.series())
    assert run.shares.equals(written.shares())
    assert run.events.equals(written.events())


@settings(max_examples=50, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.lists(st.floats(allow_infinity=False), min_size=1, max_size=3))
def test_csv_numbers_round_trip(tmp_path: Path, values: list[float]) -> None:
    save(tmp_path, [value if math.isfinite(value) else 0.0 for value in values])
    for name in ("series", "shares"):
        stored = pl.read_parquet(tmp_path / f"{name}.parquet")
        assert pl.read_csv(tmp_path / f"{name}.csv", schema=stored.schema).equals(stored)


def test_csv_dates_are_iso_and_come_first(tmp_path: Path) -> None:
    save(tmp_path)
    header, first = (tmp_path / "series.csv").read_text().splitlines()[:2]
    assert header.startswith("date,price_usd,")
    assert first.startswith("2021-05-20,")


def test_run_json_is_written_last_and_removed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path)
    order: list[str] = []
    replace = os.replace

    def watch(source: str, target: Path) -> None:
        assert not (tmp_path / RUN).exists()
        order.append(target.name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    save(tmp_path)
    assert order[-1] == RUN
    assert set(order) == FILES


def test_a_failure_while_writing_leaves_no_finished_run_and_no_torn_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
    with pytest.raises(ScenarioError, match="a finished run"):
        read(tmp_path / "run")


def test_an_unserialisable_result_leaves_an_older_run_alone(tmp_path: Path) -> None:
    before = save(tmp_path)
    with pytest.raises(TypeError):
        write(tmp_path, CASE, record([9.0]), 1.0, headline={"bad": object()})  # type: ignore[dict-item]
    assert json.loads((tmp_path / RUN).read_text()) == before


def test_a_folder_with_a_run_is_refused_unless_forced(tmp_path: Path) -> None:
    save(tmp_path / "1")
    for folder in (tmp_path / "1", tmp_path):
        with pytest.raises(ScenarioError, match="or --force"):
            refuse_finished(folder)
        prepare(folder, force=True)
    prepare(tmp_path / "2")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/no/such")):
        with pytest.raises(ScenarioError, match="a folder to write to"):
            prepare(folder)


def test_finished_runs_come_in_the_order_of_their_seeds(tmp_path: Path) -> None:
    for seed in ("10", "9", "1"):
        save(tmp_path / seed)
    (tmp_path / "2").mkdir()
    assert [folder.name for folder in finished(tmp_path)] == ["1", "9", "10"]


def test_the_revision_is_that_of_this_checkout_or_absent() -> None:
    revision = runfolder.git_revision()
    assert revision is None or len(revision.removesuffix("-dirty")) == 40
