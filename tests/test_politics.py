"""Directives and forks in the running world: forced outcomes, streams, and what is refused."""

from __future__ import annotations

import json
import re
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from typer.testing import CliRunner

import run
from model.chain.outcome import NAMES
from model.complaint import ScenarioError
from model.events import Ban, Directive, Fork, PoolFilter
from model.scenario import Scenario, load
from model.streams import Streams
from model.world import World
from study import runfolder
from study.ensemble import Job, simulate, without_directives
from tests.test_determinism import bytes_of
from tests.test_determinism import run as run_on
from tests.test_world import live, small_case

START, DAY = date(2025, 4, 4), date(2025, 4, 10)
FROZEN = (
    "firms.entry=false", "firms.relocation=false", "firms.hazards=false", "firms.bankruptcy=false",
    "machines.used_market=false", "compute.bidders=false", 'price.mode="path"',
    "price.path=[[2025-04-04, 83000.0]]", "start.miners=20", "start.sites=40",
)  # fmt: skip
BY_SITE = ('hypotheses.jurisdiction="site"', 'hypotheses.fork="none"')
DEVOTED = ("censorship.ideology_mean=2", "censorship.ideology_sd=0")
OWN_COLUMNS = {
    "enforcing_share", "filtering_share", "orphan_rate", "inclusion_rate", "forbidden_wait_hours",
}  # fmt: skip
# Difficulty of a tree is computed in another order than that of a lone chain.
ROUNDED = {"hashprice_usd_ph_day", "asic_price_usd_th", "tobin_q"}


def directive(place: str = "USA", day: date = DAY, **terms: Any) -> Directive:
    return Directive(kind="directive", place=place, date=day, **terms)


def pool_filter(pool: str = "Foundry USA", day: date = DAY, **terms: Any) -> PoolFilter:
    return PoolFilter(kind="filter", pool=pool, date=day, **terms)


def fork(kind: str = "rules", day: date = DAY, **terms: Any) -> Fork:
    return Fork(kind="fork", date=day, fork=kind, **terms)


def frozen_case(
    days: int, *sets: str, events: tuple[Any, ...] = (), us_share: float = 0.25, seed: int = 1
) -> Scenario:
    """A tiny world in which nothing but politics moves."""
    share = f"start.us_share={us_share}"
    return small_case("baseline_2025", days, *FROZEN, share, *sets, events=events, seed=seed)


def frozen(days: int, *sets: str, **terms: Any) -> World:
    return live(World(frozen_case(days, *sets, **terms)))


def same_columns(one: World, other: World, days: int) -> set[str]:
    """Series of two runs that agree to the bit on their first days."""
    left, right = (world.recorder.series().head(days) for world in (one, other))
    return {name for name in left.columns if left[name].equals(right[name], null_equal=True)}


# --- outcomes that theory forces -------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_a_majority_that_enforces_captures_the_chain(seed: int):
    """T-F12: at 60 % everybody else complies within a retarget, and users stand by."""
    world = frozen(150, *BY_SITE, us_share=0.6, events=(directive(),), seed=seed)
    outcome = world.outcome()
    assert (outcome["class"], outcome["base"]) == ("O3", None)
    assert "split" not in outcome["first_passage"]
    complied = date.fromisoformat(outcome["first_passage"]["all_comply"])
    assert DAY <= complied <= DAY + timedelta(days=28)
    assert (world.recorder["enforcing_share"][60:] > 0.99).all()
    assert (world.recorder["inclusion_rate"][60:] == 0.0).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_minority_that_enforces_ends_on_a_coin_of_its_own(seed: int):
    """T-F13: at 25 % against devoted outsiders the chain splits, and both coins live."""
    world = frozen(150, *BY_SITE, *DEVOTED, events=(directive(),), seed=seed)
    outcome = world.outcome()
    assert outcome["base"] == outcome["class"] == "O5"
    split = date.fromisoformat(outcome["first_passage"]["split"])
    assert timedelta(days=7) <= split - DAY <= timedelta(days=10)
    on_free = world.recorder["free_coin_hashrate_share"][-30:]
    assert on_free == pytest.approx(0.75, abs=0.03)
    assert world.politics.free_work > 2.0 * world.politics.compliant_work


