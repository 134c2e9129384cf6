"""The record of a run: rows, shares, events, and what it refuses."""

from __future__ import annotations

import datetime
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.recorder import SERIES, Recorder

START = datetime.date(2021, 12, 30)
REQUIRED = [column.name for column in SERIES if column.default is None]

# Names that other tools read.
CONTRACT = (
    "price_usd hashrate_ehs difficulty blocks hashprice_usd_ph_day fees_btc power_gw "
    "energy_twh_yr efficiency_j_th efficiency_cambridge_j_th electricity_share_of_opex "
    "power_cost_usd_mwh asic_price_usd_th hhi_nation hhi_pool nakamoto_nation "
    "top_nation_share share_under_10mw share_over_100mw share_behind_meter share_grid "
    "share_public_firms enforcing_share filtering_share orphan_rate inclusion_rate "
    "free_coin_value_share neutrality_discount co2_mt_yr"
)


def row(value: float) -> dict[str, float]:
    return dict.fromkeys(REQUIRED, value)


def test_the_contracts_columns_come_first_after_the_date() -> None:
    recorder = Recorder(1, START)
    recorder.write(0, row(1.0))
    columns = ["date", *CONTRACT.split()]
    assert recorder.series().columns[: len(columns)] == columns


def test_every_series_is_declared_once_with_unit_and_meaning() -> None:
    names = [column.name for column in SERIES]
    assert len(set(names)) == len(names)
    assert all(column.unit and column.doc for column in SERIES)


def test_a_world_without_directives_has_their_true_values() -> None:
    recorder = Recorder(1, START)
    recorder.write(0, row(0.5))
    first = recorder.series().row(0, named=True)
    assert (first["enforcing_share"], first["filtering_share"]) == (0, 0)
    assert (first["inclusion_rate"], first["free_coin_value_share"]) == (1, 1)
    assert first["neutrality_discount"] == 1
    assert first["orphan_rate"] == 0.5


def test_a_written_value_beats_the_default() -> None:
    recorder = Recorder(1, START)
    recorder.write(0, row(0.0) | {"enforcing_share": 0.6})
    assert recorder["enforcing_share"].tolist() == [0.6]


@given(st.lists(st.floats(allow_infinity=False), min_size=1, max_size=5))
def test_days_come_back_dated_and_unchanged_with_undefined_as_null(values: list[float]) -> None:
    recorder = Recorder(7, START)
    for day, value in enumerate(values):
        recorder.write(day, row(value))
    frame = recorder.series()
    assert frame["date"].to_list() == [START + datetime.timedelta(d) for d in range(len(values))]
    assert frame["price_usd"].to_list() == [None if math.isnan(v) else v for v in values]
    assert recorder.written == len(values)


def test_what_is_wrong_with_a_row_is_told() -> None:
    recorder = Recorder(2, START)
    with pytest.raises(KeyError, match="prise_usd"):
        recorder.write(0, row(1.0) | {"prise_usd": 1.0})
    with pytest.raises(KeyError, match="lacks a value of price_usd"):
        recorder.write(0, {})
    with pytest.raises(ValueError, match="tobin_q is infinite on day 0"):
        recorder.write(0, row(1.0) | {"tobin_q": math.inf})
    with pytest.raises(IndexError):
        recorder.write(2, row(1.0))
    assert recorder.written == 0


def test_a_series_is_read_only() -> None:
    recorder = Recorder(1, START)
    recorder.write(0, row(1.0))
    with pytest.raises(ValueError, match="read-only"):
        recorder["price_usd"][0] = 2.0


def test_shares_become_long_rows_and_are_copied() -> None:
    recorder = Recorder(8, START)
    shares = np.array([0.6, 0.4])
    recorder.share(0, "nation", ["CHN", "USA"], shares)
    shares[:] = 0.5
    recorder.share(7, "nation", ["CHN", "USA"], shares)
    recorder.share(7, "size", [], np.empty(0))
    assert recorder.shares().rows() == [
        (START, "nation", "CHN", 0.6),
        (START, "nation", "USA", 0.4),
        (datetime.date(2022, 1, 6), "nation", "CHN", 0.5),
        (datetime.date(2022, 1, 6), "nation", "USA", 0.5),
    ]


def test_wrong_shares_are_refused() -> None:
    recorder = Recorder(1, START)
    with pytest.raises(KeyError, match="no such grouping: nations"):
        recorder.share(0, "nations", ["CHN"], np.ones(1))
    with pytest.raises(ValueError, match="2 members of pool"):
        recorder.share(0, "pool", ["A", "B"], np.ones(1))


def test_events_come_in_the_order_of_days() -> None:
    recorder = Recorder(3, START)
    recorder.event(2, "ban", "CHN", 'sites "closed"')
    recorder.event(0, "note", "WORLD", "first")
    recorder.event(2, "bankruptcy", "firm 7", "")
    assert recorder.events()["kind"].to_list() == ["note", "ban", "bankruptcy"]
    assert recorder.events()["date"].to_list()[1] == datetime.date(2022, 1, 1)


def test_nothing_recorded_gives_empty_frames_of_the_same_types() -> None:
    empty, full = Recorder(1, START), Recorder(1, START)
    full.write(0, row(1.0))
    full.share(0, "pool", ["A"], np.ones(1))
    full.event(0, "note", "WORLD", "x")
    for name in ("series", "shares", "events"):
        nothing: pl.DataFrame = getattr(empty, name)()
        assert nothing.is_empty()
        assert nothing.schema == getattr(full, name)().schema
