"""The tutorial does what it says: files are saved, commands and Python run, in order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import run

TUTORIAL = (Path(run.__file__).parent / "docs" / "TUTORIAL.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:Save this as `([\w.]+)`:\s+)?^```(\w*)\n(.*?)^```", re.M | re.S)


def blocks() -> list[tuple[str, str, str]]:
    """File name, language and text of every block, in order."""
    return BLOCK.findall(TUTORIAL)


def test_every_block_is_of_a_kind_that_is_tested_or_is_latex() -> None:
    kinds = [(bool(name), language) for name, language, _ in blocks()]
    assert set(kinds) == {(True, "toml"), (False, ""), (False, "python"), (False, "latex")}
    assert kinds.count((False, "python")) == 2
    commands = [text.split()[2] for _, language, text in blocks() if not language]
    assert commands == ["show", "run", "run", "compare", "export", "export", "sweep", "report"]


def test_the_tutorial_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for name, language, text in blocks():
        if name:
            Path(name).write_text(text, encoding="utf-8")
        elif language == "python":
            exec(compile(text, "docs/TUTORIAL.md", "exec"), names)
        elif not language:
            for line in text.splitlines():
                command(line)
    assert "hashrate on the day after the ban: -" in capsys.readouterr().out
    check_files()


def command(line: str) -> None:
    """Run a command of the page, and show what it said if it failed."""
    words = shlex.split(line)
    assert words[:2] == ["python", "run.py"]
    result = CliRunner().invoke(run.app, words[2:])
    assert result.exit_code == 0, f"{line}\n{result.output}"


def check_files() -> None:
    """Every file that the page tells of is there, and the table of them tells nothing else."""
    rows = [line.split("|")[1] for line in TUTORIAL.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`(\w[\w.]*)`", row)}
    assert len(told) > 10
    for name in told:
        assert (Path("paper") / name).is_file(), name
    for name in ("change.pdf", "report.html", "underground/end_hashrate_ehs.pdf"):
        assert (Path("paper") / name).stat().st_size > 1000
    assert Path("two_columns/bands.pdf").is_file()
    effects = pl.read_csv("paper/underground/effects.csv")
    assert set(effects["output"]) == {"end:hashrate_ehs", "mean:hashprice_usd_ph_day"}
    lost = effects.filter(pl.col("output") == "end:hashrate_ehs").sort("value")["mean"]
    # The more goes underground, the less is lost.
    assert lost[0] < lost[2]
