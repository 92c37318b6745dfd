"""Research as JSON: the researcher of a hospital proposes, its administrator decides; both see what there is."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlmodel import Session

from backend.accounts.permissions import SignedIn
from backend.accounts.tables import Clinician, Role
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.core.errors import NotAllowed
from backend.patients.tables import Purpose
from backend.research import governance, governance_models
from backend.research.governance_tables import (
    Decision,
    ModelCheck,
    ModelDecision,
    ProposalKind,
    ResearchProposal,
)

router = APIRouter(prefix="/v1/research", tags=["research"])

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
RowId = Annotated[int, Path(ge=1, le=2**62)]


def calling_reader(caller: SignedIn) -> Clinician:
    """A researcher or an administrator. Neither sees a patient here, and clinicians have no part in it."""
    if caller[0].role not in (Role.RESEARCHER, Role.ADMINISTRATOR):
        raise NotAllowed
    return caller[0]


CallingReader = Annotated[Clinician, Depends(calling_reader)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProposalIn(Strict):
    """`text`: a protocol (study or export, TOML) or the plan of a training round (JSON). The rest stands in it."""

    kind: ProposalKind
    text: Annotated[str, Field(min_length=1, max_length=governance.LARGEST_TEXT_BYTES, pattern=r"^[^\x00]*$")]


class DecisionIn(Strict):
    decision: Decision
    reason: Reason


class TakingBackIn(Strict):
    reason: Reason


class ModelDecisionIn(Strict):
    decision: ModelDecision
    reason: Reason


class Decided(BaseModel):
    by: str
    at: datetime
    reason: str


class ProposalOut(BaseModel):
    """`eligible_patients`: how many of the hospital's patients consent to `purpose` now, down to tens; null: fewer
    than ten. `sha256` is of `text`, and what runs must have it.
    """

    id: int
    kind: ProposalKind
    name: str
    title: str
    purpose: Purpose
    sha256: str
    text: str
    proposed_by: str
    proposed_at: datetime
    eligible_patients: int | None
    decision: Decision | None
    decided: Decided | None
    taken_back: Decided | None


class ProposalsOut(BaseModel):
    """Those that wait first, then the newest."""

    proposals: list[ProposalOut]


class ModelCheckOut(BaseModel):
    """`figures`: patients and attacks (null: fewer than ten), `verdict`, and of `candidate` and `current` model AUROC,
    observed over expected and sensitivity with 95 % intervals; null where attacks are too few to judge by.
    """

    id: int
    model: str
    model_hash: str
    figures: dict[str, Any]
    checked_by: str
    checked_at: datetime
    decision: ModelDecision | None
    decided: Decided | None


class ModelChecksOut(BaseModel):
    checks: list[ModelCheckOut]


def proposal_out(session: Session, row: ResearchProposal) -> ProposalOut:
    if row.id is None:
        raise ValueError("a proposal that was never kept")
    return ProposalOut(
        id=row.id,
        kind=ProposalKind(row.kind),
        name=row.name,
        title=row.title,
        purpose=Purpose(row.purpose),
        sha256=row.sha256,
        text=row.text,
        proposed_by=session.get_one(Clinician, row.proposed_by).name,
        proposed_at=row.proposed_at,
        eligible_patients=governance.eligible_patients(session, row.hospital_id, Purpose(row.purpose)),
        decision=Decision(row.decision) if row.decision else None,
        decided=_decided(session, row.decided_by, row.decided_at, row.reason),
        taken_back=_decided(session, row.taken_back_by, row.taken_back_at, row.taken_back_reason),
    )


def check_out(session: Session, row: ModelCheck) -> ModelCheckOut:
    if row.id is None:
        raise ValueError("a check that was never kept")
    return ModelCheckOut(
        id=row.id,
        model=row.model,
        model_hash=row.model_hash,
        figures=row.figures,
        checked_by=session.get_one(Clinician, row.checked_by).name,
        checked_at=row.checked_at,
        decision=ModelDecision(row.decision) if row.decision else None,
        decided=_decided(session, row.decided_by, row.decided_at, row.reason),
    )


def _decided(session: Session, by: UUID | None, at: datetime | None, reason: str | None) -> Decided | None:
    if by is None or at is None or reason is None:
        return None
    return Decided(by=session.get_one(Clinician, by).name, at=at, reason=reason)


@router.get("/proposals")
def proposals(session: DatabaseSession, who: CallingReader) -> ProposalsOut:
    return ProposalsOut(
        proposals=[proposal_out(session, row) for row in governance.proposals(session, who.hospital_id)]
    )


@router.post("/proposals", status_code=201)
def propose(session: DatabaseSession, who: CallingReader, now: Now, body: ProposalIn) -> ProposalOut:
    """A researcher's; 403 for an administrator."""
    asked = governance.read_asked(body.kind, body.text.encode())
    return proposal_out(session, governance.propose(session, who, asked, now=now))


@router.get("/proposals/{proposal_id}")
def proposal(session: DatabaseSession, who: CallingReader, proposal_id: RowId) -> ProposalOut:
    return proposal_out(session, governance.proposal_of(session, who.hospital_id, proposal_id))


@router.post("/proposals/{proposal_id}/decision")
def decide(session: DatabaseSession, who: CallingReader, now: Now, proposal_id: RowId, body: DecisionIn) -> ProposalOut:
    """An administrator's; 403 for a researcher. It stays as it is."""
    row = governance.decide(session, who, proposal_id, body.decision, body.reason, now=now)
    return proposal_out(session, row)


@router.post("/proposals/{proposal_id}/taking-back")
def take_back(
    session: DatabaseSession, who: CallingReader, now: Now, proposal_id: RowId, body: TakingBackIn
) -> ProposalOut:
    """An administrator's; 403 for a researcher. The acceptance ends, and no later run, round or export uses it."""
    return proposal_out(session, governance.take_back(session, who, proposal_id, body.reason, now=now))


@router.get("/models")
def models(session: DatabaseSession, who: CallingReader) -> ModelChecksOut:
    """Models from elsewhere that were judged on this hospital's own patients, the newest first."""
    return ModelChecksOut(
        checks=[check_out(session, row) for row in governance_models.checks(session, who.hospital_id)]
    )


@router.post("/models/{check_id}/decision")
def decide_on_model(
    request: Request, session: DatabaseSession, who: CallingReader, now: Now, check_id: RowId, body: ModelDecisionIn
) -> ModelCheckOut:
    """An administrator's; 403 for a researcher. A model that is adopted makes the forecasts from then on."""
    folder = request.app.state.settings.model_folder
    row = governance_models.decide(session, who, folder, check_id, body.decision, body.reason, now=now)
    return check_out(session, row)
