"""Who is told to leave transactions out, who does it, and who refuses the blocks of others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from agents.joining import makes_templates
from agents.miner import FORMS, STATE
from agents.pool import SOLO
from model.chain.censorship import Shares, offence_chance
from model.chain.compliance import Choice, Directive, EnforcingEstimate, comply, shares_by_choice
from model.chain.patience import Patience, parse_patience

if TYPE_CHECKING:
    from model.events import Directive as DirectiveEvent
    from model.events import PoolFilter
    from model.world import World

LEVELS = {"filter": Directive.FILTER, "enforce": Directive.ENFORCE}
STANCES = len(Choice)
# Blocks of races that an announcement of the enforcing share is worth; an assumption.
ANNOUNCEMENT_BLOCKS = 50.0
WORTH_TELLING = 0.001  # of the hashrate
NEVER = -1


@dataclass
class LiveDirective:
    """A directive in force, or a pool that filters of its own accord.

    Attributes
    ----------
    event : as the scenario has it
    level, patience : what it asks, and how long enforcers stay on their branch
    adopted : nations whose law it is
    pending : day on which each nation's adoption takes effect, -1 if it has not decided so
    willing : pools that do it unasked
    estimate : what miners believe of the enforcing share
    bound, free : choices of each miner for machines that the law reaches and for others
    news : whether miners have something new to think about
    shares : of the hashrate that enforces, filters, includes; today
    """

    event: DirectiveEvent | PoolFilter
    level: Directive
    patience: Patience
    adopted: np.ndarray
    pending: np.ndarray
    willing: np.ndarray
    estimate: EnforcingEstimate
    bound: np.ndarray
    free: np.ndarray
    news: bool = True
    shares: Shares = field(default_factory=lambda: Shares(0.0, 0.0, 1.0))

    @property
    def is_law(self) -> bool:
        """Whether a nation demands it; a pool may filter unasked."""
        return self.event.kind == "directive"


def begin(world: World, event: DirectiveEvent | PoolFilter) -> LiveDirective:
    """Put a directive, or a pool's own filter, into force."""
    adopted = np.zeros(world.nations.size, dtype=bool)
    willing = np.zeros(world.pools.size, dtype=bool)
    if event.kind == "directive":
        adopted[world.atlas.nations.row(event.place)] = True
        level, patience = LEVELS[event.level], parse_patience(event.patience)
    else:
        willing[world.operators.name.index(event.pool)] = True
        level, patience = Directive.FILTER, Patience("inf")
    size = world.miners.size
    return LiveDirective(
        event, level, patience, adopted, np.full(adopted.size, NEVER), willing,
        EnforcingEstimate(0.0, ANNOUNCEMENT_BLOCKS),
        np.zeros(size, dtype=np.int8), np.zeros(size, dtype=np.int8),
    )  # fmt: skip


def spread(world: World, live: LiveDirective) -> None:
    """Nations whose adoption is due make the directive their law."""
    due = (live.pending != NEVER) & (live.pending <= world.day) & ~live.adopted
    live.adopted |= due
    live.news |= bool(due.any())
    for row in np.flatnonzero(due):
        issuer = world.nation_name(live.event.subject)
        world.tell("adoption", world.nation_names[row], f"makes the directive of {issuer} its law")


# Whom the law reaches


def reached_fleets(world: World, live: LiveDirective) -> np.ndarray:
    """Fleets that the law of an adopting nation reaches, by their site or their owner's seat.

    Who makes its own templates makes them at its seat.
    """
    fleets, reading = world.fleets, world.case.hypotheses.jurisdiction
    owner = np.maximum(fleets["miner"], 0)
    by_site = live.adopted[world.sites["nation"][fleets["site"]]] & (fleets["site"] >= 0)
    by_seat = live.adopted[world.miners["nation"][owner]]
    alone = makes_templates(world)[owner]
    sites = reading in ("any", "site")
    seats = (reading in ("any", "headquarters")) | (alone & (reading == "template"))
    return np.asarray((by_site & sites) | (by_seat & seats))


