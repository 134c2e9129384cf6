"""Mesa agents held in columns: one NumPy array per attribute, and an agent is a view of one row.

A population is a Mesa `AgentSet` and is used like one. What makes it fast is that an attribute of
all its agents is one array, which a method marked `@columnar` reads and writes at once::

    class Fleet(RowAgent):
        hashrate = Column("TH/s", doc="installed, whether or not it is switched on")
        load = Column("1", default=1.0, doc="share of the fleet switched on")

        @columnar
        def curtail(fleets, hashprice):
            fleets["load"] = np.where(fleets["hashrate"] * hashprice > 1.0, 1.0, 0.0)

    fleets = Population(world, Fleet)
    rows = fleets.add(hashrate=[100.0, 200.0])
    fleets.do("curtail", 0.05)
    fleets[rows[0]].load
"""

from __future__ import annotations

import difflib
import functools
import math
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from random import Random
from typing import Any, NoReturn, Self, overload

import mesa
import numpy as np
import polars as pl
from mesa.agent import AgentSet

try:
    from mesa.agentset import GroupBy
except ImportError:  # before Mesa 3.5 it lived beside Agent
    from mesa.agent import GroupBy

_ROW_TYPE = np.int64


class UnknownColumnError(KeyError, AttributeError):
    """A name that no column of the agent type bears."""

    def __init__(self, agent_type: type[RowAgent], name: str) -> None:
        valid = list(agent_type.columns())
        near = difflib.get_close_matches(name, valid, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        self.message = (
            f"{agent_type.__name__} has no column {name!r}{hint} Columns: {', '.join(valid)}."
        )
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class RemovedAgentError(LookupError):
    """A view was used after the row it shows had been removed."""


# ---------------------------------------------------------------------------------------------
# Declaring agents


class Column:
    """One attribute of a population: its unit, type, default and meaning, declared once.

    Read on a view it gives the value of that row; read on the class it gives this declaration.
    """

    def __init__(self, unit: str, dtype: Any = np.float64, default: Any = 0, doc: str = "") -> None:
        self.unit = unit
        self.dtype = np.dtype(dtype)
        self.default = default
        self.doc = self.__doc__ = doc
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, view: None, owner: type) -> Column: ...
    @overload
    def __get__(self, view: RowAgent, owner: type) -> Any: ...
    def __get__(self, view: RowAgent | None, owner: type) -> Any:
        if view is None:
            return self
        return view.population._arrays[self.name].item(view._living_row())

    def __set__(self, view: RowAgent, value: Any) -> None:
        row = view._living_row()
        _write(view.population._arrays[self.name][row : row + 1], value, self)

    def __repr__(self) -> str:
        return f"Column({self.unit!r}, {self.dtype}, default={self.default!r}, doc={self.doc!r})"

    def blank(self, count: int) -> np.ndarray:
        """An array of `count` defaults."""
        return np.full(count, self.default, dtype=self.dtype)


