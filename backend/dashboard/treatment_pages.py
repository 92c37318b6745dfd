"""The treatment page and what its forms do. Each form answers with the page anew, or with what speaks against it."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError

from backend.clinical.medicines import BIOLOGICS, AddOn, Use
from backend.clinical.personal_best import BestBasis
from backend.core.errors import FieldError, SoomError
from backend.dashboard.patient_view import local_today
from backend.dashboard.plan_form import (
    OTHER_ADD_ONS,
    ZONES,
    draft_of,
    fields_of,
    fields_of_saved,
    kept_fields,
    not_understood,
    rows_of,
)
from backend.dashboard.translations import catalogue
from backend.dashboard.treatment_routes import WithdrawalIn, entered, signed, withdrawn
from backend.dashboard.treatment_view import UNITS, medicines, option_of, regimen_lines, treatment_view
from backend.dashboard.viewer import CurrentViewer, Viewer
from backend.measurements.rules import SPIROMETRY, MeasurementKind, MeasurementProblem
from backend.measurements.schemas import MeasurementsIn
from backend.patients.store import visible_patient
from backend.patients.tables import Patient
from backend.plans import saved_drafts
from backend.plans.draft import Checked, Remark
from backend.plans.errors import DraftChangedMeanwhile
from backend.plans.service import check_draft
from backend.recommendations import decisions
from backend.recommendations.drafting import starting_point
from backend.recommendations.errors import OptionNotOffered
from backend.recommendations.rules import CHECKLIST, CIRCUMSTANCES, RISK_FACTORS, CheckCode
from backend.recommendations.schemas import ChecksIn, RejectionIn, SignatureIn, VerdictIn

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

# The label beside each part of a draft.
LABELS = {
    "personal_best_litres_per_min": "plan.best",
    "meter": "tr.meter",
    "yellow_below_litres_per_min": "zone.yellow",
    "red_below_litres_per_min": "zone.red",
    "regimen": "tr.prescriptions",
    "oral_steroid": "tr.steroid",
    "extra_instructions": "tr.own_words",
    "reminders": "tr.reminders",
    "review_on": "tr.review_on",
    "reason": "tr.reason_label",
    "password": "tr.password",
    "measured_on": "tr.measured_on",
    "note": "tr.note",
    "verdict": "tr.verdict_label",
}


async def _sent(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


Sent = Annotated[dict[str, str], Depends(_sent)]


@router.get("/patients/{patient_id}/treatment")
def treatment_page(
    viewer: CurrentViewer,
    patient_id: UUID,
    option: Annotated[str | None, Query(max_length=40)] = None,
    edit: bool = False,
    signed_version: Annotated[int | None, Query(alias="signed", ge=1)] = None,
) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    viewer.record("view_treatment", [patient.id])
    shown = treatment_view(viewer.session, patient, now=viewer.now, language=viewer.language)
    try:
        start = starting_point(viewer.session, patient, option, now=viewer.now)
    except OptionNotOffered:
        # An old link: the page as it is now says what is offered.
        option, start = None, starting_point(viewer.session, patient, None, now=viewer.now)
    saved = saved_drafts.saved_draft(viewer.session, viewer.clinician.id, patient.id)
    # Who asks for another option begins anew; the draft stays until something is written.
    opened = saved if saved is not None and option in {None, saved.fields.get("option")} else None
    fields = fields_of(start) if opened is None else fields_of_saved(opened.fields)
    options = shown.recommendation.options if shown.recommendation is not None else []
    return viewer.page(
        "treatment.html",
        section="patients",
        patient=patient,
        today=local_today(patient, viewer.now),
        treatment=shown,
        signed_version=signed_version,
        editing=option is not None or edit or not shown.versions,
        chosen=option_of(options, option),
        start=start,
        fields=fields,
        rows=rows_of(fields),
        saved=saved,
        opened=opened,
        stale=opened is not None and opened.based_on_version != start.based_on_version,
        editor=uuid4(),
        products=medicines(),
        uses=list(Use),
        # One whose kind is not recorded can be kept, and is not offered.
        biologics=[kind for kind in BIOLOGICS if kind is not AddOn.BIOLOGIC or fields.get("biologic") == kind],
        add_ons=OTHER_ADD_ONS,
        bases=list(BestBasis),
        zones=ZONES,
        checklist=CHECKLIST,
        circumstances=CIRCUMSTANCES,
        risk_factors=RISK_FACTORS,
        answers={check.code: check for check in shown.checks},
        kinds=list(MeasurementKind),
        units=UNITS,
        spirometry=SPIROMETRY,
        lines=lambda regimen: regimen_lines(regimen, viewer.language),
    )


@router.post("/patients/{patient_id}/treatment/check")
def check_plan(viewer: CurrentViewer, patient_id: UUID, sent: Sent, save: bool = False) -> Response:
    """The rules' word on what stands in the editor now. With `save` it is kept as the clinician's draft."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    kept = _kept(viewer, patient, sent) if save else None
    checked, best = _checked(viewer, patient, sent)
    return viewer.page(
        "treatment_checked.html",
        section="patients",
        patient=patient,
        checked=checked,
        best=best,
        kept=kept,
        remark_text=_remark_text(viewer),
        shares=_shares(sent, best),
    )


