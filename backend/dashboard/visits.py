"""What changed since the clinician last looked. A few statements for any number of patients."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlmodel import Session

from backend.accounts.tables import Clinician
from backend.clinical.control import ControlClass
from backend.clinical.peak_flow import Zone
from backend.dashboard.tables import PatientVisit
from backend.diary.tables import Attack, PeakFlow, Questionnaire, Symptoms, TriggerExposure
from backend.medication.tables import InhalerUse

# Openings closer together belong to one sitting: coming back after lunch is still the same visit.
SITTING = timedelta(hours=4)
# Older readings say nothing of today: the assessment looks back as far, and so does what is shown of it.
ZONE_FRESH = timedelta(hours=48)

_ENTRIES = " UNION ALL ".join(
    f"SELECT patient_id, change FROM {kind.__tablename__} WHERE NOT deleted"  # noqa: S608 (names of our own tables)
    for kind in (Attack, InhalerUse, PeakFlow, Questionnaire, Symptoms, TriggerExposure)
)

# Better than an aggregate over all the patient's rows: each sub-query walks an index of changes or of times.
_CHANGES = f"""
SELECT since.patient_id, since.at,
    (SELECT count(*) FROM alert WHERE patient_id = since.patient_id AND triggered_at > since.at) AS alerts,
    (SELECT count(*) FROM attack WHERE patient_id = since.patient_id AND change > since.change AND NOT deleted)
        AS attacks,
    (SELECT max(plan_version) FROM plan_receipt
        WHERE patient_id = since.patient_id AND change > since.change AND NOT deleted) AS plan_read,
    EXISTS (SELECT 1 FROM recommendation
        WHERE patient_id = since.patient_id AND made_at > since.at AND state = 'open') AS recommendation,
    (SELECT count(*) FROM ({_ENTRIES}) AS entry
        WHERE entry.patient_id = since.patient_id AND entry.change > since.change) AS entries,
    since.zone AS zone_before, now_zone.zone AS zone_now,
    (SELECT control_class FROM control_change WHERE patient_id = since.patient_id AND noted_at <= since.at
        ORDER BY noted_at DESC LIMIT 1) AS control_before,
    (SELECT control_class FROM control_change WHERE patient_id = since.patient_id
        ORDER BY noted_at DESC LIMIT 1) AS control_now
FROM unnest(CAST(:ids AS uuid[]), CAST(:ats AS timestamptz[]), CAST(:changes AS bigint[]), CAST(:zones AS text[]))
    AS since(patient_id, at, change, zone)
LEFT JOIN LATERAL (
    SELECT CASE WHEN newest_reading_at > :fresh_from THEN zone END AS zone FROM assessment
    WHERE patient_id = since.patient_id ORDER BY as_of DESC LIMIT 1
) AS now_zone ON true
"""  # noqa: S608

# SQL of the patients with an alert, an attack, a plan read, a recommendation or another control class since :viewer
# last looked; zones are compared by the roster, which knows them already. For all patients at once, without numbers:
# sets, for 2,000 patients are too many sub-queries. Of the control class alone each patient's newest row is looked up,
# for there the whole history would have to be sorted.
CHANGED_PATIENTS = """
SELECT v.patient_id FROM patient_visit v JOIN alert a ON a.patient_id = v.patient_id AND a.triggered_at > v.seen_at
    WHERE v.clinician_id = :viewer
UNION ALL SELECT v.patient_id FROM patient_visit v
    JOIN attack e ON e.patient_id = v.patient_id AND e.change > v.seen_change AND NOT e.deleted
    WHERE v.clinician_id = :viewer
UNION ALL SELECT v.patient_id FROM patient_visit v
    JOIN plan_receipt e ON e.patient_id = v.patient_id AND e.change > v.seen_change AND NOT e.deleted
    WHERE v.clinician_id = :viewer
UNION ALL SELECT v.patient_id FROM patient_visit v
    JOIN recommendation r ON r.patient_id = v.patient_id AND r.made_at > v.seen_at AND r.state = 'open'
    WHERE v.clinician_id = :viewer
