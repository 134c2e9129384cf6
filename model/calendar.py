"""What is due today: days counted from the start, read as dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Due:
    """The slow decisions that fall on one day."""

    week: bool
    month: bool
    quarter: bool
    year: bool


def due_on(day: date) -> Due:
    """What falls on a date: weeks begin on Monday, the others on their first day."""
    first = day.day == 1
    return Due(
        week=day.weekday() == 0,
        month=first,
        quarter=first and day.month % 3 == 1,
        year=first and day.month == 1,
    )


def year_fraction_of(day: date) -> float:
    """A date as a decimal year: 2021-05-01 is 2021.33."""
    first = date(day.year, 1, 1).toordinal()
    length = date(day.year + 1, 1, 1).toordinal() - first
    return day.year + (day.toordinal() - first) / length


class Calendar:
    """The days of a run: day 0 is `start`, and `end` is the first date after the last day."""

    def __init__(self, start: date, end: date) -> None:
        if end <= start:
            raise ValueError(f"a run must end after it starts: {start} to {end}")
        self.start = start
        self.end = end
        self.days = (end - start).days
        self._first = start.toordinal()
        dates = [date.fromordinal(self._first + day) for day in range(self.days)]
        self._due = tuple(due_on(day) for day in dates)
        self._year_fraction = tuple(year_fraction_of(day) for day in dates)
        self._day_of_year = tuple(day.timetuple().tm_yday for day in dates)
        self._month = tuple(12 * day.year + day.month - 1 for day in dates)

    def date_of(self, day: int) -> date:
        """The date of a day; days before the start and after the end have one too."""
        return date.fromordinal(self._first + day)

    def day_of(self, when: date) -> int:
        """The day index of a date, negative before the start."""
        return when.toordinal() - self._first

    def due(self, day: int) -> Due:
        """The slow decisions due on a day of the run."""
        return self._due[self._inside(day)]

    def day_of_year(self, day: int) -> int:
        """1 on the first of January, 365 or 366 on the last day of the year."""
        return self._day_of_year[self._inside(day)]

    def year_fraction(self, day: int) -> float:
        """The day as a decimal year."""
        return self._year_fraction[self._inside(day)]

    def month_index(self, day: int, origin: date | None = None) -> int:
        """Months from the month of `origin` (the start, unless told) to that of the day."""
        origin = origin or self.start
        return self._month[self._inside(day)] - (12 * origin.year + origin.month - 1)

    def _inside(self, day: int) -> int:
        # A negative index would silently count from the end of the tables.
        if not 0 <= day < self.days:
            raise IndexError(f"day {day} is outside the run of {self.days} days from {self.start}")
        return day
