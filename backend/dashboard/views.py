"""From a row of a table to what a clinician is shown of it."""

from typing import Any

from backend.alerts.rules import Cause, Level
from backend.alerts.tables import Alert, AlertState
from backend.dashboard.alert_care_schemas import AlertCareOut
from backend.dashboard.schemas import AlertOut, ForecastOut, HandOverOut, ReasonOut
from backend.patients.tables import Patient
from backend.risk.schemas import HORIZON_DAYS
from backend.risk.tables import Assessment, ForecastStatus, RiskLevel
from backend.risk.wording import reason_text


def reasons_out(reasons: list[dict[str, Any]], language: str) -> list[ReasonOut]:
    return [
        ReasonOut(
            code=reason["code"],
            text=reason_text(reason["code"], reason["value"], reason["unit"], language, "clinician"),
            value=reason["value"],
            unit=reason["unit"],
        )
        for reason in reasons
    ]


def forecast_out(assessment: Assessment, language: str) -> ForecastOut:
    return ForecastOut(
        status=ForecastStatus(assessment.status),
        as_of=assessment.as_of,
        made_at=assessment.assessed_at,
        diary_days=assessment.diary_days,
        horizon_days=HORIZON_DAYS,
        probability=assessment.probability_7_days,
        level=RiskLevel(assessment.level) if assessment.level else None,
        reasons=reasons_out(assessment.reasons, language),
        model_id=assessment.model_id,
        model_version=assessment.model_version,
    )


def alert_out(
    alert: Alert,
    patient: Patient,
    acknowledged_by: str | None,
    handed: HandOverOut | None,
    language: str,
    care: AlertCareOut | None = None,
) -> AlertOut:
    return AlertOut(
        id=alert.id,
        patient_id=alert.patient_id,
        patient_name=patient.display_name,
        time_zone=patient.time_zone,
        state=AlertState(alert.state),
        level=Level(alert.level),
        cause=Cause(alert.cause),
        reasons=reasons_out(alert.reasons, language),
        evidence_at=alert.evidence_at,
        triggered_at=alert.triggered_at,
        escalated_at=alert.escalated_at,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=acknowledged_by,
        acknowledgement_note=alert.acknowledgement_note,
        hand_over=handed,
        resolved_at=alert.resolved_at,
        resolved_because=alert.resolved_because,
        care=care,
    )
