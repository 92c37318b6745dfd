"""What a patient's data was used for, in the patient's words: read from the audit trail, where each use left its entry.

Nothing is kept apart for it, so it cannot say less than the trail does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlmodel import Session, col, select

from backend.core.audit import AuditEntry
from backend.dashboard.words import Words, words
from backend.patients.service import consents
from backend.patients.tables import Patient, Purpose
from backend.research.governance_tables import ProposalKind, ResearchProposal
from backend.research.tables import Study

USES = ("research_export", "export_training")
RESEARCH_PURPOSES = (Purpose.RESEARCH, Purpose.FEDERATED_LEARNING)


class UseKind(StrEnum):
    """`forecast`: inside the hospital, to train or check what forecasts are made with."""

    STUDY = "study"
    EXPORT = "export"
    TRAINING_ROUND = "training_round"
    FORECAST = "forecast"


class UseOut(BaseModel):
    """One study, export or round, and every time that it took this patient's data. `text`: the same in a sentence."""

    kind: UseKind
    title: str
    purpose: Purpose
    first_on: date
    last_on: date
    times: int
    text: str


class UsesOut(BaseModel):
    """`uses`, the newest first; `standing`: a sentence for each purpose on what may follow."""

    uses: list[UseOut]
    standing: list[str]


@dataclass(frozen=True)
class _Used:
    kind: UseKind
    purpose: Purpose
    title: str


def uses(session: Session, patient: Patient) -> UsesOut:
    """In the patient's language, with days of the patient's own zone."""
    chosen, zone = words(patient.language), ZoneInfo(patient.time_zone)
    taken: dict[_Used, list[datetime]] = {}
    for entry in _entries(session, patient):
        taken.setdefault(_used(session, patient, entry), []).append(entry.happened_at)
    found = [
        _use(chosen, used, [at.astimezone(zone).date() for at in times])
        for used, times in sorted(taken.items(), key=lambda item: max(item[1]), reverse=True)
    ]
    given = {one.purpose: one.given for one in consents(session, patient.id)}
    standing = [
        chosen.t(f"ledger.{'goes_on' if given[purpose] else 'ended'}.{purpose.value}") for purpose in RESEARCH_PURPOSES
    ]
    return UsesOut(uses=found, standing=standing if found else [chosen.t("ledger.none"), *standing])


def _entries(session: Session, patient: Patient) -> Sequence[AuditEntry]:
    return session.exec(
        select(AuditEntry)
        .where(AuditEntry.patient_id == patient.id, col(AuditEntry.action).in_(USES))
        .order_by(col(AuditEntry.id))
    ).all()


def _used(session: Session, patient: Patient, entry: AuditEntry) -> _Used:
    detail = entry.detail
    usual = UseKind.EXPORT if entry.action == "research_export" else UseKind.FORECAST
    kind = UseKind(detail.get("kind", usual))
    purpose = Purpose(detail.get("purpose", Purpose.RESEARCH))
    title = ""
    if "protocol" in detail:
        proposal = session.exec(
            select(ResearchProposal.title)
            .where(
                ResearchProposal.sha256 == detail["protocol"],
                ResearchProposal.hospital_id == patient.hospital_id,
                ResearchProposal.kind == ProposalKind(kind).value,
            )
            .order_by(col(ResearchProposal.id).desc())
        ).first()
        title = proposal or ""
    if not title and "study" in detail:
        study = session.get(Study, detail["study"])
        title = study.title if study else str(detail["study"])
    return _Used(kind, purpose, title)


def _use(chosen: Words, used: _Used, days: Sequence[date]) -> UseOut:
    t, first, last = chosen.t, min(days), max(days)
    when = (
        t("ledger.on", day=chosen.day(first))
        if first == last
        else t("ledger.between", first=chosen.day(first), last=chosen.day(last))
    )
    sentence = t(f"ledger.use.{used.kind.value}", when=when, title=used.title)
    return UseOut(
        kind=used.kind,
        title=used.title,
        purpose=used.purpose,
        first_on=first,
        last_on=last,
        times=len(days),
        text=f"{sentence} {t(f'ledger.agreed.{used.purpose.value}')}",
    )
