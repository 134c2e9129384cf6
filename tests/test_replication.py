"""The published simulation of the covenant pool says again what it said."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from model.rewards.covenant_script import corrected, literal
from study import replication


def test_every_published_digit_comes_out_again():
    for column, found in enumerate((literal(), corrected())):
        figures = replication.figures(found)
        for what, told in replication.PUBLISHED.items():
            assert told[column] in ("", figures[what]), what


def test_the_command_prints_both_readings():
    screen = Console(file=StringIO(), width=120)
    assert replication.main(screen) == 0
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("0.1229") == 2
    assert "0.001813" in text
