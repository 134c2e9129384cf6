"""The command line: what it prints, where it writes, and how it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

import run
from model.scenario import load
from study import runfolder

ROOT = Path(run.__file__).parent
CLI = CliRunner()
TOML = """
question = "Does it [bold]run[/bold]?"
predicts = "a \\\\ and a \\" and a \\u007f"
sources = ["one", "two"]
start_date = 2021-03-01
end_date = 2021-12-31
seed = 3
[start]
miners = 50
sites = 60
[price]
path = [[2021-03-01, 1e16], [2021-04-01, 0.1]]
[[events]]
kind = "ban"
date = 2021-05-21
place = "CHN"
"""


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A scenario file in an empty folder, which becomes the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TOML.replace("1e16", "1e8"))
    return "tiny.toml"


def call(*arguments: str) -> Result:
    return CLI.invoke(run.app, list(arguments))


def test_help_shows_every_command_and_an_example() -> None:
    for command in ("list", "show", "run", "validate"):
        assert command in call("--help").output
    assert "python run.py run china_ban_2021" in " ".join(call("run", "--help").output.split())


def test_list_names_every_scenario_with_its_question() -> None:
    listed = json.loads(call("list", "--json").stdout)
    assert {entry["name"] for entry in listed} >= {"china_ban_2021", "baseline_2025"}
    assert all(entry["question"] for entry in listed)
    assert "china_ban_2021" in call("list").stdout


def test_show_prints_a_file_that_loads_to_the_same_scenario(toml: str) -> None:
    shown = call("show", toml, "--set", "energy.pue=1.25").stdout
    Path("again.toml").write_text(shown)
    assert load("again.toml") == load(toml, ["energy.pue=1.25"])
    assert 'sources = ["one", "two"]' in shown
    assert "a number from 1 to 2" in shown


def test_show_prints_json_for_machines(toml: str) -> None:
    assert json.loads(call("show", toml, "--json").stdout)["start"]["miners"] == 50


REFUSED = [
    ("run", "no_such_scenario"),
    ("run", "none.toml"),
    ("run", "tiny.toml", "--set", "energy.pue"),
    ("run", "tiny.toml", "--set", "energy.pu=1"),
    ("run", "tiny.toml", "--set", "energy.pue=nan"),
    ("run", "tiny.toml", "--set", "events.0.place=XXX"),
    ("run", "tiny.toml", "--set", "end_date=2021-01-01"),
    ("run", "tiny.toml", "--set", "seed=-1"),
    ("run", "tiny.toml", "--days", "0"),
    ("run", "tiny.toml", "--days", "5000"),
    ("run", "tiny.toml", "--days", "99999999999"),
    ("run", "tiny.toml", "--workers", "0"),
    ("run", "tiny.toml", "--replicates", "0"),
    ("run", "tiny.toml", "--seed", "-1"),
    ("run", "tiny.toml", "--out", "tiny.toml"),
    ("run", "tiny.toml", "--out", "tiny.toml/below"),
    ("run", "tiny.toml", "--out", "/proc/no/such"),
    ("run", "tiny.toml", "--replicates", "2", "--out", "/proc/no/such"),
    ("show", "tiny.toml", "--set", "bogus.key=1"),
    ("explode",),
]


@pytest.mark.usefixtures("small_world", "toml")
@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_bad_input_is_refused_with_status_2_and_nothing_is_written(
    arguments: tuple[str, ...],
) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "rror" in result.stderr
    assert "Traceback" not in result.stderr
    assert [file.name for file in Path().iterdir()] == ["tiny.toml"]


@pytest.mark.usefixtures("small_world")
def test_a_run_is_written_under_its_name_and_seed(toml: str) -> None:
    result = call("run", toml, "--days", "5", "--seed", "8")
    assert result.exit_code == 0, result.output
    stored = runfolder.read(Path("out/tiny/8"))
    assert (stored.case.seed, stored.series.height) == (8, 5)
    assert "written to out/tiny/8" in result.stdout
    assert "Does it [bold]run[/bold]?" in result.stdout
    assert result.stderr == ""


@pytest.mark.usefixtures("small_world")
def test_the_summary_tells_lows_and_highs_with_their_dates(toml: str) -> None:
    result = call("run", toml, "--days", "9", "--out", "here")
    prices = pl.read_parquet("here/series.parquet").sort("price_usd")["date"]
    assert str(prices[0]) in result.stdout
    assert str(prices[-1]) in result.stdout
    assert "bankruptcies" in result.stdout
    assert "O0, no attack" in result.stdout


@pytest.mark.usefixtures("small_world")
def test_a_finished_run_is_only_overwritten_by_force(toml: str) -> None:
    command = ("run", toml, "--days", "5", "--out", "here")
    assert call(*command).exit_code == 0
    before = Path("here/run.json").read_text()
    refused = call(*command)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert Path("here/run.json").read_text() == before
    assert call(*command, "--force", "--seed", "4").exit_code == 0
    assert json.loads(Path("here/run.json").read_text())["seed"] == 4


@pytest.mark.usefixtures("small_world")
def test_json_of_a_run_is_its_facts_and_its_folder(toml: str) -> None:
    printed = json.loads(call("run", toml, "--days", "5", "--json").stdout)
    assert printed.pop("folder") == "out/tiny/3"
    assert printed == json.loads(Path("out/tiny/3/run.json").read_text())


@pytest.mark.usefixtures("small_world")
def test_replicates_keep_what_succeeds_and_tell_what_fails(toml: str) -> None:
    result = call("run", toml, "--days", "5", "--seed", "8", "--replicates", "3")
    assert result.exit_code == 1
    assert "seed 9 failed" in result.stderr
    assert "this seed fails" in result.stderr
    assert [folder.name for folder in runfolder.finished(Path("out/tiny"))] == ["8", "10"]
    assert "2 replicates" in result.stdout


@pytest.mark.usefixtures("small_world")
def test_more_replicates_may_join_a_folder_but_not_replace_one(toml: str) -> None:
    command = ("run", toml, "--days", "5", "--replicates", "2")
    assert call(*command, "--seed", "1").exit_code == 0
    assert call(*command, "--seed", "3").exit_code == 0
    assert call(*command, "--seed", "2").exit_code == 2
    assert len(runfolder.finished(Path("out/tiny"))) == 4


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("small_world")
def test_an_interrupted_run_leaves_nothing(toml: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runfolder, "write", interrupted)
    result = call("run", toml, "--days", "5", "--out", "here")
    assert result.exit_code == 1
    assert "nothing was written" in result.stderr
    assert not Path("here").exists()


@pytest.mark.usefixtures("small_world")
def test_an_interrupted_ensemble_says_what_it_keeps(
    toml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = runfolder.write

    def second_is_interrupted(folder: Path, *arguments: object) -> object:
        return interrupted() if folder.name == "4" else whole(folder, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(runfolder, "write", second_is_interrupted)
    result = call("run", toml, "--days", "5", "--replicates", "3")
    assert result.exit_code == 1
    assert "finished replicates: out/tiny/3" in result.stderr.replace("\n", " ")
    assert [folder.name for folder in runfolder.finished(Path("out/tiny"))] == ["3"]


def test_the_real_thing_runs_from_a_shell(toml: str) -> None:
    command = [sys.executable, ROOT / "run.py", "run", toml, "--days", "20", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    stored = runfolder.read(Path(json.loads(done.stdout)["folder"]))
    assert stored.series.height == 20
    assert stored.series.null_count().select("hashrate_ehs", "price_usd", "blocks").row(0) == (
        0,
        0,
        0,
    )
    nations = stored.shares.filter(pl.col("grouping") == "nation")
    assert nations.group_by("date").agg(pl.col("share").sum())["share"].to_list() == pytest.approx(
        [1.0] * nations["date"].n_unique()
    )


def test_ctrl_c_in_a_shell_keeps_finished_replicates_whole(toml: str) -> None:
    command = [sys.executable, ROOT / "run.py", "run", toml, "--days", "300"]
    command += ["--replicates", "40", "--workers", "2", "--out", "many"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    waited_until = time.monotonic() + 240
    while process.poll() is None and not runfolder.finished(Path("many")):
        assert time.monotonic() < waited_until, "no replicate ended"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "finished replicates" in told
    kept = runfolder.finished(Path("many"))
    assert 1 <= len(kept) < 40
    assert all(runfolder.read(folder).series.height == 300 for folder in kept)
