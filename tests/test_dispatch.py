"""Which machines run: the kernel against a plain reference, and what must hold of it."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.markets.dispatch import (
    CHUNK,
    HOURS,
    MWH_PER_JOULE_PER_TH_DAY,
    dispatch,
    seat_order,
    tally,
)

NEW_J_TH = 40.0


class Day(NamedTuple):
    """Everything that a day's dispatch depends on, fleets first, then sites."""

    site: np.ndarray
    hashrate: np.ndarray
    efficiency: np.ndarray
    ready: np.ndarray
    hashprice: np.ndarray
    power_price: np.ndarray
    power_mw: np.ndarray
    pue: np.ndarray
    hourly_row: np.ndarray
    hourly_power: np.ndarray
    idle_cost: float

    @property
    def need_mw(self) -> np.ndarray:
        """Site load of each fleet when all of it runs."""
        return self.hashrate * self.efficiency * 1e-6 * self.pue[self.site]

    @property
    def pays(self) -> np.ndarray:
        """Whether each fleet's next hash pays for its power."""
        cost = (self.power_price + self.idle_cost) * self.pue
        return (
            self.hashprice[self.site] > cost[self.site] * self.efficiency * MWH_PER_JOULE_PER_TH_DAY
        )


def random_day(seed: int, fleets: int = 60, sites: int = 8) -> Day:
    """A day on which some sites lack power, some machines don't pay, and some sites have hours."""
    draw = np.random.default_rng(seed)
    profiles = draw.integers(0, 3, (2, HOURS)) / 2.0
    return Day(
        site=draw.integers(-1, sites, fleets),
        hashrate=draw.choice([0.0, 1e3, 5e4, 3e5], fleets, p=[0.1, 0.3, 0.3, 0.3]),
        efficiency=draw.choice([17.0, 30.0, 40.0, 60.0, 98.0], fleets),
        ready=draw.random(fleets) < 0.9,
        hashprice=draw.choice([0.05, 0.08], sites),
        power_price=draw.choice([0.0, 20.0, 45.0, 90.0], sites),
        power_mw=draw.choice([0.0, 1.0, 10.0, 1e3], sites),
        pue=draw.choice([1.03, 1.1], sites),
        hourly_row=draw.integers(-1, 2, sites).astype(np.int32),
        hourly_power=profiles,
        idle_cost=0.5,
    )


def run(day: Day) -> tuple[np.ndarray, np.ndarray]:
    order, first = seat_order(
        day.site, np.unique(day.efficiency, return_inverse=True)[1], day.pue.size
    )
    return dispatch(order, first, *day[1:])


def plain(day: Day) -> tuple[np.ndarray, np.ndarray]:
    """The same by loops: every hour, every site hands its power to the best machines first."""
    load, by_hour = np.zeros(day.site.size), np.zeros(HOURS)
    need, pays = day.need_mw, day.pays
    for site in range(day.pue.size):
        here = [row for row in range(day.site.size) if day.site[row] == site]
        here.sort(key=lambda row: (day.efficiency[row], row))
        for hour in range(HOURS):
            profile = day.hourly_row[site]
            left = day.power_mw[site] * (day.hourly_power[profile, hour] if profile >= 0 else 1.0)
            for row in here:
                if not (day.ready[row] and pays[row] and need[row] > 0.0):
                    continue
                share = min(1.0, left / need[row])
                left -= share * need[row]
                load[row] += share / HOURS
                by_hour[hour] += share * day.hashrate[row]
    return load, by_hour


seeds = st.integers(0, 2**32 - 1)


