"""Populations in columns behave as Mesa's own agent sets do, and share nothing between worlds."""

from __future__ import annotations

import copy
import functools
import gc
import pickle
import statistics
import warnings
import weakref
from collections import Counter
from collections.abc import Set
from typing import Any

import mesa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from mesa.batchrunner import batch_run
from mesa.datacollection import DataCollector

from agents.population import (
    Column,
    Population,
    RemovedAgentError,
    RowAgent,
    UnknownColumnError,
    columnar,
    cure_agent_leak,
)

HASHRATES = [30.0, 10.0, 20.0, 10.0, 50.0, 40.0, 10.0]


class Fleet(RowAgent):
    hashrate = Column("TH/s", doc="installed")
    generation = Column("row", dtype=np.int16, default=2, doc="row of the ASIC generation")
    load = Column("1", default=1.0, doc="share switched on")

    @property
    def running(self) -> float:
        return float(self.hashrate * self.load)

    def double(self) -> None:
        self.hashrate *= 2

    def scrap_twins(self) -> None:
        """Remove all other fleets of the same hashrate."""
        for other in self.model.agents_by_type[Fleet]:
            if other.hashrate == self.hashrate and other != self:
                other.remove()

    @columnar
    def curtail(fleets: Any, threshold: float) -> None:
        fleets["load"] = np.where(fleets["hashrate"] > threshold, 1.0, 0.0)

    @columnar
    def watts(fleets: Any, efficiency: float) -> np.ndarray:
        return fleets["hashrate"] * efficiency


class Plain(mesa.Agent):
    """The same agent as Mesa keeps it."""

    def __init__(self, model: mesa.Model, hashrate: float, generation: int = 2) -> None:
        super().__init__(model)
        self.hashrate, self.generation, self.load = hashrate, generation, 1.0

    @property
    def running(self) -> float:
        return self.hashrate * self.load

    def double(self) -> None:
        self.hashrate *= 2

    def scrap_twins(self) -> None:
        for other in list(self.model.agents_by_type[Plain]):
            if other.hashrate == self.hashrate and other is not self:
                other.remove()

    def curtail(self, threshold: float) -> None:
        self.load = 1.0 if self.hashrate > threshold else 0.0

    def watts(self, efficiency: float) -> float:
        return self.hashrate * efficiency


class World(mesa.Model):
    """A few fleets that double, report themselves and lose one a day."""

    def __init__(self, count: int = 4, rng: Any = None) -> None:
        super().__init__(rng=rng)
        self.fleets = Population(self, Fleet, capacity=2)
        self.fleets.add(hashrate=np.arange(1.0, count + 1))
        self.datacollector = DataCollector(
            model_reporters={"total": lambda model: model.fleets["hashrate"].sum()},
            agent_reporters={"hashrate": "hashrate", "running": lambda fleet: fleet.running},
            agenttype_reporters={Fleet: {"load": "load"}},
        )

    def step(self) -> None:
        self.agents.do("double")
        self.datacollector.collect(self)
        self.fleets.remove(self.fleets.rows[:1])


def population(*hashrates: float, rng: int = 1) -> Population:
    made = Population(mesa.Model(rng=rng), Fleet, capacity=1)
    made.add(len(hashrates), hashrate=np.array(hashrates, dtype=float))
    return made


def twins(hashrates: list[float], rng: int = 7) -> tuple[Population, Any]:
    """The same fleets in columns and as Mesa keeps them, with the same seed."""
    model = mesa.Model(rng=rng)
    generations = [place % 3 for place in range(len(hashrates))]
    for hashrate, generation in zip(hashrates, generations, strict=True):
        Plain(model, hashrate, generation)
    columns = population(rng=rng)
    columns.add(len(hashrates), hashrate=hashrates, generation=generations)
    objects = model.agents_by_type[Plain]
    objects.kept_alive = model  # Mesa 3.3 holds agents by weak reference in all but the model
    return columns, objects


def described(result: Any) -> Any:
    """A result in terms that do not depend on which kind of set gave it."""
    if isinstance(result, Set | list) and any(isinstance(item, mesa.Agent) for item in result):
        return [(agent.unique_id, agent.hashrate, agent.load) for agent in result]
    if hasattr(result, "groups"):
        return [(key, described(group)) for key, group in result.groups.items()]
    return result


