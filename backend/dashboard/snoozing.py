"""Letting an amber alert rest, as JSON and from its card. A red one cannot rest: 409 with the reason."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, Response

from backend.alerts import service as alerts
from backend.core.web import REFUSALS
from backend.dashboard.alert_care_schemas import SnoozeIn
from backend.dashboard.hand_overs import one_alert_out
from backend.dashboard.schemas import AlertOut
from backend.dashboard.viewer import CurrentViewer

router = APIRouter(prefix="/v1/clinician", tags=["clinician"], responses=REFUSALS)
pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.post("/alerts/{alert_id}/snooze")
def snooze_alert(viewer: CurrentViewer, alert_id: UUID, body: SnoozeIn) -> AlertOut:
    """Let an amber alert rest for some hours. It comes back by itself, and at once when it becomes more urgent."""
    alert = alerts.snooze_by_clinician(viewer.session, viewer.clinician, alert_id, body.hours, viewer.now)
    return one_alert_out(viewer.session, alert, viewer.language)


@pages.post("/alerts/{alert_id}/snooze")
def snooze_from_card(
    viewer: CurrentViewer, alert_id: UUID, hours: Annotated[int, Form()], named: Annotated[bool, Query()] = False
) -> Response:
    """Answers the alert's card anew."""
    alert = alerts.snooze_by_clinician(viewer.session, viewer.clinician, alert_id, hours, viewer.now)
    card = one_alert_out(viewer.session, alert, viewer.language)
    return viewer.page("alert_card.html", section="alerts", alert=card, named=named, just_acknowledged=True)
