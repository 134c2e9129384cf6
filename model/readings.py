"""Readings of the founding texts that change nothing but parameters."""

from __future__ import annotations

from model.agreement import ESSAY_J_TH
from model.scenario import Scenario

FRICTIONS = {
    "firms": (
        "relocation_abroad_usd_mw", "relocation_home_usd_mw", "abroad_days_low",
        "abroad_days_high", "domestic_days_low", "domestic_days_high", "seizure_yr", "halt_yr",
    ),
    "energy": ("lead_time_scale",),
}  # fmt: skip


def as_read(case: Scenario) -> Scenario:
    """The scenario with the parameters that its hypotheses ask for."""
    chosen = case.hypotheses
    if chosen.energy == "essay":
        case = _with(case, "start", mean_efficiency_j_th=ESSAY_J_TH)
    if chosen.expectations == "myopic":
        case = _with(case, "firms", decline_weight=0.0)
    if chosen.friction != 1.0:
        for section, names in FRICTIONS.items():
            values = getattr(case, section)
            scaled = {name: chosen.friction * getattr(values, name) for name in names}
            case = _with(case, section, **scaled)
    return case


def _with(case: Scenario, section: str, **values: float) -> Scenario:
    changed = getattr(case, section).model_copy(update=values)
    return case.model_copy(update={section: changed})