class ColumnsAgainstObjects(RuleBasedStateMachine):
    """Whatever is done to a population and to plain agents, they stay alike."""

    def __init__(self) -> None:
        super().__init__()
        self.columns, self.objects = population(), mesa.Model(rng=1)

    @rule(hashrates=st.lists(st.floats(0, 100), max_size=9))
    def add(self, hashrates: list[float]) -> None:
        rows = self.columns.add(len(hashrates), hashrate=hashrates)
        assert self.columns["load"][rows].tolist() == [1.0] * len(hashrates)
        for hashrate in hashrates:
            Plain(self.objects, hashrate)

    @precondition(lambda self: len(self.columns))
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        ids = [agent.unique_id for agent in self.objects.agents]
        gone = set(data.draw(st.lists(st.sampled_from(ids), unique=True)))
        self.columns.remove([fleet.row for fleet in self.columns if fleet.unique_id in gone])
        for agent in list(self.objects.agents):
            if agent.unique_id in gone:
                agent.remove()

    @precondition(lambda self: len(self.columns))
    @rule(data=st.data(), generation=st.integers(0, 9))
    def write_to_one(self, data: st.DataObject, generation: int) -> None:
        agent = data.draw(st.sampled_from(list(self.objects.agents)))
        agent.generation = generation
        view = next(fleet for fleet in self.columns if fleet.unique_id == agent.unique_id)
        view.generation = generation

    @rule(threshold=st.floats(0, 100))
    def curtail(self, threshold: float) -> None:
        self.columns.do("curtail", threshold)
        self.objects.agents.do("curtail", threshold)

    @invariant()
    def same_agents(self) -> None:
        names = ["unique_id", "hashrate", "generation", "load"]
        ours, theirs = self.columns.get(names), self.objects.agents.get(names)
        assert sorted(ours) == sorted(theirs)
        assert len(self.columns) == len(self.objects.agents) == len(self.columns.rows)

    @invariant()
    def dead_rows_hold_defaults(self) -> None:
        dead = ~self.columns.alive
        for name, column in Fleet.columns().items():
            assert (self.columns[name][dead] == column.default).all()


TestColumnsAgainstObjects = ColumnsAgainstObjects.TestCase
TestColumnsAgainstObjects.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None
)

IDIOMS: dict[str, Any] = {
    "iterate": list,
    "length": len,
    "slice": lambda fleets: fleets[1:3],
    "get": lambda fleets: fleets.get("hashrate"),
    "get several": lambda fleets: fleets.get(["hashrate", "running", "unique_id"]),
    "get missing": lambda fleets: fleets.get("colour", "default", "red"),
    "set": lambda fleets: fleets.set("load", 0.25),
    "select all": lambda fleets: fleets.select(),
    "select some": lambda fleets: fleets.select(lambda fleet: fleet.hashrate > 15),
    "select half": lambda fleets: fleets.select(at_most=0.5),
    "select two": lambda fleets: fleets.select(lambda fleet: fleet.load == 1.0, at_most=2),
    "select type": lambda fleets: fleets.select(agent_type=mesa.Agent),
    "select in place": lambda fleets: fleets.select().select(at_most=3, inplace=True),
    "sort": lambda fleets: fleets.sort("hashrate"),
    "sort up": lambda fleets: fleets.sort("hashrate", ascending=True),
    "sort by property": lambda fleets: fleets.sort("running"),
    "sort by function": lambda fleets: fleets.sort(lambda fleet: -fleet.hashrate),
    "shuffle": lambda fleets: fleets.shuffle(),
    "shuffle twice": lambda fleets: fleets.shuffle().shuffle(inplace=True),
    "agg": lambda fleets: fleets.agg("hashrate", np.mean),
    "agg several": lambda fleets: fleets.agg("hashrate", [min, max, sum, len, np.median]),
    "agg any": lambda fleets: fleets.agg("hashrate", lambda values: values.count(10.0)),
    "agg partial": lambda fleets: fleets.agg("hashrate", functools.partial(np.quantile, q=0.3)),
    "agg property": lambda fleets: fleets.agg("running", statistics.median),
    "group": lambda fleets: fleets.groupby("generation"),
    "group lists": lambda fleets: fleets.groupby("generation", result_type="list"),
    "group by function": lambda fleets: fleets.groupby(lambda fleet: fleet.hashrate > 15),
    "group and count": lambda fleets: fleets.groupby("hashrate").count(),
    "group and sum": lambda fleets: fleets.groupby("generation").agg("hashrate", sum),
    "group and do": lambda fleets: fleets.groupby("generation").do("do", "double"),
    "do": lambda fleets: fleets.do("double"),
    "do function": lambda fleets: fleets.do(lambda fleet, by: setattr(fleet, "load", by), 0.5),
    "do columnar": lambda fleets: fleets.do("curtail", 15.0),
    "do columnar on some": lambda fleets: fleets.select(at_most=2).do("curtail", 99.0),
    "do while removing": lambda fleets: fleets.do("scrap_twins"),
    "map": lambda fleets: fleets.map(lambda fleet, by: fleet.hashrate * by, by=3),
    "map columnar": lambda fleets: fleets.map("watts", 25.0),
    "shuffle do": lambda fleets: fleets.shuffle_do("scrap_twins"),
    "contains": lambda fleets: [agent in fleets.select(at_most=2) for agent in fleets],
    "intersect": lambda fleets: fleets.select(at_most=3) & fleets.sort("hashrate"),
    "copy": copy.copy,
    "reverse": lambda fleets: list(reversed(fleets.sort("hashrate"))),
}


