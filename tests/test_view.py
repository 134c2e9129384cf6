"""The page without a browser: levers, charts, map, the worlds of many pages, what is taken home."""

from __future__ import annotations

import datetime
import io
import re
import shlex
import statistics
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from model.complaint import ScenarioError
from model.known import column
from model.scenario import catalogue, load, parameter_hash, with_days
from view import charts, levers, memory, office, server, session, words, worldmap
from view.charts import Line, Span

ROOT = Path(__file__).resolve().parent.parent
SVG = "{http://www.w3.org/2000/svg}"

# Levers


@pytest.mark.parametrize("name", [name for name, _ in catalogue()])
def test_levers_that_nobody_touches_change_nothing(name: str) -> None:
    base, values = levers.opened(name, "baseline_2025")
    assert levers.overrides(base, values) == []
    assert set(values) == {lever.key for lever in levers.levers()}


def test_every_lever_of_the_issue_moves_a_scenario() -> None:
    moved: dict[str, Any] = {
        "seed": "7",
        "end": "2030-01-01",
        "price": "flat",
        "reach": "site",
        "contagion": True,
        "threshold": 0.2,
        "transmission": 2.5,
        "scale": 3.0,
        "bidders": False,
        "covenant": 0.25,
        "reserves": 10.0,
        "strategic": True,
        "directive": "filter",
        "nation": "CHN",
        "date": "2026-02-03",
        "patience": "lag:6",
    }
    base, own = levers.opened("baseline_2025", "baseline_2025")
    case = levers.case_of(base, own | moved)
    assert (case.seed, case.end_date) == (7, datetime.date(2030, 1, 1))
    assert {usd for _, usd in case.price.path} == {83_000.0}
    assert case.hypotheses.jurisdiction == "site"
    assert (case.nations.adoption, case.nations.adoption_threshold) == (True, 0.2)
    assert (case.energy.transmission_scale, case.firms.scale_advantage) == (2.5, 3.0)
    assert (case.compute.bidders, case.nations.strategic) == (False, True)
    assert case.nations.reserves_scale == 10.0
    assert (case.pools.covenant_share, case.pools.choice, case.chain.payout) == (
        0.25, True, "pools",
    )  # fmt: skip
    order = levers.first_directive(case)
    assert order is not None
    assert (order.level, order.place, order.patience) == ("filter", "CHN", "lag:6")
    assert order.date == datetime.date(2026, 2, 3)
    assert len(case.events) == 1 + len(load("baseline_2025").events)


def test_a_directive_is_moved_or_taken_out_and_other_laws_stay() -> None:
    before = load("us_60_2028")
    moved = levers.case_of("us_60_2028", {"date": "2030-05-06"})
    order = levers.first_directive(moved)
    assert order is not None
    assert (order.date, order.place) == (datetime.date(2030, 5, 6), "USA")
    off = levers.case_of("us_60_2028", {"directive": "off"})
    others = [event for event in before.events if event.kind != "directive"]
    assert list(off.events) == others
    assert [event for event in moved.events if event.kind != "directive"] == others


@pytest.mark.parametrize("path", ["wander", "jump", "flat", "rise"])
@pytest.mark.parametrize("name", ["china_ban_2021", "bull_500k", "us_60_2028"])
def test_a_price_path_begins_with_the_price_of_the_scenario(name: str, path: str) -> None:
    before, case = load(name), levers.case_of(name, {"price": path})
    first = levers.first_price(before)
    assert levers.first_price(case) == pytest.approx(first)
    assert case.price.mode == {"wander": "gbm", "jump": "jump"}.get(path, "path")


HOSTILE: tuple[dict[str, object], ...] = (
    {"seed": "-1"},
    {"seed": "9" * 90},
    {"seed": 1},
    {"end": "9999-12-31"},
    {"end": "2400-01-01"},
    {"end": "tomorrow"},
    {"date": "1999-01-01"},
    {"price": "to the moon"},
    {"directive": "enforce", "nation": "../../etc"},
    {"patience": "lag:" + "9" * 90},
    {"patience": "x" * 1_000_000},
    {"transmission": float("nan")},
    {"transmission": float("inf")},
    {"transmission": 1e300},
    {"transmission": "2"},
    {"transmission": True},
    {"covenant": -0.1},
    {"reserves": 1e9},
    {"strategic": 1},
    {"strategic": "true"},
    {"drift": None},
    {"volatility": [1, 2]},
    {"": 1},
    {"energy.pue": 1.2},
)


