"""What a nation does with its coins: hold them, dump them, defend them, or buy more."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]
Reaction = Literal["endogenous", "defend", "dump"]
REACTIONS: tuple[str, ...] = get_args(Reaction)


class Reserve(IntEnum):
    """What may be done with a reserve in a quarter."""

    HOLD = 0
    DUMP = 1
    DEFEND = 2
    BUY = 3


def blacklist_risk(
    alliances: ArrayLike,
    template_shares: ArrayLike,
    sanctions: ArrayLike,
    steepness: float = 20.0,
) -> Floats:
    """Chance that each nation's coins are blacklisted by those who make the templates.

    Parameters
    ----------
    alliances : shape (n, n), from -1 (adversary) to 1 (ally).
    template_shares : shape (n,), share of the hashrate whose templates each nation's law reaches.
    sanctions : shape (n, n), intensity of the row's sanctions on the column, 0 to 1.
    steepness : of the logistic rise as an adversary comes to half of the templates.

    Returns
    -------
    Shape (n,), summed over adversaries, at most 1.
    """
    adverse = np.maximum(-np.asarray(alliances, dtype=np.float64), 0.0)
    lead = np.asarray(template_shares, dtype=np.float64) - 0.5
    control = 1.0 / (1.0 + np.exp(-steepness * lead))
    hostility = np.asarray(sanctions, dtype=np.float64).T
    return np.minimum((adverse * hostility) @ control, 1.0)


def expected_loss(risk: ArrayLike, loss_if_blacklisted: float = 0.7) -> Floats:
    """Share of a reserve's value that the risk of blacklisting takes."""
    return np.asarray(np.asarray(risk, dtype=np.float64) * loss_if_blacklisted)


def dump_fraction(loss: ArrayLike, hurdle: float = 0.05) -> Floats:
    """Part of a reserve that it is worth selling in a quarter, from its expected loss.

    Parameters
    ----------
    hurdle : what changing coins for the alternative asset must bring, share of their value.
    """
    return np.clip((np.asarray(loss, dtype=np.float64) - hurdle) / 0.3, 0.0, 1.0)


def buy_fraction(sanctioned: ArrayLike, loss: ArrayLike, hurdle: float = 0.05) -> Floats:
    """Part of a budget that it is worth putting into coins in a quarter.

    Parameters
    ----------
    sanctioned : how likely the alternative asset is to be frozen, 0 to 1.
    loss : expected loss of coins, share of their value.
    """
    unfrozen = np.asarray(sanctioned, dtype=np.float64) * (1.0 - np.asarray(loss))
    return np.maximum(unfrozen - hurdle, 0.0)


class ReservePlan(NamedTuple):
    """What every nation does with its reserve in a quarter.

    Attributes
    ----------
    choice : `Reserve` codes.
    change_btc : coins bought, less coins sold.
    """

    choice: Codes
    change_btc: Floats


def plan_reserves(
    reserves_btc: ArrayLike,
    budget_btc: ArrayLike,
    risk: ArrayLike,
    sanctioned: ArrayLike,
    defence_gain_btc: ArrayLike,
    reaction: Reaction = "endogenous",
    *,
    loss_if_blacklisted: float = 0.7,
    hurdle: float = 0.05,
) -> ReservePlan:
    """What is worth most to each nation, and the coins it moves.

    Parameters
    ----------
    reserves_btc : coins held, shape (n,).
    budget_btc : coins that a nation could afford in the quarter.
    risk : of being blacklisted, from `blacklist_risk`.
    sanctioned : intensity of sanctions on the nation, 0 to 1.
    defence_gain_btc : what mining in defence brings over holding; -inf where a nation cannot.
    reaction : "defend" and "dump" are what every threatened nation does, if it can; a nation is
        threatened when dumping would be worth something.

    Returns
    -------
    ReservePlan; of equal choices the first of hold, dump, defend and buy.

    Raises
    ------
    ValueError
        when the reaction is unknown
    """
    if reaction not in REACTIONS:
        raise ValueError(f"a reaction is one of {', '.join(REACTIONS)}")
    reserves = np.asarray(reserves_btc, dtype=np.float64)
    budget, frozen = np.asarray(budget_btc, dtype=np.float64), np.asarray(sanctioned)
    loss = expected_loss(risk, loss_if_blacklisted)
    sold = dump_fraction(loss, hurdle) * reserves
    bought = buy_fraction(frozen, loss, hurdle) * budget
    gains = np.stack(
        np.broadcast_arrays(
            np.zeros(reserves.shape),
            sold * (loss - hurdle),
            np.asarray(defence_gain_btc, dtype=np.float64),
            bought * buy_fraction(frozen, loss, hurdle),
        )
    )
    choice = np.argmax(_allowed(gains, sold > 0.0, reaction), axis=0)
    change = np.where(choice == Reserve.DUMP, -sold, np.where(choice == Reserve.BUY, bought, 0.0))
    return ReservePlan(choice.astype(np.int8), change)


def _allowed(gains: Floats, threatened: NDArray[np.bool_], reaction: str) -> Floats:
    """Gains of which a prescribed reaction outweighs all others."""
    if reaction == "endogenous":
        return gains
    row = Reserve.DEFEND if reaction == "defend" else Reserve.DUMP
    prescribed = gains.copy()
    prescribed[row] = np.where(threatened & (gains[row] > -np.inf), np.inf, gains[row])
    return prescribed