@pytest.mark.parametrize("name", IDIOMS)
@pytest.mark.filterwarnings("ignore:.*is deprecated:PendingDeprecationWarning")
def test_idioms_agree_with_mesa(name: str) -> None:
    columns, objects = twins(HASHRATES)
    assert described(IDIOMS[name](columns)) == described(IDIOMS[name](objects))
    assert described(columns) == described(objects)


@given(
    st.lists(st.integers(-3, 3).map(float), max_size=30), st.booleans(), st.integers(0, 2**32 - 1)
)
@settings(deadline=None, max_examples=50)
def test_sorting_grouping_and_shuffling_agree(
    hashrates: list[float], ascending: bool, seed: int
) -> None:
    columns, objects = twins(hashrates or [1.0], seed)
    for idiom in (
        lambda fleets: fleets.sort("hashrate", ascending=ascending),
        lambda fleets: fleets.groupby("hashrate"),
        lambda fleets: fleets.shuffle(),
    ):
        assert described(idiom(columns)) == described(idiom(objects))


def test_columns_are_declared_once_and_readable() -> None:
    class Rig(Fleet):
        watts_each = Column("W", doc="draw")

    assert list(Rig.columns()) == ["hashrate", "generation", "load", "watts_each"]
    assert Rig.columns()["load"] is Rig.load is Fleet.load
    assert (Fleet.load.unit, Fleet.load.default, Fleet.load.doc) == ("1", 1.0, "share switched on")
    assert Fleet.generation.dtype == np.int16


