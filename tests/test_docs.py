"""The documents say what the code is: commands, names, paths, tables, the order of decisions."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import typer

import run
from agents.population import RowAgent
from model import world
from model.events import KINDS, Dated
from model.parameters import Section
from model.recorder import GROUPINGS, SERIES
from model.scenario import Scenario, catalogue, load

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = ("README.md", "CHANGELOG.md", "benchmarks/README.md", "scenarios/README.md")
DOCS = [ROOT / name for name in WRITTEN] + sorted((ROOT / "docs").glob("*.md"))
TEXT = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCS}
ODD, ARCHITECTURE = TEXT["docs/ODD.md"], TEXT["docs/ARCHITECTURE.md"]
SCENARIOS = TEXT["docs/SCENARIOS.md"]
FOLDERS = {"agents", "benchmarks", "docs", "model", "scenarios", "study", "tests", "view"}
ENDINGS = (".py", ".md", ".csv", ".toml", ".cff", ".png", ".json")
SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Scenario.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
KEYS = {f"{name}.{key}" for name, section in SECTIONS.items() for key in section.model_fields}
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for room in ("agents", "model", "study", "view")
    for path in sorted((ROOT / room).rglob("*.py"))
    if path.name != "__init__.py"
} | {"run.py": (ROOT / "run.py").read_text(encoding="utf-8")}


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next one of its depth or above."""
    marks = heading.split(" ", 1)[0]
    below = text.split(f"{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{len(marks)}}} ", below, maxsplit=1, flags=re.M)[0]


def table(text: str) -> list[list[str]]:
    """Cells of the rows of the tables in a text, their heads left out."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    ruled = [row for row, cells in enumerate(rows) if set("".join(cells)) <= set("-")]
    heads = {row - 1 for row in ruled} | set(ruled)
    return [cells for row, cells in enumerate(rows) if row not in heads]


def quoted(text: str) -> list[str]:
    """Everything in backticks, outside fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


# Commands


def commands(start: str) -> list[tuple[str, str]]:
    """Document and words of each command that begins so, in blocks or in backticks."""
    pattern = rf"^(?:    )?((?:\.venv/bin/)?{start}[^\n]*)$"
    blocks = [
        (name, line) for name, text in TEXT.items() for line in re.findall(pattern, text, re.M)
    ]
    inline = [
        (name, words)
        for name, text in TEXT.items()
        for words in quoted(text)
        if re.match(rf"(?:\.venv/bin/)?{start}", words)
    ]
    return [*blocks, *inline]


