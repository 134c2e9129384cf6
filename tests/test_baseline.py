"""Results are those of the pinned baseline; whoever changes them moves it and says so."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from study import baseline, runfolder
from study.baseline import Pinned

SHORT = Pinned("china_ban_2021", (1, 3), ("start.miners=60", "start.sites=150"))


@pytest.fixture(scope="module")
def figures() -> baseline.Figures:
    """The figures of a very short run."""
    return baseline.live(SHORT)


def complaint(moves: list[baseline.Move], made_with: dict[str, str]) -> str:
    """What a reader of a failed test needs to know."""
    shown = "\n".join(f"  {figure}: {old} -> {new}" for figure, old, new in moves[:20])
    return (
        f"results moved: {len(moves)} figures, such as\n{shown}\n"
        "If that is intended, run `make baseline`, commit tests/baseline.json, and add a "
        '"Regression" line to CHANGELOG.md that says what moved and why.\n'
        f"Pinned with {made_with}; installed are {runfolder.libraries()}."
    )


def test_results_are_those_of_the_baseline() -> None:
    held = baseline.read()
    tolerance = baseline.tolerance(held["libraries"])
    moves = baseline.moved(held["figures"], baseline.compute(), tolerance)
    assert not moves, complaint(moves, held["libraries"])


def test_every_run_is_pinned_on_every_day_with_nations_that_mine() -> None:
    figures = baseline.read()["figures"]
    for pinned in baseline.RUNS:
        for day in pinned.days:
            start = f"{pinned.name}/{day}/"
            names = {name.removeprefix(start) for name in figures if name.startswith(start)}
            assert {*baseline.SERIES, "cash_usd", "fleets", "bankruptcies"} <= names
            shares = [figures[start + name] for name in names if name.startswith("share_")]
            assert len(shares) == baseline.TOP_NATIONS
            assert 0.5 < sum(shares) <= 1.0


def test_figures_are_those_of_the_world(figures: baseline.Figures) -> None:
    assert figures["china_ban_2021/1/hashrate_ehs"] == pytest.approx(82.0, rel=1e-6)
    nations = [name.split("/")[2] for name in figures if name.startswith("china_ban_2021/3/share")]
    assert nations[0] == "share_CHN"
    assert figures["china_ban_2021/1/cash_usd"] != figures["china_ban_2021/3/cash_usd"]


@pytest.mark.parametrize(
    ("new", "count"),
    [
        ({"a": 1.0, "b": 0.0}, 0),
        ({"a": 1.0 + 1e-7, "b": 0.0}, 0),
        ({"a": 1.0 + 1e-5, "b": 0.0}, 1),
        ({"a": 1.0, "b": 1e-12}, 1),
        ({"a": 1.0}, 1),
        ({"a": 1.0, "b": 0.0, "c": 0.0}, 1),
        ({"a": math.nan, "b": 0.0}, 1),
        ({}, 2),
    ],
)
def test_what_moved_is_found(new: baseline.Figures, count: int) -> None:
    assert len(baseline.moved({"a": 1.0, "b": 0.0}, new, 1e-6)) == count


def test_other_libraries_may_round_otherwise_but_not_much() -> None:
    here = runfolder.libraries()
    assert baseline.tolerance(here) == baseline.SAME_LIBRARIES
    assert baseline.tolerance(here | {"numpy": "1.0"}) == baseline.OTHER_LIBRARIES
    assert baseline.tolerance(here | {"polars": "0.1"}) == baseline.SAME_LIBRARIES
    assert baseline.SAME_LIBRARIES < baseline.OTHER_LIBRARIES <= 1e-6


def test_a_small_change_of_a_rule_moves_the_figures(figures: baseline.Figures) -> None:
    dearer = SHORT._replace(changes=(*SHORT.changes, "energy.pue=1.101"))
    assert len(baseline.moved(figures, baseline.live(dearer), baseline.OTHER_LIBRARIES)) > 5


def test_the_script_moves_the_file_and_shows_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: baseline.Figures
) -> None:
    file, key = tmp_path / "baseline.json", "china_ban_2021/1/fleets"
    monkeypatch.setattr(baseline, "compute", lambda: figures)
    printed = []
    for _ in range(3):
        screen = Console(file=io.StringIO(), width=200)
        assert baseline.main(file, screen) == 0
        printed.append(screen.file.getvalue())  # type: ignore[attr-defined]
        assert baseline.read(file)["figures"] == figures
        if len(printed) == 2:
            baseline.write(figures | {key: 7.0}, file)
    assert f"{len(figures)} of {len(figures)} figures moved" in printed[0]
    assert printed[1].startswith(f"0 of {len(figures)} figures moved")
    assert key in printed[2]
    assert f"1 of {len(figures)} figures moved" in printed[2]
    libraries = json.loads(file.read_text())["libraries"]
    assert libraries == {name: runfolder.libraries()[name] for name in libraries}
