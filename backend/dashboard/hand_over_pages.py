"""The page on which a clinician hands over patients, and the form of it on an alert's card."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, Response

from backend.alerts import service as alerts
from backend.alerts.store import locked_visible_alert
from backend.core.errors import InvalidFields
from backend.dashboard.hand_overs import one_alert_out, running_hand_overs
from backend.dashboard.viewer import CurrentViewer, Viewer
from backend.patients import hand_over

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PERIODS_DAYS = (1, 3, 7, 14, 28)

To = Annotated[UUID, Form()]
Days = Annotated[int, Form(ge=1, le=hand_over.MOST_DAYS)]
Note = Annotated[str, Form(min_length=1, max_length=2000)]


@router.get("/alerts/{alert_id}/hand-over")
def alert_form(viewer: CurrentViewer, alert_id: UUID, named: Annotated[bool, Query()] = False) -> Response:
    alert = locked_visible_alert(viewer.session, viewer.clinician, alert_id)
    return viewer.page(
        "hand_over_form.html",
        section="alerts",
        address=f"/alerts/{alert.id}/hand-over{'?named=1' if named else ''}",
        target="closest .alert-card",
        colleagues=hand_over.colleagues(viewer.session, viewer.clinician),
        periods=PERIODS_DAYS,
    )


@router.post("/alerts/{alert_id}/hand-over")
def hand_over_alert(
    viewer: CurrentViewer, alert_id: UUID, to: To, days: Days, note: Note, named: Annotated[bool, Query()] = False
) -> Response:
    """Answers the alert's card anew."""
    alert = alerts.hand_over_alert(
        viewer.session, viewer.clinician, alert_id, to, note=_written(note), days=days, now=viewer.now
    )
    card = one_alert_out(viewer.session, alert, viewer.language)
    return viewer.page("alert_card.html", section="alerts", alert=card, named=named, just_acknowledged=True)


@router.get("/hand-overs")
def hand_overs_page(viewer: CurrentViewer) -> Response:
    return _page(viewer)


@router.post("/hand-overs")
def hand_over_patients(viewer: CurrentViewer, to: To, days: Days, note: Note) -> Response:
    hand_over.hand_over_all(viewer.session, viewer.clinician, to, note=_written(note), days=days, now=viewer.now)
    return _page(viewer)


@router.post("/hand-overs/{hand_over_id}/end")
def end_hand_over(viewer: CurrentViewer, hand_over_id: UUID) -> Response:
    hand_over.end_hand_over(viewer.session, viewer.clinician, hand_over_id, now=viewer.now)
    return _page(viewer)


def _written(note: str) -> str:
    note = note.strip()
    if not note:
        raise InvalidFields
    return note


def _page(viewer: Viewer) -> Response:
    return viewer.page(
        "hand_overs.html",
        section="patients",
        running=running_hand_overs(viewer.session, viewer.clinician, now=viewer.now),
        address="/hand-overs",
        target="body",
        colleagues=hand_over.colleagues(viewer.session, viewer.clinician),
        periods=PERIODS_DAYS,
    )