def test_without_a_directive_there_is_no_attack():
    world = frozen(40)
    assert world.outcome() == {
        "class": "O0", "name": NAMES["O0"], "base": None, "flags": [], "first_passage": {},
    }  # fmt: skip
    assert world.politics.tree is None
    assert (world.recorder["inclusion_rate"] == 1.0).all()


def test_a_directive_that_nobody_is_told_is_resisted():
    """All hashrate includes, so nothing is censored, though a law says so."""
    world = frozen(120, *BY_SITE, *DEVOTED, "censorship.fine=0", events=(directive(),))
    assert world.outcome()["class"] == "O1"
    assert (world.recorder["enforcing_share"] == 0.0).all()
    # Blocks that find a transaction pending are counted in expectation.
    assert np.mean(world.recorder["inclusion_rate"][7:]) > 0.95


def test_what_a_directive_did_is_forgotten_ninety_days_after_its_end():
    ends = DAY + timedelta(days=20)
    events = (directive(until=ends),)
    days = (ends - START).days
    soon = frozen(days + 10, *BY_SITE, us_share=0.6, events=events)
    late = frozen(days + 91, *BY_SITE, us_share=0.6, events=events)
    assert soon.outcome()["class"] == "O3"
    assert late.outcome()["class"] == "O1"


def test_every_kind_of_fork_has_its_class():
    """With nobody ordered about there is no attack, whatever users do; two coins live."""
    expected = {"new_algorithm": "O4a", "rules": "O5"}
    for kind, base in expected.items():
        outcome = frozen(20, events=(fork(kind),)).outcome()
        assert (outcome["class"], outcome["base"]) == ("O0", base)
    for kind, base in (expected | {"invalidate": "O4b"}).items():
        events = (directive(level="filter"), fork(kind, DAY + timedelta(days=9)))
        outcome = frozen(60, "start.us_share=0.8", events=events).outcome()
        assert (outcome["class"], outcome["base"]) == (base, base)


# --- streams ---------------------------------------------------------------------------------

UNHEARD = Ban(kind="ban", date=START, place="XKX", evasion=0.0)
NO_ACT = (
    "start.miners=20", "start.sites=40", 'chain.blocks="event"',
    *BY_SITE, *DEVOTED,
)  # fmt: skip


def test_a_directive_where_nobody_mines_changes_its_own_columns_only():
    """P1-19: issued by a nation without hashrate it leaves every draw and payment alone."""
    without, told = (
        live(World(small_case("baseline_2025", 100, *NO_ACT, events=events)))
        for events in ((UNHEARD,), (UNHEARD, directive("XKX")))
    )
    changed = set(without.recorder.series().columns) - same_columns(without, told, 100)
    assert changed <= OWN_COLUMNS | ROUNDED
    for name in changed & ROUNDED:
        one, other = (world.recorder[name] for world in (without, told))
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert (without.miners["treasury_sat"] == told.miners["treasury_sat"]).all()
    assert (without.fleets["hashrate"] == told.fleets["hashrate"]).all()
    assert streams_apart(without, told) == {"announcements"}


def streams_apart(one: World, other: World) -> set[str]:
    """Names of the streams that two runs have drawn from differently."""
    held = [world.streams._generators for world in (one, other)]
    return {
        name
        for name in held[0].keys() | held[1].keys()
        if name not in held[0]
        or name not in held[1]
        or held[0][name].bit_generator.state != held[1][name].bit_generator.state
    }


def test_a_directive_changes_nothing_before_its_day():
    last = START + timedelta(days=39)
    sets = ("start.miners=20", "start.sites=40", 'chain.blocks="event"')
    without, told = (
        live(World(small_case("baseline_2025", 40, *sets, events=events)))
        for events in ((), (directive(day=last),))
    )
    assert same_columns(without, told, 39) == set(without.recorder.series().columns)
    assert streams_apart(without, told) == {"announcements"}
    for name in ("price_usd", "hashrate_ehs", "power_gw", "asic_price_usd_th"):
        assert without.recorder[name][-1] == told.recorder[name][-1]


