"""Folders of results as tests need them, written without any model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from model.recorder import SERIES, Recorder, Series
from model.scenario import Scenario, load, with_days
from study import runfolder

REQUIRED = [column.name for column in SERIES if column.default is None]
DAYS = 90
NASTY = "50 % & <b>\"more\"</b> $x_1$ #1 {~^} \\ 'côte'"


def case(seed: int = 1, days: int = DAYS, **words: str) -> Scenario:
    """A short piece of a scenario that comes with the model."""
    short = with_days(load("china_ban_2021", ["start.miners=60", f"seed={seed}"]), days)
    return short.model_copy(update=words)


def run(
    folder: Path,
    chosen: Scenario,
    outcome: dict[str, Any] | None = None,
    series: tuple[Series, ...] = SERIES,
) -> Path:
    """A finished run of noise around levels that differ by series."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(chosen.seed)
    recorder = Recorder(chosen.days, chosen.start_date, series)
    for day in range(chosen.days):
        row = {name: _level(name) * (1.0 + 0.2 * random.random()) for name in REQUIRED}
        row |= {column.name: 1.0 + day for column in series if column not in SERIES}
        recorder.write(day, row)
        if day % 7 == 0:
            shares = random.dirichlet([6.0, 3.0, 1.0])
            members = ["CHN", "USA", "RUS" if day else "KAZ"]
            recorder.share(day, "nation", members, shares)
            recorder.share(day, "reported_nation", members, shares)
            recorder.share(day, "pool", ["F2Pool", "AntPool"], np.array([0.5, 0.5]))
    recorder.event(3, "bankruptcy", "miner 1", 'a firm of 20 MW, "gone"')
    headline = {"hashrate_end_ehs": recorder["hashrate_ehs"][-1], "top_nation": "CHN"}
    headline |= {"bankruptcies": 1.0, "complying_share_USA": 0.25}
    runfolder.write(folder, chosen, recorder, 1.5, outcome, headline)
    return folder


def _level(name: str) -> float:
    return 0.4 if "share" in name or "rate" in name or "hhi" in name else 5000.0


def ended(code: str, name: str, **first: str) -> dict[str, Any]:
    """An outcome."""
    return {"class": code, "name": name, "base": None, "flags": [], "first_passage": first}


def ensemble(folder: Path, seeds: int = 5, **words: str) -> Path:
    """An ensemble of which every second run is captured."""
    for seed in range(1, seeds + 1):
        day = f"2019-09-{seed:02d}"
        captured = ended("O3", "captured", directive=day) if seed % 2 else None
        run(folder / str(seed), case(seed, **words), captured)
    return folder


FACTORS = ("firms.scale_advantage", "energy.transmission_scale", "compute.bidders")
OUTPUTS = ("end:share_under_10mw", "mean:price_usd", "class", "class:O8", "passage:split")


def sweep(folder: Path, sampled: bool = False) -> Path:
    """A sweep over a grid, or over points of a sample, in two scenarios and three replicates."""
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(5)
    grid = [(a, b, c) for a in (0.25, 1.0, 16.0) for b in (0.0, 1.0) for c in (True, False)]
    sample = [(*random.uniform(0.1, 9.0, 2), bool(random.random() < 0.5)) for _ in range(40)]
    rows = []
    for point, values in enumerate(sample if sampled else grid):
        for scenario in ("baseline_2025", "bull_500k"):
            for replicate in range(3):
                small = 1.0 / (1.0 + values[0]) + 0.01 * random.random()
                told = (small, 2e5 * small, str(random.choice(["O0", "O3"])), 0.0, None)
                told = (*told[:4], float(point)) if replicate else told
                fixed = (len(rows), point, replicate, 1 + replicate, scenario)
                rows.append((*fixed, *values, *told))
    names = ["position", "point", "replicate", "seed", "scenario", *FACTORS, *OUTPUTS]
    table = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    table.write_parquet(folder / "results.parquet")
    facts = {
        "study": "scale_frontier",
        "question": "Which sites win?",
        "size": "laptop",
        "hash": "ab" * 32,
        "version": "0.1.0",
        "git_revision": "c" * 40,
        "factors": list(FACTORS),
        "outputs": list(OUTPUTS),
    }
    (folder / "study.json").write_text(json.dumps(facts))
    return folder