@pytest.mark.parametrize("values", HOSTILE, ids=str)
def test_a_hostile_value_gets_one_short_message(values: dict[str, object]) -> None:
    with pytest.raises(ScenarioError) as caught:
        levers.case_of("us_60_2028", values)
    told = str(caught.value)
    assert "\n" not in told
    assert len(told) < 400
    assert "allowed:" in told


@pytest.mark.parametrize("name", ["../scenarios/us_25.toml", "/etc/passwd", "", None, 3, ["us_25"]])
def test_only_scenarios_that_are_offered_can_be_opened(name: object) -> None:
    with pytest.raises(ScenarioError, match="scenario: found"):
        levers.opened(name, "baseline_2025")


def test_a_scenario_of_ones_own_is_offered_beside_the_others(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('extends = "us_25"\n', encoding="utf-8")
    base, values = levers.opened(str(own), str(own))
    assert (base, values["scenario"]) == (str(own), str(own))
    assert levers.described(str(own))[0]["choices"][0] == (str(own), str(own))
    assert levers.overrides(base, values) == []


scalars = st.one_of(st.booleans(), st.integers(-10, 10), st.text(max_size=20), st.dates())


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), scalars, max_size=4))
def test_values_are_read_back_as_they_were_written(table: dict[str, Any]) -> None:
    import tomllib

    assert tomllib.loads(f"value = {levers.toml([table])}")["value"] == [table]


# Charts and the map


def parsed(figure: str) -> ET.Element:
    """A figure as XML: whatever is in it must be well formed."""
    return ET.fromstring(figure.replace("&nbsp;", " "))


def test_a_chart_has_words_for_those_who_do_not_see_it() -> None:
    drawn = [Line("price <&>", np.array([1.0, np.nan, 4.0]), charts.BLUE)]
    figure = parsed(charts.lines("Price", "USD", Span(datetime.date(2028, 1, 1), 60), drawn))
    svg = figure.find("svg")
    assert svg is not None
    assert svg.get("aria-label") == "Price, USD: price <&> 4, at first 1"
    # The gap of a day without a value stays one.
    line = next(each for each in svg.iter("path") if each.get("class") == "line")
    assert str(line.get("d")).count("M") == 2


@given(
    st.lists(st.floats(1e-9, 1e12) | st.just(float("nan")), max_size=400),
    st.booleans(),
    st.integers(1, 40_000),
)
def test_a_chart_of_any_values_is_well_formed(values: list[float], log: bool, days: int) -> None:
    span = Span(datetime.date(2019, 12, 31), days)
    figure = charts.lines("A", "B", span, [Line("c", np.array(values, dtype=float))], log=log)
    assert "nan" not in figure
    assert "inf" not in figure
    parsed(figure)


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12))
def test_ticks_are_few_and_within_the_axis(low: float, size: float) -> None:
    ticks = charts.nice_ticks(low, low + size)
    assert len(ticks) <= 6
    assert all(low - 1e-6 * size <= tick <= low + 1.000001 * size for tick in ticks)


def test_no_date_leaves_its_panel() -> None:
    """A month that begins at the end of the axis is written a little before it."""
    seen = 0
    for days in range(20, 400, 3):
        drawn = charts.axes(Span(datetime.date(2028, 1, 3), days), [(100.0, "1")])
        for place, told in re.findall(r'<text x="(\d+)"[^>]*>([A-Z][a-z]{2} \d{4})<', drawn):
            assert int(place) + charts.HALF_LETTER * len(told) <= charts.WIDTH + 1
            seen += 1
    assert seen > 200


