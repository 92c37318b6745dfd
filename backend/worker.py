"""The process that does deferred work. APScheduler only ticks; what is due stands in the database, for any worker."""

import logging
import os
import random
import signal
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from backend.alerts.service import mark_sent
from backend.alerts.watch import watch_due
from backend.core.clock import Clock, utc_now
from backend.core.database import NewSession, connect, database_url, session_maker
from backend.core.heartbeat import beat
from backend.core.settings import Settings
from backend.notifications.mail import Mailer, build_mailer, deliver_mail_due
from backend.notifications.push import FirebasePush, LogPush, Push
from backend.notifications.service import deliver_due
from backend.recommendations.service import recommend_due
from backend.reminders.planning import plan_due
from backend.reminders.shadow import judge_due
from backend.reminders.silence import notice_silence
from backend.risk.forecaster import ModelSource
from backend.risk.service import assess_due, mark_new_day
from backend.risk.thresholds import settle

logger = logging.getLogger(__name__)

ASSESS_EVERY_SECONDS = 0.5
DELIVER_EVERY_SECONDS = 0.5
RECOMMEND_EVERY_SECONDS = 2
WATCH_EVERY_SECONDS = 5
MAIL_EVERY_SECONDS = 5
# Thresholds are a week old before they are set anew, and what came true is counted with them.
SETTLE_EVERY_SECONDS = 3600
REMIND_EVERY_SECONDS = 5
SILENCE_EVERY_SECONDS = 300
BEAT_EVERY_SECONDS = 5
# Local midnights fall on quarters of an hour somewhere; a minute late is soon enough.
NEW_DAY_EVERY_SECONDS = 60
STUCK_AFTER = timedelta(seconds=60)
PATIENTS_AT_ONCE = 200
DELIVERIES_AT_ONCE = 100


class Worker:
    """What one worker does; `stopping` lets a long round end early.

    Without `models` the rules work alone, without `mailer` nobody gets e-mail; `address` is the dashboard's.
    """

    def __init__(
        self,
        new_session: NewSession,
        models: ModelSource | None,
        push: Push,
        *,
        mailer: Mailer | None = None,
        address: str = "",
        clock: Clock = utc_now,
        jitter: random.Random | None = None,
    ) -> None:
        self.new_session = new_session
        self.models = models
        self.push = push
        self.mailer, self.address = mailer, address
        self.clock = clock
        self.jitter = jitter or random.Random()
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self.stopping = threading.Event()
        self.assessed_at = clock()

    def assess(self) -> None:
        """Until nothing is due."""
        while not self.stopping.is_set():
            forecaster = None if self.models is None else self.models.get()
            done = assess_due(self.new_session, forecaster, self.clock(), PATIENTS_AT_ONCE)
            self.assessed_at = self.clock()
            if done == 0:
                return

    def recommend(self) -> None:
        """Until nothing is due."""
        while not self.stopping.is_set() and recommend_due(self.new_session, self.clock()):
            pass

    def deliver(self) -> None:
        """Until nothing is due."""
        deliver_due(
            self.new_session,
            self.push,
            self.clock,
            self.jitter,
            mark_sent,
            DELIVERIES_AT_ONCE,
            go_on=lambda: not self.stopping.is_set(),
        )

    def watch(self) -> None:
        """Until no unanswered alert is due."""
        while not self.stopping.is_set() and watch_due(self.new_session, self.clock()):
            pass

    def mail(self) -> None:
        """Until nothing is due."""
        while not self.stopping.is_set() and deliver_mail_due(
            self.new_session, self.mailer, self.address, self.clock, self.jitter
        ):
            pass

    def settle(self) -> None:
        settle(self.new_session, None if self.models is None else self.models.get(), self.clock())

    def remind(self) -> None:
        """Plan what is to come, then judge what no phone has spoken of, until nothing is due."""
        while not self.stopping.is_set() and plan_due(self.new_session, self.clock()):
            pass
        while not self.stopping.is_set() and judge_due(self.new_session, self.clock()):
            pass

    def notice_silence(self) -> None:
        while not self.stopping.is_set() and notice_silence(self.new_session, self.clock()):
            pass

    def beat(self) -> None:
        """Only while assessments go on: a worker that ticks and does nothing must not look alive."""
        if self.clock() - self.assessed_at > STUCK_AFTER:
            logger.error("no assessment round has ended for %s", self.clock() - self.assessed_at)
            return
        with self.new_session() as session:
            forecaster = None if self.models is None else self.models.get()
            beat(session, self.name, now=self.clock(), model=None if forecaster is None else forecaster.name)
            session.commit()

    def new_day(self) -> None:
        with self.new_session() as session:
            mark_new_day(session, self.clock())
            session.commit()


def run_worker(settings: Settings, *, clock: Clock = utc_now) -> None:
    """Work until SIGTERM or SIGINT, then finish what is in hand and return."""
    engine = connect(database_url(settings), pool_size=10)
    push = build_push(settings)
    worker = Worker(
        session_maker(engine),
        ModelSource(settings.model_folder),
        push,
        mailer=build_mailer(settings),
        address=settings.address,
        clock=clock,
    )
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: worker.stopping.set())
    # A tick that comes while the last one still works is dropped, and that is meant.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    ticks: tuple[tuple[Callable[[], None], float], ...] = (
        (worker.beat, BEAT_EVERY_SECONDS),
        (worker.assess, ASSESS_EVERY_SECONDS),
        (worker.deliver, DELIVER_EVERY_SECONDS),
        (worker.recommend, RECOMMEND_EVERY_SECONDS),
        (worker.watch, WATCH_EVERY_SECONDS),
        (worker.mail, MAIL_EVERY_SECONDS),
        (worker.settle, SETTLE_EVERY_SECONDS),
        (worker.remind, REMIND_EVERY_SECONDS),
        (worker.notice_silence, SILENCE_EVERY_SECONDS),
        (worker.new_day, NEW_DAY_EVERY_SECONDS),
    )
    # A thread each: a slow round of one kind holds no other back.
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(len(ticks))}, timezone="UTC")
    for work, seconds in ticks:
        scheduler.add_job(
            _guarded(work),
            "interval",
            seconds=seconds,
            next_run_time=datetime.now(scheduler.timezone),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
    scheduler.start()
    logger.info("worker %s is at work", worker.name)
    worker.stopping.wait()
    scheduler.shutdown(wait=True)
    if isinstance(push, FirebasePush):
        push.close()
    engine.dispose()
    logger.info("worker %s has stopped", worker.name)


def build_push(settings: Settings) -> Push:
    if settings.firebase_credentials is None:
        return LogPush()
    return FirebasePush(settings.firebase_credentials, endpoint=settings.fcm_endpoint)


def _guarded(work: Callable[[], None]) -> Callable[[], None]:
    """One failed tick must not end the next, and an error's text may quote a diary: only its kind is logged."""

    def tick() -> None:
        try:
            work()
        except Exception as error:
            logger.error("the tick %s failed: %s", work.__name__, type(error).__name__)

    return tick


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    run_worker(Settings())
