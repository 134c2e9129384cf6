"""The data files and scenarios: sums, ranges, coverage, sources, and how they are read."""

from __future__ import annotations

import csv
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import model.parameters as parameters
import model.parameters_politics as parameters_politics
import model.parameters_pools as parameters_pools
import model.parameters_royalties as parameters_royalties
import model.parameters_virtual as parameters_virtual
from model.geography import (
    DataError,
    load_fleet,
    load_generations,
    load_monthly,
    load_nations,
    load_places,
    load_site_cells,
    load_site_types,
    observed_nation_shares,
    place_shares,
    province_shares,
    read_table,
    rescaled,
    seasonal_peak_shares,
)

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "scenarios" / "data"
SCENARIOS = sorted((ROOT / "scenarios").glob("*.toml"))
CALIBRATION_END = "2021-04"

NATIONS = load_nations(DATA)
PLACES = load_places(DATA, NATIONS)
TYPES = load_site_types(DATA)
CELLS = load_site_cells(DATA, PLACES, TYPES)
GENERATIONS = load_generations(DATA)
OBSERVED = sorted(set(load_monthly(DATA, "nation_share")["month"]))


def section_name(record: type[parameters.Section]) -> str:
    if record is parameters.ChainRules:
        return "chain"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", record.__name__).lower()


PARAMETERS = (
    parameters, parameters_politics, parameters_pools, parameters_royalties, parameters_virtual,
)  # fmt: skip
SECTIONS = {
    section_name(record): record
    for module in PARAMETERS
    for record in vars(module).values()
    if isinstance(record, type)
    and issubclass(record, parameters.Section)
    and record is not parameters.Section
}


# Facts


@pytest.mark.parametrize("path", sorted(DATA.glob("*.csv")), ids=lambda path: path.stem)
def test_every_file_says_where_it_comes_from(path: Path) -> None:
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert re.search(r"[Ss]ource|[Aa]ssumption", " ".join(header))
    table = read_table(path)
    assert table.height > 0
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in table.columns)


@pytest.mark.parametrize("name", ["network", "nation_share", "china_province_share"])
def test_observations_of_the_network_end_with_calibration(name: str) -> None:
    assert load_monthly(DATA, name)["month"].max() == CALIBRATION_END


@pytest.mark.parametrize("name", ["network", "fees", "fleet_efficiency"])
def test_months_are_in_order_and_single(name: str) -> None:
    months = load_monthly(DATA, name)["month"].to_list()
    assert months == sorted(set(months))
    assert months[0] == "2016-01"


@pytest.mark.parametrize("file", ["price_weekly.csv", "bch_split_weekly.csv"])
def test_weeks_begin_on_mondays_and_never_skip_more_than_one(file: str) -> None:
    weeks = [date.fromisoformat(week) for week in read_table(DATA / file)["week"]]
    gaps = np.diff([week.toordinal() for week in weeks])
    assert {week.weekday() for week in weeks} == {0}
    assert set(gaps) <= {7, 14}


def test_prices_cover_the_history_without_a_gap() -> None:
    table = read_table(DATA / "price_weekly.csv")
    weeks = [date.fromisoformat(week).toordinal() for week in table["week"]]
    assert set(np.diff(weeks)) == {7}
    assert table["price_usd"].min() > 0
    assert table["week"][0] <= "2016-01-04"
    assert table["week"][-1] >= "2026-06-29"