@given(st.integers(60, 40_000), st.dates(datetime.date(2009, 1, 3), datetime.date(2100, 1, 1)))
def test_dates_of_an_axis_are_true(days: int, start: datetime.date) -> None:
    ticks = charts.date_ticks(Span(start, days))
    assert 1 <= len(ticks) <= 7
    for day, name in ticks:
        when = start + datetime.timedelta(days=day)
        assert name in (f"{when.year}", f"{when:%b %Y}", f"{when:%d %b %Y}")


def test_areas_of_shares_fill_the_whole() -> None:
    shares = np.tile([0.25, 0.75], (80, 1))
    figure = parsed(charts.areas("Mix", "share", Span(datetime.date(2028, 1, 1), 80), "ab", shares))
    assert "b 75%, a 25%" in ET.tostring(figure, encoding="unicode")


def shapes() -> dict[str, list[ET.Element]]:
    """Everything on the map by nation."""
    found: dict[str, list[ET.Element]] = {}
    for shape in ET.fromstring(worldmap.drawing()):
        found.setdefault(shape.get("data-nation", ""), []).append(shape)
    return found


def corners(path: str) -> np.ndarray:
    """The corners of a path of whole steps, ring by ring, in pixels."""
    points = []
    for ring in filter(None, path.split("M")):
        first, _, steps = ring.rstrip("z").partition("l")
        start = np.array(re.findall(r"-?\d+", first), dtype=float)
        moves = np.array(re.findall(r"-?\d+", steps), dtype=float).reshape(-1, 2)
        points.append(np.vstack((start, start + np.cumsum(moves, axis=0))) / 10.0)
    return np.concatenate(points)


def test_every_nation_of_the_model_is_on_the_map_and_large_enough_to_click() -> None:
    found = shapes()
    for code, name in zip(
        column("nations.csv", "iso3"), column("nations.csv", "name"), strict=True
    ):
        if code == "OTH":
            continue
        assert {shape.findtext(f"{SVG}title") for shape in found[code]} == {name}
        disc = any(shape.tag == f"{SVG}circle" for shape in found[code])
        rings = [corners(str(shape.get("d"))) for shape in found[code] if shape.get("d")]
        assert disc or np.ptp(np.concatenate(rings), axis=0).max() >= 5.0, code


def test_no_nation_is_smeared_over_the_map_and_none_is_lost() -> None:
    found = shapes()
    russia, australia = (corners(str(found[code][0].get("d"))) for code in ("RUS", "AUS"))
    assert 300 < np.ptp(russia[:, 0]) < 600
    assert 60 < np.ptp(australia[:, 0]) < 200
    # No border runs across the map: a smear is one step as long as the map is wide.
    for code, parts in found.items():
        for shape in parts:
            for ring in filter(None, str(shape.get("d") or "").split("M")):
                steps = corners(ring)
                assert np.abs(np.diff(steps[:, 0])).max(initial=0.0) < 120, code
    assert {"SGP", "HKG", "BHR", "XKX", "ABK"} <= {
        code for code, parts in found.items() if any(each.tag == f"{SVG}circle" for each in parts)
    }
    assert worldmap.MAP.stat().st_size < 300_000


def test_colours_of_the_map_are_steps_of_the_share() -> None:
    assert worldmap.colour_of(0.0) == worldmap.NONE_COLOUR
    steps = [worldmap.step_of(share) for share in (0.0, *worldmap.STEPS, 1.0)]
    assert steps == [-1, 0, 1, 2, 3, 4, 5, 6, 6]
    light = [sum(int(c[at : at + 2], 16) for at in (1, 3, 5)) for c in worldmap.COLOURS]
    assert light == sorted(light, reverse=True), "darker is more, in grey too"
    style = worldmap.style({"USA": 0.6, "CAN": 0.02, "OTH": 0.3}, ["USA"])
    assert f"[data-nation=USA]{{fill:{worldmap.COLOURS[-1]}}}" in style
    assert "stroke:#D55E00" in style
    assert "OTH" not in style
    assert len(worldmap.legend()) == len(worldmap.STEPS) + 1


# What is remembered of blocks


def test_who_leaves_out_is_told_from_the_party_that_found_a_block() -> None:
    # Digits in base three, one a directive: include 0, filter 1, enforce 2.
    assert memory.censoring(np.array([0, 1, 2, 3, 6, 8]), 2).tolist() == [False, *[True] * 5]
    assert memory.censoring(np.array([0, 0]), 0).tolist() == [False, False]


