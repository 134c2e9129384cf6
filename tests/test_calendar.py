"""Days of a run, as dates and as what falls due."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from model.calendar import Calendar

# A busy machine is no failure.
unhurried = settings(deadline=None)

CALENDAR = Calendar(date(2019, 9, 1), date(2024, 5, 1))


def test_length_and_ends():
    assert CALENDAR.days == 1704
    assert CALENDAR.date_of(0) == date(2019, 9, 1)
    assert CALENDAR.date_of(CALENDAR.days - 1) == date(2024, 4, 30)
    assert CALENDAR.day_of(date(2019, 8, 31)) == -1


@unhurried
@given(some.integers(0, CALENDAR.days - 1))
def test_dates_and_days_are_inverse(day):
    assert CALENDAR.day_of(CALENDAR.date_of(day)) == day
    assert CALENDAR.date_of(day) == date(2019, 9, 1) + timedelta(days=day)


def test_what_is_due_on_known_dates():
    def due(year, month, day):
        found = CALENDAR.due(CALENDAR.day_of(date(year, month, day)))
        return found.week, found.month, found.quarter, found.year

    assert due(2019, 9, 1) == (False, True, False, False)  # a Sunday
    assert due(2019, 9, 2) == (True, False, False, False)
    assert due(2021, 5, 1) == (False, True, False, False)
    assert due(2021, 7, 1) == (False, True, True, False)
    assert due(2024, 1, 1) == (True, True, True, True)  # a Monday
    assert due(2024, 2, 29) == (False, False, False, False)


def test_how_often_each_clock_strikes():
    due = [CALENDAR.due(day) for day in range(CALENDAR.days)]
    assert sum(today.week for today in due) == 244  # 2019-09-02 to 2024-04-29
    assert sum(today.month for today in due) == 56
    assert sum(today.quarter for today in due) == 19
    assert sum(today.year for today in due) == 5


@pytest.mark.parametrize(
    ("when", "of_year", "fraction"),
    [
        (date(2021, 1, 1), 1, 2021.0),
        (date(2021, 5, 1), 121, 2021 + 120 / 365),
        (date(2020, 12, 31), 366, 2020 + 365 / 366),
    ],
)
def test_place_in_the_year(when, of_year, fraction):
    day = CALENDAR.day_of(when)
    assert CALENDAR.day_of_year(day) == of_year
    assert CALENDAR.year_fraction(day) == pytest.approx(fraction)


def test_month_index():
    day = CALENDAR.day_of(date(2021, 5, 31))
    assert CALENDAR.month_index(0) == 0
    assert CALENDAR.month_index(day) == 20
    assert CALENDAR.month_index(day, date(2016, 1, 1)) == 64
    assert CALENDAR.month_index(0, date(2020, 1, 1)) == -4


@pytest.mark.parametrize("day", [-1, 1704])
@pytest.mark.parametrize("question", ["due", "day_of_year", "year_fraction", "month_index"])
def test_days_outside_the_run_are_refused(day, question):
    with pytest.raises(IndexError):
        getattr(CALENDAR, question)(day)


def test_a_run_ends_after_it_starts():
    with pytest.raises(ValueError, match="end after"):
        Calendar(date(2020, 1, 1), date(2020, 1, 1))
