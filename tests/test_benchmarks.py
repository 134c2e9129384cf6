"""The benchmarks compare the same rules: a plain-Mesa twin decides what the kernels decide."""

import json

import numpy as np
import pytest

from benchmarks import kernels, run, scenario, startup, twin

FLEETS = 400


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_twin_decides_what_the_kernels_decide(seed):
    setting = kernels.make_setting(FLEETS, seed)
    twin.require_same(setting, twin.PlainModel(setting))


def test_setting_has_every_kind_of_decision():
    setting = kernels.make_setting(FLEETS)
    load = kernels.one_day(setting).load
    month = kernels.one_month(setting)
    assert (load == 0.0).any()
    assert (load == 1.0).any()
    assert ((load > 0.0) & (load < 1.0)).any()
    assert (setting.site < 0).any()
    assert (setting.hourly_row >= 0).any()
    assert (month.target < 0).any()
    assert (month.granted == 1.0).any()
    assert ((month.target >= 0) & (month.granted < 1.0)).any()


def test_twin_that_breaks_a_rule_is_noticed():
    setting = kernels.make_setting(FLEETS)
    model = twin.PlainModel(setting)
    model.sites[0].hashprice, model.sites[0].power_mw = 10.0, 1e9
    with pytest.raises(AssertionError):
        twin.require_same(setting, model)


def test_nobody_runs_or_moves_beyond_the_power_there_is():
    setting = kernels.make_setting(FLEETS)
    megawatts = setting.hashrate * setting.efficiency * 1e-6
    load, placed = kernels.one_day(setting).load, setting.site >= 0
    here = setting.site[placed]
    used = np.bincount(here, (megawatts * load)[placed], setting.sites) * setting.terms.pue
    assert (used <= setting.power_mw * (1 + 1e-12)).all()
    month = kernels.one_month(setting)
    goes = month.target >= 0
    taken = np.bincount(month.target[goes], (megawatts * month.granted)[goes], setting.sites)
    assert (taken * setting.terms.pue <= setting.vacant_mw * (1 + 1e-12)).all()


def test_growth_exponent_of_known_growth():
    rows = [
        {"fleets": count, "seconds": dict.fromkeys(kernels.PHASES, count**1.5)}
        for count in (1_000, 10_000, 100_000)
    ]
    assert kernels.growth_exponent(rows) == pytest.approx(1.5)


def test_goals_are_judged_by_their_sense():
    assert run.goal("speed", 120.0, 100.0, "at least")["met"]
    assert not run.goal("speed", 80.0, 100.0, "at least")["met"]
    assert run.goal("memory", 80.0, 100.0, "at most")["met"]
    assert not run.goal("memory", 120.0, 100.0, "at most")["met"]


def test_machine_facts_name_no_person_or_path():
    facts = run.machine()
    assert facts["cores"] >= 1
    assert set(facts["libraries"]) == set(run.LIBRARIES)
    assert "/" not in json.dumps({key: facts[key] for key in ("system", "python", "libraries")})


def test_a_scenario_run_reports_time_memory_and_sizes():
    found = scenario.benchmark("china_ban_2021", days=3)
    assert found["days"] == 3
    assert 0.0 < found["run_s"] < 60.0
    assert 50.0 < found["peak_mb"] < scenario.GOAL_MB
    assert found["miners"] > 0
    assert found["fleets_first"] > found["sites_first"] > 0
    assert scenario.table(found).row_count == 1


def test_a_start_is_divided_into_its_parts():
    found = startup.attempt("china_ban_2021")
    assert found["import_s"] + found["build_s"] + found["step_s"] < found["total_s"]


def test_measured_part_of_the_readme_is_replaced_and_nothing_else():
    text = f"before\n{run.BEGIN}old\n{run.END}after\n"
    found = run.with_measured(text, "new\n")
    assert found == f"before\n{run.BEGIN}new\n{run.END}after\n"
    assert run.with_measured(found, "old\n") == text


def test_readme_has_a_place_for_what_was_measured_and_names_every_module():
    text = run.README.read_text(encoding="utf-8")
    assert text.count(run.BEGIN) == 1
    assert text.count(run.END) == 1
    for module in run.README.parent.glob("[a-z]*.py"):
        assert f"benchmarks.{module.stem}" in text