@settings(deadline=None, max_examples=60)
@given(seed=seeds)
def test_the_kernel_does_what_the_plain_loops_do(seed: int):
    day = random_day(seed)
    load, by_hour = run(day)
    expected, expected_by_hour = plain(day)
    np.testing.assert_allclose(load, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(by_hour, expected_by_hour, rtol=1e-9, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(seed=seeds)
def test_no_site_draws_more_than_its_power(seed: int):
    day = random_day(seed)
    load, _ = run(day)
    placed = day.site >= 0
    drawn = np.bincount(day.site[placed], (load * day.need_mw)[placed], day.pue.size)
    share = np.where(day.hourly_row >= 0, day.hourly_power[day.hourly_row].mean(axis=1), 1.0)
    assert (drawn <= day.power_mw * share * (1.0 + 1e-12)).all()
    assert (load >= 0.0).all()
    assert (load <= 1.0 + 1e-12).all()


@settings(deadline=None, max_examples=60)
@given(seed=seeds)
def test_only_machines_that_pay_run_and_the_best_run_first(seed: int):
    day = random_day(seed)
    load, _ = run(day)
    may = (day.site >= 0) & day.ready & day.pays & (day.hashrate > 0.0)
    assert (load[~may] == 0.0).all()
    for site in np.flatnonzero(day.hourly_row < 0):
        here = np.flatnonzero(may & (day.site == site))
        held_back = here[load[here] < 1.0]
        if held_back.size:
            worse = here[day.efficiency[here] > day.efficiency[held_back].min()]
            assert (load[worse] < 1e-12).all()  # but for rounding


def test_the_last_machines_share_what_power_is_left():
    day = Day(
        site=np.array([0, 0, 0]),
        hashrate=np.array([1e5, 1e5, 1e5]),
        efficiency=np.array([50.0, 30.0, 20.0]),
        ready=np.ones(3, dtype=bool),
        hashprice=np.array([1.0]),
        power_price=np.array([40.0]),
        power_mw=np.array([4.0]),
        pue=np.array([1.0]),
        hourly_row=np.array([-1], dtype=np.int32),
        hourly_power=np.zeros((1, HOURS)),
        idle_cost=0.5,
    )
    load, by_hour = run(day)
    # 2 MW for the best, the last 2 of 3 MW for the next, nothing for the third.
    assert load == pytest.approx([0.0, 2 / 3, 1.0])
    assert by_hour == pytest.approx(np.full(HOURS, 1e5 * (1 + 2 / 3)))


def test_a_machine_that_just_breaks_even_stays_off():
    # 50 USD/MWh, 20 J/TH, no other cost: 50 * 20 * 24e-6 = 0.024 USD per TH/s and day.
    day = random_day(0, fleets=1, sites=1)._replace(
        site=np.zeros(1, dtype=np.int64), hashrate=np.array([1e3]), efficiency=np.array([20.0]),
        ready=np.ones(1, dtype=bool), power_price=np.array([50.0]), power_mw=np.array([1.0]),
        pue=np.array([1.0]), hourly_row=np.array([-1], dtype=np.int32), idle_cost=0.0,
    )  # fmt: skip
    breakeven = 50.0 * 20.0 * MWH_PER_JOULE_PER_TH_DAY
    for hashprice, runs in ((0.999 * breakeven, 0.0), (breakeven, 0.0), (1.001 * breakeven, 1.0)):
        load, _ = run(day._replace(hashprice=np.array([hashprice])))
        assert load.tolist() == [runs]


def test_machines_follow_the_hours_of_their_site():
    hours = np.zeros((1, HOURS))
    hours[0, 10:14] = 0.5, 1.0, 1.0, 0.25
    day = random_day(0, fleets=1, sites=1)._replace(
        site=np.zeros(1, dtype=np.int64), hashrate=np.array([1e5]), efficiency=np.array([20.0]),
        ready=np.ones(1, dtype=bool), power_price=np.zeros(1), power_mw=np.array([2.0]),
        pue=np.array([1.0]), hourly_row=np.zeros(1, dtype=np.int32), hourly_power=hours,
    )  # fmt: skip
    load, by_hour = run(day)
    np.testing.assert_allclose(by_hour, 1e5 * hours[0])
    assert load[0] == pytest.approx(hours.mean())


@settings(deadline=None, max_examples=60)
@given(seed=seeds, rise=st.floats(1.0, 5.0))
def test_a_higher_hashprice_never_switches_a_machine_off(seed: int, rise: float):
    day = random_day(seed)
    before, _ = run(day)
    after, _ = run(day._replace(hashprice=rise * day.hashprice))
    assert (after >= before - 1e-12).all()
    old = day.efficiency > NEW_J_TH
    assert (after * day.hashrate)[old].sum() >= (before * day.hashrate)[old].sum() * (1 - 1e-12)


def old_share(day: Day, hashprice: float) -> float:
    """Share of the running hashrate that old machines have."""
    load, _ = run(day._replace(hashprice=np.full(day.pue.size, hashprice)))
    running = load * day.hashrate
    return float(running[day.efficiency > NEW_J_TH].sum() / max(running.sum(), 1e-9))


@pytest.mark.parametrize("seed", range(5))
def test_a_higher_hashprice_raises_the_share_of_old_machines(seed: int):
    draw = np.random.default_rng(seed)
    # One power price: with several, dear sites with new machines may come on later than old ones.
    day = random_day(seed, fleets=300, sites=20)._replace(
        power_price=np.full(20, 45.0), power_mw=draw.choice([1.0, 10.0, 1e3], 20)
    )
    shares = [old_share(day, price) for price in np.linspace(0.02, 0.2, 40)]
    assert np.all(np.diff(shares) >= -1e-12)
    assert shares[0] == 0.0
    assert shares[-1] > 0.1


def threads() -> int:
    return min(2, numba.config.NUMBA_NUM_THREADS)


def test_one_and_two_threads_give_the_same_bits():
    day = random_day(7, fleets=20_000, sites=5 * CHUNK + 17)
    results = []
    for count in (1, threads()):
        numba.set_num_threads(count)
        load, by_hour = run(day)
        results.append(load.tobytes() + by_hour.tobytes())
    assert results[0] == results[1]


@settings(deadline=None, max_examples=40)
@given(seed=seeds)
def test_seats_are_in_order(seed: int):
    day = random_day(seed)
    order, first = seat_order(
        day.site, np.unique(day.efficiency, return_inverse=True)[1], day.pue.size
    )
    assert sorted(order) == np.flatnonzero(day.site >= 0).tolist()
    for site in range(day.pue.size):
        rows = order[first[site] : first[site + 1]]
        assert (day.site[rows] == site).all()
        assert np.all(np.diff(day.efficiency[rows]) >= 0)


@settings(deadline=None, max_examples=40)
@given(seed=seeds)
def test_bills_and_work_add_up_by_owner_and_by_site(seed: int):
    day = random_day(seed)
    load, by_hour = run(day)
    owner = np.random.default_rng(seed).integers(0, 5, day.site.size)
    upkeep = np.full(day.pue.size, 4.5)
    work, power, services, energy, site_work = tally(
        owner, day.site, day.hashrate, day.efficiency, load, day.power_price, upkeep, day.pue, 5, 8
    )
    running = load * day.hashrate
    used = load * day.need_mw * HOURS
    np.testing.assert_allclose(work, np.bincount(owner, running, 5))
    np.testing.assert_allclose(power, np.bincount(owner, used * day.power_price[day.site], 5))
    assert site_work.sum() == pytest.approx(by_hour.mean())
    assert services.sum() == pytest.approx(4.5 * energy.sum())
    assert energy.sum() == pytest.approx(used[day.site >= 0].sum())
