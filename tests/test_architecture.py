"""The arrows between rooms, the size of files, and what importing may not do."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import agents
import model
import run
import study
import view

ROOT = Path(__file__).resolve().parent.parent
MOST_LINES = 1000
SOURCES = [
    path for room in ("agents", "model", "study") for path in sorted((ROOT / room).rglob("*.py"))
] + [ROOT / "run.py"]

# Runs in a fresh process: imports every module and prints what was opened or connected meanwhile.
IMPORT_EVERYTHING = """
import importlib, json, sys
seen = []
def watch(event, arguments):
    if event in ("open", "socket.connect", "subprocess.Popen", "os.mkdir", "os.rename"):
        seen.append([event, str(arguments[0])])
sys.addaudithook(watch)
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps(seen))
"""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_every_import_contract_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    assert lint_imports(no_cache=True) == 0


@pytest.mark.parametrize("package", [agents, model, study, view])
def test_packages_lie_in_this_checkout(package: object) -> None:
    # Another package called agents is on the registry.
    assert Path(str(package.__file__)).is_relative_to(ROOT)  # type: ignore[attr-defined]


@pytest.mark.parametrize("package", ["model", "agents"])
def test_package_files_hold_a_docstring_and_nothing_else(package: str) -> None:
    body = ast.parse((ROOT / package / "__init__.py").read_text()).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text)), "a module says what it is for"


def test_no_import_does_work(tmp_path: Path) -> None:
    names = [module_name(path) for path in SOURCES]
    script = tmp_path / "import_everything.py"
    script.write_text(IMPORT_EVERYTHING)
    done = subprocess.run(
        [sys.executable, script, json.dumps(names)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    seen = json.loads(done.stdout)
    assert seen, "the watch sees nothing"
    ours = [Path(what) for event, what in seen if event == "open" and what.startswith(str(ROOT))]
    # Python's and numba's caches, and the installed libraries, are no data.
    data = [path for path in ours if not {"__pycache__", ".venv"} & set(path.parts)]
    assert {path.suffix for path in data} <= {".py"}
    assert [what for event, what in seen if event == "socket.connect"] == []


def test_the_command_line_imports_no_model_before_it_is_asked_to() -> None:
    script = "import sys, run; print([m for m in ('numba', 'mesa', 'polars') if m in sys.modules])"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
    assert Path(run.__file__) == ROOT / "run.py"
