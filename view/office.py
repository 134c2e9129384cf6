"""Who gets a world and when it runs: one queue, one worker, a limit, and no place for the idle."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from model.complaint import ScenarioError
from view import levers
from view.levers import Values

if TYPE_CHECKING:
    from view.session import Session

Frame = dict[str, Any]
Result = TypeVar("Result")

MOST_SESSIONS = 32
IDLE_S = 900.0
MOST_WAITING = 8  # messages of one page
STEPS = {"day": 1, "month": 30, "year": 365}
# Days a second, by the name of the speed; a frame each of at least this many seconds.
SPEEDS = {"slow": 2.0, "week": 7.0, "month": 30.0, "quarter": 90.0, "fast": 1e6}
FRAME_S = 0.1
FULL = (
    "All {most} worlds that this server can hold are in use. Close another tab, or try again "
    "when somebody has left."
)
PUT_AWAY = (
    "This world was put away after {minutes:.0f} minutes without use. Press Reset to begin anew."
)
BROKEN = "The run has stopped on an error of the model; the server's log has more. Press Reset."

log = logging.getLogger("view")


class Office:
    """All pages of a server, and the one thread that builds, steps and draws their worlds.

    One thread, because Python runs one at a time anyway, and because the threads inside the
    model's kernels may not be entered from two. Its queue is first come, first served, and nobody
    has more than one slice of days in it, so that every page gets its turn.
    """

    def __init__(self, most: int = MOST_SESSIONS, idle_s: float = IDLE_S) -> None:
        self.most, self.idle_s = most, idle_s
        self.desks: dict[str, Desk] = {}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="worlds")
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="reports")

    @property
    def held(self) -> int:
        """Worlds in use."""
        return sum(desk.session is not None for desk in list(self.desks.values()))

    @property
    def slice_s(self) -> float:
        """Time after which others get their turn: the less, the more of them wait."""
        from view.session import SLICE_S

        return SLICE_S / max(sum(desk.running for desk in list(self.desks.values())), 1)

    def run(self, job: Callable[[], Result]) -> Future[Result]:
        """Put a job into the queue."""
        return self._worker.submit(job)

    def run_aside(self, job: Callable[[], Result]) -> Future[Result]:
        """Put a job that needs no world into a queue of its own, so that none waits for it."""
        return self._aside.submit(job)

    def welcome(self, name: str, show: Callable[[Frame], object]) -> Desk:
        """A desk for a page that has just been opened; it shows its first frame when it can."""
        desk = Desk(self, name, show)
        self.desks[desk.token] = desk
        desk.hear({"act": "reset"})
        return desk

    def leave(self, desk: Desk) -> None:
        """The page is closed."""
        desk.closed = True
        self.desks.pop(desk.token, None)
        # In the queue, so that no step is under way when the world goes.
        self.run(desk.drop)

    def tidy(self) -> None:
        """Put away the worlds of pages that nobody has used for long."""
        self.run(self._tidy)

    def _tidy(self) -> None:
        now = time.monotonic()
        for desk in list(self.desks.values()):
            if desk.session is not None and now - desk.used > self.idle_s:
                desk.drop()
                desk.tell(PUT_AWAY.format(minutes=self.idle_s / 60.0))

    def close(self) -> None:
        """Let nobody in any more, and wait for the slice that is running."""
        for pool in (self._worker, self._aside):
            pool.shutdown(wait=True, cancel_futures=True)


class Desk:
    """One page: its world, its levers, and what its browser asks for.

    A browser's messages are handled in the office's thread one after the other; only `hear` is
    called from elsewhere.
    """

    def __init__(self, office: Office, name: str, show: Callable[[Frame], object]) -> None:
        self.office, self.own, self.show = office, name, show
        self.token = secrets.token_urlsafe(24)
        self.session: Session | None = None
        self.closed = False
        self.used = time.monotonic()
        self.base, self.values = name, Values()
        self.nation = ""
        self.speed = "month"
        self.playing, self.goal = False, 0
        self.message = ""
        self.touched = False
        self._lock = threading.Lock()
        self._waiting = 0
        self._sliced = False

    # What a browser says

    def hear(self, said: object) -> bool:
        """Take a message of the browser; whether it goes into the queue."""
        act = said.get("act") if isinstance(said, dict) else None
        if not isinstance(act, str) or act not in ACTS or self.closed:
            return False
        # A page that shouts is not heard more often than others.
        with self._lock:
            if self._waiting >= MOST_WAITING or (act == "shown" and self._sliced):
                return False
            self._waiting += 1
            self._sliced |= act == "shown"
        self.office.run(lambda: self._handle(act, said))
        return True

    def _handle(self, act: str, said: Any) -> None:
        with self._lock:
            self._waiting -= 1
            self._sliced &= act != "shown"
        if self.closed:
            return
        try:
            ACTS[act](self, said)
        except ScenarioError as error:
            self.tell(str(error))
        except Exception:
            log.exception("a run has failed")
            self.drop()
            self.tell(BROKEN)

    def reset(self, said: Any) -> None:
        """Begin anew with the levers as they stand."""
        self._used()
        if not self.values:
            self._take_scenario(self.own)
        # The world that is there stays if the levers make none.
        levers.case_of(self.base, self.values)
        self.drop()
        if self.office.held >= self.office.most:
            self.tell(FULL.format(most=self.office.most))
            return
        self.tell("Building the world …")
        from view import session

        self.session = session.begin(self.base, self.values)
        self.touched, self.message = False, ""
        self._show()

    def lever(self, said: Any) -> None:
        """Move a lever; it counts from the next reset on."""
        self._used()
        key, value = said.get("key"), said.get("value")
        if key == "scenario":
            self._take_scenario(value)
        else:
            self.values |= levers.checked({key: value} if isinstance(key, str) else {"": value})
        self.touched, self.message = True, ""
        # Whether the scenario takes the value is known at once, not at the next reset.
        levers.case_of(self.base, self.values)
        self._show()

    def _take_scenario(self, name: object) -> None:
        self.base, self.values = levers.opened(name, self.own)

    def play(self, said: Any) -> None:
        """Go on until somebody says stop."""
        self._used()
        self.playing, self.goal = True, 0
        self.shown(said)

    def pause(self, said: Any) -> None:
        """Stop where it is."""
        self._used()
        self.playing, self.goal = False, 0
        self._show()

    def step(self, said: Any) -> None:
        """Go on for a day, a month or a year."""
        self._used()
        days = STEPS.get(str(said.get("days")))
        if days is None or self.session is None:
            return
        self.playing, self.goal = False, self.session.day + days
        self.shown(said)

    def shown(self, said: Any) -> None:
        """The browser has drawn the last frame: the next one, if there is any."""
        session = self.session
        if session is None or not (self.playing or session.day < self.goal):
            return
        stride = max(round(SPEEDS[self.speed] * FRAME_S), 1)
        goal = session.day + stride if self.playing else self.goal
        session.advance(goal, self.office.slice_s)
        if session.over:
            self.playing, self.goal = False, 0
        if not session.over:
            self.used = time.monotonic()
        self._show()

    def set_speed(self, said: Any) -> None:
        """How many days a second."""
        self._used()
        if said.get("speed") in SPEEDS:
            self.speed = said["speed"]
        self._show()

    def pick(self, said: Any) -> None:
        """Look into a nation, or no longer."""
        self._used()
        code = said.get("nation")
        known = self.session is not None and code in self.session.world.nation_names
        self.nation = str(code) if known else ""
        self._show()

    # What it shows

    def tell(self, message: str) -> None:
        """Show a message."""
        self.message = message
        self._show()

    def _used(self) -> None:
        self.used = time.monotonic()

    @property
    def running(self) -> bool:
        """Whether another frame comes when this one has been shown."""
        return self.session is not None and (self.playing or self.session.day < self.goal)

    def _show(self) -> None:
        session = self.session
        frame = {} if session is None else session.frame(self.nation)
        # A slow run waits in the browser, where nobody else has to wait with it.
        wait_s = 0.0
        if self.playing and self.speed != "fast":
            wait_s = max(FRAME_S, 1.0 / SPEEDS[self.speed])
        frame |= {
            "message": self.message,
            "playing": self.playing,
            "running": self.running,
            "wait_ms": round(1000 * wait_s),
            "speed": self.speed,
            "picked": self.nation,
            "values": self.values,
            "touched": self.touched,
            "command": "" if session is None else session.command(),
            "token": "" if session is None else self.token,
        }
        self.show(frame)

    def drop(self) -> None:
        """Give the world back."""
        self.session, self.playing, self.goal = None, False, 0


ACTS: dict[str, Callable[[Desk, Any], None]] = {
    "reset": Desk.reset,
    "lever": Desk.lever,
    "play": Desk.play,
    "pause": Desk.pause,
    "step": Desk.step,
    "shown": Desk.shown,
    "speed": Desk.set_speed,
    "pick": Desk.pick,
}
