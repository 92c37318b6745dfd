"""Do the patients who had attacks rank above those who had none? Printed after an import of real diaries."""

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from backend.diary.tables import Attack
from backend.patients.tables import Patient
from backend.risk.tables import Assessment


def show(session: Session, screen: Console) -> None:
    """A table of all patients by mean forecast, and how often one with attacks stands above one without."""
    attacks = dict(
        session.exec(
            select(Attack.patient_id, func.count())
            .where(
                col(Attack.deleted).is_(False),
                or_(
                    *(
                        flag.is_(True)
                        for flag in (
                            col(Attack.systemic_steroids),
                            col(Attack.emergency_visit),
                            col(Attack.hospital_admission),
                        )
                    )
                ),
            )
            .group_by(col(Attack.patient_id))
        ).all()
    )
    rows = session.exec(
        select(Patient.id, Patient.display_name, func.avg(Assessment.probability_7_days), func.count())
        .join(Assessment, col(Assessment.patient_id) == col(Patient.id))
        .where(col(Assessment.probability_7_days).is_not(None))
        .group_by(col(Patient.id), col(Patient.display_name))
        .order_by(func.avg(Assessment.probability_7_days).desc())
    ).all()
    table = Table(title="Patients by mean 7-day forecast over the assessed days")
    for heading in ("rank", "patient", "mean forecast", "assessed days", "severe weeks reported"):
        table.add_column(heading, justify="left" if heading == "patient" else "right")
    for rank, (patient_id, name, mean, days) in enumerate(rows, start=1):
        table.add_row(str(rank), name, f"{mean:.1%}", str(days), str(attacks.get(patient_id, 0)))
    screen.print(table)
    with_attacks = [mean for patient_id, _, mean, _ in rows if patient_id in attacks]
    without = [mean for patient_id, _, mean, _ in rows if patient_id not in attacks]
    pairs = [(one > other) + 0.5 * (one == other) for one in with_attacks for other in without]
    if pairs:
        screen.print(
            f"A patient with severe weeks ranks above one without in {sum(pairs) / len(pairs):.0%} of "
            f"{len(with_attacks)} × {len(without)} pairs. Too few people to judge a model by; and past attacks are "
            "among what the forecast looks at."
        )
    else:
        screen.print("All or none of the forecast patients had a severe week, so there is nothing to rank.")
