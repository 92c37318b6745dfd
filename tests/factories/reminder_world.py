"""A town of simulated phones with the real phone code, their real server on a real database, and one walked clock.

Nothing here says what is right; reminder_referee.py does.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, event, text
from sqlmodel import Session

from backend.accounts.tables import Clinician, Device
from backend.accounts.tokens import DeviceCaller
from backend.core.database import NewSession, connect, session_maker
from backend.notifications.push import PushMessage, PushOutcome, PushResult
from backend.notifications.service import deliver_due
from backend.reminders.planning import plan_due
from backend.reminders.shadow import judge_due
from backend.reminders.silence import notice_silence
from backend.sync import service, store
from backend.sync.schemas import SyncIn
from mobile_app.data.server import ServerUnreachable, SoomServer
from mobile_app.device.ports import Alarm
from tests.factories import clinic
from tests.phone.reminders.simulated_phone import Android, PhoneClock, SimulatedPhone

Action = Callable[["Resident"], None]


class Exchange(SoomServer):
    """The phone's own reading and writing of the wire, handed to the server's own functions without a network."""

    def __init__(self, new_session: NewSession, clock: PhoneClock, caller: DeviceCaller) -> None:
        self._new_session, self._clock, self._caller = new_session, clock, caller

    def close(self) -> None:
        """There is no connection."""

    def _ask_signed_in(
        self, method: str, path: str, body: dict[str, Any] | None = None, params: dict[str, str] | None = None
    ) -> dict[str, Any]:
        now = self._clock.true_now
        if path != "/v1/sync":
            raise ServerUnreachable(path)
        with self._new_session() as session:
            if body is not None:
                sent = SyncIn.model_validate(body)
                with store.pipeline(session) as connection:
                    answer: Any = service.accept(session, connection, self._caller, sent, now=now)
            else:
                asked = params or {}
                limit = int(asked["limit"])
                answer = service.changes_since(session, self._caller, asked["cursor"], limit=limit, now=now)
            session.commit()
        found: dict[str, Any] = answer.model_dump(mode="json")
        return found


@dataclass(frozen=True)
class Sighting:
    """A notification that lay before the person's eyes. `snoozed`: it came back because they had asked it to."""

    at: datetime
    by: str
    snoozed: bool


class WatchedAndroid(Android):
    """Remembers, where no code under test can see it, what was truly drawn and when."""

    def __init__(self, resident: "Resident", phone: SimulatedPhone) -> None:
        self.resident = resident
        super().__init__(phone.clock, phone.permissions)

    def _draw(self, alarm: Alarm) -> bool:
        drawn = super()._draw(alarm)
        if drawn:
            self.resident.saw(alarm.id, "alarm")
        return drawn

    def receive_push(self, message_id: str, alarm_id: str | None) -> bool:
        drawn = super().receive_push(message_id, alarm_id)
        if drawn and alarm_id is not None:
            self.resident.saw(alarm_id, "push")
        return drawn


@dataclass
class Resident:
    """A patient, their phone, and what truly happened."""

    patient_id: UUID
    device_id: UUID
    phone: SimulatedPhone
    random: Random
    inhaler_ids: list[str] = field(default_factory=list)
    answers: Callable[["Resident", str], None] = lambda resident, alarm_id: None
    sightings: dict[str, list[Sighting]] = field(default_factory=dict)
    acted: dict[str, str] = field(default_factory=dict)
    snoozed: dict[str, int] = field(default_factory=dict)
    waiting_pushes: list[tuple[datetime, str, str | None]] = field(default_factory=list)
    is_gone: bool = False

    @property
    def android(self) -> WatchedAndroid:
        found = self.phone.android
        if not isinstance(found, WatchedAndroid):
            raise TypeError("this phone is not watched")
        return found

    def saw(self, alarm_id: str, by: str) -> None:
        before = self.sightings.setdefault(alarm_id, [])
        asked_for = self.snoozed.get(alarm_id, 0) > sum(one.snoozed for one in before)
        before.append(Sighting(self.phone.clock.true_now, by, asked_for))
        self.answers(self, alarm_id)

    def press(self, alarm_id: str, button: str) -> None:
        """Only what is shown can be pressed."""
        if alarm_id not in self.android.shown or not self.android.is_on:
            return
        if button == "snooze":
            self.snoozed[alarm_id] = self.snoozed.get(alarm_id, 0) + 1
        elif button != "dismissed":
            self.acted[alarm_id] = button
        self.phone.press(alarm_id, button)

    def take_waiting_pushes(self) -> None:
        """The phone is within reach again: what FCM still holds arrives."""
        now = self.phone.clock.true_now
        waiting, self.waiting_pushes = self.waiting_pushes, []
        for until, message_id, tag in waiting:
            if until >= now:
                self.android.receive_push(message_id, tag)

    @property
    def in_reach(self) -> bool:
        return self.phone.is_online and self.android.is_on and not self.android.is_stopped and not self.is_gone


