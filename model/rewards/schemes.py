"""The reward schemes by name: a further scheme is one more line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from model.rewards.covenant import Covenant
from model.rewards.pool import FullPayPerShare, PayPerLastShares, PayPerShare
from model.rewards.scheme import RewardScheme
from model.rewards.solo import Solo

SCHEMES: Mapping[str, type[RewardScheme]] = MappingProxyType(
    {
        "solo": Solo,
        "pps": PayPerShare,
        "fpps": FullPayPerShare,
        "pplns": PayPerLastShares,
        "covenant": Covenant,
    }
)
