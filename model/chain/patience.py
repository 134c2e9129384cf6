"""How long enforcers stay on their own branch before they give up: one type for all who ask."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from numba import njit

PatienceKind = Literal["inf", "lag", "confirmations"]

# The kinds as integers, for kernels.
INF: Final = 0
LAG: Final = 1
CONFIRMATIONS: Final = 2
_CODES: Final[dict[PatienceKind, int]] = {"inf": INF, "lag": LAG, "confirmations": CONFIRMATIONS}
_KEYS: Final[dict[str, PatienceKind]] = {"lag": "lag", "conf": "confirmations"}


@dataclass(frozen=True, slots=True)
class Patience:
    """When enforcers abandon their branch for the one that holds an offending block.

    Attributes
    ----------
    kind : "inf" never; "lag" when their branch is `blocks` behind; "confirmations" when the
        offending block has `blocks` confirmations, itself not counted.
    blocks : at least one, or 0 for "inf".
    """

    kind: PatienceKind
    blocks: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _CODES:
            raise ValueError(f"patience is 'inf', 'lag' or 'confirmations', not {self.kind!r}")
        if self.kind == "inf" and self.blocks != 0:
            raise ValueError(f"enforcers who never give up count no blocks, not {self.blocks}")
        if self.kind != "inf" and self.blocks < 1:
            raise ValueError(f"patience lasts at least one block, not {self.blocks}")

    @property
    def code(self) -> int:
        """The kind as an integer, for kernels."""
        return _CODES[self.kind]


def parse_patience(text: str) -> Patience:
    """The patience that a scenario names: "inf", "lag:6" or "conf:1"."""
    if text == "inf":
        return Patience("inf")
    match = re.fullmatch(r"(lag|conf): ?([0-9]{1,6})", text)
    if match is None or int(match[2]) < 1:
        raise ValueError(f"patience is 'inf', 'lag:6' or 'conf:1' (any number), not {text!r}")
    return Patience(_KEYS[match[1]], int(match[2]))


@njit(cache=True)
def gives_up(code: int, blocks: int, behind: float, confirmations: int) -> bool:
    """Whether enforcers abandon their branch; asked after every block, the offending one too.

    Parameters
    ----------
    code, blocks : of a `Patience`.
    behind : work by which their branch trails, in blocks of the difficulty before the race.
    confirmations : blocks on top of the offending block.
    """
    if code == LAG:
        return behind >= blocks
    return code == CONFIRMATIONS and confirmations >= blocks
