"""Keeps the alarms in line with what is wanted, and the account of what became of each; the heart of reminders."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from mobile_app.data.credentials import Credentials
from mobile_app.data.entries import Entry
from mobile_app.data.ledger import KeptOccurrence, Ledger, PushReceipt
from mobile_app.data.sync import PHONE_STATUS
from mobile_app.device.ports import Alarm, AlarmNote, Alarms, Reliability
from mobile_app.device.wall_clock import instant_of
from mobile_app.state.diary_form import inhaler_use
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.reminders_diary import LOOKED_BACK_DAYS, RemindedDiary, answer_id, done_at
from mobile_app.state.reminders_notes import after, came_back, cause_without_note, fresh_row, may_come, waited
from mobile_app.state.reminders_schedule import (
    HORIZON_DAYS,
    PENDING_AT_MOST,
    WINDOW_MINUTES,
    Occurrence,
    Schedule,
    diary_day,
    schedule_from,
)
from mobile_app.state.reminders_settings import ReminderSettings, SettingsStore
from mobile_app.state.reminders_words import alarm_for, is_dose, names_of, words_version

_LOOKED_AT = "reminders_looked_at"
_ARMED_FOR = "reminders_armed_for"
_WINDOW = timedelta(minutes=WINDOW_MINUTES)
Identity = tuple[str, date]


class NoSuchReminder(LookupError):
    """There is no such reminder on that day."""


@dataclass(slots=True)
class _Look:
    """One look at everything: what is known, and what the system is then told."""

    now: datetime
    zone: ZoneInfo
    today: date
    looked_at: datetime | None
    signed_at: datetime | None
    schedule: Schedule
    rows: dict[Identity, KeptOccurrence]
    planned: dict[Identity, Occurrence]
    done: dict[Identity, datetime]
    names: dict[str, str]
    waiting: set[str]
    words: str
    is_brief: bool
    to_arm: list[Alarm] = field(default_factory=list)
    to_cancel: list[str] = field(default_factory=list)
    recorded: bool = False
    changed: bool = False


class ReminderKeeper:
    """One patient's reminders on this phone.

    ``mark`` tells the alarms of a second and further diary on one phone from the first one's.
    """

    def __init__(
        self,
        diary: OpenDiary,
        alarms: Alarms,
        reliability: Reliability,
        *,
        mark: str = "",
        pending_at_most: int = PENDING_AT_MOST,
    ) -> None:
        self._diary = diary
        self._alarms = alarms
        self._reliability = reliability
        self._mark = f"~{mark}" if mark else ""
        self._pending_at_most = pending_at_most
        self._reminded = RemindedDiary(diary)
        self._looking = False
        self.ledger = Ledger(diary.database)
        self.settings = SettingsStore(diary)
        self.on_change: Callable[[], None] = lambda: None

    # To be called

    def wake(self) -> None:
        """Soom starts, or comes back into view: alarms that the system forgot are armed, all else is looked at."""
        self._alarms.rearm()
        self.look()

    def look(self) -> None:
        """After anything that may change what is wanted or what became of it. Looking twice changes nothing."""
        if self._looking:
            return
        self._looking = True
        try:
            self.settings.hand_over()
            notes = [note for note in self._alarms.notes() if self._concerns(note)]
            with self._diary.database.transaction():
                look = self._begin()
                for note in notes:
                    self._write_down(look, note)
                self._move_to_this_zone(look)
                self._account_for_the_past(look)
                if not look.is_brief:
                    self._arm_what_is_wanted(look)
                self._keep_status(look)
            # Only now, when it is on disk: killed here, the next look arms what does not wait and hears notes again.
            for alarm_id in look.to_cancel:
                self._alarms.cancel(alarm_id)
            if look.to_arm:
                self._alarms.arm(*look.to_arm)
            if notes:
                self._alarms.settle(notes)
            if look.recorded:
                self._diary.changed()
        finally:
            self._looking = False
        if look.changed:
            self.on_change()

    def schedule(self) -> Schedule:
        """What occurrences derive from now."""
        return schedule_from(
            self._diary.clinic.plan(),
            self._diary.clinic.inhalers(),
            self.settings.read(),
            last_control_check=self._reminded.last_control_check(),
            zone=ZoneInfo(self._diary.clock.time_zone()),
        )

    def day(self) -> date:
        """The diary day now, as reminders count days."""
        wall = self._diary.clock.now().astimezone(ZoneInfo(self._diary.clock.time_zone())).replace(tzinfo=None)
        return diary_day(wall, (self.settings.read() or ReminderSettings()).day_starts_minute)

    def names(self) -> dict[str, str]:
        """The names of inhalers by id, as the plan or else the list of inhalers has them."""
        return names_of(self._diary.clinic.plan(), self._diary.clinic.inhalers())

    def planned(self, days: list[date], *, unpaused: bool = False) -> list[Occurrence]:
        """What occurs on these days; ``unpaused``: as if nothing were paused."""
        schedule, today = self.schedule(), self.day()
        if unpaused:
            schedule = replace(schedule, settings=replace(schedule.settings, paused_until=None))
        return schedule.of_days(days, self._reminded.habits(today), today)

    # What the person does inside Soom

    def take(self, key: str, local_date: date) -> Entry | None:
        """The dose is taken now. Returns its entry in the diary. Raises NoSuchReminder."""
        row = self._row(key, local_date)
        now = self._diary.clock.now()
        with self._diary.database.transaction():
            entry = self._record_dose(row, now, again=True)
            self.ledger.put(replace(row, state="acted", action="taken", at=now, cause=None, skip_reason=None))
        self._withdraw(row)
        return entry

    def skip(self, key: str, local_date: date, reason: str | None) -> Callable[[], None]:
        """The dose is left out, for a reason; the answer takes that back. Raises NoSuchReminder."""
        return self._acted(key, local_date, "skipped", reason)

    def done(self, key: str, local_date: date) -> Callable[[], None]:
        """What was asked for is done; the answer takes that back. Raises NoSuchReminder."""
        return self._acted(key, local_date, "done", None)

    def seen(self, alarm_id: str) -> None:
        """The person saw the notification, for instance by tapping it."""
        found = self._identity(alarm_id)
        row = self.ledger.find(*found) if found else None
        if row is not None and row.state in ("armed", "fired", "missed"):
            now = self._diary.clock.now()
            self.ledger.put(replace(row, state="shown", at=now, fired_at=row.fired_at or now, cause=None))
            self.on_change()

    def opened_message(self, message_id: str) -> None:
        """The person opened a push message."""
        self.ledger.note_push(PushReceipt(message_id, "opened", self._diary.clock.now()))

    def _acted(self, key: str, local_date: date, action: str, reason: str | None) -> Callable[[], None]:
        before = self._row(key, local_date)
        now = self._diary.clock.now()
        kept = self.ledger.put(replace(before, state="acted", action=action, skip_reason=reason, cause=None, at=now))
        self._withdraw(before)

        def undo() -> None:
            self.ledger.put(replace(before, revision=kept.revision))
            self.look()

        return undo

    def _withdraw(self, row: KeptOccurrence) -> None:
        self._alarms.cancel(self._alarm_id(row.id))
        self._diary.changed()
        self.look()

    def _row(self, key: str, local_date: date) -> KeptOccurrence:
        row = self.ledger.find(key, local_date)
        if row is not None:
            return row
        for planned in self.planned([local_date]):
            if planned.key == key:
                return fresh_row(planned, ZoneInfo(self._diary.clock.time_zone()), self._diary.clock.now())
        raise NoSuchReminder(f"{key} on {local_date}")

    def _whose(self) -> str:
        return Credentials(self._diary.database).patient_id or self._diary.journal.device_id

    def _record_dose(self, row: KeptOccurrence, at: datetime, *, again: bool) -> Entry | None:
        """The dose as an entry under its answer's id. ``again``: also after the person had deleted it."""
        _, inhaler_id, _ = row.key.split(":")
        inhalations = next((one.inhalations for one in self.schedule().doses if one.inhaler_id == inhaler_id), 1)
        entry_id = answer_id(self._whose(), row.id)
        body, moment = inhaler_use(inhaler_id, inhalations, "maintenance"), self._diary.moment(at)
        entry = self._diary.journal.record_once("inhaler_use", entry_id, body, moment)
        if entry is None and again:
            kept = self._diary.journal.find("inhaler_use", entry_id)
            if kept is not None and kept.entry.deleted:
                entry = self._diary.journal.revise(kept.entry, body, moment)
        return entry

    # Identities

    def _alarm_id(self, occurrence_id: str) -> str:
        return occurrence_id + self._mark

    def _identity(self, alarm_id: str) -> Identity | None:
        """Key and day of an alarm of this diary; None for another diary's, or anything else."""
        occurrence_id, separator, mark = alarm_id.partition("~")
        if f"{separator}{mark}" != self._mark:
            return None
        key, _, day = occurrence_id.rpartition("@")
        try:
            return key, date.fromisoformat(day)
        except ValueError:
            return None

    def _concerns(self, note: AlarmNote) -> bool:
        return note.event == "received" or self._identity(note.id) is not None

    # One look

    def _begin(self) -> _Look:
        """Reads all that matters. Brief when nothing changed that alarms derive from: then only the last days count."""
        now, zone = self._diary.clock.now(), ZoneInfo(self._diary.clock.time_zone())
        plan, inhalers = self._diary.clinic.plan(), self._diary.clinic.inhalers()
        schedule = schedule_from(
            plan, inhalers, self.settings.adopt(), last_control_check=self._reminded.last_control_check(), zone=zone
        )
        today = diary_day(now.astimezone(zone).replace(tzinfo=None), schedule.settings.day_starts_minute)
        names = names_of(plan, inhalers)
        words = words_version(names, self._diary.wording, health_words=schedule.settings.health_words_on_lock_screen)
        looked_at_text = self._diary.database.setting(_LOOKED_AT)
        looked_at = None if looked_at_text is None else datetime.fromisoformat(looked_at_text)
        written = self._reminded.days(today, schedule.settings.day_starts_minute)
        first = min(today - timedelta(days=LOOKED_BACK_DAYS), (looked_at or now).date() - timedelta(days=1))
        waiting = self._alarms.waiting()
        armed_for = repr((schedule, today, zone.key, words))
        is_brief = _digest(armed_for) == self._diary.database.setting(_ARMED_FOR) and self._all_wait(waiting, now)
        rows = self.ledger.since(first, today) if is_brief else self.ledger.since(first)
        look = _Look(
            now=now,
            zone=zone,
            today=today,
            looked_at=looked_at,
            signed_at=plan.signed_at if plan else None,
            schedule=schedule,
            rows={row.identity: row for row in rows + self.ledger.armed_before(first)},
            planned={},
            done={},
            names=names,
            waiting=waiting,
            words=words,
            is_brief=is_brief,
        )
        if not is_brief:
            days = [first + timedelta(days=number) for number in range((today - first).days + HORIZON_DAYS)]
            found = schedule.of_days(days, self._reminded.habits(today), today)
            look.planned = {(one.key, one.local_date): one for one in found}
        walls = {identity: one.wall for identity, one in look.planned.items()}
        walls |= {identity: row.wall for identity, row in look.rows.items()}
        look.done = done_at(schedule, written, walls, self._whose())
        # A dose that was logged and deleted, or a clock that was set back: the reminder is wanted again.
        if is_brief and any(self._is_taken_back(look, row) or came_back(row, now) for row in look.rows.values()):
            self._diary.database.keep_setting(_ARMED_FOR, None)
            return self._begin()
        self._diary.database.keep_setting(_ARMED_FOR, _digest(armed_for))
        return look

    def _all_wait(self, waiting: set[str], now: datetime) -> bool:
        """Whether the system keeps just what it should."""
        armed = {self._alarm_id(one) for one in self.ledger.armed_ids(now)}
        return armed == {alarm_id for alarm_id in waiting if self._identity(alarm_id) is not None}

    def _put(self, look: _Look, row: KeptOccurrence) -> None:
        look.rows[row.identity] = self.ledger.put(row)
        look.changed = True

    def _write_down(self, look: _Look, note: AlarmNote) -> None:
        """A note of the system, once or again: hearing it twice changes nothing."""
        if note.event == "received":
            self.ledger.note_push(PushReceipt(note.id, "received", note.at))
            return
        identity = self._identity(note.id)
        if identity is None:
            return
        row = look.rows.get(identity) or self.ledger.find(*identity)
        if row is None:
            planned = look.planned.get(identity)
            wall = planned.wall if planned else note.at.astimezone(look.zone).replace(tzinfo=None, second=0)
            row = fresh_row(Occurrence(*identity, wall), look.zone, note.at)
        if note.event == "pushed" and waited(row):
            look.to_cancel.append(self._alarm_id(row.id))
        if note.event == "taken" and is_dose(row.key) and row.state != "acted" and row.identity not in look.done:
            look.recorded = self._record_dose(row, note.at, again=False) is not None or look.recorded
            look.done[row.identity] = note.at
        changed = after(row, note)
        if changed is not None:
            self._put(look, changed)

    def _move_to_this_zone(self, look: _Look) -> None:
        """An alarm is due on the wall of wherever the phone is."""
        for row in list(look.rows.values()):
            if row.state == "armed" and row.time_zone != look.zone.key:
                self._put(look, replace(row, due_at=instant_of(row.wall, look.zone), time_zone=look.zone.key))

    def _account_for_the_past(self, look: _Look) -> None:
        looked_at, signed_at = look.looked_at, look.signed_at
        for identity, planned in look.planned.items():
            # Due since the last look and not armed then: a phone that was off for longer than it can plan ahead, or
            # one that had called off what lay beyond the most that may wait.
            row = look.rows.get(identity)
            if looked_at is None or (row is not None and row.state != "cancelled") or identity[1] > look.today:
                continue
            fresh = fresh_row(planned, look.zone, look.now)
            if looked_at < fresh.due_at <= look.now and (signed_at is None or signed_at < fresh.due_at):
                self._put(look, fresh if row is None else replace(fresh, revision=row.revision))
        for row in list(look.rows.values()):
            if self._is_taken_back(look, row):
                self._take_back(look, row)
            elif row.identity in look.done and row.state != "acted":
                self._close(look, row, look.done[row.identity])
            elif row.state == "armed" and row.due_at + _WINDOW < look.now:
                cause = cause_without_note(
                    row,
                    booted_at=self._alarms.booted_at(),
                    waits=self._alarm_id(row.id) in look.waiting,
                    allowed=all(check.is_fine for check in self._reliability.checks() if check.code == "notifications"),
                    looked_at=looked_at or look.now,
                )
                self._put(look, replace(row, state="missed", at=look.now, cause=cause))
                look.to_cancel.append(self._alarm_id(row.id))

    def _is_taken_back(self, look: _Look, row: KeptOccurrence) -> bool:
        """Whether the entry that answered the reminder is no longer in the diary."""
        was_logged = row.state == "acted" and row.action in ("taken", "already_logged") and is_dose(row.key)
        is_recent = look.today - timedelta(days=LOOKED_BACK_DAYS) <= row.local_date <= look.today
        is_open = was_logged and is_recent and row.identity not in look.done
        return is_open and self._reminded.is_withdrawn(answer_id(self._whose(), row.id), row.key, look.schedule)

    def _take_back(self, look: _Look, row: KeptOccurrence) -> None:
        if row.due_at > look.now:
            self._put(look, replace(row, state="cancelled", action=None, at=look.now))
        elif row.fired_at is not None:
            self._put(look, replace(row, state="shown", action=None, at=look.now))
        else:
            self._put(look, replace(row, state="missed", action=None, cause="unknown", at=look.now))

    def _close(self, look: _Look, row: KeptOccurrence, at: datetime) -> None:
        answered = "taken" if is_dose(row.key) else "done"
        action = "already_logged" if row.fired_at is None else answered
        self._put(look, replace(row, state="acted", action=action, at=at, cause=None))
        look.to_cancel.append(self._alarm_id(row.id))

    def _arm_what_is_wanted(self, look: _Look) -> None:
        wanted = self._wanted(look)
        for identity, row in list(look.rows.items()):
            if row.state == "armed" and identity not in wanted and row.due_at > look.now:
                self._put(look, replace(row, state="cancelled", at=look.now))
                look.to_cancel.append(self._alarm_id(row.id))
        # The system may keep what was called off: killed before it was told.
        for alarm_id in look.waiting:
            known = self._identity(alarm_id)
            stray = look.rows.get(known) if known else None
            if known and (stray is None or stray.state in ("cancelled", "acted")):
                look.to_cancel.append(alarm_id)
        for identity, planned in wanted.items():
            self._arm(look, look.rows.get(identity), planned)

    def _wanted(self, look: _Look) -> dict[Identity, Occurrence]:
        """What is still to come, the nearest first, and what is due now and waits for its notification."""
        wanted: dict[Identity, Occurrence] = {}
        for identity, planned in look.planned.items():
            row = look.rows.get(identity)
            if row is not None and row.state == "armed" and row.due_at <= look.now:
                wanted[identity] = Occurrence(row.key, row.local_date, row.wall)
            elif identity in look.done or (row is not None and not may_come(row)):
                continue
            elif row is not None and row.wall == planned.wall and row.time_zone == look.zone.key:
                if row.due_at > look.now:
                    wanted[identity] = planned
            elif instant_of(planned.wall, look.zone) > look.now:
                wanted[identity] = planned
            elif row is not None and row.state == "armed":
                # Moved to a time that is over today: today it still comes when it was to come.
                wanted[identity] = Occurrence(row.key, row.local_date, row.wall)
        nearest = sorted(wanted.items(), key=lambda one: (one[1].wall, one[1].key))
        return dict(nearest[: self._pending_at_most])

    def _arm(self, look: _Look, row: KeptOccurrence | None, planned: Occurrence) -> None:
        is_new = row is None or row.state != "armed" or row.wall != planned.wall
        if row is None or is_new:
            fresh = replace(fresh_row(planned, look.zone, look.now), words=look.words)
            self._put(look, fresh if row is None else replace(fresh, revision=row.revision, fired_at=row.fired_at))
            row = look.rows[planned.key, planned.local_date]
        alarm_id = self._alarm_id(row.id)
        if is_new or row.words != look.words or alarm_id not in look.waiting:
            if row.words != look.words:
                look.rows[row.identity] = self.ledger.worded(row, look.words)
            health_words = look.schedule.settings.health_words_on_lock_screen
            look.to_arm.append(
                alarm_for(alarm_id, row.key, row.wall, look.names, self._diary.wording, health_words=health_words)
            )

    def _keep_status(self, look: _Look) -> None:
        database = self._diary.database
        database.keep_setting(_LOOKED_AT, look.now.isoformat())
        allowed = {check.code: check.is_fine for check in self._reliability.checks()}
        status = {
            "time_zone": look.zone.key,
            "notifications_allowed": allowed.get("notifications"),
            "exact_alarms_allowed": allowed.get("exact_alarms"),
            "battery_unrestricted": allowed.get("battery"),
        }
        if database.setting(PHONE_STATUS) != status:
            database.keep_setting(PHONE_STATUS, status)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