def _kept(viewer: Viewer, patient: Patient, sent: dict[str, str]) -> str:
    """Whether the draft was `saved`, or another window has `changed` it meanwhile."""
    try:
        editor, version = UUID(sent.get("editor", "")), int(sent.get("based_on_version", ""))
        seen_at = datetime.fromisoformat(sent["draft_seen"]) if sent.get("draft_seen") else None
    except ValueError:
        # Not from our form: checked, and not kept.
        return "unsaved"
    try:
        saved_drafts.save(
            viewer.session,
            viewer.clinician.id,
            patient.id,
            kept_fields(sent),
            based_on_version=version,
            editor=editor,
            seen_at=seen_at,
            now=viewer.now,
        )
    except DraftChangedMeanwhile:
        return "changed"
    return "saved"


@router.post("/patients/{patient_id}/treatment/draft")
def settle_draft(viewer: CurrentViewer, patient_id: UUID, sent: Sent) -> Response:
    """Throw the saved draft away, or base it on the plan in force now."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    act = saved_drafts.take_over if sent.get("do") == "take_over" else saved_drafts.discard
    act(viewer.session, viewer.clinician.id, patient.id)
    return _anew()


@router.post("/patients/{patient_id}/treatment/sign")
def sign_plan(viewer: CurrentViewer, patient_id: UUID, sent: Sent) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)

    def sign() -> Response:
        body = SignatureIn.model_validate(
            {
                "draft": draft_of(sent),
                "password": sent.get("password", ""),
                "reason": sent.get("reason", ""),
                "recommendation_id": sent.get("recommendation_id") or None,
                "option": sent.get("option") or None,
                "despite_checklist": bool(sent.get("despite_checklist")),
            }
        )
        version = signed(viewer, patient, body).version
        return _go_to(f"/patients/{patient_id}/treatment?signed={version}")

    return _or_problem(viewer, sign)


@router.post("/patients/{patient_id}/treatment/checks")
def answer_checks(viewer: CurrentViewer, patient_id: UUID, sent: Sent) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)

    def answer() -> Response:
        answers = [
            {
                "code": code,
                "holds": sent[code.value] == "yes",
                "note": sent.get(f"{code.value}_note", "").strip() or None,
            }
            for code in CheckCode
            if sent.get(code.value) in {"yes", "no"}
        ]
        given = ChecksIn.model_validate({"answers": answers})
        decisions.answer_checks(viewer.session, patient, viewer.clinician, given, now=viewer.now)
        return _anew()

    return _or_problem(viewer, answer)


@router.post("/patients/{patient_id}/treatment/rejection")
def reject_recommendation(viewer: CurrentViewer, patient_id: UUID, sent: Sent) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)

    def reject() -> Response:
        given = RejectionIn.model_validate(_named(sent, "recommendation_id", "reason"))
        decisions.reject(
            viewer.session, patient, viewer.clinician, given.recommendation_id, reason=given.reason, now=viewer.now
        )
        return _anew()

    return _or_problem(viewer, reject)


@router.post("/patients/{patient_id}/treatment/verdict")
def give_verdict(viewer: CurrentViewer, patient_id: UUID, sent: Sent) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)

    def answer() -> Response:
        given = VerdictIn.model_validate(_named(sent, "plan_version", "verdict", "note"))
        decisions.give_verdict(viewer.session, patient, viewer.clinician, given, now=viewer.now)
        return _anew()

    return _or_problem(viewer, answer)


@router.post("/patients/{patient_id}/treatment/measurements")
def enter_measurements(viewer: CurrentViewer, patient_id: UUID, sent: Sent) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    given = [kind for kind in MeasurementKind if sent.get(kind.value, "").strip()]

    def enter() -> Response:
        values = [
            {"kind": kind.value, "value": sent[kind.value].replace(",", "."), "unit": UNITS[kind]} for kind in given
        ]
        body = MeasurementsIn.model_validate({**_named(sent, "measured_on", "bronchodilator"), "measurements": values})
        entered(viewer, patient, body)
        return _anew()

    return _or_problem(viewer, enter, [kind.value for kind in given])


@router.post("/patients/{patient_id}/treatment/measurements/withdrawal")
def withdraw_measurement(viewer: CurrentViewer, patient_id: UUID, sent: Sent) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)

    def withdraw() -> Response:
        given = WithdrawalIn.model_validate(_named(sent, "measurement_id"))
        withdrawn(viewer, patient, given.measurement_id)
        return _anew()

    return _or_problem(viewer, withdraw)


def _checked(viewer: Viewer, patient: Patient, sent: dict[str, str]) -> tuple[Checked, int | None]:
    try:
        draft = draft_of(sent)
    except ValidationError as error:
        return not_understood(error), None
    return check_draft(viewer.session, patient, draft, now=viewer.now), draft.personal_best_litres_per_min


def _shares(sent: dict[str, str], best: int | None) -> dict[str, int]:
    """The thresholds as percentages of the personal best, where both can be read."""
    lines = {name: sent.get(name, "") for name in ("yellow_below", "red_below")}
    return {name: round(100 * int(line) / best) for name, line in lines.items() if best and line.isdigit()}


def _or_problem(viewer: Viewer, act: Callable[[], Response], kinds: Sequence[str] = ()) -> Response:
    """What the form does, or its problem beside the form. After a problem nothing at all is stored.

    `kinds`: which measurements the form sent, in their order.
    """
    language = viewer.language
    try:
        return act()
    except ValidationError as error:
        status, code, message = 422, "invalid_fields", ""
        places = [".".join(str(part) for part in problem["loc"]) for problem in error.errors()]
        fields = [FieldError(place, "", "unreadable") for place in places]
    except SoomError as error:
        status, code, message = error.status, error.code, error.message
        fields = list(error.fields)
    viewer.session.rollback()
    texts = catalogue(language)
    known = texts.get(f"tr.problem.{code}") or message
    answer = viewer.page(
        "treatment_problem.html",
        section="patients",
        status=status,
        message=known,
        fields=[(one.path, _field_text(texts, one, kinds)) for one in fields],
    )
    answer.headers["X-Form-Problems"] = "1"
    return answer


def _field_text(texts: Mapping[str, str], problem: FieldError, kinds: Sequence[str]) -> str:
    """What is wrong with one field, in the reader's language, after the field's own label."""
    remark = texts.get(f"tr.remark.{problem.code}")
    if remark is not None:
        return remark
    said = texts.get(f"tr.field.{problem.code}")
    text = problem.message if said is None else said.format(**problem.values)
    parts = re.findall(r"\w+", problem.path)
    labels = [f"tr.check.{parts[-1]}"] + [LABELS[part] for part in parts if part in LABELS]
    if len(parts) > 1 and parts[0] == "measurements" and parts[1].isdigit():
        kind = kinds[int(parts[1])]
        labels.append(f"tr.measurement.{kind}")
        if problem.code == MeasurementProblem.LOOKS_LIKE_ANOTHER_UNIT:
            text = f"{text} ({texts[f'tr.other_unit.{kind}']})"
    return next((f"{texts[label]}: {text}" for label in labels if label in texts), text)


def _remark_text(viewer: Viewer) -> Callable[[Remark], str]:
    texts = catalogue(viewer.language)

    def say(remark: Remark) -> str:
        if remark.code == "not_understood":
            label = LABELS.get(remark.path.split(".")[0], "tr.editor")
            return texts["tr.remark.not_understood"].format(field=texts[label])
        return texts.get(f"tr.remark.{remark.code}") or remark.message

    return say


def _named(sent: dict[str, str], *names: str) -> dict[str, str]:
    """The named fields that were filled in."""
    return {name: sent[name] for name in names if sent.get(name, "").strip()}


def _anew() -> Response:
    return Response(status_code=204, headers={"HX-Refresh": "true"})


def _go_to(address: str) -> Response:
    return Response(status_code=204, headers={"HX-Redirect": address})
