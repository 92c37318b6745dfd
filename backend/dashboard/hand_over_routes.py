"""Handing an alert, or all patients for a while, to a colleague, as JSON: `/v1/clinician/`."""

from uuid import UUID

from fastapi import APIRouter

from backend.alerts import service as alerts
from backend.core.web import REFUSALS
from backend.dashboard.hand_overs import hand_overs_by_id, one_alert_out, running_hand_overs
from backend.dashboard.schemas import AlertOut, ColleagueOut, HandOverIn, HandOverOut, RunningHandOverOut
from backend.dashboard.viewer import CurrentViewer
from backend.patients import hand_over

router = APIRouter(prefix="/v1/clinician", tags=["clinician"], responses=REFUSALS)


@router.get("/colleagues")
def list_colleagues(viewer: CurrentViewer) -> list[ColleagueOut]:
    """Those who may receive a hand-over: the other active clinicians of the caller's hospital."""
    return [
        ColleagueOut(id=colleague.id, name=colleague.name)
        for colleague in hand_over.colleagues(viewer.session, viewer.clinician)
    ]


@router.post("/alerts/{alert_id}/hand-over")
def hand_over_alert(viewer: CurrentViewer, alert_id: UUID, body: HandOverIn) -> AlertOut:
    """Give an open alert to a colleague, who sees the patient for that many days. The caller goes on seeing it."""
    alert = alerts.hand_over_alert(
        viewer.session, viewer.clinician, alert_id, body.to, note=body.note, days=body.days, now=viewer.now
    )
    return one_alert_out(viewer.session, alert, viewer.language)


@router.get("/hand-overs")
def list_hand_overs(viewer: CurrentViewer) -> list[RunningHandOverOut]:
    """Those that the caller gave or received and that have not ended."""
    return running_hand_overs(viewer.session, viewer.clinician, now=viewer.now)


@router.post("/hand-overs", status_code=201)
def hand_over_patients(viewer: CurrentViewer, body: HandOverIn) -> HandOverOut:
    """Let a colleague cover all patients for whom the caller is responsible now. Both see them meanwhile."""
    handed = hand_over.hand_over_all(
        viewer.session, viewer.clinician, body.to, note=body.note, days=body.days, now=viewer.now
    )
    return hand_overs_by_id(viewer.session, [handed.id])[handed.id]


@router.post("/hand-overs/{hand_over_id}/end")
def end_hand_over(viewer: CurrentViewer, hand_over_id: UUID) -> HandOverOut:
    """End it early, by either of the two. Ending it again changes nothing."""
    handed = hand_over.end_hand_over(viewer.session, viewer.clinician, hand_over_id, now=viewer.now)
    return hand_overs_by_id(viewer.session, [handed.id])[handed.id]