class Columnar:
    """A method that acts on all rows of a population (or of a part of one) in one call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        functools.update_wrapper(self, function)

    def __call__(self, rows: RowSet, *args: Any, **kwargs: Any) -> Any:
        return self.function(rows, *args, **kwargs)

    def __get__(self, view: RowAgent | None, owner: type) -> Any:
        if view is None:
            return self
        return functools.partial(self.function, view.population.subset(view._living_row()))


def columnar(function: Callable[..., Any]) -> Columnar:
    """Mark a method of a `RowAgent` as taking the whole population as its first argument."""
    return Columnar(function)


class RowAgent(mesa.Agent):
    """A Mesa agent that is a view of one row of a population.

    Views are made when somebody looks and hold no data: two views of the same agent are equal.
    `Fleet(world, hashrate=5.0)` adds a row to the world's population of fleets.
    """

    population: Population
    row: int
    unique_id: int
    pos = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        taken = {"population", "row", "unique_id"}.union(dir(RowAgent))
        for name, declared in vars(cls).items():
            if isinstance(declared, Column) and name in taken:
                raise TypeError(f"{cls.__name__}: a column cannot be called {name!r}.")

    def __init__(self, model: mesa.Model, **columns: Any) -> None:
        population = population_of(model, type(self))
        row = int(population.add(1, **columns)[0])
        unique_id = population._ids.item(row)
        self.__dict__.update(population=population, row=row, unique_id=unique_id)

    @classmethod
    def columns(cls) -> dict[str, Column]:
        """Every declared column by name, a parent class's first."""
        found: dict[str, Column] = {}
        for ancestor in reversed(cls.__mro__):
            found |= {
                name: item for name, item in vars(ancestor).items() if isinstance(item, Column)
            }
        return found

    @classmethod
    def create_agents(cls, model: mesa.Model, n: int, *args: Any, **columns: Any) -> Subset:
        """Add `n` rows to the model's population of this type."""
        if args:
            raise TypeError(f"{cls.__name__}.create_agents takes columns by name only.")
        population = population_of(model, cls)
        return population.subset(population.add(n, **columns))

    @property
    def model(self) -> mesa.Model:
        """The model whose population this agent belongs to."""
        return self.population.model

    @property
    def is_alive(self) -> bool:
        """Whether the row still holds this agent."""
        return bool(self.population._ids.item(self.row) == self.unique_id)

    def remove(self) -> None:
        """Remove the agent from its population; like Mesa's, silent when it is gone already."""
        self.population.discard(self)

    def _living_row(self) -> int:
        if self.population._ids.item(self.row) != self.unique_id:
            kind = type(self).__name__
            raise RemovedAgentError(f"{kind} {self.unique_id} has been removed from its model.")
        return self.row

    def __setattr__(self, name: str, value: Any) -> None:
        # A view is forgotten after use, and with it whatever is not kept in a column.
        if not isinstance(getattr(type(self), name, None), Column | property):
            raise UnknownColumnError(type(self), name)
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RowAgent):
            return NotImplemented
        return self.population is other.population and self.unique_id == other.unique_id

    def __hash__(self) -> int:
        return hash((id(self.population), self.unique_id))

    def __repr__(self) -> str:
        state = f"row={self.row}" if self.is_alive else "removed"
        return f"<{type(self).__name__} {self.unique_id} {state}>"


def population_of(model: mesa.Model, agent_type: type[RowAgent]) -> Population:
    """The model's population of one agent type, which must have been made before."""
    population = model.agents_by_type.get(agent_type)
    if not isinstance(population, Population):
        name = agent_type.__name__
        raise LookupError(f"The model has no population of {name}: make Population(model, {name}).")
    return population


# ---------------------------------------------------------------------------------------------
# AgentSet idioms over agents that exist only while somebody looks
#
# Mesa's own AgentSet holds its agents by weak reference and so would lose every view at once.


