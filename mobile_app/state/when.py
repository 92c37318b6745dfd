"""Choosing a time by steps on the wall clock, never past now."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from mobile_app.state.diary_form import DiaryForm
from mobile_app.state.open_diary import OpenDiary


class When:
    """The time being chosen for a form; ``take`` hands it over."""

    def __init__(self, diary: OpenDiary, form: DiaryForm) -> None:
        self._diary = diary
        self._form = form
        self._zone = ZoneInfo(diary.clock.time_zone())
        self.on_change: Callable[[], None] = lambda: None
        self.at = form.happened_at or diary.clock.now()

    @property
    def day_text(self) -> str:
        """The diary day of the chosen time."""
        return self._diary.wording.day(self._diary.moment(self.at).local_date, self._diary.today())

    @property
    def time_text(self) -> str:
        """The chosen wall-clock time."""
        return self._diary.wording.time(self.at.astimezone(self._zone))

    @property
    def is_future(self) -> bool:
        """Whether the chosen time has not come yet."""
        return self.at > self._diary.clock.now() + timedelta(minutes=1)

    def move(self, by: timedelta) -> None:
        """Moves by elapsed time."""
        self.at += by
        self.on_change()

    def move_day(self, days: int) -> None:
        """Moves by whole days and keeps the wall-clock time, also over a change to summer time."""
        wall = self.at.astimezone(self._zone)
        self.at = (wall + timedelta(days=days)).astimezone(UTC)
        if self.is_future and days > 0:
            self.at = self._diary.clock.now()
        self.on_change()

    def may_move_day(self, days: int) -> bool:
        """Whether that day has begun."""
        wall: datetime = self.at.astimezone(self._zone) + timedelta(days=days)
        return wall.date() <= self._diary.clock.now().astimezone(self._zone).date()

    def now(self) -> None:
        """Back to the present."""
        self.at = self._diary.clock.now()
        self.on_change()

    def take(self) -> None:
        """Hands the time to the form. Raises NotYet for the future."""
        is_now = abs(self._diary.clock.now() - self.at) < timedelta(minutes=1)
        self._form.happened(None if is_now and self._form.correcting is None else self.at)
