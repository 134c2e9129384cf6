"""Scenarios: loading, extending, overriding, and refusing in one clear line."""

from __future__ import annotations

import datetime
import json
import shutil
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from model import known, scenario
from model.complaint import ScenarioError
from model.scenario import (
    Scenario,
    catalogue,
    load,
    parameter_hash,
    resolved,
    schema_text,
    with_days,
    write_schema,
)

BASE = """
question = "Does it run?"
sources = ["a test"]
start_date = 2021-03-01
end_date = 2021-12-31
[start]
miners = 50
sites = 60
[energy]
pue = 1.2
[[events]]
kind = "ban"
date = 2021-05-21
place = "CHN"
lead_days = 20
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.toml"
    path.write_text(BASE)
    return path


def child(base: Path, text: str, name: str = "child") -> Path:
    path = base.parent / f"{name}.toml"
    path.write_text(text)
    return path


def test_a_file_loads_with_defaults_its_stem_as_name_and_both_ends_counted(base: Path) -> None:
    case = load(base)
    assert (case.name, case.seed, case.days) == ("base", 1, 306)
    assert (case.energy.pue, case.firms.offers) == (1.2, 5)
    assert case.date_of(case.days - 1) == case.end_date


def test_a_child_overrides_values_and_adds_events(base: Path) -> None:
    added = '[heat]\nsold = false\n[[events]]\nkind = "note"\ndate = 2021-06-01\nwhat = "x"'
    case = load(child(base, f'extends = "base"\n{added}'))
    assert (case.name, case.energy.pue, case.heat.sold) == ("child", 1.2, False)
    assert [event.kind for event in case.events] == ["ban", "note"]


def test_a_child_may_replace_events(base: Path) -> None:
    case = load(child(base, 'extends = "base.toml"\nreplace_events = true'))
    assert case.events == ()


def test_a_child_does_not_inherit_its_parents_name(base: Path) -> None:
    base.write_text('name = "parent"' + BASE)
    assert load(child(base, 'extends = "base"')).name == "child"


def test_overrides_are_read_as_toml_and_bare_words_as_text(base: Path) -> None:
    changes = [
        "energy.pue = 1.5",
        "end_date=2021-07-01",
        "title=two words",
        "price.mode=path",
        "price.path=[[2021-03-01, 5e4], [2021-04-01, 60000]]",
        "heat.sold=false",
        "events.0.lead_days=3",
    ]
    case = load(base, changes)
    assert case.energy.pue == 1.5
    assert case.end_date == datetime.date(2021, 7, 1)
    assert case.title == "two words"
    assert case.price.path[1] == (datetime.date(2021, 4, 1), 60_000)
    assert case.heat.sold is False
    assert case.events[0].effective == datetime.date(2021, 5, 24)


def test_with_days_cuts_the_run_and_its_later_events(base: Path) -> None:
    case = with_days(load(base), 20)
    assert (case.days, case.events) == (20, ())
    assert len(with_days(load(base), 100).events) == 1


WRONG = [
    ("energy.pu=1", "energy.pu", "pue"),
    ("energi.pue=1", "energi", "energy"),
    ("energy.pue=9", "a number from 1 to 2", None),
    ("energy.pue=true", "energy.pue", None),
    ('energy.pue="1.2"', "energy.pue", None),
    ("energy.pue=nan", "found nan", None),
    ("price.start_usd=inf", "found inf", None),
    ("start.miners=50.5", "a whole number", None),
    ("seed=-1", "seed", None),
    ("chain.blocks=evnt", '"event"', None),
    ("energy=3", "a table", None),
    ("events=3", "events", None),
    ("start_date.x=3", "the path of a parameter", None),
    ("energy.pue", "KEY=VALUE", None),
    ("=3", "KEY=VALUE", None),
    ("name=../up", "name", None),
    ("question=", "question", None),
    ("events.0.place=CHM", 'found "CHM"', "CHN"),
    ("events.0.place=CHN-Sichuen", "CHN-Sichuen", "CHN-Sichuan"),
    ("events.0.kind=bann", 'found "bann"', "ban"),
    ("events.0.lead_dys=4", "events.0.lead_dys", "lead_days"),
    ("events.0.date=2020-05-21", "2021-03-01 to 2021-12-31", None),
    ("events.0.until=2021-05-01", "a date after 2021-05-21", None),
    ("events.7.until=2021-05-01", "the path of a parameter", None),
    ("end_date=2021-02-28", "2021-02-28", None),
    ("end_date=2021-12-31T00:00:00", "a date", None),
    ("end_date=2090-01-01", "historical prices end on 2026-07-26", None),
    ("start_date=2010-01-01", "historical prices begin on 2016-01-04", None),
    ("start.fleet=fleet_2019.csv", "cohorts", "fleet_2019_09.csv"),
    ("start.shares_month=September", "2021-04", None),
    ("start.mean_efficiency_j_th=2000", "40 to 135 J/TH", None),
    ("start.difficulty_e12=1e5", "at start.hashrate_ehs = 82", None),
    ("start.difficulty_e12=1e-5", "at start.hashrate_ehs = 82", None),
    ("start.shares_month=2016-13", "2025-04", None),
    ("start.shares_month=2022-01", "2025-04", None),
    ("end_date=2190-01-01", "36525 days", None),
    ("places_file=../places.csv", "places_file", None),
    ("places_file=nowhere.csv", "no such file", None),
    ("price.mode=path", "at least one", None),
    ("price.path=[[2021-05-01, 1.0], [2021-04-01, 2.0]]", "a date after 2021-05-01", None),
    ("price.path=[[2021-05-01, 0.0]]", "a price above 0", None),
    ("price.path=[[2021-05-01, nan]]", "nan", None),
    ("price.path=[[2021-05-01]]", "price.path.0", None),
]


@pytest.mark.parametrize(("change", "told", "nearest"), WRONG)
def test_wrong_values_are_told_in_one_line(
    base: Path, change: str, told: str, nearest: str | None
) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(base, [change])
    message = str(caught.value)
    assert told in message
    assert "\n" not in message
    assert caught.value.file
    assert caught.value.nearest == nearest


def test_wrong_values_in_a_file_name_the_file_and_the_key(base: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(child(base, 'extends = "base"\n[machines]\nlife_yeers = 7'))
    assert caught.value.key == "machines.life_yeers"
    assert caught.value.file.endswith("child.toml")
    assert caught.value.nearest == "life_years"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"seed = ", "valid TOML"),
        (b"\xff\xfe", "valid TOML"),
        (b"a = " + b"[" * 5000, "valid TOML"),
        (b"seed = " + b"9" * 5000, "TOML"),
        (b"extends = 3", "the name of a scenario"),
        (b'extends = "nowhere"', 'found "nowhere"'),
        (b'replace_events = "yes"', "true or false"),
        (b"", "found nothing"),
    ],
)
def test_broken_files_are_told(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError, match=told):
        load(path)


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ScenarioError, match="a readable TOML file"):
            load(f"{path}/" if path == tmp_path else path)


def test_circles_of_scenarios_are_told(base: Path) -> None:
    child(base, 'extends = "b"', "a")
    circle = child(base, 'extends = "a"', "b")
    with pytest.raises(ScenarioError, match="b -> a -> b"):
        load(circle)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of scenarios of its own, beside the model's data."""
    monkeypatch.setattr(scenario, "SCENARIOS", tmp_path)
    (tmp_path / "china_ban.toml").write_text(BASE)
    (tmp_path / "us_first.toml").write_text('extends = "china_ban"\nquestion = "And then?"')
    return tmp_path


