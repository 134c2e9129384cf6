"""Bad input, told so that it can be mended.

Nothing that compiles is imported here: workers need it before they have chosen their threads.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable

from pydantic import BaseModel


class ScenarioError(Exception):
    """Bad input: where it stands, what was found, what is allowed, and the nearest valid name."""

    def __init__(
        self, key: str, found: object, allowed: str, nearest: str | None = None, file: str = ""
    ) -> None:
        super().__init__(key, found, allowed, nearest, file)
        self.key = key
        self.found = found if isinstance(found, str) else shown(found)
        self.allowed = allowed
        self.nearest = nearest
        self.file = file

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file, self.key) if part)
        hint = f' (did you mean "{self.nearest}"?)' if self.nearest else ""
        return f"{where}: found {self.found}; allowed: {self.allowed}{hint}"


def shown(value: object) -> str:
    """A value as a scenario file would have it, short."""
    if isinstance(value, BaseModel | dict):
        return "a table"
    if isinstance(value, tuple | list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    words = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else _number(value)
    return words if len(words) <= 60 else f"{words[:57]}..."


def _number(value: object) -> str:
    try:
        return str(value)
    except ValueError:
        return "a number of too many digits"


def nearest_to(word: str, names: Iterable[str]) -> str | None:
    """The name that a word was probably meant to be, in capitals or not; None if none is near."""
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[near[0]] if near else None
