"""A world so small that tests of what surrounds a world need no other."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from model.recorder import SERIES, Recorder
from model.scenario import Scenario
from study import runfolder


class SmallWorld:
    """A world of one random number a day, which fails under one seed."""

    FAILS = 9

    def __init__(self, case: Scenario) -> None:
        self.days, self.day = case.days, 0
        self.recorder = Recorder(case.days, case.start_date)
        self._seed, self._random = case.seed, np.random.default_rng(case.seed)

    @property
    def running(self) -> bool:
        return self.day < self.days

    def step(self) -> None:
        if self._seed == self.FAILS:
            raise ArithmeticError("this seed fails")
        names = [column.name for column in SERIES if column.default is None]
        self.recorder.write(self.day, dict.fromkeys(names, self._random.random()))
        self.day += 1

    def summary(self) -> dict[str, float]:
        return {"last_price_usd": float(self.recorder["price_usd"][-1])}

    def outcome(self) -> dict[str, Any]:
        return dict(runfolder.NO_ATTACK)


@pytest.fixture
def small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the world of random numbers in the place of the real one."""
    module = ModuleType("model.world")
    module.World = SmallWorld  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "model.world", module)