def reached_pools(world: World, live: LiveDirective) -> np.ndarray:
    """Pools whose templates comply: their operator is told to, or does it unasked."""
    told = live.adopted[world.pools["nation"]] & world.pools["operated"]
    reads_templates = world.case.hypotheses.jurisdiction in ("any", "template")
    return np.asarray((told & reads_templates) | live.willing)


def codes(world: World, directives: list[LiveDirective]) -> np.ndarray:
    """Which directives reach each fleet: a bit a directive."""
    code = np.zeros(world.fleets.size, dtype=np.int64)
    for bit, live in enumerate(directives):
        code |= reached_fleets(world, live).astype(np.int64) << bit
    return code


def divide_work(world: World, directives: list[LiveDirective]) -> np.ndarray:
    """Work of each miner by which directives reach it, TH/s, [miner, bits of the directives]."""
    fleets = world.fleets
    running = world.effective * fleets["load"]
    parts = 1 << len(directives)
    rows = np.maximum(fleets["miner"], 0) * parts + codes(world, directives)
    work = np.bincount(rows, weights=running, minlength=world.miners.size * parts)
    return work.reshape(world.miners.size, parts)


# What they do


def decide(world: World, bit: int, live: LiveDirective, work: np.ndarray) -> None:
    """Every miner chooses anew, for the machines that the law reaches and for its others."""
    reached = (np.arange(work.shape[1]) >> bit & 1).astype(bool)
    hashrate = np.concatenate((work[:, reached].sum(axis=1), work[:, ~reached].sum(axis=1)))
    rows = np.flatnonzero(hashrate > 0.0)
    if rows.size == 0:
        return
    miners, terms = world.miners, world.case.censorship
    told = np.repeat(np.array([live.level, Directive.NONE], dtype=np.int8), miners.size)
    previous = np.concatenate((live.bound, live.free))
    answer = comply(
        hashrate[rows],
        np.concatenate((miners["ideology"], convictions(world)))[rows],
        told[rows],
        np.tile(detection(world), 2)[rows],
        previous[rows],
        enforcing_believed=live.estimate.share if live.level == Directive.ENFORCE else 0.0,
        patience=live.patience,
        premium=terms.premium,
        fine=terms.fine,
        offending=offence_chance(terms.forbidden_day, max(live.shares.including, 1e-9)),
        tip=world.case.hypotheses.tip,
    )
    previous[rows] = answer.choice
    live.bound, live.free = np.split(previous, 2)


def convictions(world: World) -> np.ndarray:
    """What including is worth to each miner where no law reaches it.

    States under sanctions include whatever it costs; what their own law reaches obeys it.
    """
    miners = world.miners
    defiant = (miners["form"] == STATE) & (world.nations["sanctioned"][miners["nation"]] > 0.0)
    return np.where(defiant, np.inf, miners["ideology"])


def detection(world: World) -> np.ndarray:
    """Chance that each miner's disobedience is found out, by its form; a state's always."""
    terms = world.case.censorship
    by_form = dict(zip(FORMS, (terms.detection_home, terms.detection_private,
                               terms.detection_public, 1.0), strict=True))  # fmt: skip
    return np.array([by_form[form] for form in FORMS])[world.miners["form"]]


def stances(world: World, bit: int, live: LiveDirective, parts: int) -> np.ndarray:
    """What each part of each miner's hashrate does under one directive, [miner, part]."""
    miners, pools = world.miners, reached_pools(world, live)
    member = ~makes_templates(world) & pools[miners["pool"]]
    template = Choice.ENFORCE if live.level == Directive.ENFORCE else Choice.FILTER
    free = np.where(member, np.maximum(live.free, template), live.free)
    reached = (np.arange(parts) >> bit & 1).astype(bool)
    return np.where(reached[None, :], live.bound[:, None], free[:, None])


def complying_shares(world: World, bit: int) -> np.ndarray:
    """Share of each nation's hashrate, by site, that does as a directive asks; NaN without any."""
    fleets, directives = world.fleets, world.politics.live
    stance = stances(world, bit, directives[bit], 1 << len(directives))
    own = stance[np.maximum(fleets["miner"], 0), codes(world, directives)]
    # Fleets bought since the machines last ran have not run yet.
    ran = np.zeros(fleets.size)
    ran[: world.effective.size] = world.effective
    running = np.where(fleets["site"] >= 0, ran * fleets["load"], 0.0)
    nation, size = world.sites["nation"][fleets["site"]], world.nations.size
    work = np.bincount(nation, weights=running, minlength=size)
    told = np.bincount(nation, weights=running * (own != Choice.INCLUDE), minlength=size)
    return np.where(work > 0.0, told / np.maximum(work, 1e-300), np.nan)


