"""The report: self-contained, escaped, readable without pictures, and run again as it says."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

import run
from model.complaint import ScenarioError
from model.metrics import wilson_interval
from model.scenario import load, parameter_hash, with_days
from study import differences, frames, provenance, report, runfolder
from study.differences import changes, recipe
from tests import folders
from tests.test_chain_figure import CASES
from tests.test_chain_figure import write as political

CLI = CliRunner()
VOID = {"meta", "img", "source", "br"}


class Page(HTMLParser):
    """A page that is read: its tags in order, its words, and whether all tags are closed."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [given for name, given in self.tags if name == tag]


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.ensemble(tmp_path_factory.mktemp("ensemble"))


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = {"title": folders.NASTY, "question": "<script>alert(1)</script>?"}
    place = tmp_path_factory.mktemp("nasty")
    return folders.run(place, folders.case(**words, predicts='"</style><img src=x onerror=y>'))


@pytest.fixture(scope="module")
def pages(ensemble: Path, nasty: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    told = political(tmp_path_factory.mktemp("told"), CASES["split and undone"]).folder
    places = {"run": ensemble / "1", "nasty": nasty, "told": told, "ensemble": ensemble}
    return {kind: report.page(folder) for kind, folder in places.items()}


KINDS = ("run", "nasty", "told", "ensemble")


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_asks_nothing_of_any_network(pages: dict[str, str], kind: str) -> None:
    page = Page(pages[kind])
    known = {"html", "head", "body", "main", "section", "meta", "title", "style"}
    known |= {"h1", "h2", "h3", "p", "strong", "ul", "li", "pre", "code", "div", "details"}
    known |= {"table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption"}
    known |= {"img", "picture", "source", "summary"}
    assert {tag for tag, _ in page.tags} <= known
    for _, given in page.tags:
        addresses = [given[name] for name in ("src", "href", "srcset") if name in given]
        assert all(str(one).startswith("data:image/svg+xml;base64,") for one in addresses)
        assert not any(name.startswith("on") for name in given)
    style = pages[kind].split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_sees_no_pictures_can_read_it(pages: dict[str, str], kind: str) -> None:
    page = Page(pages[kind])
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert len(page.all("h2")) == 8
    assert all(len(str(given.get("alt"))) > 20 for given in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(given["scope"] == "col" for given in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_words_are_words_whatever_letters_they_have(pages: dict[str, str]) -> None:
    page = Page(pages["nasty"])
    assert " ".join(folders.NASTY.split()) in page.text
    assert "<script>alert(1)</script>?" in page.text
    assert "onerror=y" in page.text
    assert not page.all("script")
    assert not page.all("b")


def test_a_run_is_told_from_its_question_to_its_provenance(
    pages: dict[str, str], ensemble: Path
) -> None:
    stored, text = runfolder.read(ensemble / "1"), Page(pages["run"]).text
    assert stored.facts["question"] in text
    assert "From 2019-09-01 to 2019-11-29 the hashrate went from" in text
    assert "EH/s" in text
    assert "The largest nation at the end: China" in text
    assert "The outcome is O3, captured." in text
    assert stored.facts["parameter_hash"] in text
    assert "What differs from baseline_2025" in text
    assert "start.miners 1000 60 firms on the first day" in text
    # A row of docs/ASSUMPTIONS.md, and none about what is as in the baseline.
    assert "Firms on the first day 600 300-2000" in text
    assert "energy.pue" not in text
    assert len(Page(pages["run"]).all("img")) == 2


def test_the_story_of_a_run_is_told_by_date(pages: dict[str, str]) -> None:
    page = Page(pages["told"])
    assert "What happened" in page.text
    assert "2028-07-03 Something happens." in page.text
    assert "the chain split" in page.text
    assert len(page.all("img")) == 3


def test_an_ensemble_is_told_with_its_intervals(pages: dict[str, str], ensemble: Path) -> None:
    text = Page(pages["ensemble"]).text
    low, high = wilson_interval(3, 5)
    assert "seeds 1-5" in text
    assert f"60.0 %, 95 % interval {100 * low:.1f} to {100 * high:.1f} %" in text
    assert "hashrate" in text
    assert "median on 2019-11-29 and in brackets 5 to 95 %" in text
    assert "Directive 3 of 5" in text
    assert len(Page(pages["ensemble"]).all("img")) == 3


def test_the_page_is_the_same_again(pages: dict[str, str], ensemble: Path) -> None:
    assert report.page(ensemble / "1") == pages["run"]


# How to run it again


def again(command: str) -> tuple[str, int, int]:
    """Parameter hash, first seed and number of runs of a command."""
    words = shlex.split(command)[3:]
    name, given = words[0], dict(zip(words[1::2], words[2::2], strict=False))
    pairs = list(zip(words[1::2], words[2::2], strict=False))
    case = load(name, [value for key, value in pairs if key == "--set"])
    case = with_days(case, int(given["--days"])) if "--days" in given else case
    return parameter_hash(case), int(given["--seed"]), int(given.get("--replicates", 1))


@pytest.mark.parametrize(
    ("name", "changes", "days"),
    [
        ("baseline_2025", [], None),
        ("us_60_2028", ["firms.scale_advantage=2", "firms.bankruptcy=false"], None),
        ("china_ban_2021", ["start.fleet=cohorts", "chain.blocks=event"], 400),
        ("bull_500k", ["price.path=[[2025-04-04, 83000.0], [2026-01-01, 1e5]]"], 300),
    ],
)
def test_the_command_gives_the_same_parameters(
    name: str, changes: list[str], days: int | None
) -> None:
    case = load(name, changes)
    case = with_days(case, days) if days else case
    how = recipe(case, [4, 5, 6, 9])
    assert how.file == ""
    assert [again(command) for command in how.commands] == [
        (parameter_hash(case), 4, 3),
        (parameter_hash(case), 9, 1),
    ]


def test_a_world_of_ones_own_comes_with_its_file(tmp_path: Path) -> None:
    case = load("us_25", ["events.0.evasion=0.5"]).model_copy(update={"name": "mine"})
    how = recipe(case, [3], paired=True)
    assert how.commands == ("python run.py run mine.toml --seed 3 --paired",)
    (tmp_path / how.file).write_text(how.content)
    assert parameter_hash(load(tmp_path / how.file)) == parameter_hash(case)
    page = Page(report.page(folders.run(tmp_path / "run", case)))
    assert how.content.strip().splitlines()[-1] in "".join(page.words)
    assert page.all("details")


def test_what_differs_is_told_with_both_values() -> None:
    before = load("baseline_2025")
    after = load("baseline_2025", ["firms.bankruptcy=false", "compute.bidders=true", "seed=9"])
    found = changes(before, after)
    assert [(one.key, one.before, one.after) for one in found] == [
        ("firms.bankruptcy", "true", "false")
    ]
    assert differences.assumptions(["firms.bankruptcy"])[0].what == "Firms can fail"
    assert differences.assumptions(["firms.bankruptcy"], Path("none.md")) == []
    assert differences.baseline_of("us_60_2028").name == "baseline_2025"
    assert differences.baseline_of("unheard of").name == "baseline_2025"


def test_seeds_that_follow_each_other_are_told_at_once() -> None:
    assert provenance.spans([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"
    assert provenance.seed_words([4]) == "seed 4"


# What is refused


def test_the_command_writes_one_file_and_names_it(ensemble: Path, tmp_path: Path) -> None:
    shutil.copytree(ensemble / "2", tmp_path / "run")
    result = CLI.invoke(run.app, ["report", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(tmp_path / "run" / "report.html")
    content = (tmp_path / "run" / "report.html").read_text()
    assert Page(content).all("h1")
    elsewhere = str(tmp_path / "new" / "page.html")
    assert CLI.invoke(run.app, ["report", str(tmp_path / "run"), "--out", elsewhere]).exit_code == 0
    assert Path(elsewhere).is_file()


def test_bad_input_is_one_line_with_status_2(ensemble: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn"
    shutil.copytree(ensemble / "1", torn)
    (torn / "series.parquet").write_bytes(b"PAR1")
    old = tmp_path / "old"
    shutil.copytree(ensemble / "1", old)
    text = (old / "run.json").read_text().replace('"miners"', '"miner_count"')
    (old / "run.json").write_text(text)
    sweep = folders.sweep(tmp_path / "sweep")
    (tmp_path / "empty").mkdir()
    refused = [
        ([str(torn)], "cannot be read"),
        ([str(old)], "cannot be read"),
        ([str(sweep)], "export draws a sweep"),
        ([str(tmp_path / "empty")], "no finished run"),
        ([str(tmp_path / "tor")], 'did you mean "torn"'),
        ([str(ensemble / "1"), "--out", "/proc/no/such.html"], "--out"),
    ]
    for words, told in refused:
        result = CLI.invoke(run.app, ["report", *words])
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert told in result.stderr
        assert "Traceback" not in result.stderr
    assert not list(tmp_path.rglob("report.html"))


def test_runs_of_different_parameters_are_no_ensemble(tmp_path: Path) -> None:
    folders.run(tmp_path / "1", folders.case(1))
    folders.run(tmp_path / "2", folders.case(2, days=20))
    with pytest.raises(ScenarioError, match="nothing but their seed"):
        report.page(tmp_path)
    assert frames.kind(tmp_path) == frames.ENSEMBLE
