"""E-mail to clinicians through any SMTP server: that something waits and where, not a word of whom or what."""

import logging
import random
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Protocol
from uuid import UUID, uuid4

from sqlmodel import Session, col, select, update

from backend.accounts.tables import Clinician
from backend.core import due
from backend.core.clock import Clock
from backend.core.database import NewSession
from backend.core.settings import Settings
from backend.notifications.service import GIVE_UP_AFTER, backoff_seconds
from backend.notifications.tables import ClinicianMail, DeliveryOutcome
from backend.notifications.wording import mail_words

logger = logging.getLogger(__name__)

MAIL = "mail"
# One connection and its time-outs for each e-mail of a round.
LEASE_SECONDS = 300
AT_ONCE = 10
SMTP_SECONDS = 20


@dataclass(frozen=True)
class Mail:
    """`key` makes the message's id: the same e-mail tried twice carries the same one."""

    key: UUID
    address: str
    subject: str
    body: str


class Mailer(Protocol):
    def send(self, mail: Mail) -> str | None:
        """None when the server took it, else the kind of failure. Never raises for what a server or network did."""


class SmtpMailer:
    """`starttls`: refuse to go on without TLS, its certificate checked."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        sender: str,
        user: str | None = None,
        password: str | None = None,
        starttls: bool = True,
        timeout_seconds: float = SMTP_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host, self._port, self._sender = host, port, sender
        self._user, self._password, self._starttls = user, password, starttls
        self._timeout_seconds = timeout_seconds
        self._tls = tls or ssl.create_default_context()

    def send(self, mail: Mail) -> str | None:
        try:
            with smtplib.SMTP(self._host, self._port, timeout=self._timeout_seconds) as server:
                if self._starttls:
                    server.starttls(context=self._tls)
                if self._user is not None and self._password is not None:
                    server.login(self._user, self._password)
                server.send_message(self._message(mail))
        except smtplib.SMTPRecipientsRefused:
            return "address_refused"
        except smtplib.SMTPResponseException as error:
            return f"smtp_{error.smtp_code}"
        except (smtplib.SMTPException, OSError) as error:
            return type(error).__name__
        return None

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, mail.address, mail.subject
        message["Date"] = formatdate(localtime=False)
        message["Message-ID"] = make_msgid(idstring=mail.key.hex, domain=self._sender.rpartition("@")[2] or "soom")
        # No answering machine shall answer this.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.body)
        return message


def build_mailer(settings: Settings) -> Mailer | None:
    """None without SOOM_SMTP_HOST: alerts then wait on the dashboard alone."""
    if settings.smtp_host is None:
        return None
    return SmtpMailer(
        settings.smtp_host,
        settings.smtp_port,
        sender=settings.smtp_from,
        user=settings.smtp_user,
        password=None if settings.smtp_password is None else settings.smtp_password.get_secret_value(),
        starttls=settings.smtp_starttls,
    )


def send_later(session: Session, *, alert_id: UUID, clinician_ids: Sequence[UUID], now: datetime) -> None:
    """Ask for an e-mail to each of the clinicians, in the transaction of its cause."""
    mails = [
        ClinicianMail(id=uuid4(), alert_id=alert_id, clinician_id=clinician_id, created_at=now)
        for clinician_id in clinician_ids
    ]
    session.add_all(mails)
    session.flush()
    due.mark_due(session, MAIL, [mail.id for mail in mails], due_at=now)


def stop_mail(session: Session, alert_id: UUID, *, now: datetime) -> None:
    """Somebody has answered, or it is over: what still waits is not sent."""
    session.exec(
        update(ClinicianMail)
        .where(col(ClinicianMail.alert_id) == alert_id, col(ClinicianMail.outcome) == DeliveryOutcome.WAITING.value)
        .values(outcome=DeliveryOutcome.NOT_NEEDED.value, closed_at=now)
    )


def deliver_mail_due(
    new_session: NewSession, mailer: Mailer | None, address: str, clock: Clock, jitter: random.Random
) -> int:
    """Send what is due and return how many were worked on. `address`: the dashboard's own, for the link."""
    with new_session() as session:
        claims = due.claim_due(session, MAIL, now=clock(), limit=AT_ONCE, lease_seconds=LEASE_SECONDS)
        session.commit()
        rows = session.exec(
            select(ClinicianMail, Clinician.email, Clinician.language)
            .join(Clinician, col(Clinician.id) == col(ClinicianMail.clinician_id))
            .where(
                col(ClinicianMail.id).in_([claim.key for claim in claims]),
                ClinicianMail.outcome == DeliveryOutcome.WAITING.value,
            )
        ).all()
        waiting = {row.id: (row, email, language) for row, email, language in rows}
    for claim in claims:
        if claim.key not in waiting:
            outcome, failure, tries = None, None, 0
        else:
            row, email, language = waiting[claim.key]
            subject, body = mail_words(language, f"{address}/alerts")
            failure = None if mailer is None else mailer.send(Mail(row.id, email, subject, body))
            outcome = _outcome(mailer, failure, row, clock())
            tries = int(mailer is not None)
        with new_session() as session:
            if outcome is not None:
                _settle(session, claim.key, outcome, failure, tries, clock())
            if outcome is DeliveryOutcome.WAITING:
                wait = timedelta(seconds=backoff_seconds(claim.attempts, jitter))
                due.postpone(session, claim, due_at=clock() + wait, error=failure or "unknown")
            else:
                due.finish(session, [claim])
            session.commit()
    return len(claims)


def _outcome(mailer: Mailer | None, failure: str | None, row: ClinicianMail, now: datetime) -> DeliveryOutcome:
    if mailer is None:
        return DeliveryOutcome.IN_INBOX
    if failure is None:
        return DeliveryOutcome.HANDED_OVER
    return DeliveryOutcome.WAITING if now - row.created_at < GIVE_UP_AFTER else DeliveryOutcome.GIVEN_UP


def _settle(
    session: Session, mail_id: UUID, outcome: DeliveryOutcome, failure: str | None, tries: int, now: datetime
) -> None:
    session.exec(
        update(ClinicianMail)
        .where(col(ClinicianMail.id) == mail_id, col(ClinicianMail.outcome) == DeliveryOutcome.WAITING.value)
        .values(
            outcome=outcome.value,
            attempts=ClinicianMail.attempts + tries,
            error_kind=failure,
            closed_at=None if outcome is DeliveryOutcome.WAITING else now,
            handed_over_at=now if outcome is DeliveryOutcome.HANDED_OVER else None,
        )
    )