class Agents(AgentSet):
    """An ordered set of agents, views among them; agents removed from their model drop out."""

    def __init__(self, agents: Iterable[mesa.Agent], random: Random | None = None) -> None:
        self._members = dict.fromkeys(agents)
        self.random = random or next((agent.random for agent in self._members), Random())

    def __iter__(self) -> Iterator[mesa.Agent]:
        return (agent for agent in self._members if agent in agent.model.agents)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, agent: object) -> bool:
        return agent in self._members and agent in agent.model.agents  # type: ignore[attr-defined]

    def __getitem__(self, item: Any) -> Any:
        return self.to_list()[item]

    def __reversed__(self) -> Iterator[mesa.Agent]:
        yield from reversed(self.to_list())

    def __copy__(self) -> AgentSet:
        return self._keep(self.to_list())

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @classmethod
    def _from_iterable(cls, agents: Iterable[mesa.Agent]) -> Agents:
        return Agents(agents)

    def copy(self) -> AgentSet:
        """The same agents in a set of their own."""
        return self.__copy__()

    def to_list(self) -> list[mesa.Agent]:
        """The agents as a list."""
        return list(self)

    def add(self, agent: mesa.Agent) -> None:
        """Put an agent into this set."""
        self._members[agent] = None

    def discard(self, agent: mesa.Agent) -> None:
        """Take an agent out of this set, if it is in."""
        self._members.pop(agent, None)

    def remove(self, agent: mesa.Agent) -> None:
        """Take an agent out of this set."""
        del self._members[agent]

    def get(self, attr_names: Any, handle_missing: str = "error", default_value: Any = None) -> Any:
        """One attribute of each agent as a list, or a list of several for each."""
        if handle_missing not in ("error", "default"):
            raise ValueError(f"handle_missing is {handle_missing!r}, not 'error' or 'default'.")
        fallback = () if handle_missing == "error" else (default_value,)
        if isinstance(attr_names, str):
            return self._attribute(attr_names, *fallback)
        lists = [self._attribute(name, *fallback) for name in attr_names]
        return [list(values) for values in zip(*lists, strict=True)]

    def set(self, attr_name: str, value: Any) -> Self:
        """Set one attribute of every agent to one value."""
        for agent in self:
            setattr(agent, attr_name, value)
        return self

    def select(
        self,
        filter_func: Callable[[Any], bool] | None = None,
        at_most: float = math.inf,
        inplace: bool = False,
        agent_type: type | None = None,
    ) -> AgentSet:
        """The first `at_most` agents (a share of all, if a float up to 1) that pass the filter."""
        chosen = (
            agent
            for agent in self
            if (filter_func is None or filter_func(agent))
            and (agent_type is None or isinstance(agent, agent_type))
        )
        return self._keep(islice(chosen, self._limit(at_most)), inplace)

    def shuffle(self, inplace: bool = False) -> AgentSet:
        """The agents in random order."""
        members = self.to_list()
        self.random.shuffle(members)
        return self._keep(members, inplace)

    def sort(
        self, key: Callable[[Any], Any] | str, ascending: bool = False, inplace: bool = False
    ) -> AgentSet:
        """The agents in the order of an attribute or function, by default the largest first."""
        values = self.get(key) if isinstance(key, str) else [key(agent) for agent in self]
        order = sorted(range(len(values)), key=values.__getitem__, reverse=not ascending)
        members = self.to_list()
        return self._keep([members[place] for place in order], inplace)

    def groupby(self, by: Callable[[Any], Any] | str, result_type: str = "agentset") -> GroupBy:
        """The agents grouped by an attribute or function."""
        values = self.get(by) if isinstance(by, str) else [by(agent) for agent in self]
        groups: dict[Any, list[mesa.Agent]] = defaultdict(list)
        for value, agent in zip(values, self.to_list(), strict=True):
            groups[value].append(agent)
        if result_type == "list":
            return GroupBy(dict(groups))
        return Groups({value: self._keep(members) for value, members in groups.items()})

    def agg(self, attribute: str, func: Callable[[Any], Any] | Iterable[Any]) -> Any:
        """Apply one function, or each of several, to the values of an attribute."""
        if callable(func):
            return func(self.get(attribute))
        return [self.agg(attribute, each) for each in func]

    def do(self, method: str | Callable[..., Any], *args: Any, **kwargs: Any) -> Self:
        """Call a method or function on each agent that the calls before have left alive."""
        self.map(method, *args, **kwargs)
        return self

    def shuffle_do(self, method: str | Callable[..., Any], *args: Any, **kwargs: Any) -> Self:
        """Call a method or function on each agent in random order."""
        self.shuffle().do(method, *args, **kwargs)
        return self

    def map(self, method: str | Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
        """The results of a method or function for each agent."""
        if isinstance(method, str):
            return [getattr(agent, method)(*args, **kwargs) for agent in self._still_there()]
        return [method(agent, *args, **kwargs) for agent in self._still_there()]

    def _still_there(self) -> Iterator[mesa.Agent]:
        """The agents as they are now, less those removed while they are walked through."""
        return (agent for agent in self.to_list() if agent in self)

    def _attribute(self, name: str, *default: Any) -> list[Any]:
        return [getattr(agent, name, *default) for agent in self]

    def _limit(self, at_most: float) -> int | None:
        if isinstance(at_most, float) and at_most <= 1.0:
            return int(len(self) * at_most)
        return None if at_most == math.inf else int(at_most)

    def _keep(self, agents: Iterable[mesa.Agent], inplace: bool = False) -> AgentSet:
        if not inplace:
            return Agents(agents, self.random)
        self._members = dict.fromkeys(agents)
        return self


class Everyone(Agents):
    """All agents of a model: those Mesa holds one by one, then population after population."""

    def __init__(self, single: AgentSet, random: Random) -> None:
        self.random = random
        self._single = single
        self._populations: list[Population] = []

    def join(self, population: Population) -> None:
        """Count a population among the model's agents."""
        self._populations.append(population)

    def _parts(self) -> list[AgentSet]:
        return [self._single, *self._populations]

    def __iter__(self) -> Iterator[mesa.Agent]:
        return chain.from_iterable(self._parts())

    def __len__(self) -> int:
        return sum(map(len, self._parts()))

    def __contains__(self, agent: object) -> bool:
        return agent in (agent.population if isinstance(agent, RowAgent) else self._single)

    def add(self, agent: mesa.Agent) -> None:
        """Take in an agent that Mesa has registered."""
        self._single.add(agent)

    def discard(self, agent: mesa.Agent) -> None:
        """Drop an agent, if it is there."""
        for part in self._parts():
            part.discard(agent)

    def remove(self, agent: mesa.Agent) -> None:
        """Drop an agent that Mesa has deregistered."""
        self._single.remove(agent)

    def map(self, method: str | Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
        """The results of a method or function for each agent."""
        return [result for part in self._parts() for result in part.map(method, *args, **kwargs)]

    def do(self, method: str | Callable[..., Any], *args: Any, **kwargs: Any) -> Self:
        """Call a method or function on each agent, once for a population if it is columnar."""
        for part in self._parts():
            part.do(method, *args, **kwargs)
        return self

    def _keep(self, agents: Iterable[mesa.Agent], inplace: bool = False) -> AgentSet:
        if inplace:
            _refuse_inplace("The set of all agents of a model")
        return Agents(agents, self.random)


class Groups(GroupBy):
    """Groups of agents that aggregate whole columns where they have them."""

    def agg(self, attr_name: str, func: Callable[[Any], Any]) -> dict[Any, Any]:
        """Apply a function to the values of an attribute in each group."""
        return {name: group.agg(attr_name, func) for name, group in self.groups.items()}


# ---------------------------------------------------------------------------------------------
# Rows of one population


class RowSet(Agents):
    """Rows of one population, with the AgentSet idioms done on columns where that can be."""

    population: Population

    @property
    def agent_type(self) -> type[RowAgent]:
        """The class of the agents."""
        return self.population._agent_type

    @property
    def model(self) -> mesa.Model:
        """The model that owns the population."""
        return self.population._model

    @property
    def rows(self) -> np.ndarray:
        """Row numbers of the living agents, in the order of this set."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[RowAgent]:
        population, rows = self.population, self.rows
        for row, unique_id in zip(rows.tolist(), population._ids[rows].tolist(), strict=True):
            if population._ids.item(row) == unique_id:
                yield population._view(row, unique_id)

    def _still_there(self) -> Iterator[RowAgent]:
        return iter(self)

    def __setitem__(self, name: str, values: Any) -> None:
        raise NotImplementedError

    def frame(self) -> pl.DataFrame:
        """The living agents as a table: row number, unique id and every column."""
        arrays, rows = self.population._arrays, self.rows
        keys = {"row": rows, "unique_id": self.population._ids[rows]}
        return pl.DataFrame(keys | {name: array[rows] for name, array in arrays.items()})

    def set(self, attr_name: str, value: Any) -> Self:
        """Set one attribute of every agent to one value."""
        if attr_name in self.population._arrays:
            self[attr_name] = value
            return self
        if not isinstance(getattr(self.agent_type, attr_name, None), property):
            raise UnknownColumnError(self.agent_type, attr_name)
        return super().set(attr_name, value)

    def select(
        self,
        filter_func: Callable[[Any], bool] | np.ndarray | None = None,
        at_most: float = math.inf,
        inplace: bool = False,
        agent_type: type | None = None,
    ) -> AgentSet:
        """The first `at_most` agents that pass the filter.

        The filter may also be an array of booleans, one for each row that `self[name]` shows.
        """
        if isinstance(filter_func, np.ndarray):
            chosen = self._masked(filter_func)
            return self._keep_rows(chosen.rows[: chosen._limit(at_most)], inplace)
        return super().select(filter_func, at_most, inplace, agent_type)

    def shuffle(self, inplace: bool = False) -> AgentSet:
        """The agents in random order."""
        rows = self.rows.tolist()
        self.random.shuffle(rows)
        return self._keep_rows(np.array(rows, dtype=_ROW_TYPE), inplace)

    def sort(
        self, key: Callable[[Any], Any] | str, ascending: bool = False, inplace: bool = False
    ) -> AgentSet:
        """The agents in the order of an attribute or function, by default the largest first."""
        if not isinstance(key, str) or key not in self.population._arrays:
            return super().sort(key, ascending, inplace)
        rows = self.rows
        return self._keep_rows(rows[_order(self.population._arrays[key][rows], ascending)], inplace)

    def groupby(self, by: Callable[[Any], Any] | str, result_type: str = "agentset") -> GroupBy:
        """The agents grouped by an attribute or function."""
        if not isinstance(by, str) or by not in self.population._arrays or result_type == "list":
            return super().groupby(by, result_type)
        rows = self.rows
        parts = _split(rows, self.population._arrays[by][rows])
        return Groups({value: Subset(self.population, part) for value, part in parts})

    def agg(self, attribute: str, func: Callable[[Any], Any] | Iterable[Any]) -> Any:
        """Apply one function, or each of several, to the values of an attribute.

        NumPy functions and the built-in `sum`, `min`, `max` and `len` get the column as an array,
        any other function a list.
        """
        if not callable(func) or attribute not in self.population._arrays or not _takes_array(func):
            return super().agg(attribute, func)
        values = self.population._arrays[attribute][self.rows]
        builtin = _ON_ARRAYS.get(func)
        return func(values) if builtin is None else builtin(values)

    def map(self, method: str | Callable[..., Any], *args: Any, **kwargs: Any) -> list[Any]:
        """The results of a method or function for each agent.

        A columnar method is called once and must return one result for each row it was given.
        """
        function = self._columnar(method)
        if function is None:
            return super().map(method, *args, **kwargs)
        return list(self._per_agent(function(self, *args, **kwargs)))

    def do(self, method: str | Callable[..., Any], *args: Any, **kwargs: Any) -> Self:
        """Call a columnar method once with this set, any other method or function per agent."""
        function = self._columnar(method)
        if function is None:
            self._do_each(method, *args, **kwargs)
        else:
            function(self, *args, **kwargs)
        return self

    def shuffle_do(self, method: str | Callable[..., Any], *args: Any, **kwargs: Any) -> Self:
        """Like `do` in random order; a columnar method acts on all at once and needs no order."""
        if self._columnar(method) is not None:
            return self.do(method, *args, **kwargs)
        return super().shuffle_do(method, *args, **kwargs)

    def _do_each(self, method: str | Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        for view in self:
            if isinstance(method, str):
                getattr(view, method)(*args, **kwargs)
            else:
                method(view, *args, **kwargs)

    def _columnar(self, method: str | Callable[..., Any]) -> Columnar | None:
        found = getattr(self.agent_type, method, None) if isinstance(method, str) else method
        return found if isinstance(found, Columnar) else None

    def _attribute(self, name: str, *default: Any) -> list[Any]:
        if name in self.population._arrays:
            return list(self.population._arrays[name][self.rows].tolist())
        if not default and not hasattr(self.agent_type, name) and name not in _OF_EVERY_VIEW:
            raise UnknownColumnError(self.agent_type, name)
        return super()._attribute(name, *default)

    def _keep(self, agents: Iterable[RowAgent], inplace: bool = False) -> AgentSet:
        rows = np.fromiter((agent.row for agent in agents), dtype=_ROW_TYPE)
        return self._keep_rows(rows, inplace)

    def _keep_rows(self, rows: np.ndarray, inplace: bool) -> AgentSet:
        if inplace:
            _refuse_inplace("A population")
        return Subset(self.population, rows)

    def _masked(self, mask: np.ndarray) -> Subset:
        raise NotImplementedError

    def _per_agent(self, results: Any) -> Sequence[Any]:
        """The results of a columnar method, less those of dead rows."""
        if not isinstance(results, np.ndarray) or results.shape[:1] != (len(self),):
            raise TypeError("A mapped columnar method must return an array with one item per row.")
        return results.tolist()  # type: ignore[no-any-return]


class Subset(RowSet):
    """Some rows of a population in an order of their own; removed agents drop out.

    `subset[name]` is a read-only copy of the column at these rows (write with
    `subset[name] = values`), `subset[place]` the agent at that place.
    """

    def __init__(self, population: Population, rows: np.ndarray) -> None:
        self.population = population
        self.random = population.random
        self._choose(rows)

    def _choose(self, rows: np.ndarray) -> None:
        self._chosen = rows
        self._chosen_ids = self.population._ids[rows]

    @property
    def rows(self) -> np.ndarray:
        """Row numbers of the living agents, in the order of this set."""
        living = self.population._ids[self._chosen] == self._chosen_ids
        return self._chosen if living.all() else self._chosen[living]

    def __contains__(self, agent: object) -> bool:
        return agent in self.population and bool(np.any(self.rows == agent.row))  # type: ignore[attr-defined]

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, slice):
            return self.to_list()[item]
        if not isinstance(item, str):
            return self.population[self.rows[item]]
        values = self.population[item][self.rows]
        # Writing into a copy would be lost without a word.
        values.flags.writeable = False
        return values

    def __setitem__(self, name: str, values: Any) -> None:
        column, rows = self.population._column(name), self.rows
        gathered = np.empty(len(rows), dtype=column.dtype)
        _write(gathered, values, column)
        self.population._arrays[name][rows] = gathered

    def add(self, agent: RowAgent) -> None:
        """Put an agent of the same population into this set."""
        if agent not in self:
            self._choose(np.append(self.rows, agent._living_row()))

    def discard(self, agent: RowAgent) -> None:
        """Take an agent out of this set, if it is in."""
        if agent in self:
            self._choose(self.rows[self.rows != agent.row])

    def remove(self, agent: RowAgent) -> None:
        """Take an agent out of this set."""
        if agent not in self:
            raise KeyError(agent)
        self.discard(agent)

    def _keep_rows(self, rows: np.ndarray, inplace: bool) -> AgentSet:
        if not inplace:
            return Subset(self.population, rows)
        self._choose(rows)
        return self

    def _masked(self, mask: np.ndarray) -> Subset:
        return Subset(self.population, self.rows[mask])


class Population(RowSet):
    """All agents of one type in one model, one array per attribute.

    Each population owns its arrays: two models share nothing. Rows grow by doubling; a removed
    row goes back to the column defaults and is given to the next agent that comes.

    Parameters
    ----------
    model
        The model; the population enters itself in its `agents_by_type` and `agents`.
    agent_type
        The `RowAgent` whose columns are kept.
    capacity
        Rows to make room for at once.
    """

    def __init__(self, model: mesa.Model, agent_type: type[RowAgent], capacity: int = 16) -> None:
        self._model = model
        self._agent_type = agent_type
        self.random = model.random
        self._capacity = max(int(capacity), 1)
        self._declared = agent_type.columns()
        self._arrays = {
            name: column.blank(self._capacity) for name, column in self._declared.items()
        }
        self._ids = np.zeros(self._capacity, dtype=np.int64)
        self._alive = np.zeros(self._capacity, dtype=np.bool_)
        self._size = 0
        self._free: list[int] = []
        cure_agent_leak()
        _register(model, self)

    @property
    def population(self) -> Population:  # type: ignore[override]
        """This population."""
        return self

    @property
    def size(self) -> int:
        """Number of rows in use, dead ones included: the length of every column."""
        return self._size

    @property
    def alive(self) -> np.ndarray:
        """For each row, whether it holds an agent (a live array; read it, don't write it)."""
        return self._alive[: self._size]

    @property
    def rows(self) -> np.ndarray:
        """Row numbers of the living agents."""
        return np.flatnonzero(self.alive)

    def __len__(self) -> int:
        return self._size - len(self._free)

    def __contains__(self, agent: object) -> bool:
        return isinstance(agent, RowAgent) and agent.population is self and agent.is_alive

    def __getitem__(self, item: Any) -> Any:
        """A column by name, the agent of a row by its number, or a list of agents by slice.

        The array is the column itself, over all rows: the dead ones hold the default. It stays
        valid until agents are next added, which may move the columns.
        """
        if isinstance(item, str):
            array = self._arrays.get(item)
            if array is None:
                raise UnknownColumnError(self._agent_type, item)
            return array[: self._size]
        if isinstance(item, slice):
            return self.to_list()[item]
        if not 0 <= item < self._size or not self._alive[item]:
            raise IndexError(f"{self.agent_type.__name__}: row {item} holds no agent.")
        return self._view(int(item), self._ids.item(item))

    def __setitem__(self, name: str, values: Any) -> None:
        """Write a column in place: one value, or one for each row; dead rows keep the default."""
        column = self._column(name)
        _write(self._arrays[name][: self._size], values, column)
        if self._free:
            self._arrays[name][: self._size][~self.alive] = column.default

    def index(self, agent: RowAgent, *_: int) -> int:
        """The row of an agent."""
        if agent not in self:
            raise ValueError(f"{agent!r} is not in this population.")
        return agent.row

    def subset(self, rows: Any) -> Subset:
        """The agents at some rows: a row number, row numbers, or one boolean for each row."""
        return Subset(self, self._living(rows))

    def add(  # type: ignore[override]
        self, count: int | None = None, **columns: Any
    ) -> np.ndarray:
        """Add agents and return their row numbers.

        Parameters
        ----------
        count
            How many; by default as many as the arrays given are long, or one.
        columns
            Values by column name, an array with one for each agent or one for all. A column left
            out takes its default.
        """
        given = {name: np.asarray(values) for name, values in columns.items()}
        count = _common_length(given, count)
        filled = {name: self._filled(name, columns[name], count) for name in given}
        rows = self._take_rows(count)
        for name, values in filled.items():
            self._arrays[name][rows] = values
        first_id = _next_ids(self._model, count)
        self._ids[rows] = np.arange(first_id, first_id + count)
        self._alive[rows] = True
        return rows

    def remove(self, rows: Any) -> None:
        """Remove the agents at some rows (numbers or one boolean a row), or one agent."""
        gone = self._living(self.index(rows) if isinstance(rows, RowAgent) else rows)
        if len(np.unique(gone)) != len(gone):
            raise ValueError(f"{self.agent_type.__name__}: a row can be removed only once.")
        self._alive[gone] = False
        self._ids[gone] = 0
        self._reset(gone)
        self._free.extend(gone.tolist())

    def discard(self, agent: RowAgent) -> None:
        """Remove an agent, if it is still there."""
        if agent in self:
            self.remove(agent.row)

    def _view(self, row: int, unique_id: int) -> RowAgent:
        view: RowAgent = object.__new__(self._agent_type)
        view.__dict__.update(population=self, row=row, unique_id=unique_id)
        return view

    def _column(self, name: str) -> Column:
        try:
            return self._declared[name]
        except KeyError:
            raise UnknownColumnError(self._agent_type, name) from None

    def _filled(self, name: str, values: Any, count: int) -> np.ndarray:
        column = self._column(name)
        array = np.empty(count, dtype=column.dtype)
        _write(array, values, column)
        return array

    def _take_rows(self, count: int) -> np.ndarray:
        """Rows holding defaults: freed ones first, the one freed last in front, then new ones."""
        reused = self._free[max(len(self._free) - count, 0) :][::-1]
        fresh = count - len(reused)
        self._grow(self._size + fresh)
        rows = np.concatenate(
            [np.array(reused, _ROW_TYPE), np.arange(self._size, self._size + fresh)]
        )
        del self._free[len(self._free) - len(reused) :]
        self._size += fresh
        # A kernel may have written into the dead rows of a live column.
        self._reset(rows[: len(reused)])
        return rows

    def _grow(self, needed: int) -> None:
        if needed <= self._capacity:
            return
        self._capacity = max(2 * self._capacity, needed)
        for name, column in self._declared.items():
            self._arrays[name] = _longer(self._arrays[name], column.blank(self._capacity))
        self._ids = _longer(self._ids, np.zeros(self._capacity, dtype=np.int64))
        self._alive = _longer(self._alive, np.zeros(self._capacity, dtype=np.bool_))

    def _reset(self, rows: np.ndarray) -> None:
        for name, column in self._declared.items():
            self._arrays[name][rows] = column.default

    def _living(self, rows: Any) -> np.ndarray:
        """Row numbers, checked: of a mask the living rows, of numbers all, which must be alive."""
        kind = self.agent_type.__name__
        asked = np.atleast_1d(rows)
        if asked.dtype == np.bool_:
            if asked.shape != self.alive.shape:
                raise IndexError(f"{kind}: {len(asked)} booleans for {self._size} rows.")
            return np.flatnonzero(asked & self.alive)
        asked = asked.astype(_ROW_TYPE, casting="same_kind" if asked.size else "unsafe")
        inside = (asked >= 0) & (asked < self._size)
        dead = asked[~self._alive[asked]] if inside.all() else asked[~inside]
        if dead.size:
            raise IndexError(f"{kind}: row {dead[0]} holds no agent.")
        return asked

    def _masked(self, mask: np.ndarray) -> Subset:
        return self.subset(mask)

    def _per_agent(self, results: Any) -> Sequence[Any]:
        if not isinstance(results, np.ndarray) or results.shape[:1] != (self._size,):
            raise TypeError("A mapped columnar method must return an array with one item per row.")
        return results[self.alive].tolist()  # type: ignore[no-any-return]


def _register(model: mesa.Model, population: Population) -> None:
    """Enter a population in its model; the one place that touches what Mesa keeps for itself."""
    if population.agent_type in model.agents_by_type:
        raise ValueError(f"The model has a population of {population.agent_type.__name__} already.")
    model.agents_by_type[population.agent_type] = population
    if not isinstance(model.agents, Everyone):
        model._all_agents = Everyone(model.agents, model.random)
    model.agents.join(population)


# ---------------------------------------------------------------------------------------------
# Unique ids


class _Counter:
    """Counts from a start, one by one as Mesa's own counters or many at a time."""

    def __init__(self, start: int) -> None:
        self.value = start

    def __next__(self) -> int:
        return self.take(1)

    def take(self, count: int) -> int:
        """The first of `count` numbers, all of them used up."""
        first = self.value
        self.value += count
        return first


class _CounterPerModel(weakref.WeakKeyDictionary[Any, _Counter]):
    """A counter for each model that lives no longer than the model."""

    def __getitem__(self, model: Any) -> _Counter:
        if model not in self:
            # A copied or unpickled model is new here but has agents with ids already.
            self[model] = _Counter(1 + max(model.agents.get("unique_id"), default=0))
        return super().__getitem__(model)


def cure_agent_leak() -> None:
    """Let models be freed on Mesa 3.3, whose agents count their ids in a table that keeps models.

    There `Agent._ids` maps each model to a counter for good (mesa issue 3179). The table is
    replaced by one that holds models weakly and goes on counting where the old one was. Later
    versions have no such table and are left alone. Calling it again does nothing.
    """
    table = getattr(mesa.Agent, "_ids", None)
    if table is None or isinstance(table, _CounterPerModel):
        return
    cured = _CounterPerModel()
    for model, counter in table.items():
        cured[model] = _Counter(next(counter))
    mesa.Agent._ids = cured


def _next_ids(model: mesa.Model, count: int) -> int:
    """The first of `count` consecutive ids that no other agent of the model has or will get."""
    if hasattr(mesa.Agent, "_ids"):
        return int(mesa.Agent._ids[model].take(count))
    first = int(model.agent_id_counter)
    model.agent_id_counter = first + count
    return first


# ---------------------------------------------------------------------------------------------
# Arrays

_OF_EVERY_VIEW = ("population", "row", "unique_id")
_ON_ARRAYS: dict[Any, Callable[[np.ndarray], Any]] = {
    sum: lambda values: values.sum().item(),
    min: lambda values: values.min().item(),
    max: lambda values: values.max().item(),
    len: len,
}


def _takes_array(func: Any) -> bool:
    while isinstance(func, functools.partial):
        func = func.func
    if func in _ON_ARRAYS or isinstance(func, np.ufunc):
        return True
    return str(getattr(func, "__module__", "")).partition(".")[0] == "numpy"


def _write(target: np.ndarray, values: Any, column: Column) -> None:
    """Copy values into an array of a column's type, refusing what would lose their meaning."""
    try:
        np.copyto(target, values, casting="same_kind")
    except (TypeError, ValueError, OverflowError) as problem:
        raise type(problem)(f"column {column.name!r} ({column.dtype}): {problem}") from None


def _common_length(given: dict[str, np.ndarray], count: int | None) -> int:
    """The number of agents that a count and the lengths of arrays agree on."""
    lengths = {name: len(values) for name, values in given.items() if values.ndim > 0}
    if count is None:
        count = next(iter(lengths.values()), 1)
    for name, length in lengths.items():
        if length != count:
            raise ValueError(f"column {name!r} has {length} values for {count} agents.")
    return int(count)


def _longer(array: np.ndarray, blank: np.ndarray) -> np.ndarray:
    blank[: len(array)] = array
    return blank


def _order(values: np.ndarray, ascending: bool) -> np.ndarray:
    """Places of the values in order, equal ones as they stood, as `sorted` leaves them."""
    if ascending:
        return np.argsort(values, kind="stable")
    return len(values) - 1 - np.argsort(values[::-1], kind="stable")[::-1]


def _split(rows: np.ndarray, values: np.ndarray) -> list[tuple[Any, np.ndarray]]:
    """Rows by value, the values in the order in which they first appear."""
    keys, first, which, counts = np.unique(
        values, return_index=True, return_inverse=True, return_counts=True
    )
    parts = np.split(rows[np.argsort(which, kind="stable")], np.cumsum(counts)[:-1])
    names = keys.tolist()
    return [(names[place], parts[place]) for place in np.argsort(first).tolist()]


def _refuse_inplace(what: str) -> NoReturn:
    raise TypeError(f"{what} is not changed in place; use the set that is returned instead.")
