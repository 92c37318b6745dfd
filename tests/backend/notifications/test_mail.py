"""E-mail to clinicians through a real SMTP server on loopback."""

import random
import ssl
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from sqlmodel import Session, select

from backend.accounts.tables import Clinician, Hospital
from backend.alerts.tables import Alert
from backend.core.due import DueWork
from backend.demonstration.processes import free_port
from backend.notifications.mail import Mail, Mailer, SmtpMailer, deliver_mail_due, send_later, stop_mail
from backend.notifications.tables import ClinicianMail
from backend.notifications.wording import mail_words
from backend.patients.tables import Language, Patient
from backend.risk.tables import Assessment
from tests.conftest import NOON, SettableClock
from tests.factories import clinic

ADDRESS = "https://soom.hospital.example"


class Letters:
    """What the server took; `answers` are given first, one a message."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.answers: list[str] = []

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, _: SMTP, __: SmtpSession, envelope: Envelope
    ) -> str:
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        self.taken.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"


@pytest.fixture
def letters() -> Letters:
    return Letters()


def serving(letters: Letters, tls: ssl.SSLContext | None = None) -> Controller:
    # aiosmtpd looks for itself on the port that it was given, so it cannot be told to choose one.
    port = free_port("127.0.0.1", 18500)
    server = Controller(letters, hostname="127.0.0.1", port=port, tls_context=tls, require_starttls=tls is not None)
    server.start()
    return server


@pytest.fixture
def mailer(letters: Letters) -> Iterator[SmtpMailer]:
    server = serving(letters)
    yield SmtpMailer("127.0.0.1", server.port, sender="soom@hospital.example", starttls=False)
    server.stop()


@pytest.fixture
def new_session(session: Session) -> Callable[[], Session]:
    return lambda: Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False)


@pytest.fixture
def patient(session: Session) -> Patient:
    return clinic.patient(session, clinic.hospital(session), now=NOON)


@pytest.fixture
def doctor(session: Session, patient: Patient) -> Clinician:
    return clinic.clinician(session, session.get_one(Hospital, patient.hospital_id), now=NOON)


@pytest.fixture
def alert(session: Session, patient: Patient, doctor: Clinician) -> Alert:
    assessment = Assessment(patient_id=patient.id, as_of=NOON.date(), assessed_at=NOON, status="no_model")
    session.add(assessment)
    session.flush()
    row = Alert(
        patient_id=patient.id,
        assessment_id=assessment.id,
        level="red",
        cause="red_zone",
        evidence_at=NOON,
        evidence_on=NOON.date(),
        triggered_at=NOON,
    )
    session.add(row)
    session.flush()
    send_later(session, alert_id=row.id, clinician_ids=[doctor.id], now=NOON)
    session.commit()
    return row


def deliver(new_session: Callable[[], Session], mailer: Mailer | None, clock: SettableClock) -> int:
    return deliver_mail_due(new_session, mailer, ADDRESS, clock, random.Random(5))


def the_mail(session: Session) -> ClinicianMail:
    session.expire_all()
    return session.exec(select(ClinicianMail)).one()


def test_a_clinician_reads_that_an_alert_waits_and_where_and_nothing_of_whom(
    session: Session,
    new_session: Callable[[], Session],
    clock: SettableClock,
    alert: Alert,
    patient: Patient,
    doctor: Clinician,
    letters: Letters,
    mailer: SmtpMailer,
) -> None:
    assert deliver(new_session, mailer, clock) == 1
    (letter,) = letters.taken
    assert (letter["To"], letter["From"]) == (doctor.email, "soom@hospital.example")
    assert letter["Subject"] == "Soom: a red alert waits"
    assert letter["Auto-Submitted"] == "auto-generated"
    text = letter.as_string()
    assert f"{ADDRESS}/alerts" in text
    for word in (patient.display_name, str(patient.id), str(alert.id), "peak", "asthma"):
        assert word not in text
    assert (the_mail(session).outcome, the_mail(session).attempts) == ("handed_over", 1)
    assert deliver(new_session, mailer, clock) == 0


def test_a_server_that_refuses_is_asked_again_later_and_the_kind_of_failure_kept(
    session: Session,
    new_session: Callable[[], Session],
    clock: SettableClock,
    alert: Alert,
    letters: Letters,
    mailer: SmtpMailer,
) -> None:
    letters.answers = ["451 try again later"]
    deliver(new_session, mailer, clock)
    assert (the_mail(session).outcome, the_mail(session).error_kind) == ("waiting", "smtp_451")
    (again_at,) = session.exec(select(DueWork.due_at).where(DueWork.kind == "mail")).all()
    assert NOON < again_at <= NOON + timedelta(seconds=2)
    clock.now = again_at
    deliver(new_session, mailer, clock)
    assert (the_mail(session).outcome, the_mail(session).attempts) == ("handed_over", 2)
    assert len(letters.taken) == 1


def test_a_server_that_is_away_for_hours_is_given_up(
    session: Session, new_session: Callable[[], Session], clock: SettableClock, alert: Alert, letters: Letters
) -> None:
    server = serving(letters)
    port = server.port
    server.stop()
    nobody = SmtpMailer("127.0.0.1", port, sender="soom@hospital.example", starttls=False)
    deliver(new_session, nobody, clock)
    assert (the_mail(session).outcome, the_mail(session).error_kind) == ("waiting", "ConnectionRefusedError")
    clock.now = NOON + timedelta(hours=7)
    deliver(new_session, nobody, clock)
    assert the_mail(session).outcome == "given_up"
    assert deliver(new_session, nobody, clock) == 0


def test_an_alert_that_was_answered_sends_no_mail(
    session: Session,
    new_session: Callable[[], Session],
    clock: SettableClock,
    alert: Alert,
    letters: Letters,
    mailer: SmtpMailer,
) -> None:
    stop_mail(session, alert.id, now=NOON)
    session.commit()
    deliver(new_session, mailer, clock)
    assert (letters.taken, the_mail(session).outcome) == ([], "not_needed")
    assert session.exec(select(DueWork).where(DueWork.kind == "mail")).all() == []


def test_without_a_mail_server_the_dashboard_is_the_way(
    session: Session, new_session: Callable[[], Session], clock: SettableClock, alert: Alert
) -> None:
    deliver(new_session, None, clock)
    assert (the_mail(session).outcome, the_mail(session).attempts) == ("in_inbox", 0)


def certificate() -> tuple[bytes, bytes]:
    """Key and self-signed certificate of 127.0.0.1's name."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, made.public_bytes(serialization.Encoding.PEM)


