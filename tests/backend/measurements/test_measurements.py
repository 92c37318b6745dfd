"""Measurements are kept in one unit each, and a value that looks like another unit's is refused."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from backend.measurements.rules import LIMITS, MeasurementKind, MeasurementProblem, Value, refusals
from backend.measurements.schemas import MeasurementsIn
from backend.measurements.service import MeasurementRefused, enter, withdraw
from backend.measurements.store import measurements
from backend.measurements.tables import Measurement
from tests.conftest import NOON
from tests.factories import clinic, treatment


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (MeasurementKind.BLOOD_EOSINOPHILS, 0.3),
        (MeasurementKind.FEV1, 2500),
        (MeasurementKind.FVC, 3200),
        (MeasurementKind.FEV1_PERCENT_PREDICTED, 0.85),
        (MeasurementKind.SPIROMETER_PEAK_FLOW, 7.5),
    ],
)
def test_a_value_of_another_unit_is_recognised_and_never_converted(kind: MeasurementKind, value: float) -> None:
    [found] = refusals([Value(kind, value, LIMITS[kind].unit)])
    assert (found.field, found.problem) == ("value", MeasurementProblem.LOOKS_LIKE_ANOTHER_UNIT)


@given(st.sampled_from(list(MeasurementKind)), st.text(min_size=1, max_size=8), st.floats(0.1, 10000))
def test_a_foreign_unit_is_always_refused(kind: MeasurementKind, unit: str, value: float) -> None:
    if unit != LIMITS[kind].unit:
        assert [found.field for found in refusals([Value(kind, value, unit)])] == ["unit"]


def test_fev1_above_fvc_and_a_kind_given_twice_are_refused() -> None:
    fev1, fvc = Value(MeasurementKind.FEV1, 3.9, "L"), Value(MeasurementKind.FVC, 3.1, "L")
    assert [found.problem for found in refusals([fev1, fvc])] == [MeasurementProblem.FEV1_ABOVE_FVC]
    feno = Value(MeasurementKind.FENO, 30, "ppb")
    assert [found.problem for found in refusals([feno, feno])] == [MeasurementProblem.GIVEN_TWICE]


def given_of(**more: object) -> MeasurementsIn:
    values = [
        {"kind": "feno", "value": 38, "unit": "ppb"},
        {"kind": "fev1", "value": 2.6, "unit": "L"},
    ]
    return MeasurementsIn.model_validate(
        {"measured_on": "2026-11-18", "bronchodilator": "before", "measurements": values} | more
    )


def test_one_wrong_value_keeps_all_out_and_a_withdrawn_one_counts_no_more(session: Session) -> None:
    doctor = clinic.clinician(session, clinic.hospital(session), now=NOON)
    patient = treatment.patient(session, doctor, now=NOON)
    wrong = given_of(
        measurements=[{"kind": "feno", "value": 38, "unit": "ppb"}, {"kind": "fev1", "value": 2600, "unit": "L"}]
    )
    with pytest.raises(MeasurementRefused) as refused:
        enter(session, patient.id, doctor.id, wrong, today=NOON.date(), now=NOON)
    assert [field.path for field in refused.value.fields] == ["measurements[1].value"]
    tomorrow = given_of(measured_on=(NOON + timedelta(days=2)).date())
    with pytest.raises(MeasurementRefused):
        enter(session, patient.id, doctor.id, tomorrow, today=NOON.date(), now=NOON)
    assert session.exec(select(Measurement)).all() == []
    rows = enter(session, patient.id, doctor.id, given_of(), today=NOON.date(), now=NOON)
    assert [(row.kind, row.bronchodilator) for row in rows] == [("feno", None), ("fev1", "before")]
    withdraw(session, patient.id, rows[0].id, doctor.id, now=NOON)
    assert [row.kind for row in measurements(session, patient.id)] == ["fev1"]
    assert len(session.exec(select(Measurement)).all()) == 2


def test_the_database_too_refuses_a_value_in_the_wrong_unit(session: Session) -> None:
    doctor = clinic.clinician(session, clinic.hospital(session), now=NOON)
    patient = treatment.patient(session, doctor, now=NOON)
    enter(session, patient.id, doctor.id, given_of(), today=NOON.date(), now=NOON)
    with pytest.raises(DBAPIError, match="value_in_unit"):
        session.connection().execute(text("UPDATE measurement SET unit = 'mL' WHERE kind = 'fev1'"))