@pytest.mark.parametrize(("name", "line"), commands(r"python run\.py "))
def test_every_command_of_the_documents_is_one_of_the_command_line(name: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    command, *arguments = words[words.index("run.py") + 1 :]
    known = typer.main.get_command(run.app).commands  # type: ignore[attr-defined]
    assert command in known
    with known[command].make_context(command, arguments) as context:
        given = dict(context.params)
    if given.get("name") in dict(catalogue()):
        load(given["name"], given["changes"] or [])


def test_the_readme_shows_every_command() -> None:
    known = typer.main.get_command(run.app).commands  # type: ignore[attr-defined]
    shown = {line.split()[2] for name, line in commands(r"python run\.py ") if name == "README.md"}
    assert set(known) <= shown


def test_every_target_of_make_exists_and_the_readme_names_the_main_ones() -> None:
    targets = set(re.findall(r"^([\w.-]+):", (ROOT / "Makefile").read_text(), re.M))
    asked = {(name, shlex.split(line, comments=True)[1]) for name, line in commands("make [a-z]")}
    assert {target for _, target in asked} <= targets
    named = {target for name, target in asked if name == "README.md"}
    assert {"demo", "test", "lint", "bench", "calibrate"} <= named


def test_every_module_that_is_run_exists() -> None:
    found = [line.split()[line.split().index("-m") + 1] for _, line in commands("python -m ")]
    assert found
    assert [name for name in found if importlib.util.find_spec(name) is None] == []


# Paths and links


@pytest.mark.parametrize("name", TEXT)
def test_every_path_in_a_document_exists(name: str) -> None:
    words = {word for word in quoted(TEXT[name]) if re.fullmatch(r"[\w.-]+(/[\w.-]*)+", word)}
    ours = {
        word
        for word in words
        if word.split("/")[0] in FOLDERS or word.endswith(ENDINGS)
        if not word.startswith("out/")
    }
    assert sorted(word for word in ours if not (ROOT / word).exists()) == []


def slug(heading: str) -> str:
    """The anchor that a heading gets on a page."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", TEXT)
def test_every_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXT[name]):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        path = ((ROOT / name).parent / file).resolve() if file else ROOT / name
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
            assert anchor in map(slug, headings), target


# Parameters


def read_somewhere(key: str) -> bool:
    """Whether any code of the model or the agents reads a parameter."""
    name = re.compile(rf"\.{key.split('.')[1]}\b")
    apart = ("model/parameters.py", "model/scenario.py", "run.py")
    return any(
        name.search(text)
        for file, text in SOURCES.items()
        if file not in apart and not file.startswith(("study/", "view/"))
    )


FILES_LIKE_KEYS = {
    "price.py", "nations.csv", "pools.csv", "chain.png", "chain.svg", "royalties.png",
    "virtual_mining.png",
}  # fmt: skip
UNREAD = {key for key in KEYS if not read_somewhere(key)}


def test_the_parameters_that_nothing_reads_are_owned_up_to() -> None:
    told = section(ODD, "### What stands ready and is not used")
    assert set(re.findall(r"^- `([\w.]+)`$", told, re.M)) == UNREAD


@pytest.mark.parametrize("name", TEXT)
def test_what_is_called_unread_is_unread(name: str) -> None:
    for sentence in re.findall(r"[^.:;|]*`[\w.]+` is not read in this version", TEXT[name]):
        assert sentence.split("`")[-2] in UNREAD


def test_the_protocol_names_every_parameter() -> None:
    named = set(re.findall(r"[a-z_]+\.[a-z0-9_]+", ODD))
    assert sorted(KEYS - named) == []


@pytest.mark.parametrize("name", TEXT)
def test_every_parameter_that_a_document_names_exists(name: str) -> None:
    keys = [word for word in quoted(TEXT[name]) if re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", word)]
    ours = {word for word in keys if word.split(".")[0] in SECTIONS} - FILES_LIKE_KEYS
    assert sorted(ours - KEYS) == []


# The protocol


# Other tests may have made agents of their own by now.
KINDS_OF_AGENT = [
    kind for kind in RowAgent.__subclasses__() if kind.__module__.startswith("agents.")
]


@pytest.mark.parametrize("kind", KINDS_OF_AGENT, ids=lambda kind: kind.__name__)
def test_the_protocol_has_every_column_of_every_agent(kind: type[RowAgent]) -> None:
    rows = [(row[0].strip("`"), row[1]) for row in table(section(ODD, f"### {kind.__name__}"))]
    assert rows == [(name, column.unit) for name, column in kind.columns().items()]


def test_the_protocol_has_every_series_and_grouping() -> None:
    observed = section(ODD, "### Observation")
    assert [(row[0].strip("`"), row[1]) for row in table(observed)] == [
        (series.name, series.unit) for series in SERIES
    ]
    assert set(GROUPINGS) <= set(quoted(observed))


def test_the_protocol_has_its_seven_elements_and_eleven_concepts() -> None:
    elements = re.findall(r"^## (\d) (\w+)", ODD, re.M)
    words = ("Purpose", "Entities", "Process", "Design", "Initialization", "Input", "Submodels")
    assert elements == [(str(number), word) for number, word in enumerate(words, start=1)]
    concepts = re.findall(
        r"^(?:\*\*|### )([A-Z][a-z ]+?)(?:\.\*\*|$)", section(ODD, "## 4 Design concepts"), re.M
    )
    assert concepts == [
        "Basic principles", "Emergence", "Adaptation", "Objectives", "Learning", "Prediction",
        "Sensing", "Interaction", "Stochasticity", "Collectives", "Observation",
    ]  # fmt: skip


def test_every_submodel_names_its_code_and_a_test_that_exists() -> None:
    parts = re.split(r"^### (7\.\d+ .+)$", section(ODD, "## 7 Submodels"), flags=re.M)[1:]
    submodels = dict(zip(parts[::2], parts[1::2], strict=True))
    assert len(submodels) >= 16
    for heading, body in submodels.items():
        body = body.split("\n### ")[0]
        assert re.search(r"Code:\s`", body), heading
        assert re.search(r"Tests?:\s`test_", body), heading
    for file, name in re.findall(r"`(test_\w+\.py)::(\w+)`", ODD):
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(), f"{file}::{name}"


# The architecture


def streams() -> Iterator[tuple[str, str]]:
    """Name and kind of every random stream that the code asks for."""
    for file, text in SOURCES.items():
        if file.startswith(("study/", "view/")):
            continue
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            kind, held = node.func.attr, ast.unparse(node.func.value)
            if kind in ("key", "generator") and held.endswith("streams"):
                assert isinstance(node.args[0], ast.Constant), f"{file}: a stream without a name"
                yield str(node.args[0].value), kind


def test_the_architecture_lists_every_random_stream() -> None:
    rows = table(section(ARCHITECTURE, "## Random numbers"))
    assert {(row[0].strip("`"), row[1]) for row in rows} == set(streams())


def test_the_architecture_has_the_slow_decisions_in_their_order() -> None:
    for word in ("weekly", "monthly", "quarterly"):
        item = re.search(rf"^- {word}, on .*\n(?:  .*\n)*", ARCHITECTURE, re.M)
        decided = [decision_name(function) for function in getattr(world, word.upper())]
        assert item
        assert quoted(item[0]) == decided


def decision_name(function: object) -> str:
    """How the architecture names a decision: its file, or the world, and its name."""
    qualified = str(getattr(function, "__qualname__", ""))
    module = str(getattr(function, "__module__", "")).rsplit(".", 1)[-1]
    return qualified if "." in qualified else f"{module}.{qualified}"


def test_the_architecture_has_the_phases_of_a_day_in_their_order() -> None:
    body = next(
        node
        for node in ast.walk(ast.parse(SOURCES["model/world.py"]))
        if isinstance(node, ast.FunctionDef) and node.name == "step"
    )
    calls = [
        node for line in body.body for node in ast.walk(line)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("self.")
    ]  # fmt: skip
    phases = [row[0].strip("`") for row in table(section(ARCHITECTURE, "## One day"))]
    assert phases == [ast.unparse(call.func).removeprefix("self.") for call in calls]


ROOMS = {
    row[0].strip("*"): (re.findall(r"`([^`]+)`", row[1]), {w for w in row[2].split(", ") if w})
    for row in table(section(ARCHITECTURE, "## The rooms, and who may know whom"))
    if row[0].startswith("**")
}
ROOM_OF = {file: room for room, (files, _) in ROOMS.items() for file in files}


def imported(file: str) -> Iterator[str]:
    """Files of the project that a file imports at run time, the later imports included."""
    tree = ast.parse(SOURCES[file])
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node not in typing_only:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            paths = (f"{name.replace('.', '/')}.py" for name in names)
            yield from (path for path in paths if path in SOURCES)


def test_the_table_of_rooms_has_every_file_once() -> None:
    files = [file for files, _ in ROOMS.values() for file in files]
    assert sorted(files) == sorted(SOURCES)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_the_table_says(room: str) -> None:
    files, allowed = ROOMS[room]
    found = {ROOM_OF[other] for file in files for other in imported(file)} - {room}
    assert found == allowed


# Scenarios


def described(name: str) -> str:
    """The section of a scenario."""
    return section(SCENARIOS, f"## {name}")


def plain(value: object) -> str:
    """A value as the list of what a scenario sets writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").glob("*.toml")), ids=lambda p: p.stem)
def test_what_a_scenario_sets_and_its_events_are_told(path: Path) -> None:
    own, told = tomllib.loads(path.read_text(encoding="utf-8")), described(path.stem)
    given = {
        f"{name}.{key}": value
        for name, values in own.items()
        if name in SECTIONS
        for key, value in values.items()
    }
    assert set(given) <= set(quoted(told))
    listed = "".join(line for line in told.splitlines() if line.startswith("- Sets: "))
    for key, value in re.findall(r"`([a-z]+\.\w+)` ([^;]+?)(?=;|\.?$)", listed):
        assert key == "price.path" or value == plain(given[key]), key
    events = [
        [str(one["date"]), one["kind"], one.get("place", ""), one["what"]]
        for one in own.get("events", [])
    ]
    assert [row for row in table(told) if len(row) == 4] == events


def test_every_kind_of_event_is_told_with_its_keys() -> None:
    rows = table(section(SCENARIOS, "## Writing one's own"))
    assert {row[0].strip("`") for row in rows} == KINDS.keys()
    for name, keys, _ in rows:
        fields = KINDS[name.strip("`")].model_fields.keys() - Dated.model_fields.keys() - {"kind"}
        told = set(quoted(keys.replace("no `place`", "")))
        assert ("no `place`" in keys) == ("place" not in fields), name
        assert told == fields - {"place"}, name


def test_the_scenario_of_ones_own_runs_as_it_stands(tmp_path: Path) -> None:
    block = re.search(r"^```toml\n(.*?)^```", SCENARIOS, re.M | re.S)
    assert block
    (tmp_path / "own.toml").write_text(block[1], encoding="utf-8")
    case = load(tmp_path / "own.toml")
    assert case.events[-1].kind == "tax"


# Words about the whole


def test_the_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text()
    facts = dict(re.findall(r"^([a-z-]+): (.+)$", citation, re.M))
    assert facts["version"] == version
    assert facts["license"] == "MIT"
    assert date.fromisoformat(facts["date-released"])
    assert f"## [{version}]" in TEXT["CHANGELOG.md"]
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
