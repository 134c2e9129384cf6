"""The chain as a picture: blocks one by one on their branches, and the days before as bars."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from model.units import SECONDS_PER_DAY
from view import charts
from view.charts import BLUE, ORANGE, RED
from view.memory import CENSORED, FREE, ORPHANED, PLAIN, Memory

if TYPE_CHECKING:
    from model.world import World

WIDTH, HEIGHT = 1600, 300
LEFT, RIGHT = 150, 20
SHOWN_DAYS = 3
BAR_DAYS = 60
# Heights of the two branches, of the one before they part, of orphans and of the days' bars.
UPPER, TRUNK, LOWER, ORPHANS, BARS = 34, 62, 90, 136, 262
TALL = 22
BAR_TALL = 84
KEY = (
    ("block", BLUE),
    ("forbidden payments left out", ORANGE),
    ("orphaned", RED),
    ("free coin, or a rival branch", "#009E73"),
)


def draw(world: World, memory: Memory) -> str:
    """The figure of the chain."""
    lanes = Lanes(world, memory)
    body = lanes.branches() + lanes.days() + bars(world, memory)
    words = lanes.in_words()
    return (
        f'<figure class="panel chain"><figcaption><b>Chain</b><span class="unit">the last '
        f"{SHOWN_DAYS} days block by block; below, blocks of each of {BAR_DAYS} days</span>"
        f'{charts.key(KEY)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'data-branches="{lanes.count}" aria-label="{escape(words)}">{body}</svg></figure>'
    )


class Lanes:
    """Where the blocks of the last days stand: on one branch, on two, or on none any more."""

    def __init__(self, world: World, memory: Memory) -> None:
        self.world, self.memory = world, memory
        self.end_s = max(world.day, SHOWN_DAYS) * SECONDS_PER_DAY
        self.begin_s = self.end_s - SHOWN_DAYS * SECONDS_PER_DAY
        self.politics = world.politics
        self._sort()
        rivals = self.rival_s.size > 0
        self.count = 2 if self.politics.split is not None or rivals else 1

    def _sort(self) -> None:
        """Tell blocks on the best branch from those on another and from orphans."""
        tree = self.politics.tree
        sides = [] if tree is None else [side.block_times_s for side in tree.branches()]
        settled = [times for _, times in self.memory.settled]
        best = np.concatenate([*settled, *sides[:1], np.zeros(0)])
        other = np.concatenate([*sides[1:], np.zeros(0)])
        mains, plain, orphans, rivals = [], [], [], []
        for blocks in self.memory.blocks:
            times = blocks.times_s
            stands = np.isin(times, best) if blocks.disputed else np.ones(times.size, bool)
            rival = np.isin(times, other) & ~stands
            if tree is None and blocks.disputed:
                # The tree is gone. After a split enforcers' blocks are on the one coin, the others'
                # on the other; else its best branch has become the chain.
                parting = self.politics.split is not None and self.politics.split.kind is None
                rival = ~stands & ~blocks.enforces & parting
                stands = ~rival
            lost = blocks.disputed & ~stands & ~rival
            mains.append(times[~rival & ~lost & blocks.censors])
            plain.append(times[~rival & ~lost & ~blocks.censors])
            orphans.append(times[lost])
            rivals.append(times[rival])
            if blocks.stale:
                # Nobody knows the hour of a natural orphan.
                orphans.append(
                    (blocks.day + 0.5) * SECONDS_PER_DAY + 1800.0 * np.arange(blocks.stale)
                )
        self.plain_s, self.censored_s = np.concatenate(plain), np.concatenate(mains)
        self.orphan_s, self.rival_s = np.concatenate(orphans), np.concatenate(rivals)
        self.free_s = np.concatenate([blocks.free_s for blocks in self.memory.blocks])
        if self.politics.split is not None:
            self.free_s = np.union1d(self.free_s, self.rival_s)

    def x(self, time_s: float | np.ndarray) -> np.ndarray:
        """Where a time lies."""
        span = (np.asarray(time_s) - self.begin_s) / (self.end_s - self.begin_s)
        return np.asarray(LEFT + (WIDTH - LEFT - RIGHT) * span)

    @property
    def parted_s(self) -> float:
        """When the branches parted, or the left edge if that was before."""
        split = self.politics.split
        if split is not None:
            first_s = float(self.rival_s.min(initial=np.inf))
            return max(min(split.day * SECONDS_PER_DAY, first_s), self.begin_s)
        return max(float(self.rival_s.min()), self.begin_s)

    def branches(self) -> str:
        """The lines of the branches and the blocks on them."""
        if self.count == 1:
            drawn = self._line(self.begin_s, self.end_s, TRUNK)
            drawn += self._blocks(self.plain_s, TRUNK, BLUE) + self._blocks(
                self.censored_s, TRUNK, ORANGE
            )
            return drawn + self._name(TRUNK, "chain") + self._orphans()
        parted = self.parted_s
        drawn = self._line(self.begin_s, parted, TRUNK) + self._fork(parted)
        for times, colour in ((self.plain_s, BLUE), (self.censored_s, ORANGE)):
            drawn += self._blocks(times[times < parted], TRUNK, colour)
            drawn += self._blocks(times[times >= parted], UPPER, colour)
        other = self.free_s if self.politics.split is not None else self.rival_s
        drawn += self._blocks(other, LOWER, charts.GREEN)
        names = ("compliant coin", "free coin")
        if self.politics.split is None:
            names = ("most work", "rival branch")
        return drawn + self._name(UPPER, names[0]) + self._name(LOWER, names[1]) + self._orphans()

    def _line(self, first_s: float, last_s: float, y: int) -> str:
        first, last = float(self.x(first_s)), float(self.x(last_s))
        return f'<path class="branch" d="M{first:.0f} {y}H{last:.0f}"/>' if last > first else ""

    def _fork(self, parted_s: float) -> str:
        x, end = float(self.x(parted_s)), WIDTH - RIGHT
        both = "".join(f"M{x:.0f} {TRUNK}l14 {y - TRUNK}H{end}" for y in (UPPER, LOWER))
        return f'<path class="branch" d="{both}"/>'

    def _blocks(self, times_s: np.ndarray, y: int, colour: str) -> str:
        x = self.x(times_s[(times_s >= self.begin_s) & (times_s <= self.end_s)])
        path = "".join(f"M{each:.1f} {y - TALL // 2}v{TALL}" for each in x.tolist())
        return f'<path class="blocks" stroke="{colour}" d="{path}"/>' if path else ""

    def _orphans(self) -> str:
        x = self.x(self.orphan_s[self.orphan_s >= self.begin_s])
        path = "".join(f"M{each:.1f} {ORPHANS - 8}v16" for each in x.tolist())
        return f'<path class="blocks" stroke="{RED}" d="{path}"/>' + self._name(ORPHANS, "orphaned")

    def _name(self, y: int, words: str) -> str:
        return charts.text(LEFT - 10, y + 7, words, "end")

    def days(self) -> str:
        """Dates between the branches and the bars."""
        drawn = []
        for back in range(SHOWN_DAYS):
            day = int(self.end_s // SECONDS_PER_DAY) - SHOWN_DAYS + back
            x = float(self.x(day * SECONDS_PER_DAY))
            when = f"{self.world.calendar.date_of(day):%d %b %Y}"
            drawn.append(f'<path class="tick" d="M{x:.0f} 8V{ORPHANS + 10}"/>')
            drawn.append(charts.text(x + 6, ORPHANS + 30, when, "start"))
        return "".join(drawn)

    def in_words(self) -> str:
        """What the figure shows."""
        parts = "two branches" if self.count == 2 else "one branch"
        counts = self.memory.counts[-SHOWN_DAYS:].sum(axis=0)
        return (
            f"Chain of the last {SHOWN_DAYS} days, {parts}: {counts[PLAIN]:.0f} blocks, "
            f"{counts[CENSORED]:.0f} that leave forbidden payments out, {counts[ORPHANED]:.0f} "
            f"orphaned, {counts[FREE]:.0f} of a free coin"
        )


def bars(world: World, memory: Memory) -> str:
    """Blocks of each of the last days: stacked bars, the free coin's beside them."""
    counts = memory.counts[-BAR_DAYS:]
    most = max(float(counts[:, [PLAIN, CENSORED, ORPHANED]].sum(axis=1).max(initial=1)), 144.0)
    most = max(most, float(counts[:, FREE].max(initial=0)))
    step = (WIDTH - LEFT - RIGHT) / BAR_DAYS
    wide, paths = step * 0.72, dict.fromkeys((PLAIN, CENSORED, ORPHANED, FREE), "")
    for place, row in enumerate(counts):
        x, base = LEFT + step * (place + BAR_DAYS - len(counts)), float(BARS)
        for kind in (PLAIN, CENSORED, ORPHANED):
            tall = BAR_TALL * float(row[kind]) / most
            if tall > 0.2:
                paths[kind] += f"M{x:.1f} {base:.1f}h{wide:.1f}v{-tall:.1f}h{-wide:.1f}z"
                base -= tall
        tall = BAR_TALL * float(row[FREE]) / most
        if tall > 0.2:
            paths[FREE] += f"M{x + wide - 3:.1f} {BARS}h6v{-tall:.1f}h-6z"
    colours = {PLAIN: BLUE, CENSORED: ORANGE, ORPHANED: RED, FREE: charts.GREEN}
    drawn = "".join(
        f'<path fill="{colours[kind]}" d="{path}"/>' for kind, path in paths.items() if path
    )
    level = BARS - BAR_TALL * 144 / most
    right = WIDTH - RIGHT
    drawn += f'<path class="grid" d="M{LEFT} {level:.0f}H{right}M{LEFT} {BARS}H{right}"/>'
    drawn += charts.text(LEFT - 10, level + 8, "144 a day", "end")
    first = max(world.day - BAR_DAYS, 0)
    if world.day >= BAR_DAYS:
        drawn += charts.text(LEFT, BARS + 28, f"{world.calendar.date_of(first):%d %b %Y}", "start")
    last = world.calendar.date_of(max(world.day - 1, 0))
    return drawn + charts.text(WIDTH - RIGHT, BARS + 28, f"{last:%d %b %Y}", "end")
