"""How fast advice is made: processor time on one core, of everything from histories to ordered options."""

import time
from collections.abc import Iterator

import numpy as np

from ml.advisor import published_advisor
from ml.contract import TreatmentPatients, TreatmentPeriods
from ml.simulator.parameters import read
from ml.treatment.population import refit
from tests.factories import treatment_clinic as clinic
from tests.figures import Figure, figure

PATIENTS = 4000
GOAL_PATIENTS_PER_SECOND = 1000.0


def figures() -> Iterator[Figure]:
    parameters, _ = read()
    made = clinic.follow(parameters, 1, PATIENTS, second_year="confounded")
    advisor, legal = published_advisor(), made.legal_sets()
    advisor.advise(_one(made.patients), legal[:1], made.as_of)
    began = time.process_time()
    advisor.advise(made.patients, legal, made.as_of)
    rate = PATIENTS / (time.process_time() - began)
    yield figure(
        "advice.patients_per_second",
        rate,
        "patients with their legal sets per processor second",
        goal=f"at least {GOAL_PATIENTS_PER_SECOND:g}",
        met=rate >= GOAL_PATIENTS_PER_SECOND,
    )
    single = []
    for _ in range(20):
        began = time.process_time()
        advisor.advise(_one(made.patients), legal[:1], made.as_of)
        single.append(time.process_time() - began)
    milliseconds = float(np.median(single)) * 1000
    yield figure(
        "advice.one_patient", milliseconds, "ms of processor time", goal="at most 20 ms", met=milliseconds <= 20
    )
    began = time.process_time()
    refit(advisor.population, made.patients, made.as_of, np.zeros(PATIENTS, bool), advisor.assumptions)
    yield figure("advice.refit", time.process_time() - began, f"s of processor time, {PATIENTS} patients")


def _one(patients: TreatmentPatients) -> TreatmentPatients:
    periods = patients.periods
    mine = periods.patient_index == 0
    return TreatmentPatients(
        age_years=patients.age_years[:1],
        eosinophils_per_microlitre=patients.eosinophils_per_microlitre[:1],
        feno_ppb=patients.feno_ppb[:1],
        severe_attacks_last_year=patients.severe_attacks_last_year[:1],
        technique_correct=patients.technique_correct[:1],
        periods=TreatmentPeriods(**{name: getattr(periods, name)[mine] for name in TreatmentPeriods.__slots__}),
        regimens=patients.regimens,
    )