def test_price_and_fees_are_drawn_alike_with_and_without_a_directive():
    sets = ("start.miners=20", "start.sites=40", "neutrality.discount=0", *BY_SITE, *DEVOTED)
    without, told = (
        live(World(small_case("baseline_2025", 40, *sets, events=events)))
        for events in ((), (directive(),))
    )
    assert told.politics.split is not None
    assert without.prices.tolist() == told.prices.tolist()
    states = [
        world.streams.generator("transaction fees").bit_generator.state for world in (without, told)
    ]
    assert states[0] == states[1]
    assert told.streams.key("blocks") == Streams(told.seed).key("blocks")


# --- the same bytes --------------------------------------------------------------------------


def stormy(threads: int) -> World:
    """A run of races, filters, a split by miners and a changing economy."""
    events = (
        directive(),
        pool_filter("AntPool", DAY + timedelta(days=3)),
        directive("RUS", DAY + timedelta(days=30), level="filter"),
    )
    sets = ("start.miners=30", "start.sites=60", "start.us_share=0.3", *BY_SITE)
    return run_on(small_case("baseline_2025", 60, *sets, events=events), threads)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one thread only")
def test_threads_do_not_change_a_bit_of_a_run_with_a_directive():
    one, two = stormy(1), stormy(2)
    assert one.politics.splits > 0
    assert bytes_of(one) == bytes_of(two)
    assert one.recorder.events().equals(two.recorder.events())


# --- any scenario at all ---------------------------------------------------------------------


@some.composite
def political_cases(draw: Any) -> Scenario:
    """Tiny worlds with up to three directives and filters, and perhaps a fork."""

    def day() -> date:
        return START + timedelta(days=draw(some.integers(0, 24)))

    events: list[Any] = []
    for _ in range(draw(some.integers(0, 3))):
        begins = day()
        length = draw(some.none() | some.integers(1, 20))
        until = None if length is None else begins + timedelta(days=length)
        if draw(some.booleans()):
            events.append(pool_filter(draw(some.sampled_from(["AntPool", "Luxor"])), begins,
                                      until=until))  # fmt: skip
        else:
            place = draw(some.sampled_from(["USA", "CHN", "IRN"]))
            level = draw(some.sampled_from(["filter", "enforce"]))
            patience = draw(some.sampled_from(["inf", "lag:1", "lag:6", "conf:1", "conf:6"]))
            events.append(directive(place, begins, level=level, patience=patience, until=until))
    if draw(some.booleans()):
        kind = draw(some.sampled_from(["new_algorithm", "invalidate", "rules"]))
        rule = draw(some.sampled_from(["bitcoin", "eda", "asert"]))
        events.append(fork(kind, day(), difficulty_rule=rule))
    reading = draw(some.sampled_from(["any", "site", "headquarters", "template"]))
    sets = (
        f'hypotheses.jurisdiction="{reading}"',
        f'hypotheses.tip="{draw(some.sampled_from(["heaviest", "tie_join"]))}"',
        f'hypotheses.custody="{draw(some.sampled_from(["freeze", "sell"]))}"',
        f"forks.pinned={draw(some.sampled_from([0, 0.5, 1]))}",
        f"forks.automatic_share={draw(some.sampled_from([0, 0.4, 0.9]))}",
        f"holders.freedom_attachment={draw(some.sampled_from([-9.0, 2.5, 9.0]))}",
        "forks.lead_days_low=0", "forks.lead_days_high=5", "forks.patience_days_low=0",
        "forks.patience_days_high=20", "forks.tolerance_low=0", "forks.tolerance_high=0.3",
        f"censorship.ideology_mean={draw(some.sampled_from([0.02, 2.0]))}",
        "start.miners=12", "start.sites=24",
    )  # fmt: skip
    share = draw(some.sampled_from([0.1, 0.25, 0.48, 0.6, 0.9]))
    return frozen_case(
        draw(some.integers(25, 60)), *sets, "firms.entry=true", events=tuple(events),
        us_share=share, seed=draw(some.integers(1, 99)),
    )  # fmt: skip