def test_the_catalogue_lists_names_and_questions(shelf: Path) -> None:
    assert catalogue() == [("china_ban", "Does it run?"), ("us_first", "And then?")]
    assert load("us_first").name == "us_first"


def test_an_unknown_name_is_told_with_the_nearest(shelf: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        load("chinaban")
    assert caught.value.nearest == "china_ban"


def test_every_scenario_that_comes_with_the_model_loads_and_asks_a_question() -> None:
    for name, question in catalogue():
        assert load(name).name == name
        assert question.strip()
        assert "\n" not in question


def test_the_schema_is_current(tmp_path: Path) -> None:
    assert (known.SCENARIOS / "schema.json").read_text() == schema_text()
    assert write_schema(tmp_path / "schema.json").read_text() == schema_text()
    assert {"extends", "events", "firms"} <= json.loads(schema_text())["properties"].keys()


def test_resolved_is_plain_and_loads_back(base: Path) -> None:
    case = load(base, ["price.path=[[2021-03-01, 5e4]]", "calibration_end=2021-04-30"])
    plain = json.dumps(resolved(case), allow_nan=False)
    assert Scenario.model_validate_json(plain, strict=True) == case


def test_the_hash_follows_parameters_but_not_words_or_seed(base: Path) -> None:
    case = load(base)
    same = load(base, ["seed=9", "title=other", "question=why", "name=else"])
    assert parameter_hash(same) == parameter_hash(case)
    assert parameter_hash(load(base, ["energy.pue=1.21"])) != parameter_hash(case)
    assert parameter_hash(load(base, ["events.0.lead_days=21"])) != parameter_hash(case)


def test_a_copy_of_the_data_may_stand_for_it(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    shutil.copytree(known.DATA, data)
    (data / "places.csv").write_text("# only one\nplace,nation\nATL-North,ATL\n")
    monkeypatch.setattr(known, "DATA", data)
    assert load(base, ["events.0.place=ATL-North"]).events[0].subject == "ATL-North"
    with pytest.raises(ScenarioError, match='found "CHN"'):
        load(base)


# One file serves every example.
FIXTURES = [HealthCheck.function_scoped_fixture]
SECTIONS = [
    name
    for name, field in Scenario.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
]
KEYS = [
    f"{section}.{key}"
    for section in SECTIONS
    for key in Scenario.model_fields[section].annotation.model_fields  # type: ignore[union-attr]
]
# Larger worlds are valid, but take longer than a test may.
SIZES = {"start.miners", "start.sites"}
LITERALS = st.one_of(
    st.integers(-10, 400).map(str),
    st.integers(-(10**30), 10**30).map(str),
    st.floats(-2, 60).map(repr),
    st.floats().map(repr),
    st.sampled_from(
        ["true", "false", "[]", "{}", '""', "2021-04-01", "historical", "path", "solo"]
    ),
    st.text(string.printable, max_size=8),
)
MUTATIONS = st.one_of(
    st.tuples(st.sampled_from([key for key in KEYS if key not in SIZES]), LITERALS),
    st.tuples(st.sampled_from(["seed", "end_date", "events.0.affected", "name"]), LITERALS),
    st.tuples(st.text(string.ascii_lowercase + "._", max_size=20), LITERALS),
)


def bound(key: str) -> list[str]:
    """A key set to each of its bounds."""
    section, name = key.split(".")
    field = Scenario.model_fields[section].annotation.model_fields[name]  # type: ignore[union-attr]
    limits = [getattr(limit, side, None) for limit in field.metadata for side in ("ge", "le")]
    return [f"{key}={limit}" for limit in limits if limit is not None]


@settings(
    max_examples=300, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(mutation=MUTATIONS)
def test_any_mutation_loads_or_is_refused_clearly(base: Path, mutation: tuple[str, str]) -> None:
    try:
        case = load(base, ["=".join(mutation)])
    except ScenarioError as error:
        told = (error.file, error.key, error.found, error.allowed)
        assert all(isinstance(part, str) and part for part in told)
    else:
        assert Scenario.model_validate_json(json.dumps(resolved(case)), strict=True) == case


def runs_or_is_refused(base: Path, change: str) -> None:
    from model.world import World

    try:
        case = load(base, [change])
    except ScenarioError:
        return
    days = min(3, case.days)
    world = World(with_days(case, days))
    while world.running and world.day < days:
        world.step()
    assert world.recorder.written == days


@settings(max_examples=15, derandomize=True, deadline=None, suppress_health_check=FIXTURES)
@given(mutation=MUTATIONS)
def test_any_mutation_runs_or_is_refused_clearly(base: Path, mutation: tuple[str, str]) -> None:
    runs_or_is_refused(base, "=".join(mutation))


@settings(max_examples=15, derandomize=True, deadline=None, suppress_health_check=FIXTURES)
@given(change=st.sampled_from([c for key in KEYS if key not in SIZES for c in bound(key)]))
def test_any_parameter_at_its_bounds_runs_or_is_refused_clearly(base: Path, change: str) -> None:
    runs_or_is_refused(base, change)