def parties(world: World, directives: list[LiveDirective], work: np.ndarray) -> np.ndarray:
    """Work of each miner by party, TH/s; a party's number holds a stance a directive, base 3."""
    number = np.zeros(work.shape, dtype=np.int64)
    for bit, live in enumerate(directives):
        stance = stances(world, bit, live, work.shape[1])
        number += stance.astype(np.int64) * STANCES**bit
        live.shares = shares_by_choice(stance.ravel().astype(np.int8), work.ravel() + 1e-300)
    size = STANCES ** len(directives)
    rows = np.arange(work.shape[0])[:, None] * size + number
    held = np.bincount(rows.ravel(), weights=work.ravel(), minlength=work.shape[0] * size)
    return held.reshape(work.shape[0], size)


def take_sides(world: World, directives: list[LiveDirective], retargeted: bool) -> np.ndarray:
    """Daily while a directive is in force: who does what; work of each miner by party, TH/s."""
    for live in directives:
        fit(world, live)
        spread(world, live)
    work = divide_work(world, directives)
    for bit, live in enumerate(directives):
        # Where only a pool filters nobody is asked to take sides.
        if live.is_law and live.news:
            announce(world, bit, live, work)
        if live.is_law and (live.news or retargeted):
            decide(world, bit, live, work)
        live.news = False
    return parties(world, directives, work)


def announce(world: World, bit: int, live: LiveDirective, work: np.ndarray) -> None:
    """Miners hear, with an error, how much of the hashrate is told to enforce."""
    if live.level != Directive.ENFORCE:
        return
    reached = (np.arange(work.shape[1]) >> bit & 1).astype(bool)
    member = reached_pools(world, live)[world.miners["pool"]] & ~makes_templates(world)
    told = work[:, reached].sum() + work[member][:, ~reached].sum()
    draw = float(world.streams.generator("announcements").standard_normal())
    live.estimate = EnforcingEstimate.announced(
        float(told / max(work.sum(), 1e-300)), draw, ANNOUNCEMENT_BLOCKS,
        world.case.censorship.estimate_sd,
    )  # fmt: skip


def leave_pools(world: World, directives: list[LiveDirective]) -> None:
    """Overnight: members who would include leave pools whose templates comply with a law.

    They stay with a pool that filters of its own accord: it costs them next to nothing.
    """
    miners, pools = world.miners, world.pools
    directives = [live for live in directives if live.is_law]
    if not directives:
        return
    complying = np.any([reached_pools(world, live) for live in directives], axis=0)
    # Whose machines the law reaches anyway has nothing to gain by another pool.
    loose = divide_work(world, directives)[:, 0] > 0.0
    member = miners.alive & loose & ~makes_templates(world) & complying[miners["pool"]]
    includes = np.any([live.free == Choice.INCLUDE for live in directives], axis=0)
    leaving = np.flatnonzero(member & includes)
    if leaving.size == 0:
        return
    left = miners["work"][leaving].sum() / max(miners["work"].sum(), 1e-300)
    closed = complying | ~pools["operated"] | pools["ruined"]
    open_pools = np.where(closed, -1.0, pools["hashrate"])
    best = int(np.argmax(open_pools)) if (open_pools > 0.0).any() else SOLO
    miners["pool"][leaving] = best
    if left > WORTH_TELLING:
        refuge = world.pool_names[best] if best != SOLO else "mining alone"
        world.tell("pool_exit", refuge, f"{left:.1%} of the hashrate leaves pools that comply")


def fit(world: World, live: LiveDirective) -> None:
    """Make room for miners who were founded since; they include until they think about it."""
    missing = world.miners.size - live.free.size
    if missing > 0:
        more = np.zeros(missing, dtype=np.int8)
        live.bound, live.free = np.append(live.bound, more), np.append(live.free, more)
