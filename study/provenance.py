"""Where a figure or a table comes from: enough of it to make it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

SHORT_HASH = 8


@dataclass(frozen=True)
class Stamp:
    """Scenario or study, hash of its parameters, seeds, and the code that computed it."""

    name: str
    title: str
    question: str
    parameter_hash: str
    seeds: tuple[int, ...]
    runs: int
    version: str
    revision: str

    def words(self) -> str:
        """All of it in one short line."""
        parts = [
            self.name,
            *([] if len(self.seeds) == self.runs else [f"{self.runs:,} runs"]),
            seed_words(self.seeds),
            f"parameters {self.parameter_hash[:SHORT_HASH]}",
            f"Hashatlas {self.version}, {_short(self.revision)}",
        ]
        return " \N{MIDDLE DOT} ".join(parts)

    def facts(self) -> dict[str, str]:
        """All of it, each under its name."""
        return {
            "scenario": self.name,
            "title": self.title,
            "question": self.question,
            "parameter_hash": self.parameter_hash,
            "seeds": spans(self.seeds),
            "runs": str(self.runs),
            "version": self.version,
            "git_revision": self.revision,
            "program": "Hashatlas",
        }


def stamp_of_runs(facts: Sequence[dict[str, Any]]) -> Stamp:
    """The stamp of one run, or of runs that differ in nothing but their seed."""
    first = facts[0]
    return Stamp(
        name=str(first["name"]),
        title=str(first.get("title") or first["name"]),
        question=str(first.get("question", "")),
        parameter_hash=str(first["parameter_hash"]),
        seeds=tuple(sorted(int(each["seed"]) for each in facts)),
        runs=len(facts),
        version=_joined(each.get("version") for each in facts),
        revision=_joined(each.get("git_revision") for each in facts),
    )


def stamp_of_sweep(study: dict[str, Any], seeds: Sequence[int]) -> Stamp:
    """The stamp of a sweep, from its study.json and the seed of each run."""
    name = str(study["study"])
    return Stamp(
        name=f"{name} ({study['size']})",
        title=name.replace("_", " ").capitalize(),
        question=str(study["question"]),
        parameter_hash=str(study["hash"]),
        seeds=tuple(sorted(set(seeds))),
        runs=len(seeds),
        version=_joined([study["version"]]),
        revision=_joined([study["git_revision"]]),
    )


def seed_words(seeds: Sequence[int]) -> str:
    """Seeds as a person says them."""
    return f"seed{'s' if len(seeds) > 1 else ''} {spans(seeds)}"


def spans(seeds: Sequence[int]) -> str:
    """Whole numbers in order, those that follow each other as first-last."""
    told: list[str] = []
    for first, last in stretches(seeds):
        told.append(str(first) if first == last else f"{first}-{last}")
    return ", ".join(told)


def stretches(seeds: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of the numbers that follow each other without a gap."""
    found: list[tuple[int, int]] = []
    for seed in sorted(seeds):
        if found and seed == found[-1][1] + 1:
            found[-1] = (found[-1][0], seed)
        else:
            found.append((seed, seed))
    return found


def _short(revision: str) -> str:
    """A revision as people write it, with what says that files were changed."""
    clean = revision.removesuffix("-dirty")
    return clean[:SHORT_HASH] + ("-dirty" if clean != revision else "")


def _joined(values: Iterable[Any]) -> str:
    """What several runs say, each thing once."""
    return ", ".join(dict.fromkeys(str(value or "unknown") for value in values))
