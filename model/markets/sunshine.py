"""Sunshine: where and when solar power is clipped or curtailed, and what miners can do with it."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from model.units import (
    DAYS_PER_YEAR,
    HOURS_PER_DAY,
    HOURS_PER_YEAR,
    WATTS_PER_MW,
    capital_recovery,
)

Floats = NDArray[np.float64]

OBLIQUITY_RAD = np.deg2rad(23.44)
# Each hour is represented by its middle.
MID_HOURS = np.arange(HOURS_PER_DAY) + 0.5


def declination_rad(day_of_year: ArrayLike) -> Floats:
    """Latitude of the subsolar point (rad); zero at the equinox on day 81."""
    day = np.asarray(day_of_year, dtype=np.float64)
    return np.asarray(OBLIQUITY_RAD * np.sin(2 * np.pi * (day - 81) / DAYS_PER_YEAR))


def subsolar_longitude_deg(hour_utc: ArrayLike) -> Floats:
    """Longitude at which it is noon (degrees east, in (-180, 180] over a day)."""
    return np.asarray(180.0 - 15.0 * np.asarray(hour_utc, dtype=np.float64))


def sine_of_elevation(
    latitude_deg: ArrayLike,
    longitude_deg: ArrayLike,
    day_of_year: float,
    hours_utc: ArrayLike = MID_HOURS,
) -> Floats:
    """Sine of the sun's elevation, [site, hour]; negative at night."""
    latitude = np.deg2rad(np.atleast_1d(np.asarray(latitude_deg, dtype=np.float64)))[:, None]
    longitude = np.atleast_1d(np.asarray(longitude_deg, dtype=np.float64))[:, None]
    hour_angle = np.deg2rad(longitude - subsolar_longitude_deg(hours_utc)[None, :])
    declination = declination_rad(day_of_year)
    level = np.sin(latitude) * np.sin(declination)
    return np.asarray(level + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle))


def pv_output(sine: ArrayLike, cloud: ArrayLike = 1.0) -> Floats:
    """Solar output over peak output; `cloud` is the share of clear-sky light that arrives."""
    return np.asarray(cloud * np.maximum(np.asarray(sine, dtype=np.float64), 0.0))


def clipped(pv: ArrayLike, inverter_ratio: float) -> Floats:
    """Output that the inverter cannot pass, over its capacity; the ratio is DC over AC."""
    return np.maximum(inverter_ratio * np.asarray(pv, dtype=np.float64) - 1.0, 0.0)


def clipped_fraction(inverter_ratio: ArrayLike) -> Floats:
    """Share of a clear equatorial equinox day's solar energy that is clipped.

    sin x - x / ratio with cos x = 1 / ratio: the integral of the clipped cosine over its own.
    """
    ratio = np.asarray(inverter_ratio, dtype=np.float64)
    half_width = np.arccos(1.0 / ratio)
    return np.asarray(np.sin(half_width) - half_width / ratio)


def curtailed_share(year: float, in_2025: float = 0.03, in_2035: float = 0.15) -> float:
    """Share of solar output that is curtailed: linear from 2025 to 2035, flat outside."""
    return float(np.interp(year, (2025.0, 2035.0), (in_2025, in_2035)))


def free_solar_share(
    latitude_deg: ArrayLike,
    longitude_deg: ArrayLike,
    day_of_year: float,
    inverter_ratio: float,
    curtailed: float,
    cloud: ArrayLike = 1.0,
) -> Floats:
    """Free energy of each site in each UTC hour, over its inverter capacity, [site, 24].

    What the inverter clips, plus the curtailed share of what it would pass.

    Parameters
    ----------
    latitude_deg, longitude_deg : of the sites, degrees north and east
    day_of_year : 1 to 366
    inverter_ratio : DC over AC capacity
    curtailed : share of the inverter's output that the grid refuses (`curtailed_share`)
    cloud : share of clear-sky light that arrives, for all sites or one value a site
    """
    latitude = np.deg2rad(np.atleast_1d(np.asarray(latitude_deg, dtype=np.float64)))
    longitude = np.deg2rad(np.atleast_1d(np.asarray(longitude_deg, dtype=np.float64)))
    clearness = np.broadcast_to(np.asarray(cloud, dtype=np.float64), latitude.shape)
    noon = np.deg2rad(subsolar_longitude_deg(MID_HOURS))
    declination = float(declination_rad(day_of_year))
    peak = inverter_ratio * clearness
    return np.asarray(_free_share(latitude, longitude, noon, declination, peak, float(curtailed)))


