"""What a column, a headline figure or an output of a study is: in words, with its unit."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from model.chain.outcome import NAMES
from model.recorder import SERIES, Series
from study.wording import nation_names, rounded

# Shorter than what the columns say of themselves, for the headings of panels and rows.
SHORT: Mapping[str, str] = MappingProxyType(
    {
        "price_usd": "Coin price",
        "hashrate_ehs": "Hashrate",
        "hashprice_usd_ph_day": "Hashprice",
        "fees_btc": "Transaction fees a day",
        "power_gw": "Power",
        "energy_twh_yr": "Energy",
        "efficiency_j_th": "Mean efficiency",
        "efficiency_cambridge_j_th": "Efficiency, listed models",
        "electricity_share_of_opex": "Electricity in operating cost",
        "power_cost_usd_mwh": "Power price paid",
        "asic_price_usd_th": "Newest machines",
        "hhi_nation": "Herfindahl index of nations",
        "hhi_pool": "Herfindahl index of pools",
        "hhi_template": "Herfindahl index of templates",
        "top_template_share": "Largest maker of templates",
        "own_templates_share": "Own templates",
        "covenant_share": "Covenant pool",
        "nakamoto_nation": "Nations for a majority",
        "top_nation_share": "Largest nation",
        "share_under_10mw": "Sites below 10 MW",
        "share_over_100mw": "Sites above 100 MW",
        "share_behind_meter": "Sites behind the meter",
        "share_grid": "Sites on the grid",
        "share_public_firms": "Public firms",
        "enforcing_share": "Hashrate that enforces",
        "filtering_share": "Hashrate that filters",
        "orphan_rate": "Blocks orphaned",
        "inclusion_rate": "Forbidden payments let in",
        "free_coin_value_share": "Value of the free coin",
        "free_coin_hashrate_share": "Hashrate of the free coin",
        "neutrality_discount": "Price factor of concentration",
        "co2_mt_yr": "Emissions",
        "machines_idle_share": "Idle machines",
        "tobin_q": "Tobin's q of machines",
        "compliant_price_usd": "Price, compliant coin",
        "free_price_usd": "Price, free coin",
        "forbidden_wait_hours": "Wait of forbidden payments",
    }
)
# A share is told in percent; an index, a factor and a count stay what they are.
_PERCENT = re.compile(r"(^|_)(share|rate|utilisation|vacancy)(_|$)")
# The longest first, as one may end in another.
_UNITS = {
    "usd_ph_day": "USD/PH/day",
    "btc_block": "BTC/block",
    "usd_mwh": "USD/MWh",
    "usd_day": "USD/day",
    "usd_th": "USD/TH",
    "twh_yr": "TWh/yr",
    "mt_yr": "MtCO2e/yr",
    "mw_month": "MW/month",
    "j_th": "J/TH",
    "ehs": "EH/s",
    "hours": "h",
    "days": "days",
    "usd": "USD",
    "btc": "BTC",
    "gw": "GW",
    "mw": "MW",
}
# What headline figures say of a column, and of a nation.
_SAID = {
    "start": "{} on the first day",
    "end": "{} at the end",
    "highest": "{}, highest",
    "lowest": "{}, lowest",
    "mean": "{}, mean",
    "median": "{}, median",
}
_SAYS = re.compile(rf"_({'|'.join(_SAID)})(?=_|$)")
_COMPLYING = "complying_share_"
_AFTER = re.compile(r"_after_(\d+)_years$")
# What a study keeps of a column, by what stands before the colon of its name; see study.outputs.
_READINGS: Mapping[str, str] = MappingProxyType(
    {
        "end": "{} at the end",
        "mean": "{}, mean",
        "lowest": "{}, lowest",
        "highest": "{}, highest",
        "day": "{} on day {}",
        "first": "Days until {}",
        "passage": "Days until {}",
        "events": "Events: {}",
    }
)
_MULTIPLES = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1e3, "thousand"))
# From here on numbers beside an axis are told in thousands, or more.
LARGE = 1e5


class Quantity(NamedTuple):
    """A number in words: its label, the unit it is told in, and the factor to that unit."""

    name: str
    words: str
    unit: str
    factor: float = 1.0

    @property
    def label(self) -> str:
        """Words and unit, as a heading."""
        return f"{self.words}, {self.unit}" if self.unit else self.words

    def told(self, value: float | None) -> str:
        """A value in the unit it is told in, in three digits, without the unit."""
        if value is None:
            return rounded(None)
        whole = not self.unit and math.isfinite(value) and value == round(value)
        return f"{value:,.0f}" if whole and abs(value) < LARGE else rounded(self.factor * value)

    def scaled(self, highest: float) -> Quantity:
        """The same in thousands, millions, ... if the highest value would fill an axis."""
        reached = self.factor * abs(highest)
        if reached < LARGE:
            return self
        multiple, words = next(pair for pair in _MULTIPLES if reached >= pair[0])
        unit = f"{words} {self.unit}".strip() if self.unit else f"{words}s"
        return self._replace(unit=unit, factor=self.factor / multiple)


@lru_cache(maxsize=1)
def declared() -> Mapping[str, Series]:
    """Every daily column by its name, those of the economies beside bitcoin's included."""
    # Only here: they take a second to import.
    from model import subeconomies

    beside = [column for columns in subeconomies.SERIES.values() for column in columns]
    return MappingProxyType({column.name: column for column in (*SERIES, *beside)})


@lru_cache(maxsize=1024)
def quantity(name: str) -> Quantity:
    """A column, a headline figure or an output of a study in words, with its unit."""
    kind, colon, of = name.partition(":")
    if colon or name in ("class", "split"):
        return _output(name, kind, of)
    column = declared().get(name)
    said = _SAYS.search(name)
    if column is None and said:
        one = quantity(_SAYS.sub("", name, count=1))
        return one._replace(name=name, words=_SAID[said[1]].format(one.words))
    if name.startswith(_COMPLYING):
        nation = name.removeprefix(_COMPLYING)
        return Quantity(name, f"Hashrate that complies, {_nation(nation)}", "%", 100.0)
    words, unit = _read(name)
    if column is not None:
        unit = "" if column.unit == "1" else column.unit
    if not unit and _PERCENT.search(name):
        return Quantity(name, SHORT.get(name, words), "%", 100.0)
    return Quantity(name, SHORT.get(name, words), unit)


def _nation(code: str) -> str:
    return nation_names().get(code, code)


def _output(name: str, kind: str, of: str) -> Quantity:
    """What a study keeps of a run."""
    if kind in ("class", "split"):
        words = f"Outcome {of}, {NAMES[of]}" if of in NAMES else f"Outcome {of}".strip()
        return Quantity(name, words if kind == "class" else "Chain split", "")
    if kind not in _READINGS:
        return Quantity(name, name, "")
    if kind in ("first", "passage", "events"):
        return Quantity(name, _READINGS[kind].format(of.replace("_", " ")), "")
    column, _, day = of.partition("@")
    one = quantity(column)
    return one._replace(name=name, words=_READINGS[kind].format(one.words, day))


def _read(name: str) -> tuple[str, str]:
    """Words and unit out of a name that ends in its unit, or in some years after something."""
    after = _AFTER.search(name)
    rest, unit = _AFTER.sub("", name), ""
    for ending, told in _UNITS.items():
        if rest.endswith(f"_{ending}"):
            rest, unit = rest.removesuffix(f"_{ending}"), told
            break
    words = rest.replace("_", " ").strip()
    if after:
        words += f" after {after[1]} year{'s' if after[1] != '1' else ''}"
    return words[:1].upper() + words[1:], unit