class World:
    """The server's worker goes its round `every` so often; people and phones act at their own minutes."""

    def __init__(self, url: str, start: datetime, every: timedelta) -> None:
        self.now = start
        self._every = every
        self.engine = _unhurried(url)
        self.new_session: NewSession = session_maker(self.engine)
        self.residents: list[Resident] = []
        self._events: list[tuple[datetime, int, Resident, Action]] = []
        self._count = 0
        self._rings: dict[UUID, datetime] = {}
        self._by_token: dict[str, Resident] = {}
        self._jitter = Random(7)
        self.last_silence_round = start
        with self.new_session() as session:
            hospital = clinic.hospital(session)
            self.doctor: Clinician = clinic.clinician(session, hospital, now=start)
            self._hospital = hospital
            session.commit()

    def move_in(self, session: Session, zone: str, random: Random) -> Resident:
        """A patient of the clinic with an enrolled phone."""
        patient = clinic.patient(session, self._hospital, now=self.now, cared_for_by=self.doctor)
        patient.time_zone = zone
        phone = SimulatedPhone(clock=PhoneClock(true_now=self.now, zone=zone))
        device_id = UUID(phone.journal.device_id)
        resident = Resident(patient.id, device_id, phone, random)
        phone.android = WatchedAndroid(resident, phone)
        phone._start_process()
        phone.enrolled_as(str(patient.id))
        phone.server = Exchange(self.new_session, phone.clock, DeviceCaller(patient.id, device_id))
        token = f"token-{device_id}"
        session.add(
            Device(
                id=device_id,
                patient_id=patient.id,
                name="phone",
                platform="android",
                push_token=token,
                enrolled_at=self.now,
                last_seen_at=self.now,
            )
        )
        self._by_token[token] = resident
        self.residents.append(resident)
        return resident

    def at(self, when: datetime, resident: Resident, action: Action) -> None:
        """Something will happen to a resident."""
        self._count += 1
        heapq.heappush(self._events, (when, self._count, resident, action))

    def walk_to(self, until: datetime) -> None:
        """Time passes for everybody."""
        while self.now < until:
            self.now = min(self.now + self._every, until)
            while self._events and self._events[0][0] <= self.now:
                when, _, resident, action = heapq.heappop(self._events)
                resident.phone.walk_to(max(when, resident.phone.clock.true_now))
                action(resident)
                self.expect_ring(resident)
            self._server_round()

    def expect_ring(self, resident: Resident) -> None:
        """A ring is an event of its own, so that what a person does about it comes at its minute."""
        ring = resident.android.next_ring()
        if ring is None:
            return
        true_ring = ring - resident.phone.clock.turned_by
        if self._rings.get(resident.patient_id) != true_ring:
            self._rings[resident.patient_id] = true_ring
            self.at(true_ring, resident, lambda _: None)

    def _server_round(self) -> None:
        while plan_due(self.new_session, self.now):
            pass
        while judge_due(self.new_session, self.now):
            pass
        deliver_due(self.new_session, self, lambda: self.now, self._jitter, lambda *_: None)
        if self.now - self.last_silence_round >= timedelta(hours=1):
            self.last_silence_round = self.now
            notice_silence(self.new_session, self.now)

    def send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
        """FCM: takes every message, and holds it for a phone out of reach."""
        for message in messages:
            resident = self._by_token[message.token]
            key, day = message.data.get("occurrence_key"), message.data.get("occurrence_date")
            tag = f"{key}@{day}" if key else None
            if resident.in_reach:
                resident.phone.walk_to(self.now)
                resident.android.receive_push(message.data["message_id"], tag)
                self.expect_ring(resident)
            else:
                resident.waiting_pushes.append((self.now + message.time_to_live, message.data["message_id"], tag))
        return [PushResult(PushOutcome.HANDED_OVER) for _ in messages]

    def end(self) -> None:
        for resident in self.residents:
            resident.phone.end()
        self.engine.dispose()


def _unhurried(url: str) -> Engine:
    """Commits need not reach the disk: no simulated server falls over."""
    engine = connect(url, pool_size=2)

    @event.listens_for(engine, "connect")
    def _relax(connection: Any, _: object) -> None:
        connection.autocommit = True
        connection.execute("SET synchronous_commit = off")
        connection.autocommit = False

    return engine


def analyse(engine: Engine) -> None:
    """Fresh tables have no statistics; a real database's autovacuum would have gathered them."""
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
