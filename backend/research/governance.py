"""What wants to run on a hospital's patients, seen and decided before it runs.

A researcher of the hospital proposes; an administrator of the same hospital accepts or declines, once, and may take an
acceptance back, from the next run, round or export on. What runs must have the very text that was accepted, and runs on
patients of the hospitals that accepted it.
"""

import hashlib
import json
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import func
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician, Role
from backend.core import audit
from backend.core.errors import FieldError, NotAllowed, NotFound, SoomError
from backend.patients.tables import Consent, Patient, Purpose
from backend.research.governance_tables import (
    Decision,
    ModelCheck,
    ModelDecision,
    ProposalKind,
    ResearchProposal,
)
from ml.federated.plan import FederationPlan, PlanRefused
from ml.rwe.protocol import ProtocolRefused, parse_protocol

# As the federation tells its size: whoever asks twice does not learn who joined in between.
SMALLEST_CELL = 10
LARGEST_TEXT_BYTES = 200_000
Row = TypeVar("Row", ResearchProposal, ModelCheck)
STUDY_ID = r"^[a-z0-9][a-z0-9_-]{0,62}$"


class NotProposable(SoomError):
    status = 422
    code = "not_proposable"
    message = "This cannot be proposed as it is."


class AlreadyProposed(SoomError):
    status = 409
    code = "already_proposed"
    message = "This very text is proposed at the hospital already, or was accepted."


class AlreadyDecided(SoomError):
    status = 409
    code = "already_decided"
    message = "This was decided already, and a decision stays. What changed needs a proposal of its own."


class NothingToTakeBack(SoomError):
    status = 409
    code = "nothing_to_take_back"
    message = "Only an acceptance that stands can be taken back."


class NotAccepted(SoomError):
    """What wants to run has no accepted proposal of the same text; the message says what to do."""

    status = 409
    code = "not_accepted"
    message = "No hospital accepted this."


class ExportRequest(BaseModel):
    """Tables for an analysis outside Soom. `dates` true: for use inside the hospital alone."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=STUDY_ID)
    title: str = Field(min_length=1, max_length=200)
    question: str = Field(min_length=1, max_length=20_000)
    dates: Literal["shifted", "true"] = "shifted"


@dataclass(frozen=True)
class Asked:
    """What a text asks for. `text` is what is hashed: of a plan, its canonical form."""

    kind: ProposalKind
    name: str
    title: str
    purpose: Purpose
    text: str

    @property
    def sha256(self) -> str:
        return digest(self.text.encode())


def digest(content: bytes) -> str:
    """As a protocol's and a plan's own hash."""
    return hashlib.sha256(content).hexdigest()


def read_asked(kind: ProposalKind, content: bytes) -> Asked:
    """What a protocol (TOML) or a plan of a round (JSON) asks for. Raises NotProposable, by field."""
    if len(content) > LARGEST_TEXT_BYTES:
        raise NotProposable(f"The text is longer than {LARGEST_TEXT_BYTES} bytes.")
    if kind is ProposalKind.STUDY:
        try:
            protocol = parse_protocol(content)
        except ProtocolRefused as refused:
            fields = [FieldError(problem.field, problem.message) for problem in refused.problems]
            raise NotProposable("The text is not a protocol that can be run.", fields=fields) from refused
        return Asked(kind, protocol.id, protocol.title[:200], Purpose.RESEARCH, protocol.text)
    if kind is ProposalKind.EXPORT:
        export = read_export(content)
        return Asked(kind, export.id, export.title, Purpose.RESEARCH, content.decode())
    try:
        stored = json.loads(content)
        if not isinstance(stored, dict):
            raise PlanRefused("a plan is an object of settings")
        plan = FederationPlan.from_dict(stored)
    except (ValueError, PlanRefused) as error:
        raise NotProposable(f"The text is not a plan of a training round: {error}") from error
    text = json.dumps(plan.to_dict(), sort_keys=True)
    name = f"{plan.name}-{plan.version}"[:100]
    return Asked(kind, name, plan.purpose[:200], Purpose.FEDERATED_LEARNING, text)


def read_export(content: bytes) -> ExportRequest:
    """Raises NotProposable with every field at fault."""
    try:
        return ExportRequest.model_validate(tomllib.loads(content.decode()))
    except ValidationError as error:
        fields = [FieldError(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
        raise NotProposable("An export needs id, title and question.", fields=fields) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise NotProposable(f"The text is not TOML in UTF-8: {error}") from error


def propose(session: Session, who: Clinician, asked: Asked, *, now: datetime) -> ResearchProposal:
    """Put it before the researcher's hospital. Raises NotAllowed, AlreadyProposed."""
    if who.role != Role.RESEARCHER:
        raise NotAllowed
    live = select(ResearchProposal.id).where(
        ResearchProposal.hospital_id == who.hospital_id,
        ResearchProposal.sha256 == asked.sha256,
        col(ResearchProposal.decision).is_distinct_from(Decision.DECLINED.value),
        col(ResearchProposal.taken_back_at).is_(None),
    )
    if session.exec(live).first() is not None:
        raise AlreadyProposed
    row = ResearchProposal(
        hospital_id=who.hospital_id,
        kind=asked.kind.value,
        name=asked.name,
        title=asked.title,
        purpose=asked.purpose.value,
        text=asked.text,
        sha256=asked.sha256,
        proposed_by=who.id,
        proposed_at=now,
    )
    session.add(row)
    session.flush()
    _record(session, who, "propose_research", row, now)
    return row