@given(case=political_cases())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_every_run_ends_in_exactly_one_class(case: Scenario):
    """T-F11 in the world, with the laws of conservation checked every day."""
    assert case.record.ledger_every_days == 1
    world = live(World(case))
    outcome = world.outcome()
    assert outcome["class"] in NAMES
    assert outcome["name"] == NAMES[outcome["class"]]
    ordered = any(event.kind == "directive" for event in case.events)
    assert (outcome["class"] == "O0") == (not ordered)
    assert (outcome["base"] is not None) == (world.politics.split is not None) or (
        "free_worthless" in outcome["flags"] or "compliant_worthless" in outcome["flags"]
    )
    json.dumps(outcome)
    shares = [world.recorder[name] for name in ("enforcing_share", "filtering_share")]
    included = world.recorder["inclusion_rate"]
    # Nothing can be said of days on which every block is in dispute.
    included = included[~np.isnan(included)]
    for series in (*shares, included, world.recorder["orphan_rate"],
                   world.recorder["free_coin_value_share"]):  # fmt: skip
        assert ((series >= 0.0) & (series <= 1.0)).all()
    assert (shares[0] + shares[1] <= 1.0 + 1e-9).all()


# --- the value beside a run without directives -----------------------------------------------


def test_a_coin_that_loses_nine_tenths_by_a_directive_is_abandoned(tmp_path: Path):
    """Few want the free coin, and the censored one is worth nothing to anybody."""
    few = [f"holders.{who}_attachment=-3" for who in ("freedom", "neutral", "custodian")]
    sets = (*BY_SITE, *DEVOTED, "holders.censored_loss=1", *few)
    case = frozen_case(60, *sets, events=(directive(),))
    facts = simulate(Job(case, tmp_path / "told", paired=True))
    assert (facts["outcome"]["class"], facts["outcome"]["base"]) == ("O8", "O5")
    alone = live(World(without_directives(case)))
    last = runfolder.read(tmp_path / "told").series.row(-1, named=True)
    both = last["compliant_price_usd"] + last["free_price_usd"]
    ratio = facts["headline"]["value_over_paired_run"]
    assert ratio == pytest.approx(both / alone.price_usd, rel=1e-12)


def test_a_paired_run_is_the_same_run_with_one_more_figure(tmp_path: Path):
    case = frozen_case(30, *BY_SITE, us_share=0.6, events=(directive(),))
    paired, single = (simulate(Job(case, tmp_path / str(twin), twin)) for twin in (True, False))
    assert paired["headline"].pop("value_over_paired_run") > 0.5
    assert paired["headline"] == single["headline"]
    tables = [(tmp_path / str(twin) / "series.csv").read_bytes() for twin in (True, False)]
    assert tables[0] == tables[1]


def test_the_command_line_pairs_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    sets = [f"--set={one}" for one in (*FROZEN, *BY_SITE, "start.us_share=0.6")]
    command = ["run", "us_60_2028", "--days", "190", *sets, "--out", "told", "--paired"]
    result = CliRunner().invoke(run.app, command)
    assert result.exit_code == 0
    assert re.search(r"all coins are worth [\d.]+ times what they are", result.stdout)
    ratio = runfolder.read(Path("told")).facts["headline"]["value_over_paired_run"]
    assert ratio == pytest.approx(1.0, abs=0.1)


# --- bad input -------------------------------------------------------------------------------

BAD_SETS = [
    (("holders.freedom_weight=0.5",), "holders.freedom_weight", "add up to 1", None),
    (('nations.alliances=[["USA", "GBX", 0.5]]',), "nations.alliances.0", "a nation", "GBR"),
    (('nations.alliances=[["USA", "GBR", 2.0]]',), "nations.alliances.0", "-1", None),
    (('nations.alliances=[["USA", "USA", 0.5]]',), "nations.alliances.0", "two different", None),
    (('nations.reserves_btc=[["USA", -1.0]]',), "nations.reserves_btc.0", "from 0", None),
    (('hypotheses.internalise="none"', 'hypotheses.reaction="defend"'),
     "hypotheses.reaction", "endogenous", None),
    (('hypotheses.energy="essay"',), "start.mean_efficiency_j_th", "34.3", None),
    (("forks.fickle_share=0.6", "forks.automatic_share=0.6"), "forks.", "at most 1", None),
    (("forks.lead_days_low=400",), "forks.lead_days_low", "at most", None),
]  # fmt: skip


