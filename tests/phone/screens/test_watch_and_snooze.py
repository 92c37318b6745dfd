"""Warnings that rest and the watch that goes from hand to hand, by touch, with the real server and PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlmodel import Session, select

from backend.accounts.tables import DeviceRole
from backend.accounts.tokens import create_enrolment_code
from backend.alerts import service
from backend.alerts.rules import ForecastLevel, RedSign
from backend.alerts.tables import Alert
from backend.app import build_app
from backend.core.settings import Settings
from backend.demonstration.processes import free_port
from backend.notifications.tables import Watch
from backend.patients.tables import Patient
from backend.risk.tables import Assessment
from mobile_app.data.credentials import Invitation
from tests.browser import serving
from tests.databases import unpooled_engine
from tests.factories import clinic
from tests.phone.conftest import WalkedClock
from tests.phone.screens.conftest import Start
from tests.phone.screens.hand import Hand


@dataclass
class Hospital:
    app: FastAPI
    engine: Engine
    port: int
    patient_id: UUID
    clock: WalkedClock

    def code(self, role: DeviceRole = DeviceRole.PATIENT) -> str:
        with Session(self.engine) as session:
            code = create_enrolment_code(session, self.patient_id, created_by=None, now=self.clock.now(), role=role)
            session.commit()
            return code

    def find(self, *signs: RedSign, forecast: ForecastLevel | None = None) -> None:
        """What the worker does when a model or a rule has found something."""
        now = self.clock.now()
        with Session(self.engine) as session:
            patient = session.get_one(Patient, self.patient_id)
            on = now.date() - timedelta(days=len(session.exec(select(Assessment)).all()))
            assessment = Assessment(patient_id=patient.id, as_of=on, assessed_at=now, status="no_model")
            session.add(assessment)
            session.flush()
            reasons = [{"code": sign.flag, "value": None, "unit": None} for sign in signs]
            found = service.Finding(patient.id, patient.hospital_id, assessment.id, signs, reasons, forecast, [])
            service.review(session, [found], now)
            session.commit()

    def alert(self) -> Alert:
        with Session(self.engine, expire_on_commit=False) as session:
            return session.exec(select(Alert)).one()

    def watches(self) -> list[Watch]:
        with Session(self.engine, expire_on_commit=False) as session:
            return list(session.exec(select(Watch)).all())


@pytest.fixture
def hospital(own_database: str, clock: WalkedClock, tmp_path: Path) -> Iterator[Hospital]:
    engine = unpooled_engine(own_database)
    with Session(engine, expire_on_commit=False) as session:
        minji = clinic.patient(session, clinic.hospital(session), now=clock.now())
        session.commit()
    app = build_app(Settings(database_url=own_database, demo=True, data_folder=tmp_path / "server"), clock=clock.now)
    yield Hospital(app, engine, free_port("127.0.0.1", 18400), minji.id, clock)
    app.state.engine.dispose()


def enrolled(start: Start, address: str, code: str, folder: str = "phone") -> Hand:
    hand = start(folder=folder, invitation=Invitation(address, code))
    hand.wait_for(lambda: hand.app.diary.clinic.profile() is not None, "the profile arrives")
    return hand


def test_an_amber_warning_rests_until_a_time_and_comes_back_and_a_red_one_says_why_it_cannot(
    hospital: Hospital, start: Start, clock: WalkedClock
) -> None:
    with serving(hospital.app, hospital.port) as address:
        phone = enrolled(start, address, hospital.code())
        hospital.find(forecast=ForecastLevel.RAISED)
        phone.app.request_sync()
        phone.wait_for(lambda: phone.sees("Remind me later"), "the amber warning arrives")
        phone.photo("snooze_amber")
        phone.tap("Remind me later")
        phone.photo("snooze_choices")
        phone.tap("12 hours")
        phone.wait_for(lambda: phone.sees("Rests until Tuesday 3 March, 05:00"), "the clinic lets it rest")
        phone.photo("snooze_rests")
        assert hospital.alert().snoozed_until == clock.now() + timedelta(hours=12)
        phone.tap("Undo: warn me again")
        phone.wait_for(lambda: phone.sees("Remind me later"), "the warning is back")
        assert hospital.alert().snoozed_until is None

    phone.tap("Remind me later")
    phone.tap("4 hours")
    phone.wait_for(lambda: phone.sees("This needs a network"), "the phone says that it needs the network")
    phone.photo("snooze_offline")
    assert not phone.sees("Rests until")

    with serving(hospital.app, hospital.port):
        clock.walk(minutes=5)
        hospital.find(RedSign("red_zone", clock.now(), clock.now().date(), None))
        phone.app.request_sync()
        phone.wait_for(lambda: phone.sees("A red warning cannot be put off"), "the red warning says why it stays")
        phone.photo("snooze_red")
        assert not phone.sees("Remind me later")


def test_the_watch_goes_to_a_carer_is_taken_back_and_both_see_who_has_it_until_when(
    hospital: Hospital, start: Start, clock: WalkedClock
) -> None:
    with serving(hospital.app, hospital.port) as address:
        enrolled(start, address, hospital.code(DeviceRole.CARER), folder="carer")
        owner = enrolled(start, address, hospital.code())
        owner.show("carers")
        owner.wait_for(lambda: owner.sees("On watch: gets every warning"), "the page says who is on watch")
        owner.tall_photo("watch_carers")
        owner.tap("Who gets the warnings")
        owner.wait_for(lambda: not owner.sees("Asking your clinic"), "the answer arrives")
        owner.tap("1 day")
        owner.photo("watch_before")
        owner.tap("Hand over until Tuesday 3 March, 17:00")
        owner.wait_for(lambda: owner.sees("Rests until Tuesday 3 March, 17:00"), "the watch is handed over")
        owner.photo("watch_rests")
        [watch] = hospital.watches()
        assert watch.until == clock.now() + timedelta(days=1)

    owner.show("today")
    owner.photo("watch_today")
    owner.tap("Another phone has the watch")
    owner.wait_for(lambda: not owner.sees("Asking your clinic"), "the phone gives up asking")
    owner.tap("Take the watch back now")
    owner.wait_for(lambda: owner.sees("The watch is as it was"), "the phone says that it needs the network")
    assert hospital.watches() == [watch]

    with serving(hospital.app, hospital.port):
        owner.tap("Take the watch back now")
        owner.wait_for(lambda: owner.sees("Hand over until"), "the watch is back")
        assert hospital.watches() == []
        owner.tap("1 day")
        owner.tap("Hand over until Tuesday 3 March, 17:00")
        owner.wait_for(lambda: owner.sees("Take the watch back now"), "the watch is handed over again")

        carer = start(folder="carer")
        carer.show("my_data")
        carer.tap("Who gets the warnings")
        carer.wait_for(
            lambda: carer.sees("Also for: test phone (patient's own), until Tuesday 3 March, 17:00"),
            "the carer sees the watch",
        )
        carer.photo("watch_carer")
