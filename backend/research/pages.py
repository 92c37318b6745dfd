"""The research page of a hospital: what wants to run, in its own words, and what was decided. No patient is on it."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import TypeAdapter, ValidationError

from backend.accounts.permissions import SignedIn
from backend.accounts.tables import Hospital, Role
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.core.errors import InvalidFields
from backend.dashboard.templating import language_of, page
from backend.research import governance, governance_models
from backend.research.governance_tables import Decision, ModelDecision, ProposalKind
from backend.research.routes import CallingReader, Reason, RowId, check_out, proposal_out

router = APIRouter(prefix="/research", include_in_schema=False, default_response_class=HTMLResponse)

AGAIN = {"HX-Refresh": "true"}
ReasonForm = Annotated[str, Form()]
_reason: TypeAdapter[str] = TypeAdapter(Reason)


@router.get("")
def research_page(request: Request, session: DatabaseSession, caller: SignedIn, who: CallingReader) -> Response:
    shown = [proposal_out(session, row) for row in governance.proposals(session, who.hospital_id)]
    return page(
        "research.html",
        language_of(request, who),
        who=who,
        hospital=session.get_one(Hospital, who.hospital_id).name,
        csrf_token=caller[1].csrf_token,
        waiting=[one for one in shown if one.decision is None],
        decided=[one for one in shown if one.decision is not None],
        checks=[check_out(session, row) for row in governance_models.checks(session, who.hospital_id)],
        decides=who.role == Role.ADMINISTRATOR,
        kinds=list(ProposalKind),
    )


@router.post("/proposals")
def propose_form(
    session: DatabaseSession,
    who: CallingReader,
    now: Now,
    kind: Annotated[ProposalKind, Form()],
    text: Annotated[str, Form(min_length=1, max_length=governance.LARGEST_TEXT_BYTES, pattern=r"^[^\x00]*$")],
) -> Response:
    # A browser sends line ends as CR LF, whatever the file had; the hash must be the file's.
    asked = governance.read_asked(kind, text.replace("\r\n", "\n").encode())
    governance.propose(session, who, asked, now=now)
    return Response(status_code=204, headers=AGAIN)


@router.post("/proposals/{proposal_id}/decision")
def decide_form(
    session: DatabaseSession,
    who: CallingReader,
    now: Now,
    proposal_id: RowId,
    decision: Annotated[Decision, Form()],
    reason: ReasonForm,
) -> Response:
    governance.decide(session, who, proposal_id, decision, _read(reason), now=now)
    return Response(status_code=204, headers=AGAIN)


@router.post("/proposals/{proposal_id}/taking-back")
def take_back_form(
    session: DatabaseSession, who: CallingReader, now: Now, proposal_id: RowId, reason: ReasonForm
) -> Response:
    governance.take_back(session, who, proposal_id, _read(reason), now=now)
    return Response(status_code=204, headers=AGAIN)


@router.post("/models/{check_id}/decision")
def decide_on_model_form(
    request: Request,
    session: DatabaseSession,
    who: CallingReader,
    now: Now,
    check_id: RowId,
    decision: Annotated[ModelDecision, Form()],
    reason: ReasonForm,
) -> Response:
    folder = request.app.state.settings.model_folder
    governance_models.decide(session, who, folder, check_id, decision, _read(reason), now=now)
    return Response(status_code=204, headers=AGAIN)


def _read(reason: str) -> str:
    try:
        return _reason.validate_python(reason)
    except ValidationError as error:
        raise InvalidFields("Give the reason in 1 to 500 characters.") from error