def test_hashrate_agrees_with_difficulty_and_blocks() -> None:
    # Hashrate = blocks found x difficulty x 2^32 / time; monthly means, so only roughly.
    table = load_monthly(DATA, "network")
    months = [date.fromisoformat(f"{month}-01") for month in table["month"]]
    following = [date(m.year + m.month // 12, m.month % 12 + 1, 1) for m in months]
    seconds = np.array([(b - a).days * 86_400.0 for a, b in zip(months, following, strict=True)])
    implied = table["blocks"] * table["difficulty_e12"] * 1e12 * 2.0**32 / seconds / 1e18
    ratio = implied.to_numpy() / table["hashrate_ehs"].to_numpy()
    assert np.abs(ratio - 1).max() < 0.05


def test_blocks_of_the_months_lead_to_the_heights_of_the_scenarios() -> None:
    table = load_monthly(DATA, "network")
    count = {
        start: table.filter(pl.col("month") >= start)["blocks"].sum()
        for start in ("2016-01", "2019-09")
    }
    heights = {path.stem: tomllib.loads(path.read_text()).get("start", {}) for path in SCENARIOS}
    first = heights["history"]["height"]
    assert first + count["2016-01"] - count["2019-09"] == pytest.approx(
        heights["china_ban_2021"]["height"], abs=150
    )
    assert first + count["2016-01"] == pytest.approx(heights["outlook_2021"]["height"], abs=150)


@pytest.mark.parametrize("month", OBSERVED)
def test_observed_shares_sum_to_one_hundred(month: str) -> None:
    nations = load_monthly(DATA, "nation_share").filter(pl.col("month") == month)
    provinces = load_monthly(DATA, "china_province_share").filter(pl.col("month") == month)
    assert nations["share_pct"].sum() == pytest.approx(100, abs=0.5)
    assert provinces["share_of_china_pct"].sum() == pytest.approx(100, abs=0.5)
    assert set(nations["nation"]) <= set(NATIONS.iso3)


def test_assumed_shares_sum_to_one_hundred() -> None:
    table = read_table(DATA / "nation_share_assumed.csv")
    totals = table.group_by("month").agg(pl.col("share_pct").sum())["share_pct"].to_numpy()
    assert np.abs(totals - 100).max() < 0.5
    assert not set(table["month"]) & set(OBSERVED)


def test_pools_never_have_more_than_all_blocks() -> None:
    totals = load_monthly(DATA, "pool_share").group_by("month").agg(pl.col("share_pct").sum())
    assert totals["share_pct"].max() <= 100.5
    assert totals["share_pct"].min() > 80


def test_efficiencies_are_ordered() -> None:
    table = load_monthly(DATA, "fleet_efficiency")
    assert (table["best_j_th"] <= table["estimate_j_th"]).all()
    assert (table["estimate_j_th"] <= table["worst_j_th"]).all()


def test_policy_events_are_dated_in_order_and_graded() -> None:
    table = read_table(DATA / "policy_events.csv")
    assert set(table["grade"]) <= {"A", "B"}
    assert table["date"].str.contains(r"^\d{4}(-\d{2}){0,2}$").all()
    assert table["date"].to_list() == sorted(table["date"])
    assert table["source"].null_count() == 0


# Machines


def test_generations_lie_within_the_listed_machines() -> None:
    listed = read_table(DATA / "machines_listed.csv")["efficiency_j_th"].to_numpy()
    listed_era = GENERATIONS.released >= date(2015, 9, 1).toordinal()
    for efficiency in GENERATIONS.efficiency_j_th[listed_era]:
        assert np.abs(listed / efficiency - 1).min() < 0.03
    assert GENERATIONS.efficiency_j_th[-1] == listed.min() == 11.0


def test_generations_are_ordered_and_reach_the_frontier() -> None:
    assert (np.diff(GENERATIONS.released) >= 0).all()
    frontier = np.minimum.accumulate(GENERATIONS.efficiency_j_th)
    improvements = int((np.diff(frontier) < 0).sum())
    assert improvements >= 14
    assert (GENERATIONS.hashrate_ths > 0).all()


@pytest.mark.parametrize(
    ("file", "mean"), [("fleet_2019_09.csv", 85.8), ("fleet_2016_01.csv", 454.9)]
)
def test_fleets_sum_to_one_at_their_mean(file: str, mean: float) -> None:
    assert read_table(DATA / file)["share"].sum() == pytest.approx(1, abs=1e-9)
    shares = load_fleet(DATA, file, GENERATIONS)
    assert float(shares @ GENERATIONS.efficiency_j_th) == pytest.approx(mean, abs=0.05)


def test_machines_of_a_first_day_had_been_released() -> None:
    for file, day in (
        ("fleet_2019_09.csv", date(2019, 9, 1)),
        ("fleet_2016_01.csv", date(2016, 1, 1)),
    ):
        used = load_fleet(DATA, file, GENERATIONS) > 0
        assert GENERATIONS.released[used].max() < day.toordinal()


# Nations, places and sites


def test_every_nation_of_the_facts_is_there() -> None:
    named = set(read_table(DATA / "gas_flaring.csv")["nation"])
    named |= set(read_table(DATA / "electricity_prices.csv")["nation"])
    named |= {place.split("-")[0] for place in read_table(DATA / "policy_events.csv")["place"]}
    aggregates = {"WLD", "AFR", "ASI", "EUR", "NAM", "OCE", "SAM", "WORLD"}
    assert named - aggregates <= set(NATIONS.iso3)
    assert {"PRY", "ETH", "NOR", "ARE", "OMN", "BTN", "VEN", "AUS", "OTH"} <= set(NATIONS.iso3)


def test_nations_are_in_range() -> None:
    for values in (NATIONS.rule_of_law, NATIONS.capital_depth, NATIONS.demand_response):
        assert ((values >= 0) & (values <= 1)).all()
    assert ((NATIONS.generation_share >= 0.35) & (NATIONS.generation_share <= 0.70)).all()
    assert ((NATIONS.grid_co2_t_mwh >= 0) & (NATIONS.grid_co2_t_mwh <= 1.2)).all()
    assert (np.abs(NATIONS.latitude_deg) <= 90).all()
    assert (np.abs(NATIONS.longitude_deg) <= 180).all()
    assert NATIONS.capital_depth.argmax() == NATIONS.row("USA")


def test_every_nation_has_a_place() -> None:
    assert set(PLACES.nation) == set(range(len(NATIONS)))
    assert len(PLACES.of_nation(NATIONS.row("CHN"))) == 9
    assert len(PLACES.of_nation(NATIONS.row("USA"))) == 2


def test_reference_shares_sum_to_one_and_agree_with_the_observed_month() -> None:
    assert PLACES.reference_share.sum() == pytest.approx(1, abs=1e-9)
    assert (PLACES.reference_share > 0).all()
    observed = place_shares(DATA, NATIONS, PLACES, "2019-09")
    np.testing.assert_allclose(PLACES.reference_share, observed, atol=5e-6)


def test_only_sichuan_and_yunnan_have_seasons() -> None:
    seasonal = (PLACES.wet_price_usd_mwh != PLACES.dry_price_usd_mwh) | (
        PLACES.wet_duty != PLACES.dry_duty
    )
    names = {PLACES.name[row] for row in np.flatnonzero(seasonal)}
    assert names == {"CHN-Sichuan", "CHN-Yunnan"}


def test_potentials_of_the_places_sum_to_those_of_the_world() -> None:
    totals = np.bincount(CELLS.type, weights=CELLS.potential_gw, minlength=len(TYPES))
    np.testing.assert_allclose(totals, TYPES.potential_gw, atol=1e-9)
    assert (CELLS.potential_gw > 0).all()


def test_energised_shares_sum_to_one_in_every_place() -> None:
    totals = np.bincount(CELLS.place, weights=CELLS.energised_share, minlength=len(PLACES))
    np.testing.assert_allclose(totals, 1, atol=1e-9)
    assert (CELLS.energised_share >= 0).all()


def mean_price(generation: np.ndarray) -> np.ndarray:
    """Delivered price of the energised capacity, by place."""
    wires = np.where(TYPES.on_grid[CELLS.type], CELLS.td_usd_mwh, 0)
    cost = CELLS.energised_share * (generation + wires)
    return np.bincount(CELLS.place, weights=cost, minlength=len(PLACES))


def test_energised_sites_cost_what_their_place_costs() -> None:
    np.testing.assert_allclose(mean_price(CELLS.gen_usd_mwh), PLACES.wet_price_usd_mwh, atol=0.02)
    np.testing.assert_allclose(
        mean_price(CELLS.dry_gen_usd_mwh), PLACES.dry_price_usd_mwh, atol=0.02
    )


def test_charges_behind_the_meter_are_part_of_generation() -> None:
    behind = ~TYPES.on_grid[CELLS.type]
    assert (CELLS.td_usd_mwh[behind] == 0).all()
    assert (CELLS.gen_usd_mwh > 0).all()


def test_the_first_day_fits_into_the_potentials() -> None:
    load_gw = 82.0e6 * 85.8 * 1.10 / 1e9
    shares = place_shares(DATA, NATIONS, PLACES, "2019-09")
    peaks = seasonal_peak_shares(DATA, NATIONS, PLACES, "2019-09")
    capacity = np.maximum(1.15 * shares, 1.05 * peaks)[CELLS.place] * CELLS.energised_share
    assert (load_gw * capacity <= CELLS.potential_gw + 1e-9).all()


def test_site_types_are_in_range() -> None:
    assert (TYPES.size_min_mw < TYPES.size_max_mw).all()
    assert ((TYPES.duty > 0) & (TYPES.duty <= 1)).all()
    assert ((CELLS.dry_duty > 0) & (CELLS.dry_duty <= CELLS.duty)).all()
    assert TYPES.potential_gw.sum() == pytest.approx(173)
    assert {name for name, bid in zip(TYPES.name, TYPES.ai_may_bid, strict=True) if bid} == {
        "grid_industrial",
        "btm_hydro",
        "btm_gas",
        "btm_nuclear",
    }


# Shares of a month


@pytest.mark.parametrize("month", [*OBSERVED, "2016-01", "2018-07", "2025-04"])
def test_place_shares_sum_to_one_and_keep_the_itemised_nations(month: str) -> None:
    itemised = observed_nation_shares(DATA, month)
    shares = place_shares(DATA, NATIONS, PLACES, month)
    assert shares.sum() == pytest.approx(1, abs=1e-12)
    assert sum(itemised.values()) == pytest.approx(1, abs=1e-12)
    for nation in set(itemised) - {"OTH"}:
        rows = PLACES.of_nation(NATIONS.row(nation))
        assert shares[rows].sum() == pytest.approx(itemised[nation], abs=1e-12)


def test_nations_inflated_by_proxies_share_in_the_rest() -> None:
    # 2021-04: OTH 5.9, DEU 2.8, IRL 2.3 of 99.9 percent.
    assert observed_nation_shares(DATA, "2021-04")["OTH"] == pytest.approx(11.0 / 99.9)
    shares = place_shares(DATA, NATIONS, PLACES, "2021-04")
    assert shares[PLACES.row("DEU")] < 0.005


def test_months_before_the_map_take_its_nations_and_their_own_season() -> None:
    july, january = (province_shares(DATA, PLACES, NATIONS, f"2017-{m}") for m in ("07", "01"))
    sichuan, xinjiang = PLACES.row("CHN-Sichuan"), PLACES.row("CHN-Xinjiang")
    assert july[sichuan] > july[xinjiang]
    assert january[sichuan] < january[xinjiang]
    assert observed_nation_shares(DATA, "2017-07") == observed_nation_shares(DATA, "2019-09")


def test_seasonal_peaks_are_the_years_highest_shares() -> None:
    # 2019-09 to 2020-08: Sichuan 52.7 (July), Xinjiang 55.6 (March) of China's 75.5 percent.
    peaks = seasonal_peak_shares(DATA, NATIONS, PLACES, "2019-09")
    china = observed_nation_shares(DATA, "2019-09")["CHN"]
    assert peaks[PLACES.row("CHN-Sichuan")] == pytest.approx(0.527 * china, rel=2e-3)
    assert peaks[PLACES.row("CHN-Xinjiang")] == pytest.approx(0.556 * china, rel=2e-3)
    shares = place_shares(DATA, NATIONS, PLACES, "2019-09")
    assert (peaks >= shares).all()
    outside = PLACES.nation != NATIONS.row("CHN")
    np.testing.assert_array_equal(peaks[outside], shares[outside])


@given(total=st.floats(0, 1), month=st.sampled_from(OBSERVED))
def test_rescaling_keeps_the_proportions_of_both_sides(total: float, month: str) -> None:
    shares = place_shares(DATA, NATIONS, PLACES, month)
    members = PLACES.nation == NATIONS.row("USA")
    scaled = rescaled(shares, members, total)
    assert scaled[members].sum() == pytest.approx(total, abs=1e-12)
    assert scaled.sum() == pytest.approx(1, abs=1e-12)
    outside = scaled[~members] * shares[~members].sum()
    np.testing.assert_allclose(outside, shares[~members] * (1 - total), atol=1e-12)


def test_a_us_share_is_given_to_the_usa() -> None:
    shares = place_shares(DATA, NATIONS, PLACES, "2025-04", us_share=0.754)
    assert shares[PLACES.of_nation(NATIONS.row("USA"))].sum() == pytest.approx(0.754)


# Bad data


def broken(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of the data with one change in one file."""
    for path in DATA.glob("*.csv"):
        text = path.read_text()
        (folder / path.name).write_text(text.replace(old, new) if path.name == file else text)
    return folder


def load_everything(folder: Path) -> None:
    nations = load_nations(folder)
    places = load_places(folder, nations)
    load_site_cells(folder, places, load_site_types(folder))
    load_generations(folder)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("places.csv", "KAZ,KAZ,", "KAZ,KAS,", r'places\.csv: nation: found "KAS".*mean "KAZ"'),
        ("places.csv", ",wet_duty,", ",wet,", r"places\.csv: wet_duty: no such column"),
        ("places.csv", "NOR,NOR,61,", "NOR,NOR,north,", r"places\.csv: latitude: not all"),
        ("nations.csv", "NOR,Norway,61,", "SWE,Norway,61,", r"nations\.csv: iso3: more than one"),
        (
            "nations.csv",
            "NOR,Norway,61,",
            "NOR,Norway,,",
            r"nations\.csv: latitude: row \d+ is",
        ),
        ("sites.csv", "NOR,btm_hydro", "NOR,hydro", r'sites\.csv: type: found "hydro"'),
        ("generations.csv", "2016-06", "2016-16", r'released: found "2016-16"'),
    ],
)
def test_bad_data_is_named(tmp_path: Path, file: str, old: str, new: str, said: str) -> None:
    folder = broken(tmp_path, file, old, new)
    with pytest.raises(DataError, match=said):
        load_everything(folder)


def test_a_missing_file_and_an_unknown_month_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nations\.csv: not a readable table"):
        load_nations(tmp_path)
    with pytest.raises(DataError, match='no nation shares of month "2023-01"'):
        observed_nation_shares(DATA, "2023-01")
    with pytest.raises(DataError, match='found "April"'):
        observed_nation_shares(DATA, "April")


# Scenarios and assumptions


def ancestry(path: Path) -> list[dict[str, Any]]:
    """A scenario's own table and those it extends, the child first, without replaced events."""
    table = tomllib.loads(path.read_text())
    parent = table.get("extends")
    older = ancestry(path.with_name(f"{parent}.toml")) if parent else []
    if table.get("replace_events"):
        older = [{**inherited, "events": []} for inherited in older]
    return [table, *older]


def test_the_promised_scenarios_are_there() -> None:
    promised = (
        "china_ban_2021 history outlook_2021 baseline_2025 stagnation steady_rise bull_500k "
        "ai_boom heat_north solar_path_2035 bankruptcy_wave one_maker_freeze"
    )
    assert set(promised.split()) <= {path.stem for path in SCENARIOS}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_scenario_asks_a_question_and_names_its_sources(path: Path) -> None:
    table = tomllib.loads(path.read_text())
    assert table["question"].endswith("?")
    assert "\n" not in table["question"]
    assert table["title"]
    assert table["predicts"]
    assert len(table["sources"]) >= 1


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_key_of_a_scenario_is_a_parameter(path: Path) -> None:
    table = tomllib.loads(path.read_text())
    sections = {key: value for key, value in table.items() if isinstance(value, dict)}
    assert set(sections) <= set(SECTIONS)
    for name, values in sections.items():
        assert set(values) <= set(SECTIONS[name].model_fields)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_events_lie_in_the_run_and_at_known_places(path: Path) -> None:
    tables = ancestry(path)
    start, end = (
        next(table[key] for table in tables if key in table) for key in ("start_date", "end_date")
    )
    known = {"WORLD", *NATIONS.iso3, *PLACES.name}
    assert start < end
    replacing = [bool(table.get("replace_events")) for table in tables]
    own = tables[: replacing.index(True) + 1] if any(replacing) else tables
    for table in own:
        for event in table.get("events", []):
            assert start <= event["date"] <= end
            assert event.get("until", date.max) > event["date"]
            assert event.get("place", "WORLD") in known
            assert event["what"]
            assert event["source"]


def test_nothing_is_calibrated_after_the_last_observed_month() -> None:
    for path in SCENARIOS:
        end = tomllib.loads(path.read_text()).get("calibration_end", date.min)
        assert end <= date(2021, 4, 30)


def test_the_outlook_lives_under_the_laws_of_the_history() -> None:
    start = date(2021, 5, 1)
    tables = ancestry(ROOT / "scenarios" / "history.toml")
    later = [e for table in tables for e in table.get("events", []) if e["date"] >= start]
    outlook = tomllib.loads((ROOT / "scenarios" / "outlook_2021.toml").read_text())["events"]
    assert sorted(outlook, key=str) == sorted(later, key=str)


def test_the_bans_stand_on_the_dates_of_the_facts() -> None:
    facts = read_table(DATA / "policy_events.csv")
    dated = {
        (day, place)
        for day, place, kind in zip(facts["date"], facts["place"], facts["kind"], strict=True)
        if kind in ("ban", "ban_temporary") and len(day) == len("2021-06-09")
    }
    events = [
        event
        for table in ancestry(ROOT / "scenarios" / "history.toml")
        for event in table.get("events", [])
        if event["kind"] == "ban"
    ]
    ours = {(str(event["date"]), event["place"]) for event in events}
    regions = {("2025-01-01", "RUS-10 regions"): ("2025-01-01", "RUS-South")}
    assert {regions.get(key, key) for key in dated} <= ours


def test_every_parameter_has_its_assumption_with_its_default() -> None:
    rows = (ROOT / "docs" / "ASSUMPTIONS.md").read_text().splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    stated = {row[-1].strip("`"): row[1] for row in cells if len(row) == 5}
    for name, record in SECTIONS.items():
        for key, field in record.model_fields.items():
            assert stated.get(f"{name}.{key}") == shown(field.default), f"{name}.{key}"


def shown(value: object) -> str:
    """A default as the table of assumptions writes it."""
    if value in (None, ()):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def test_every_file_of_assumptions_is_named_in_the_assumptions() -> None:
    assumptions = (ROOT / "docs" / "ASSUMPTIONS.md").read_text()
    for file in ("generations", "fleet_2019_09", "fleet_2016_01", "nations", "places"):
        assert f"`{file}.csv`" in assumptions
    for file in ("nations", "places", "site_types", "sites"):
        with (DATA / f"{file}.csv").open() as lines:
            columns = next(csv.reader(line for line in lines if not line.startswith("#")))
        settled = {"iso3", "name", "place", "nation", "type", "region", "on_grid"}
        for column in set(columns) - settled - {"latitude", "longitude"}:
            assert f"`{column}`" in assumptions, f"{file}.csv: {column}"


def test_every_scenario_has_its_section() -> None:
    described = (ROOT / "docs" / "SCENARIOS.md").read_text()
    for path in SCENARIOS:
        table = tomllib.loads(path.read_text())
        assert f"## {path.stem}\n\n**{table['question']}**" in described
