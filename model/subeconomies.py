"""Economies beside bitcoin's, on the same clock: virtual mining, and mining paid by royalties."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from model.incentives import royalties, virtual_mining

if TYPE_CHECKING:
    from model.incentives.royalties import RoyaltiesEconomy
    from model.incentives.virtual_mining import VirtualMiningEconomy
    from model.recorder import Series
    from model.scenario import Scenario
    from model.world import World

    Economy = RoyaltiesEconomy | VirtualMiningEconomy

# By the section of a scenario that switches it on.
ECONOMIES = MappingProxyType(
    {
        "virtual_mining": virtual_mining.VirtualMiningEconomy,
        "royalties": royalties.RoyaltiesEconomy,
    }
)
SERIES: Mapping[str, tuple[Series, ...]] = MappingProxyType(
    {"virtual_mining": virtual_mining.SERIES, "royalties": royalties.SERIES}
)


def switched_on(case: Scenario) -> list[str]:
    """Sections of the economies that a scenario switches on."""
    return [name for name in ECONOMIES if getattr(case, name).on]


def series(case: Scenario) -> tuple[Series, ...]:
    """The daily columns of the economies that a scenario switches on."""
    return tuple(column for name in switched_on(case) for column in SERIES[name])


def begin(world: World) -> None:
    """Set up the economies that the scenario switches on."""
    world.subeconomies = [
        ECONOMIES[name](getattr(world.case, name), world.streams)
        for name in switched_on(world.case)
    ]


def live(world: World) -> dict[str, float]:
    """A day of each, at the day's coin price and power price; its columns."""
    row: dict[str, float] = {}
    for economy in world.subeconomies:
        row |= economy.step(world.day, world.price_usd, world.reference_price)
        for kind, what in economy.tell:
            world.tell(kind, "WORLD", what)
    return row


def check(world: World) -> None:
    """Raise if an account of theirs does not balance."""
    for economy in world.subeconomies:
        economy.check()


def story(world: World) -> dict[str, float | str]:
    """Their headline figures."""
    told: dict[str, float | str] = {}
    for economy in world.subeconomies:
        told |= economy.summary()
    return told
