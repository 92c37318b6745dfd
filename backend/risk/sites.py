"""What holds for a model at one hospital: on, in the shadow or off; and the thresholds of its alarm budget."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from backend.alerts import service as alerts
from backend.core import audit, due
from backend.core.audit import ActorKind
from backend.patients.tables import Patient
from backend.risk.tables import ModelMode, ModelSwitch, RiskLevel

ASSESS_DAY = "assess_day"


@dataclass(frozen=True)
class Site:
    """Thresholds are None where the hospital's own scores are too few: then those of the model hold."""

    mode: ModelMode = ModelMode.ON
    amber: float | None = None
    red: float | None = None

    def level(self, alarm_score: float, of_model: RiskLevel) -> RiskLevel:
        if self.amber is None or self.red is None:
            return of_model
        if alarm_score >= self.red:
            return RiskLevel.HIGH
        return RiskLevel.RAISED if alarm_score >= self.amber else RiskLevel.USUAL


def read_sites(session: Session, hospital_ids: Iterable[UUID], model_id: str, model_version: str) -> dict[UUID, Site]:
    """The site of each hospital, with one statement."""
    rows = session.connection().execute(
        text("""
            SELECT hospital.id, switch.mode, threshold.amber, threshold.red
            FROM hospital
            LEFT JOIN LATERAL (
                SELECT mode FROM model_switch WHERE hospital_id = hospital.id AND model_id = :model_id
                ORDER BY id DESC LIMIT 1
            ) AS switch ON true
            LEFT JOIN LATERAL (
                SELECT amber, red FROM alert_threshold
                WHERE hospital_id = hospital.id AND model_id = :model_id AND model_version = :model_version
                ORDER BY set_at DESC LIMIT 1
            ) AS threshold ON true
            WHERE hospital.id = ANY(:ids)
        """),
        {"ids": list(set(hospital_ids)), "model_id": model_id, "model_version": model_version},
    )
    return {row.id: Site(ModelMode(row.mode or ModelMode.ON), row.amber, row.red) for row in rows}


def switch_model(
    session: Session,
    hospital_id: UUID,
    model_id: str,
    mode: ModelMode,
    *,
    reason: str,
    set_by: UUID | None,
    now: datetime,
) -> ModelSwitch:
    """Turn a model on, into the shadow, or off at a hospital. Rules and their alerts are not touched.

    Alerts that the model raised end at once, and every patient of the hospital is assessed anew. `set_by` None: from
    the command line.
    """
    row = ModelSwitch(
        hospital_id=hospital_id, model_id=model_id, mode=mode.value, reason=reason, set_by=set_by, set_at=now
    )
    session.add(row)
    ended = alerts.end_forecast_alerts(session, hospital_id, now) if mode is not ModelMode.ON else 0
    due.mark_due(session, ASSESS_DAY, patients_of(session, hospital_id), due_at=now)
    audit.record(
        session,
        now=now,
        actor_kind=ActorKind.SYSTEM if set_by is None else ActorKind.CLINICIAN,
        actor_id=set_by,
        action="switch_model",
        detail={"hospital_id": str(hospital_id), "model_id": model_id, "mode": mode.value, "alerts_ended": ended},
    )
    session.flush()
    return row


def patients_of(session: Session, hospital_id: UUID) -> list[UUID]:
    return list(
        session.exec(select(Patient.id).where(Patient.hospital_id == hospital_id).order_by(col(Patient.id))).all()
    )


def switches(session: Session, hospital_id: UUID) -> list[ModelSwitch]:
    """The switch of each model that the hospital ever touched, by the model's id."""
    newest: dict[str, ModelSwitch] = {}
    for row in session.exec(
        select(ModelSwitch).where(ModelSwitch.hospital_id == hospital_id).order_by(col(ModelSwitch.id))
    ):
        newest[row.model_id] = row
    return [newest[model_id] for model_id in sorted(newest)]