def decide(
    session: Session, who: Clinician, proposal_id: int, decision: Decision, reason: str, *, now: datetime
) -> ResearchProposal:
    """Accept or decline, once. Raises NotAllowed, NotFound, AlreadyDecided."""
    row = decided_once(session, who, ResearchProposal, proposal_id, decision, reason, now=now)
    _record(session, who, f"research_{decision.value}", row, now)
    return row


def take_back(session: Session, who: Clinician, proposal_id: int, reason: str, *, now: datetime) -> ResearchProposal:
    """End an acceptance, for good. Raises NotAllowed, NotFound, NothingToTakeBack."""
    row = _locked(session, who, ResearchProposal, proposal_id)
    if row.decision != Decision.ACCEPTED.value or row.taken_back_at is not None:
        raise NothingToTakeBack
    row.taken_back_reason, row.taken_back_by, row.taken_back_at = reason, who.id, now
    session.flush()
    _record(session, who, "research_taken_back", row, now)
    return row


def decided_once(
    session: Session,
    who: Clinician,
    table: type[Row],
    row_id: int,
    decision: Decision | ModelDecision,
    reason: str,
    *,
    now: datetime,
) -> Row:
    """An administrator's decision on a row of the own hospital. Raises NotAllowed, NotFound, AlreadyDecided."""
    row = _locked(session, who, table, row_id)
    if row.decision is not None:
        raise AlreadyDecided
    row.decision, row.reason, row.decided_by, row.decided_at = decision.value, reason, who.id, now
    session.flush()
    return row


def _locked(session: Session, who: Clinician, table: type[Row], row_id: int) -> Row:
    """Locked, so that of two administrators at once one decides."""
    if who.role != Role.ADMINISTRATOR:
        raise NotAllowed
    row = session.exec(
        select(table)
        .where(table.id == row_id, table.hospital_id == who.hospital_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    if row is None:
        raise NotFound
    return row


def proposals(session: Session, hospital_id: UUID) -> Sequence[ResearchProposal]:
    """Of one hospital, those that wait first, then the newest."""
    return session.exec(
        select(ResearchProposal)
        .where(ResearchProposal.hospital_id == hospital_id)
        .order_by(col(ResearchProposal.decision).is_not(None), col(ResearchProposal.id).desc())
    ).all()


def proposal_of(session: Session, hospital_id: UUID, proposal_id: int) -> ResearchProposal:
    """Raises NotFound, also for another hospital's."""
    row = session.get(ResearchProposal, proposal_id)
    if row is None or row.hospital_id != hospital_id:
        raise NotFound
    return row


def eligible_patients(session: Session, hospital_id: UUID, purpose: Purpose) -> int | None:
    """How many of the hospital's patients consent and have a date of birth, down to tens; None for fewer than ten."""
    count = session.exec(
        select(func.count())
        .select_from(Consent)
        .join(Patient, col(Patient.id) == col(Consent.patient_id))
        .where(
            Patient.hospital_id == hospital_id,
            col(Patient.born_on).is_not(None),
            Consent.purpose == purpose.value,
            col(Consent.withdrawn_at).is_(None),
        )
    ).one()
    return count // SMALLEST_CELL * SMALLEST_CELL or None


def accepted(session: Session, content_sha256: str, kinds: Collection[ProposalKind]) -> list[ResearchProposal]:
    """The accepted proposals of this very text, one a hospital. Raises NotAccepted, which says what is missing."""
    found = session.exec(
        select(ResearchProposal)
        .where(
            ResearchProposal.sha256 == content_sha256, col(ResearchProposal.kind).in_([kind.value for kind in kinds])
        )
        .order_by(col(ResearchProposal.id))
    ).all()
    agreed = [one for one in found if one.decision == Decision.ACCEPTED.value and one.taken_back_at is None]
    if agreed:
        return agreed
    short = content_sha256[:12]
    if not found:
        raise NotAccepted(
            f"No hospital has seen this text ({short}…); nothing was run. A researcher proposes it with “soom study "
            "propose”, and an administrator of the hospital accepts it. After any change it must be proposed anew."
        )
    waiting = [one for one in found if one.decision is None]
    if waiting:
        raise NotAccepted(
            f"This text ({short}…) waits for the hospital's decision; nothing was run. An administrator decides on the "
            f"research page or with “soom study accept {waiting[0].id}”."
        )
    if found[-1].taken_back_at is not None:
        why = found[-1].taken_back_reason
        raise NotAccepted(f"The hospital took its acceptance of this text ({short}…) back: {why}")
    raise NotAccepted(f"The hospital declined this text ({short}…): {found[-1].reason}")


def account(session: Session, email: str) -> Clinician:
    """Who acts at the command line. Raises NotFound for no active account."""
    found = session.exec(select(Clinician).where(Clinician.email == email.lower(), Clinician.active)).first()
    if found is None:
        raise NotFound(f"There is no active account with the address {email}.")
    return found


def _record(session: Session, who: Clinician, action: str, row: ResearchProposal, now: datetime) -> None:
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.CLINICIAN,
        actor_id=who.id,
        action=action,
        detail={"proposal": row.id, "kind": row.kind, "name": row.name, "sha256": row.sha256},
    )
