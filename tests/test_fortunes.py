"""What a run tells of pools and of the economies beside bitcoin's."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from model.world import World
from study import fortunes, gallery, runfolder
from tests.test_world import live, small_case


def told(headline: dict[str, Any], **on: bool) -> str:
    """What is printed of a run with these headline figures."""
    case = SimpleNamespace(
        **{name: SimpleNamespace(on=on.get(name, False)) for name in fortunes.SUBECONOMIES}
    )
    run: Any = SimpleNamespace(facts={"headline": headline}, case=case)
    screen = Console(file=StringIO(), width=100)
    for part in fortunes.parts(run):
        screen.print(part)
    text: str = screen.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_a_run_without_schemes_tells_nothing():
    assert told({"hashrate_end_ehs": 1.0}) == ""


def test_schemes_in_use_have_a_row_each():
    headline = {
        "payout_over_fair_month_fpps": 0.975,
        "payout_swing_month_fpps": 0.001,
        "payout_swing_over_alone_month_fpps": 0.004,
        "payout_over_fair_month_covenant": 1.002,
        "payout_swing_month_covenant": 0.163,
    }
    text = told(headline)
    fpps = next(line for line in text.splitlines() if "FPPS" in line)
    assert fpps.split()[1:] == ["97.5", "0.1", "0.4"]
    covenant = next(line for line in text.splitlines() if "covenant pool" in line)
    assert covenant.split()[2:] == ["100.2", "16.3"]
    assert "mining alone" not in text


def test_answers_have_units_and_words_stay_words():
    text = told({"norm": "held", "virtual_waste_share": 0.519}, virtual_mining=True)
    assert "51.9 %" in text
    assert "held" in text
    assert "covenant" not in text


@pytest.mark.parametrize(
    ("name", "economy"), [("virtual_mining", "virtual_mining"), ("royalties_2019", "royalties")]
)
def test_an_economy_beside_bitcoins_answers_every_question(name: str, economy: str):
    headline = live(World(small_case(name, 70))).summary()
    missing = [key for key, *_ in fortunes.SUBECONOMIES[economy] if key not in headline]
    assert missing == []


@pytest.mark.parametrize("name", ["covenant_pool", "virtual_mining", "royalties_2019"])
def test_a_run_has_the_figures_of_its_scenario(name: str, tmp_path: Path):
    case = small_case(name, 70)
    world = live(World(case))
    runfolder.write(tmp_path, case, world.recorder, 1.0, world.outcome(), world.summary())
    files = {file.name for file in gallery.draw(tmp_path)}
    own = {"covenant_pool": "covenant", "virtual_mining": "virtual_mining",
           "royalties_2019": "royalties"}  # fmt: skip
    assert files == {
        f"{figure}.{suffix}" for figure in ("history", own[name]) for suffix in ("png", "svg")
    }
    assert all((tmp_path / file).stat().st_size > 10_000 for file in files)