@given(st.integers(0, 300), st.floats(0, 1))
def test_a_share_of_blocks_is_spread_evenly(count: int, share: float) -> None:
    marked = memory.spread_over(count, share)
    assert marked.size == count
    assert abs(marked.sum() - share * count) <= 1.0


# The office: many pages, one worker


class Pretended:
    """A session that costs nothing."""

    made: list[Pretended]

    def __init__(self) -> None:
        self.day, self.days, self.over, self.slices = 1, 10_000, False, 0
        self.world = SimpleNamespace(nation_names=("USA",))

    def advance(self, goal: int, slice_s: float = 1.0) -> None:
        self.day, self.slices = min(goal, self.days), self.slices + 1
        self.over = self.day >= self.days

    def frame(self, nation: str) -> dict[str, Any]:
        return {"day": self.day, "status": "", "nation": nation}

    def command(self) -> str:
        return "python run.py run us_25"


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> list[Pretended]:
    made: list[Pretended] = []

    def begin(base: str, values: Any) -> Pretended:
        made.append(Pretended())
        return made[-1]

    monkeypatch.setattr(session, "begin", begin)
    return made


def settled(place: office.Office) -> None:
    """Wait until everything in the queue has been done."""
    place.run(lambda: None).result(timeout=30)


def test_fifty_pages_share_the_worlds_there_are(pretended: list[Pretended]) -> None:
    place = office.Office(most=5)
    shown: list[list[dict[str, Any]]] = [[] for _ in range(50)]
    desks = [place.welcome("us_25", frames.append) for frames in shown]
    settled(place)
    assert place.held == 5
    assert all("Building" in frames[0]["message"] for frames in shown[:5])
    assert all("All 5 worlds" in frames[-1]["message"] for frames in shown[5:])
    for desk in desks:
        desk.hear({"act": "play"})
    for _ in range(20):
        for desk in desks:
            desk.hear({"act": "shown"})
    settled(place)
    assert place.slice_s == pytest.approx(session.SLICE_S / 5), "many get less each"
    turns = [each.slices for each in pretended]
    assert max(turns) - min(turns) <= 1, "nobody is starved"
    place.leave(desks[0])
    settled(place)
    desks[-1].hear({"act": "reset"})
    settled(place)
    assert desks[-1].session is not None
    assert place.held == 5
    place.close()


def test_a_page_that_shouts_is_heard_no_more_often(pretended: list[Pretended]) -> None:
    place = office.Office()
    desk = place.welcome("us_25", lambda frame: None)
    settled(place)
    stop = place.run(lambda: time.sleep(0.2))
    heard = [desk.hear({"act": "pick", "nation": "USA"}) for _ in range(1000)]
    assert sum(heard) == office.MOST_WAITING
    stop.result(timeout=10)
    settled(place)
    desk.hear({"act": "play"})
    settled(place)
    stop = place.run(lambda: time.sleep(0.2))
    assert [desk.hear({"act": "shown"}) for _ in range(3)] == [True, False, False]
    stop.result(timeout=10)
    place.close()


@pytest.mark.parametrize(
    "said",
    [
        None,
        3,
        "play",
        [],
        {},
        {"act": None},
        {"act": "drop"},
        {"act": "__init__"},
        {"act": ["play"]},
    ],
    ids=str,
)
def test_what_no_page_says_is_not_heard(said: object, pretended: list[Pretended]) -> None:
    place = office.Office()
    desk = place.welcome("us_25", lambda frame: None)
    assert not desk.hear(said)
    place.close()


@pytest.mark.parametrize(
    "said",
    [
        {"act": "step", "days": 10**9},
        {"act": "step", "days": "century"},
        {"act": "speed", "speed": "∞"},
        {"act": "pick", "nation": "<script>"},
        {"act": "lever", "key": "scenario", "value": "/etc/passwd"},
        {"act": "lever", "key": None, "value": 1},
        {"act": "lever"},
    ],
    ids=str,
)
def test_a_hostile_message_changes_nothing(
    said: dict[str, Any], pretended: list[Pretended]
) -> None:
    place = office.Office()
    frames: list[dict[str, Any]] = []
    desk = place.welcome("us_25", frames.append)
    settled(place)
    before = (desk.base, dict(desk.values), desk.nation, desk.speed, pretended[0].day)
    desk.hear(said)
    settled(place)
    assert (desk.base, dict(desk.values), desk.nation, desk.speed, pretended[0].day) == before
    assert not frames[-1]["running"]
    place.close()