@njit(cache=True)
def _free_share(
    latitude: np.ndarray,
    longitude: np.ndarray,
    noon: np.ndarray,
    declination: float,
    peak: np.ndarray,
    curtailed: float,
) -> np.ndarray:
    """Angles in rad; the cosine of the hour angle is split so that only sites need cosines."""
    free = np.empty((len(latitude), len(noon)))
    noon_cosine, noon_sine = np.cos(noon), np.sin(noon)
    for site in range(len(latitude)):
        level = peak[site] * np.sin(latitude[site]) * np.sin(declination)
        swing = peak[site] * np.cos(latitude[site]) * np.cos(declination)
        east, north = swing * np.sin(longitude[site]), swing * np.cos(longitude[site])
        for hour in range(len(noon)):
            output = max(0.0, level + north * noon_cosine[hour] + east * noon_sine[hour])
            free[site, hour] = max(0.0, output - 1.0) + curtailed * min(1.0, output)
    return free


def _half_day_rad(latitude_deg: ArrayLike, day_of_year: ArrayLike) -> Floats:
    """Hour angle of sunset (rad): 0 in polar night, pi in polar day."""
    latitude = np.deg2rad(np.asarray(latitude_deg, dtype=np.float64))
    cosine = -np.tan(latitude) * np.tan(declination_rad(day_of_year))
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)))


def day_length_hours(latitude_deg: ArrayLike, day_of_year: ArrayLike) -> Floats:
    """Hours between sunrise and sunset."""
    return HOURS_PER_DAY / np.pi * _half_day_rad(latitude_deg, day_of_year)


def insolation_factor(latitude_deg: ArrayLike, day_of_year: ArrayLike) -> Floats:
    """Daily mean of the sine of the elevation, nights counted as zero."""
    latitude = np.deg2rad(np.asarray(latitude_deg, dtype=np.float64))
    declination = declination_rad(day_of_year)
    sunset = _half_day_rad(latitude_deg, day_of_year)
    level = sunset * np.sin(latitude) * np.sin(declination)
    swing = np.sin(sunset) * np.cos(latitude) * np.cos(declination)
    return np.asarray((level + swing) / np.pi)


def least_duty(
    price_usd_th: ArrayLike,
    efficiency_j_th: ArrayLike,
    years: float,
    rate_yr: float,
    hashprice: float,
    power_price_usd_mwh: float = 0.0,
) -> Floats:
    """Smallest share of the year for which buying a machine pays; infinite where none does.

    Capital cost per MWh falls with the hours run; it pays once it is below the machine's
    breakeven power price less what the power costs. At a power price of zero the efficiency
    cancels.

    Parameters
    ----------
    price_usd_th : price of the machine
    years : years over which it must earn its price
    rate_yr : cost of capital a year
    hashprice : USD per TH/s a day
    """
    efficiency = np.asarray(efficiency_j_th, dtype=np.float64)
    capital_usd_yr = np.asarray(price_usd_th) * capital_recovery(rate_yr, float(years))
    capital_usd_mw_hour = capital_usd_yr * WATTS_PER_MW / efficiency / HOURS_PER_YEAR
    breakeven = hashprice * WATTS_PER_MW / (efficiency * HOURS_PER_DAY)
    margin_usd_mwh = breakeven - power_price_usd_mwh
    duty = np.full(np.broadcast(capital_usd_mw_hour, margin_usd_mwh).shape, np.inf)
    np.divide(capital_usd_mw_hour, margin_usd_mwh, out=duty, where=margin_usd_mwh > 0)
    return duty
