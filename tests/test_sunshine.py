"""Solar geometry and free solar energy against closed forms and almanac values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.markets import sunshine

EQUINOX = 81.0
JUNE = EQUINOX + 365.25 / 4
DECEMBER = EQUINOX + 3 * 365.25 / 4
FINE_HOURS = (np.arange(24 * 120) + 0.5) / 120


def test_declination_at_the_turns_of_the_year():
    declination = np.rad2deg(sunshine.declination_rad([EQUINOX, JUNE, DECEMBER]))
    assert declination == pytest.approx([0, 23.44, -23.44], abs=1e-9)


def test_noon_stands_over_greenwich_at_twelve():
    sine = sunshine.sine_of_elevation([0, 0, 0], [0, 90, -90], EQUINOX, [12.0, 6.0, 18.0])
    assert np.diag(sine) == pytest.approx(1.0)
    assert sunshine.sine_of_elevation(0, 180, EQUINOX, [12.0])[0, 0] == pytest.approx(-1.0)


def test_equatorial_mean_is_one_over_pi():
    output = sunshine.pv_output(sunshine.sine_of_elevation(0, 30, EQUINOX, FINE_HOURS))
    assert output.mean() == pytest.approx(1 / np.pi, rel=1e-4)


CLIPPING = [
    (1.05, 0.0098, None), (1.1, 0.0260, 3.28), (1.2, 0.0647, 4.47), (1.3, 0.1058, 5.30),
    (1.4, 0.1461, None), (1.5, 0.1846, 6.43),
]  # fmt: skip


@pytest.mark.parametrize(("ratio", "fraction", "hours"), CLIPPING)
def test_clipping_table(ratio, fraction, hours):
    assert sunshine.clipped_fraction(ratio) == pytest.approx(fraction, abs=6e-5)
    output = sunshine.pv_output(sunshine.sine_of_elevation(0, 0, EQUINOX, FINE_HOURS))
    lost = sunshine.clipped(output, ratio)
    assert lost.sum() / (ratio * output).sum() == pytest.approx(fraction, rel=0.01)
    if hours is not None:
        assert np.count_nonzero(lost) / 120 == pytest.approx(hours, rel=0.01)


@pytest.mark.parametrize(
    ("latitude", "june", "december"), [(45, 15.43, 8.57), (60, 18.49, 5.51), (0, 12, 12)]
)
def test_day_lengths(latitude, june, december):
    assert sunshine.day_length_hours(latitude, [JUNE, DECEMBER]) == pytest.approx(
        [june, december], abs=0.005
    )


def test_polar_day_and_night():
    assert sunshine.day_length_hours([80, 80, -80], [JUNE, DECEMBER, JUNE]) == pytest.approx(
        [24, 0, 0]
    )
    assert sunshine.insolation_factor(80, DECEMBER) == pytest.approx(0.0, abs=1e-12)


def test_insolation_factors():
    assert sunshine.insolation_factor(45, [JUNE, DECEMBER]) == pytest.approx(
        [0.3669, 0.0856], abs=5e-5
    )


@given(st.floats(-85, 85), st.floats(1, 366), st.floats(-180, 180))
def test_insolation_is_the_daily_mean_of_the_elevation(latitude, day, longitude):
    output = sunshine.pv_output(sunshine.sine_of_elevation(latitude, longitude, day, FINE_HOURS))
    assert output.mean() == pytest.approx(sunshine.insolation_factor(latitude, day), abs=1e-4)


def test_curtailed_share_grows_from_2025_to_2035():
    assert [sunshine.curtailed_share(year) for year in (2019, 2025, 2030, 2035, 2050)] == (
        pytest.approx([0.03, 0.03, 0.09, 0.15, 0.15])
    )


@settings(deadline=None)  # the first call compiles
@given(
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    day=st.floats(1, 366),
    ratio=st.floats(1, 2),
    curtailed=st.floats(0, 1),
    cloud=st.floats(0, 1),
)
def test_free_share_is_clipping_plus_curtailment(latitude, longitude, day, ratio, curtailed, cloud):
    free = sunshine.free_solar_share(latitude, longitude, day, ratio, curtailed, cloud)
    output = sunshine.pv_output(sunshine.sine_of_elevation(latitude, longitude, day), cloud)
    expected = sunshine.clipped(output, ratio) + curtailed * np.minimum(1, ratio * output)
    assert free.shape == (1, 24)
    assert free == pytest.approx(expected, abs=1e-12)


def test_cloud_may_differ_between_sites():
    free = sunshine.free_solar_share([0, 0], [0, 0], EQUINOX, 1.3, 0.1, [1.0, 0.5])
    assert free[1].max() == pytest.approx(0.1 * 0.65, rel=0.01)
    assert free[0].max() > 0.3


def test_solar_hash_of_an_even_world_is_constant_over_the_day():
    longitude = np.linspace(-180, 180, 720, endpoint=False)
    world = sunshine.free_solar_share(np.full(720, 20.0), longitude, 150, 1.3, 0.05).sum(axis=0)
    assert np.ptp(world) / world.mean() < 0.02


def test_one_longitude_follows_a_half_wave_rectified_cosine():
    output = sunshine.pv_output(sunshine.sine_of_elevation(0, 15, EQUINOX))[0]
    harmonic = 2 / 24 * abs(np.sum(output * np.exp(-2j * np.pi * np.arange(24) / 24)))
    assert harmonic / output.mean() == pytest.approx(np.pi / 2, rel=0.01)


@pytest.mark.parametrize("day", [1, 100, 172, 300])
def test_solar_hash_follows_the_sun_around_the_world(day):
    rng = np.random.default_rng(4)
    longitude = rng.uniform(-180, 180, 3000)
    latitude = rng.uniform(-45, 55, 3000)
    free = sunshine.free_solar_share(latitude, longitude, day, 1.3, 0.05)
    mean = np.angle(np.exp(1j * np.deg2rad(longitude)) @ free, deg=True)
    lag = mean - sunshine.subsolar_longitude_deg(sunshine.MID_HOURS)
    assert np.all(np.abs((lag + 180) % 360 - 180) < 7.5)


@pytest.mark.parametrize(
    ("price", "efficiency", "years", "duty"),
    [(16.0, 17.5, 4, 0.325), (7.0, 21.5, 3, 0.18), (3.0, 34.0, 2, 0.11), (0.3, 98.0, 2, 0.011)],
)
def test_only_depreciated_machines_live_on_a_solar_duty(price, efficiency, years, duty):
    least = sunshine.least_duty(price, efficiency, years, 0.12, 0.04436)
    assert least == pytest.approx(duty, rel=0.02)


def test_paid_power_raises_the_least_duty():
    duty = sunshine.least_duty(16.0, [17.5, 17.5, 98.0], 4, 0.12, 0.04436, [0.0, 52.81, 50.0])
    assert duty[1] == pytest.approx(2 * duty[0], rel=1e-3)
    assert duty[2] == np.inf
