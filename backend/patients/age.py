"""A patient's age, exact at birthdays: rules change on the day somebody turns 12."""

from datetime import date


def age_years(born_on: date, on: date) -> float:
    """Completed years, plus the share of the current one."""
    years = on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))
    # 29 February falls on 1 March in other years.
    since = date(born_on.year + years, born_on.month, 1).toordinal() + born_on.day - 1
    return years + min((on.toordinal() - since) / 366, 0.999)
