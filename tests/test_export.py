"""Figures and tables for papers: legible, the same to the byte, with intervals and provenance."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from typer.testing import CliRunner, Result

import run
from model.complaint import ScenarioError
from model.metrics import wilson_interval
from study import effects, export, frames, page, panels, tables
from study.claim import interval
from study.export import Wanted
from study.quantities import quantity
from tests import folders
from tests.drawn import outside, overlaps
from tests.test_chain_figure import CASES
from tests.test_chain_figure import write as political

ROOT = Path(run.__file__).parent
CLI = CliRunner()


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.ensemble(tmp_path_factory.mktemp("ensemble"))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.sweep(tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="module")
def all_kinds(tmp_path_factory: pytest.TempPathFactory, ensemble: Path, sweep: Path) -> list[Path]:
    """A run, one with words of all letters, one with a story, an ensemble, and two sweeps."""
    home = tmp_path_factory.mktemp("kinds")
    nasty = folders.run(home / "nasty", folders.case(title=folders.NASTY * 3))
    told = political(home / "political", CASES["split at once"]).folder
    sampled = folders.sweep(home / "sampled", sampled=True)
    return [ensemble / "1", nasty, told, ensemble, sweep, sampled]


# Figures


def drawn(folder: Path, columns: int, only: str = "") -> Iterator[tuple[str, Figure]]:
    """Every figure of a folder, or only one, as it is saved."""
    stamp = frames.stamp(folder)
    for drawing in export._figures(folder, Wanted(columns=columns)):
        if only not in ("", drawing.name):
            continue
        with matplotlib.rc_context(page.STYLE):
            figure = export.drawn(drawing, stamp)
            assert figure is not None
            figure.canvas.draw()
        yield drawing.name, figure


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("kind", range(6))
def test_every_figure_is_legible_at_its_width(
    all_kinds: list[Path], kind: int, columns: int
) -> None:
    for name, figure in drawn(all_kinds[kind], columns):
        assert overlaps(figure) == [], name
        assert figure.get_figwidth() in (panels.WIDTHS[columns], panels.WIDTHS[2]), name
        assert outside(figure) == [], name
        check_panels(figure)
        stamps = [text for text in figure.texts if text.get_gid() == "stamp"]
        assert len(stamps) == 1
        assert frames.stamp(all_kinds[kind]).parameter_hash[:8] in stamps[0].get_text()


def check_panels(figure: Figure) -> None:
    """No panel is empty, and none lies on another."""
    for axes in figure.axes:
        values = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
        assert axes.collections or any(np.isfinite(each).any() for each in values)
        assert axes.get_window_extent().height > 20
    places = [axes.get_position() for axes in figure.axes]
    for one, other in itertools.combinations(places, 2):
        assert Bbox.intersection(one, other) is None


def test_a_figure_made_wider_keeps_its_margins_and_its_letters(ensemble: Path) -> None:
    (_, narrow), (_, wide) = next(drawn(ensemble / "1", 1)), next(drawn(ensemble / "1", 2))
    for one, other in zip(narrow.axes, wide.axes, strict=True):
        left = [figure.get_figwidth() * axes.get_position().x0
                for figure, axes in ((narrow, one), (wide, other))]  # fmt: skip
        right = [figure.get_figwidth() * (1.0 - axes.get_position().x1)
                 for figure, axes in ((narrow, one), (wide, other))]  # fmt: skip
        if left[0] == pytest.approx(page.LEFT):
            assert left[1] == pytest.approx(page.LEFT)
        if right[0] == pytest.approx(page.RIGHT):
            assert right[1] == pytest.approx(page.RIGHT)
    sizes = [[text.get_size() for text in figure.texts] for figure in (narrow, wide)]
    assert sizes[0] == sizes[1]


def test_bands_hold_the_median_and_the_scale_holds_the_bands(ensemble: Path) -> None:
    figure = dict(drawn(ensemble, 1, "bands"))["bands"]
    spread = frames.bands(ensemble, ["hashrate_ehs"], page.SMOOTHED_DAYS)
    axes = next(axes for axes in figure.axes if axes.get_label() == "hashrate_ehs")
    np.testing.assert_allclose(axes.lines[0].get_ydata(), spread["p50"])
    assert len(axes.collections) == 2
    low, high = axes.get_ylim()
    assert low <= spread["p05"].min() < spread["p95"].max() <= high


def test_outcomes_have_the_intervals_of_wilson(ensemble: Path) -> None:
    figure = dict(drawn(ensemble, 1, "outcomes"))["outcomes"]
    lines = figure.axes[0].lines
    low, high = wilson_interval(3, 5)
    words = {text.get_text() for text in figure.axes[0].texts}
    assert {"O3, captured", "3 of 5", "2 of 5"} <= words
    np.testing.assert_allclose(lines[2].get_xdata(), [60.0])
    np.testing.assert_allclose(lines[3].get_xdata(), [100.0 * low, 100.0 * high])


def test_a_run_has_the_figures_of_its_scenario(all_kinds: list[Path]) -> None:
    plain, _, told, many, study, _ = all_kinds
    names = [
        [drawing.name for drawing in export._figures(folder, Wanted())]
        for folder in (plain, told, many, study)
    ]
    assert names[0] == ["history", "series"]
    assert names[1] == ["history", "chain", "series"]
    assert names[2] == ["bands", "nation_bands", "outcomes"]
    assert {"end_share_under_10mw", "class_O0", "class_O3", "class_O8"} <= set(names[3])


# Outputs against factors


def test_levels_of_a_grid_are_means_with_intervals(sweep: Path) -> None:
    results = frames.frame(sweep)
    output = next(each for each in effects.outputs_of(sweep) if each.name == "mean:price_usd")
    table = effects.levels(results["firms.scale_advantage"], output)
    assert table["at"].to_list() == [0.25, 1.0, 16.0]
    part = results.filter(pl.col("firms.scale_advantage") == 1.0)["mean:price_usd"]
    found = interval(part.to_list())
    row = table.row(1, named=True)
    assert output.told.unit == "USD/BTC"
    assert (row["mean"], row["low"], row["high"]) == pytest.approx(
        (found.mean, found.low, found.high)
    )
    assert row["runs"] == found.size == 24


def test_shares_of_runs_have_the_intervals_of_wilson(sweep: Path) -> None:
    results = frames.frame(sweep)
    found = {output.name: output for output in effects.outputs_of(sweep)}
    table = effects.levels(results["compute.bidders"], found["class:O3"])
    captured = results.filter(pl.col("compute.bidders"))["class"] == "O3"
    row = table.filter(pl.col("at")).row(0, named=True)
    bounds = wilson_interval(int(captured.sum()), len(captured))
    assert (row["low"], row["high"]) == pytest.approx(tuple(100.0 * bound for bound in bounds))
    # A class that no run ended in is a share too.
    never = effects.levels(results["compute.bidders"], found["class:O8"])
    assert never["mean"].to_list() == [0.0, 0.0]
    assert never["high"].min() > 0.0


def test_many_values_of_a_factor_are_put_together_and_none_is_lost(all_kinds: list[Path]) -> None:
    results = frames.frame(all_kinds[5])
    output = effects.outputs_of(all_kinds[5])[0]
    table = effects.levels(results["firms.scale_advantage"], output)
    assert table.height == effects.BINS
    assert table["runs"].to_list() == [30] * 8
    whole = (table["mean"] * table["runs"]).sum() / table["runs"].sum()
    assert whole == pytest.approx(100.0 * results["end:share_under_10mw"].mean())


def test_a_single_run_has_no_interval_and_dates_are_years(tmp_path: Path) -> None:
    place = folders.sweep(tmp_path)
    results = frames.frame(place)
    dates = pl.date_range(pl.date(2025, 1, 1), pl.date(2025, 3, 13), eager=True)
    results = results.with_columns(pl.Series(folders.FACTORS[0], dates))
    results.write_parquet(place / "results.parquet")
    output = effects.outputs_of(place)[0]
    assert effects.varied(place)[folders.FACTORS[0]].min() == 2025.0
    alone = effects.levels(pl.Series([1.0] + [2.0] * 71), output)
    assert alone["low"].to_list()[0] is None
    assert all(figure.axes for _, figure in drawn(place, 1))


# Files


@pytest.fixture(scope="module")
def exported(
    tmp_path_factory: pytest.TempPathFactory, ensemble: Path, sweep: Path
) -> dict[str, Path]:
    """Everything of a run, an ensemble and a sweep."""
    home = tmp_path_factory.mktemp("exported")
    places = {"run": ensemble / "1", "ensemble": ensemble, "sweep": sweep}
    for kind, folder in places.items():
        assert export.export(folder, out=home / kind)
    return {kind: home / kind for kind in places}


FILES = {
    "run": {"history.pdf", "series.svg", "headline.tex", "parameters.tex", "series.csv"},
    "ensemble": {"bands.pdf", "outcomes.png", "ends.tex", "passages.tex", "bands.parquet"},
    "sweep": {"class_O3.pdf", "mean_price_usd.tex", "effects.csv", "results.parquet"},
}


@pytest.mark.parametrize("kind", FILES)
def test_everything_is_written_and_nothing_is_left_over(
    exported: dict[str, Path], kind: str
) -> None:
    names = {file.name for file in exported[kind].iterdir()}
    assert FILES[kind] | {"provenance.json"} <= names
    assert not [name for name in names if name.startswith(".")]
    stems = {Path(name).stem for name in names if name.endswith(".pdf")}
    assert all(f"{stem}.{suffix}" in names for stem in stems for suffix in ("svg", "png"))


AGAIN = """
import sys
from pathlib import Path
from study import export
export.export(Path(sys.argv[1]), export.Wanted(("pdf", "svg")), Path(sys.argv[2]))
"""


def test_the_bytes_are_the_same_in_another_process(
    exported: dict[str, Path], ensemble: Path, tmp_path: Path
) -> None:
    # Hashes of words differ between processes, and a date of creation would differ by now.
    command = [sys.executable, "-c", AGAIN, str(ensemble), str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"PYTHONHASHSEED": "7"})
    files = list(tmp_path.iterdir())
    assert {"bands.pdf", "bands.svg", "ends.tex", "runs.csv", "shares.parquet"} <= {
        file.name for file in files
    }
    for file in files:
        assert (exported["ensemble"] / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_pictures_are_the_same_again(exported: dict[str, Path], ensemble: Path) -> None:
    before = (exported["run"] / "series.png").read_bytes()
    target = exported["run"].parent / "again"
    export.export(ensemble / "1", Wanted(("png",), ()), target)
    assert (target / "series.png").read_bytes() == before


@pytest.mark.parametrize("kind", FILES)
def test_fonts_are_embedded_and_no_date_is_told(exported: dict[str, Path], kind: str) -> None:
    for file in exported[kind].glob("*.pdf"):
        content = file.read_bytes()
        assert b"/FontFile2" in content
        assert b"/Type3" not in content
        assert b"/CreationDate" not in content
        assert b"/ModDate" not in content
    for file in exported[kind].glob("*.svg"):
        assert "<dc:date>" not in file.read_text()
        # Letters are drawn as shapes, so that no reader needs the font.
        assert "<text" not in file.read_text()


def test_provenance_is_in_every_file(exported: dict[str, Path], ensemble: Path) -> None:
    digest = frames.stamp(ensemble).parameter_hash
    place = exported["ensemble"]
    for file in [*place.glob("*.pdf"), *place.glob("*.svg"), *place.glob("*.tex")]:
        assert digest.encode() in file.read_bytes(), file.name
    for file in place.glob("*.png"):
        assert digest.encode() in file.read_bytes(), file.name
    for file in place.glob("*.parquet"):
        told = pl.read_parquet_metadata(file)
        assert (told["parameter_hash"], told["seeds"]) == (digest, "1-5")
    told = json.loads((place / "provenance.json").read_text())
    assert told["parameter_hash"] == digest
    assert told["rerun"] == [
        "python run.py run china_ban_2021 --seed 1 --replicates 5 --set start.miners=60 --days 90"
    ]


def test_tidy_tables_are_what_the_folder_holds(exported: dict[str, Path], ensemble: Path) -> None:
    place, whole = exported["ensemble"], frames.frame(ensemble)
    assert pl.read_parquet(place / "series.parquet").equals(whole)
    again = pl.read_csv(place / "series.csv", schema=whole.schema)
    assert again.equals(whole)
    with (place / "columns.csv").open() as file:
        units = {row["column"]: row["unit"] for row in csv.DictReader(file)}
    assert units["hashprice_usd_ph_day"] == "USD/PH/day"
    assert set(units) == set(whole.columns) - {"scenario", "seed", "date"}


def test_only_what_is_asked_for_is_written(ensemble: Path, tmp_path: Path) -> None:
    files = export.export(ensemble / "1", export.wanted("svg", None, 1, "vacancy"), tmp_path)
    assert [file.name for file in files] == ["history.svg", "series.svg", "provenance.json"]
    files = export.export(ensemble, export.wanted(None, "tex", 1, None), tmp_path / "tex")
    assert {file.suffix for file in files} == {".tex", ".json"}


# LaTeX


def cells(file: Path) -> list[list[str]]:
    """Cells of the rows of a table."""
    body = re.sub(r"(?m)^%.*\n", "", file.read_text())
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    return [re.split(r"(?<!\\) & ", line.removesuffix(r" \\")) for line in rows]


@pytest.mark.parametrize("kind", FILES)
def test_tables_are_whole_and_use_booktabs(exported: dict[str, Path], kind: str) -> None:
    files = list(exported[kind].glob("*.tex"))
    assert files
    for file in files:
        text = file.read_text()
        columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)
        assert columns
        rows = cells(file)
        assert len(rows) > 1
        assert {len(row) for row in rows} == {len(columns[1])}
        for rule in ("toprule", "midrule", "bottomrule", "end{tabular}"):
            assert text.count(f"\\{rule}") == 1
        assert all(line.isascii() for line in text.splitlines() if not line.startswith("%"))


def test_ends_of_an_ensemble_are_told_with_their_intervals(
    exported: dict[str, Path], ensemble: Path
) -> None:
    rows = {row[0]: row for row in cells(exported["ensemble"] / "ends.tex")}
    last = [frames.frame(ensemble / str(seed))["power_gw"][-1] for seed in range(1, 6)]
    found, told = interval(last), quantity("power_gw").told
    assert rows["Power, GW"][1:4] == [
        told(found.mean), f"{told(found.low)}--{told(found.high)}", told(float(np.median(last)))
    ]  # fmt: skip
    outcomes = cells(exported["ensemble"] / "outcomes.tex")
    assert outcomes[2] == ["O3, captured", "3 of 5", "60.0", "23.1--88.2"]
    passages = cells(exported["ensemble"] / "passages.tex")
    assert passages[1][:2] == ["Directive", "3 of 5"]
    assert passages[1][4:] == ["2019-09-01", "2019-09-03", "2019-09-05"]


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("1.23e+06", r"$1.23 \times 10^{6}$"),
        ("-3.4\N{EN DASH}8.1", "[$-3.4$, 8.1]"),
        ("1,200\N{EN DASH}1,300", "1,200--1,300"),
        ("-0.5", "$-0.5$"),
        ("3 of 5", "3 of 5"),
        ("100 %", r"100 \%"),
        ("2020-05-12", "2020-05-12"),
    ],
)
def test_numbers_are_printed_as_mathematics_has_them(words: str, printed: str) -> None:
    assert tables._numbers(words) == printed


@settings(max_examples=200, derandomize=True, deadline=None)
@given(words=st.text(st.characters(codec="utf-8")))
def test_no_letter_of_words_is_taken_for_a_command(words: str) -> None:
    escaped = tables.escaped(words)
    plain = re.sub(
        r"\\(text(backslash|ascii(tilde|circum)|less|greater)\{\}|[{}&%$#_])", "", escaped
    )
    plain = re.sub(r"\$\\(pm|geq|times|cdot)\$", "", plain)
    assert not set(plain) & set("\\{}&%$#_~^\n")


# Numbers in words


def test_every_series_has_a_heading_that_fits_its_panel() -> None:
    for name in panels.MAIN:
        told = quantity(name).scaled(1e9)
        assert page.width_of(told.label, page.SMALL_SIZE) < 1.64


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("hashrate_end_ehs", "Hashrate at the end, EH/s"),
        ("electricity_share_of_opex_mean", "Electricity in operating cost, mean, %"),
        ("complying_share_USA", "Hashrate that complies, United States, %"),
        ("compliant_price_usd_after_1_years", "Compliant price after 1 year, USD"),
        ("end:share_under_10mw", "Sites below 10 MW at the end, %"),
        ("day:price_usd@30", "Coin price on day 30, USD/BTC"),
        ("passage:all_comply", "Days until all comply"),
        ("class:O3", "Outcome O3, captured"),
        ("pts_price_usd", "Pts price, USD/PTS"),
    ],
)
def test_names_are_told_in_words_with_units(name: str, label: str) -> None:
    assert quantity(name).label == label


def test_large_numbers_are_told_in_thousands_or_more() -> None:
    assert quantity("price_usd").scaled(3e6).label == "Coin price, million USD/BTC"
    assert quantity("difficulty").scaled(2e14).label == "Difficulty, trillions"
    assert quantity("price_usd").scaled(9e4) == quantity("price_usd")
    assert quantity("price_usd").scaled(3e6).told(3e6) == "3.00"


# What is refused


def call(*words: str) -> Result:
    return CLI.invoke(run.app, list(words))


REFUSED = [
    (["export", "RUN", "--figures", "pfd"], 'did you mean "pdf"'),
    (["export", "RUN", "--figures", ""], "pdf, svg, png"),
    (["export", "RUN", "--tables", "latex"], "tex, csv, parquet"),
    (["export", "RUN", "--series", "hashrate_eh"], 'did you mean "hashrate_ehs"'),
    (["export", "RUN", "--series", "pts_price_usd"], "a column of the runs"),
    (["export", "RUN", "--columns", "3"], "columns"),
    (["export", "RUN", "--out", "RUN"], "another folder"),
    (["export", "RUN", "--out", "RUN/run.json"], "--out"),
    (["export", "RUN", "--out", "SWEEP"], "another folder"),
    (["export", "EMPTY"], "no finished run"),
    (["export", "EMPTY/no"], "no folder"),
    (["export", "HALF"], "cannot be read"),
    (["export", "HALF/.."], "cannot be read"),
]


@pytest.mark.parametrize(("words", "told"), REFUSED, ids=lambda value: " ".join(value))
def test_bad_input_is_one_line_with_status_2_and_nothing_is_written(
    ensemble: Path, sweep: Path, tmp_path: Path, words: list[str], told: str
) -> None:
    places = {"RUN": tmp_path / "run", "SWEEP": tmp_path / "sweep", "HALF": tmp_path / "many" / "1"}
    places["EMPTY"] = tmp_path / "empty"
    shutil.copytree(ensemble / "1", places["RUN"])
    shutil.copytree(ensemble / "2", places["HALF"])
    (places["HALF"] / "shares.parquet").unlink()
    shutil.copytree(sweep, places["SWEEP"])
    places["EMPTY"].mkdir()
    before = sorted(tmp_path.rglob("*"))
    given_words = [re.sub("[A-Z]{3,}", lambda name: str(places[name[0]]), word) for word in words]
    result = call(*given_words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert told in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_writes_beside_the_run_and_names_the_files(
    ensemble: Path, tmp_path: Path
) -> None:
    shutil.copytree(ensemble / "1", tmp_path / "run")
    result = call("export", str(tmp_path / "run"), "--figures", "pdf", "--columns", "2")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "export" / "history.pdf").is_file()
    assert str(tmp_path / "run" / "export" / "series.pdf") in result.stdout
    told = call("export", str(tmp_path / "run"), "--tables", "csv", "--json")
    assert str(tmp_path / "run" / "export" / "series.csv") in json.loads(told.stdout)


def test_a_full_disk_is_one_line(
    ensemble: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(ScenarioError, match="No space left on device"):
        export.export(ensemble / "1", export.wanted("png", None, 1, None), tmp_path)
    assert list(tmp_path.iterdir()) == []