def test_the_idle_are_put_away_and_told_so(pretended: list[Pretended]) -> None:
    place = office.Office(idle_s=0.05)
    frames: list[dict[str, Any]] = []
    desk = place.welcome("us_25", frames.append)
    settled(place)
    assert desk.session is not None
    time.sleep(0.1)
    place.tidy()
    settled(place)
    assert desk.session is None
    assert "put away" in frames[-1]["message"]
    desk.hear({"act": "reset"})
    settled(place)
    assert desk.session is not None
    place.close()


def test_a_model_that_fails_costs_its_own_page_only(
    pretended: list[Pretended], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = office.Office()
    frames: list[dict[str, Any]] = []
    broken, whole = place.welcome("us_25", frames.append), place.welcome("us_25", lambda each: None)
    settled(place)

    def fail(goal: int, slice_s: float) -> None:
        raise ArithmeticError("no such thing")

    monkeypatch.setattr(pretended[0], "advance", fail)
    broken.hear({"act": "play"})
    whole.hear({"act": "step", "days": "day"})
    settled(place)
    assert "stopped on an error" in frames[-1]["message"]
    assert pretended[1].day == 2
    place.close()


# A real world


@pytest.fixture(scope="module")
def run() -> session.Session:
    """Half a year of us_25 with levers of its own, the first week of a split in it."""
    values = {"seed": "3", "transmission": 1.5, "date": "2028-02-01", "contagion": True}
    held = session.begin("us_25", values)
    while held.day < 120:
        held.advance(120)
    return held


def test_every_frame_is_whole_and_small(run: session.Session) -> None:
    frame = run.frame("USA")
    assert set(frame["panels"]) >= {
        "hashrate", "price", "chain", "order", "concentration", "coins", "energy", "sizes",
        "hashprice", "machines", "power", "leaders", "events",
    }  # fmt: skip
    for name, panel in frame["panels"].items():
        assert parsed(panel).tag == "figure", name
    assert sum(len(panel) for panel in frame["panels"].values()) < 150_000
    assert len(frame["style"]) < 6_000
    parsed(f"<div>{frame['nation']}</div>")
    assert "United States" in frame["nation"]
    assert re.match(r"day 120: \d", frame["status"])
    assert "templates enforce" in frame["status"]


def test_the_words_at_the_top_are_the_days_figures(run: session.Session) -> None:
    latest = run.world.recorder
    enforcing = words.percent(float(latest["enforcing_share"][-1]))
    assert words.status(run.world).startswith(f"day 120: {enforcing} of templates enforce")
    assert words.percent(0.61) == "61 %"
    assert words.percent(0.03) == "3.0 %"
    assert words.percent(0.0) == "0 %"
    assert words.percent(1e-5) == "under 0.1 %"


def test_blocks_that_are_drawn_are_blocks_of_the_record(run: session.Session) -> None:
    counts = run.memory.counts
    blocks = run.world.recorder["blocks"]
    before = int((datetime.date(2028, 2, 1) - run.case.start_date).days)
    found = counts[:, [memory.PLAIN, memory.CENSORED]].sum(axis=1)
    assert found[:before].tolist() == blocks[:before].tolist()
    assert counts[:before, memory.CENSORED].sum() == 0
    assert counts[before:, memory.CENSORED].sum() > 0
    kinds = [kind for _, kind, _, _ in run.memory.latest]
    assert "directive" in kinds, "what concerns everybody is not lost among what happens daily"
    assert set(kinds) & set(memory.COMMON)
    assert np.allclose(run.memory.energy.sum(axis=1), 1.0, atol=1e-4)
    assert np.allclose(run.memory.sizes.sum(axis=1), 1.0, atol=1e-4)


def test_the_map_has_the_shares_of_the_day(run: session.Session) -> None:
    shares = worldmap.shares_of(run.world)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert (
        f"[data-nation=USA]{{fill:{worldmap.colour_of(shares['USA'])}}}" in run.frame("")["style"]
        or "[data-nation=USA]," in run.frame("")["style"]
    )


def test_a_day_and_a_frame_are_fast(run: session.Session) -> None:
    days, frames = [], []
    for _ in range(25):
        began = time.thread_time()
        run.world.step()
        run.memory.see(run.world)
        days.append(time.thread_time() - began)
    for _ in range(10):
        began = time.thread_time()
        run.frame("")
        frames.append(time.thread_time() - began)
    # Of its own thread, so that neighbours on the machine do not count.
    assert statistics.median(days) < 0.010
    assert statistics.median(frames) < 0.050


def test_the_command_and_the_zip_make_the_same_run_again(
    run: session.Session, tmp_path: Path
) -> None:
    # Another look, and another folder, on a day on which firms have bought machines.
    run.write(tmp_path / "before" / run.name)
    run.frame("USA")
    run.advance(run.day + 10)
    run.write(tmp_path / "written" / run.name)
    with zipfile.ZipFile(io.BytesIO(server.zipped(tmp_path / "written" / run.name))) as archive:
        archive.extractall(tmp_path)
    taken = tmp_path / run.name
    assert {file.name for file in taken.iterdir()} >= {
        "run.json", "series.parquet", "series.csv", "shares.parquet", "shares.csv", "events.csv",
        "scenario.toml", "command.txt",
    }  # fmt: skip
    command = (taken / "command.txt").read_text(encoding="utf-8").strip()
    assert command == run.command()
    program, script, *rest = shlex.split(command)
    assert (program, script) == ("python", "run.py")
    again = tmp_path / "again"
    done = subprocess.run(
        [sys.executable, ROOT / script, *rest, "--out", str(again), "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for table in ("series", "shares"):
        one, other = (pl.read_parquet(place / f"{table}.parquet") for place in (taken, again))
        # A run that is cut short knows fewer machines of the future, and adds zeros up in another
        # order: the last bits may differ.
        assert_frame_equal(one, other, rel_tol=1e-9, abs_tol=1e-12)
    assert (taken / "events.csv").read_bytes() == (again / "events.csv").read_bytes()
    cut = with_days(run.case, run.day)
    assert f'"parameter_hash": "{parameter_hash(cut)}"' in (again / "run.json").read_text()
    # The file in the zip is the scenario, whole.
    assert parameter_hash(load(taken / "scenario.toml")) == parameter_hash(run.case)


# Mesa's own page


def test_mesas_own_page_shows_a_world() -> None:
    reacton = pytest.importorskip("reacton", reason="the extra `view` is not installed")
    import ipyvuetify
    import ipywidgets
    import solara
    from mesa.visualization import SolaraViz, make_plot_component

    from model.world import World

    world = World("us_25", rng=1)
    world.step()
    params = {
        "case": {"type": "Select", "value": "us_25", "values": ["us_25", "us_60_2028"],
                 "label": "scenario"},
        "rng": {"type": "SliderInt", "value": 1, "min": 1, "max": 9, "step": 1, "label": "seed"},
    }  # fmt: skip

    @solara.component
    def shown() -> None:
        with solara.AppLayout():
            SolaraViz(
                world,
                components=[make_plot_component("hashrate_ehs")],
                model_params=params,
                play_interval=500,
            )

    _, rendered = reacton.render(shown(), handle_error=False)
    buttons = {str(each.children[0]): each for each in rendered.find(ipyvuetify.Btn).widgets}
    assert {"Reset", "Step"} <= set(buttons)
    buttons["Step"].click()
    assert world.day == 2
    [plot] = rendered.find(ipywidgets.Image).widgets
    assert bytes(plot.value).startswith(b"\x89PNG")
    rendered.close()
    frame = world.datacollector.get_model_vars_dataframe()
    assert len(frame) == 2
    assert (frame["hashrate_ehs"] > 0).all()