@pytest.mark.parametrize("name", ["row", "unique_id", "model", "step", "remove", "pos"])
def test_a_column_cannot_hide_what_an_agent_has(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        type("Wrong", (RowAgent,), {name: Column("1")})


def test_scalars_arrays_and_defaults_fill_new_rows() -> None:
    fleets = population()
    rows = fleets.add(hashrate=[1.0, 2.0, 3.0], generation=5)
    assert rows.tolist() == [0, 1, 2]
    assert fleets["hashrate"].tolist() == [1.0, 2.0, 3.0]
    assert fleets["generation"].tolist() == [5, 5, 5]
    assert fleets["load"].tolist() == [1.0, 1.0, 1.0]
    assert fleets.add(hashrate=9.0).tolist() == [3]
    assert fleets.add(0).tolist() == []
    assert fleets.add(hashrate=[]).tolist() == []


@pytest.mark.parametrize(
    ("count", "columns", "problem"),
    [
        (3, {"hashrate": [1.0, 2.0]}, ValueError),
        (None, {"hashrate": [1.0], "load": [1.0, 0.5]}, ValueError),
        (2, {"hashrate": 1.0, "generation": 1.5}, TypeError),
        (2, {"hashrate": 1.0, "generation": 70_000}, OverflowError),
        (2, {"hashrate": 1.0, "lode": 1.0}, UnknownColumnError),
    ],
)
def test_a_refused_addition_changes_nothing(
    count: int | None, columns: dict[str, Any], problem: type[Exception]
) -> None:
    fleets = population(7.0)
    with pytest.raises(problem):
        fleets.add(count, **columns)
    assert (len(fleets), fleets.size, fleets["hashrate"].tolist()) == (1, 1, [7.0])


def test_a_column_is_live_until_rows_move() -> None:
    fleets = population(1.0, 2.0)
    hashrate = fleets["hashrate"]
    hashrate += 10
    fleets[0].hashrate = 5.0
    assert fleets["hashrate"].tolist() == hashrate.tolist() == [5.0, 12.0]
    fleets["hashrate"] += 1
    assert fleets.get("hashrate") == [6.0, 13.0]


def test_writing_a_column_spares_dead_rows() -> None:
    fleets = population(1.0, 2.0, 3.0)
    fleets.remove(1)
    fleets["hashrate"] = 8.0
    fleets["load"] = np.array([0.1, 0.2, 0.3])
    assert fleets["hashrate"].tolist() == [8.0, 0.0, 8.0]
    assert fleets["load"].tolist() == [0.1, 1.0, 0.3]
    with pytest.raises(ValueError, match="load"):
        fleets["load"] = [0.1, 0.2]
    with pytest.raises(TypeError, match="generation"):
        fleets["generation"] = [0.5, 0.5, 0.5]


def test_a_reused_row_starts_from_defaults_even_if_a_kernel_wrote_there() -> None:
    fleets = population(1.0, 2.0)
    fleets.remove(0)
    fleets["load"][:] = 0.0
    assert fleets.add(hashrate=3.0).tolist() == [0]
    assert fleets[0].load == 1.0
    assert fleets.size == 2


def test_rows_can_be_removed_by_number_mask_or_view() -> None:
    fleets = population(0.0, 1.0, 2.0, 0.0, 4.0)
    fleets.remove(fleets[4])
    fleets.remove(np.array([1]))
    fleets.remove(fleets["hashrate"] == 0.0)
    assert fleets.rows.tolist() == [2]
    assert fleets.alive.tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("rows", [[0, 0], [1], [3], [-1], 7, np.array([True])])
def test_a_removal_that_makes_no_sense_is_refused(rows: Any) -> None:
    fleets = population(1.0, 2.0, 3.0)
    fleets.remove(1)
    with pytest.raises((IndexError, ValueError), match="row"):
        fleets.remove(rows)
    assert fleets.rows.tolist() == [0, 2]


def test_views_of_one_agent_are_equal_and_hold_nothing() -> None:
    fleets = population(1.0, 2.0)
    assert fleets[0] == fleets[0] != fleets[1]
    assert len({fleets[0], fleets[0], fleets[1]}) == 2
    assert fleets[0] != population(1.0)[0]
    assert fleets[0].model is fleets.model
    assert isinstance(fleets[0].hashrate, float)


def test_a_view_of_a_removed_row_says_so_even_when_the_row_is_reused() -> None:
    fleets = population(1.0, 2.0)
    view = fleets[0]
    view.remove()
    view.remove()
    fleets.add(hashrate=9.0)
    assert view not in fleets
    assert fleets[0] in fleets
    with pytest.raises(RemovedAgentError, match="Fleet 1 has been removed"):
        _ = view.hashrate
    with pytest.raises(RemovedAgentError):
        view.load = 0.5
    with pytest.raises(RemovedAgentError):
        view.curtail(1.0)
    assert fleets.get("hashrate") == [9.0, 2.0]


def test_removed_agents_drop_out_of_subsets() -> None:
    fleets = population(1.0, 2.0, 3.0)
    some = fleets.subset([2, 0])
    fleets.remove(0)
    fleets.add(hashrate=7.0)
    assert some.get("hashrate") == [3.0]
    assert [fleet.row for fleet in some] == [2]
    assert (len(some), some[0].row) == (1, 2)


def test_a_subset_reads_and_writes_its_rows_only() -> None:
    fleets = population(1.0, 2.0, 3.0)
    some = fleets.select(fleets["hashrate"] > 1.5)
    some["load"] = np.array([0.2, 0.3])
    assert fleets["load"].tolist() == [1.0, 0.2, 0.3]
    assert some.select(some["load"] > 0.25).rows.tolist() == [2]
    with pytest.raises(ValueError, match="read-only"):
        some["load"][0] = 0.9
    fleets[0].curtail(5.0)
    assert fleets["load"].tolist() == [0.0, 0.2, 0.3]


def test_a_columnar_method_is_called_once_with_the_population() -> None:
    calls = []

    class Site(RowAgent):
        power_mw = Column("MW")

        @columnar
        def look(sites: Any, what: str) -> None:
            calls.append((sites, what))

    sites = Population(mesa.Model(rng=1), Site)
    sites.add(5)
    sites.do("look", "here").shuffle_do("look", what="there")
    Site.look(sites, "directly")
    assert [what for _, what in calls] == ["here", "there", "directly"]
    assert all(seen is sites for seen, _ in calls)


def test_a_population_is_not_reordered_in_place() -> None:
    fleets = population(1.0, 2.0)
    for change in (fleets.sort, fleets.select, fleets.shuffle):
        with pytest.raises(TypeError, match="in place"):
            change(**{"inplace": True} | ({"key": "load"} if change == fleets.sort else {}))


@pytest.mark.parametrize(
    "use",
    [
        lambda fleets: fleets["hashrat"],
        lambda fleets: fleets.add(hashrat=1.0),
        lambda fleets: fleets.get("hashrat"),
        lambda fleets: fleets.set("hashrat", 1.0),
        lambda fleets: fleets.agg("hashrat", sum),
        lambda fleets: fleets.subset(0)["hashrat"],
        lambda fleets: fleets.__setitem__("hashrat", 1.0),
        lambda fleets: setattr(fleets[0], "hashrat", 1.0),
    ],
)
def test_an_unknown_column_names_the_nearest(use: Any) -> None:
    with pytest.raises(UnknownColumnError, match="did you mean 'hashrate'"):
        use(population(1.0))


def test_two_worlds_share_nothing() -> None:
    first, second = World(3), World(5)
    first.fleets["hashrate"] = 0.0
    first.fleets.remove(0)
    first.fleets.add(20)
    assert second.fleets["hashrate"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert len(second.agents) == 5
    assert second.fleets[0].unique_id == first.fleets[1].unique_id - 1 == 1
    assert not np.shares_memory(first.fleets["load"], second.fleets["load"])


def test_200_worlds_leave_nothing_behind() -> None:
    def one_world() -> weakref.ref[World]:
        world = World(3, rng=1)
        Plain(world, 1.0)
        world.step()
        return weakref.ref(world)

    worlds = [one_world() for _ in range(200)]
    gc.collect()
    assert sum(world() is not None for world in worlds) == 0


@pytest.mark.skipif(not hasattr(mesa.Agent, "_ids"), reason="this Mesa does not leak")
def test_the_leak_cure_keeps_counting_where_mesa_was(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = {}
    model, other = mesa.Model(rng=1), mesa.Model(rng=1)
    counting[model] = iter([41])
    monkeypatch.setattr(mesa.Agent, "_ids", counting)
    cure_agent_leak()
    cured = mesa.Agent._ids
    cure_agent_leak()
    assert mesa.Agent._ids is cured
    assert (Plain(model, 1.0).unique_id, Plain(model, 1.0).unique_id) == (41, 42)
    assert Plain(other, 1.0).unique_id == 1


def test_single_agents_and_populations_live_in_one_model() -> None:
    world = World(3, rng=1)
    single = [Plain(world, 5.0), Plain(world, 6.0)]
    world.fleets.add(2)
    view = Fleet(world, hashrate=8.0)
    more = Fleet.create_agents(world, 2, load=[0.1, 0.2])
    assert more.get("load") == [0.1, 0.2]
    assert (view.hashrate, view in world.agents, len(world.agents)) == (8.0, True, 10)
    assert world.agents_by_type[Fleet] is world.fleets
    assert Counter(type(agent) for agent in world.agents) == {Plain: 2, Fleet: 8}
    ids = world.agents.get("unique_id")
    assert len(set(ids)) == 10
    chosen = world.agents.select(lambda agent: agent.hashrate >= 5.0)
    single[0].remove()
    view.remove()
    assert chosen.get("hashrate") == [6.0]
    assert len(world.agents) == 8
    assert single[0] not in world.agents


def test_the_agents_of_a_model_do_as_mesas() -> None:
    world = World(3, rng=1)
    Plain(world, 2.5)
    agents = world.agents
    assert sorted(agents.agg("hashrate", list)) == [1.0, 2.0, 2.5, 3.0]
    assert agents.sort("hashrate").get("hashrate") == [3.0, 2.5, 2.0, 1.0]
    assert sorted(agents.shuffle().get("hashrate")) == [1.0, 2.0, 2.5, 3.0]
    assert agents.groupby(type).count() == {Plain: 1, Fleet: 3}
    agents.do("curtail", 2.2)
    assert agents.groupby("load").agg("hashrate", sum) == {1.0: 5.5, 0.0: 3.0}
    agents.shuffle_do("double")
    assert sorted(agents.map(lambda agent: agent.hashrate)) == [2.0, 4.0, 5.0, 6.0]


def test_one_population_a_type_and_a_population_before_an_agent() -> None:
    world = World(1)
    with pytest.raises(ValueError, match="already"):
        Population(world, Fleet)
    with pytest.raises(LookupError, match="Population\\(model, Fleet\\)"):
        Fleet(mesa.Model(rng=1), hashrate=1.0)


def test_data_collector_sees_the_views() -> None:
    world = World(3, rng=1)
    world.step()
    world.step()
    frame = world.datacollector.get_agent_vars_dataframe()
    assert frame.loc[1]["hashrate"].to_dict() == {1: 2.0, 2: 4.0, 3: 6.0}
    assert frame.loc[2]["running"].to_dict() == {2: 8.0, 3: 12.0}
    assert world.datacollector.get_agenttype_vars_dataframe(Fleet).loc[2]["load"].tolist() == [1, 1]
    assert world.datacollector.get_model_vars_dataframe()["total"].tolist() == [12.0, 20.0]


def test_batch_run_works() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = batch_run(World, {"count": [4, 6], "rng": 1}, max_steps=2, display_progress=False)
    # Mesa 3.3 runs one step more than asked and reports the agents of the step before the last;
    # Mesa 3.5 adds a row for each agent-type reporter.
    totals = {row["count"]: row["total"] for row in rows}
    assert totals in ({4: 4 * (2 + 3 + 4), 6: 4 * (2 + 3 + 4 + 5 + 6)}, {4: 8 * 7, 6: 8 * 18})
    small = [row for row in rows if row["count"] == 4 and "hashrate" in row]
    agents = {row["AgentID"]: row["hashrate"] for row in small}
    assert agents == {2: 8.0, 3: 12.0, 4: 16.0}


def test_frame_lists_the_living() -> None:
    fleets = population(1.0, 2.0, 3.0)
    fleets.remove(1)
    frame = fleets.frame()
    assert frame.columns == ["row", "unique_id", "hashrate", "generation", "load"]
    assert frame["row"].to_list() == [0, 2]
    assert fleets.sort("hashrate").frame()["hashrate"].to_list() == [3.0, 1.0]


def test_a_copied_world_goes_its_own_way() -> None:
    world = World(3, rng=1)
    world.datacollector = None  # its reporters are lambdas, which pickle refuses
    restored, branch = pickle.loads(pickle.dumps(world.fleets)), copy.deepcopy(world).fleets
    for fleets in (restored, branch):
        fleets["hashrate"] = 8.0
        fleets.remove(0)
        fleets.add(2, hashrate=9.0)
        assert fleets.model.agents.get("hashrate") == [9.0, 8.0, 8.0, 9.0]
        assert sorted(fleets.get("unique_id")) == [2, 3, 4, 5]
    assert world.fleets.get("hashrate") == [1.0, 2.0, 3.0]