UNION ALL SELECT v.patient_id FROM patient_visit v CROSS JOIN LATERAL (
    SELECT control_class, noted_at FROM control_change WHERE patient_id = v.patient_id ORDER BY noted_at DESC LIMIT 1
) AS newest
WHERE v.clinician_id = :viewer AND newest.noted_at > v.seen_at AND newest.control_class <> (
    SELECT control_class FROM control_change WHERE patient_id = v.patient_id AND noted_at <= v.seen_at
    ORDER BY noted_at DESC LIMIT 1
)
"""

_OPEN = """
INSERT INTO patient_visit AS kept (clinician_id, patient_id, seen_at, seen_change, seen_zone)
SELECT :viewer, patient.id, :now, patient.last_change, now_zone.zone FROM patient
LEFT JOIN LATERAL (
    SELECT CASE WHEN newest_reading_at > :fresh_from THEN zone END AS zone FROM assessment
    WHERE patient_id = patient.id ORDER BY as_of DESC LIMIT 1
) AS now_zone ON true
WHERE patient.id = :patient
ON CONFLICT (clinician_id, patient_id) DO UPDATE SET
    before_at = CASE WHEN kept.seen_at < :sitting_from THEN kept.seen_at ELSE kept.before_at END,
    before_change = CASE WHEN kept.seen_at < :sitting_from THEN kept.seen_change ELSE kept.before_change END,
    before_zone = CASE WHEN kept.seen_at < :sitting_from THEN kept.seen_zone ELSE kept.before_zone END,
    seen_at = excluded.seen_at, seen_change = excluded.seen_change, seen_zone = excluded.seen_zone
RETURNING before_at, before_change, before_zone
"""


@dataclass(frozen=True)
class Mark:
    """The state at a visit that later states are compared with."""

    at: datetime
    change: int
    zone: str | None

    @classmethod
    def of(cls, visit: PatientVisit) -> "Mark":
        """What was known at the newest opening."""
        return cls(visit.seen_at, visit.seen_change, visit.seen_zone)


class Since(BaseModel):
    """What is new since `at`. Zones and classes are null where nothing was known; `entries` counts corrections too."""

    at: datetime
    alerts: int
    attacks: int
    plan_read: int | None
    recommendation: bool
    entries: int
    zone_before: Zone | None
    zone_now: Zone | None
    control_before: ControlClass | None
    control_now: ControlClass | None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "at": "2026-11-13T02:10:00Z",
                    "alerts": 1,
                    "attacks": 0,
                    "plan_read": 2,
                    "recommendation": True,
                    "entries": 31,
                    "zone_before": "green",
                    "zone_now": "yellow",
                    "control_before": "partly_controlled",
                    "control_now": "uncontrolled",
                }
            ]
        }
    )

    @property
    def zone_changed(self) -> bool:
        """A zone that is known now and was another; a first green one is no news."""
        if self.zone_now is None or self.zone_now is self.zone_before:
            return False
        return self.zone_before is not None or self.zone_now is not Zone.GREEN

    @property
    def control_changed(self) -> bool:
        return self.control_before is not None and self.control_now is not self.control_before

    @property
    def notable(self) -> bool:
        """More than new entries in the diary."""
        told = (self.alerts, self.attacks, self.plan_read, self.recommendation, self.zone_changed, self.control_changed)
        return any(told)


def open_page(session: Session, clinician: Clinician, patient_id: UUID, now: datetime) -> Since | None:
    """Write down that the clinician looks at the patient; what is new since the last sitting, None in the first."""
    row = (
        session.connection()
        .execute(
            text(_OPEN),
            {
                "viewer": clinician.id,
                "patient": patient_id,
                "now": now,
                "fresh_from": now - ZONE_FRESH,
                "sitting_from": now - SITTING,
            },
        )
        .one()
    )
    if row.before_at is None:
        return None
    return changes_since(session, {patient_id: Mark(*row)}, now)[patient_id]


def since_visit(session: Session, clinician: Clinician, patient_id: UUID, now: datetime) -> Since | None:
    """What the page would show as new, were it opened now. Writes nothing."""
    visit = session.get(PatientVisit, (clinician.id, patient_id))
    if visit is None:
        return None
    if visit.seen_at < now - SITTING:
        mark = Mark.of(visit)
    elif visit.before_at is not None and visit.before_change is not None:
        mark = Mark(visit.before_at, visit.before_change, visit.before_zone)
    else:
        return None
    return changes_since(session, {patient_id: mark}, now)[patient_id]


def changes_since(session: Session, marks: Mapping[UUID, Mark], now: datetime) -> dict[UUID, Since]:
    """For each patient what is new since the mark: one statement for all."""
    if not marks:
        return {}
    rows = session.connection().execute(
        text(_CHANGES),
        {
            "ids": list(marks),
            "ats": [mark.at for mark in marks.values()],
            "changes": [mark.change for mark in marks.values()],
            "zones": [mark.zone for mark in marks.values()],
            "fresh_from": now - ZONE_FRESH,
        },
    )
    return {row["patient_id"]: Since.model_validate(dict(row)) for row in rows.mappings()}