@pytest.mark.parametrize(("sets", "key", "allowed", "nearest"), BAD_SETS)
def test_impossible_parameters_are_refused(
    sets: tuple[str, ...], key: str, allowed: str, nearest: str | None
):
    with pytest.raises(ScenarioError) as refused:
        load("baseline_2025", sets)
    assert key in refused.value.key
    assert allowed in refused.value.allowed
    assert refused.value.nearest == nearest
    assert str(refused.value).count("\n") == 0


HEAD = 'extends = "baseline_2025"\nreplace_events = true\nquestion = "?"\n'
DIRECTIVE = '[[events]]\nkind = "directive"\ndate = 2025-05-01\n'
FORK = '[[events]]\nkind = "fork"\n'
FILTERS = "".join(
    f'[[events]]\nkind = "filter"\ndate = 2025-05-0{day}\npool = "{pool}"\n'
    for day, pool in enumerate(("AntPool", "F2Pool", "ViaBTC", "Luxor"), start=1)
)
BAD_EVENTS = {
    "province": (DIRECTIVE + 'place = "CHN-Sichuan"', "events.0.place", "a nation", None),
    "no nation": (DIRECTIVE + 'place = "UDA"', "events.0.place", "a nation", "USA"),
    "patience": (DIRECTIVE + 'place = "USA"\npatience = "lag:0"', "events.0.patience", "lag:6",
                 None),
    "pool": ('[[events]]\nkind = "filter"\ndate = 2025-05-01\npool = "F2Pol"', "events.0.pool",
             "AntPool", "F2Pool"),
    "crowd": (FILTERS, "events.3", "at most 3", None),
    "fork outside": (FORK + "date = 2036-01-01", "events.0.date", "a day of the run", None),
    "two forks": (2 * (FORK + "date = 2026-01-01\n"), "events.1", "one fork", None),
    "unwanted fork": ('[hypotheses]\nfork = "none"\n' + FORK + "date = 2026-01-01",
                      "hypotheses.fork", "no fork", None),
    "late rule": (FORK + "date = 2026-01-01\nasert_from = 2025-12-31", "events.0.asert_from",
                  "from 2026-01-01", None),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_EVENTS)
def test_impossible_events_are_refused(name: str, tmp_path: Path):
    text, key, allowed, nearest = BAD_EVENTS[name]
    file = tmp_path / "bad.toml"
    file.write_text(HEAD + text)
    with pytest.raises(ScenarioError) as refused:
        load(file)
    assert refused.value.key == key
    assert allowed in refused.value.allowed
    assert nearest is None or refused.value.nearest == nearest


@pytest.mark.parametrize("name", ["province", "pool", "two forks", "patience", "crowd"])
def test_the_command_line_refuses_them_with_status_2(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text(HEAD + BAD_EVENTS[name][0])
    result = CliRunner().invoke(run.app, ["run", "bad.toml"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert BAD_EVENTS[name][1] in result.stderr
    assert "Traceback" not in result.stderr
    assert [file.name for file in Path().iterdir()] == ["bad.toml"]


# --- what it costs ---------------------------------------------------------------------------


def test_a_directive_costs_at_most_twice_the_run_without():
    """Of processor time, the least of three runs each in turn; a quarter is left for noise.

    Most enforce and nobody forks away, so that the tree of blocks is there to the end.
    """
    spent: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(3):
        for told in (True, False):
            events = (directive(),) if told else ()
            rare = "record.ledger_every_days=100"
            world = World(frozen_case(600, *BY_SITE, rare, us_share=0.6, events=events))
            begun = time.process_time()
            live(world)
            spent[told].append(time.process_time() - begun)
            assert (world.politics.tree is not None) == told
    assert min(spent[True]) < 2.5 * min(spent[False])