def test_starttls_is_insisted_upon_and_its_certificate_checked(
    tmp_path_factory: pytest.TempPathFactory, alert: Alert, letters: Letters
) -> None:
    folder = tmp_path_factory.mktemp("tls")
    key, chain = certificate()
    (folder / "both.pem").write_bytes(key + chain)
    of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    of_server.load_cert_chain(folder / "both.pem")
    letter = Mail(uuid.uuid4(), "kim@hospital.example", "subject", "body")
    server = serving(letters, of_server)
    trusting = ssl.create_default_context(cadata=chain.decode())
    sender = "soom@hospital.example"
    assert SmtpMailer("localhost", server.port, sender=sender, tls=trusting).send(letter) is None
    assert len(letters.taken) == 1
    assert SmtpMailer("localhost", server.port, sender=sender).send(letter) == "SSLCertVerificationError"
    server.stop()
    plain = serving(letters)
    assert SmtpMailer("127.0.0.1", plain.port, sender=sender).send(letter) == "SMTPNotSupportedError"
    plain.stop()
    assert len(letters.taken) == 1


@pytest.mark.parametrize("language", list(Language))
def test_the_mail_is_written_in_every_language_and_names_nothing_but_the_link(language: Language) -> None:
    subject, body = mail_words(language.value, "https://here/alerts")
    assert subject.startswith("Soom: ")
    assert "https://here/alerts" in body
    assert "{" not in body
