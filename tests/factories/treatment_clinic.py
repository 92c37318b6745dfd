"""Patients of the virtual cohort whose treatment changes, and what each legal regimen would truly bring them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.contract import TreatmentPatients, TreatmentRegimen
from ml.simulator import people as people_of
from ml.simulator import surroundings
from ml.simulator.airways import Airways, Latent
from ml.simulator.counterfactual import outcomes_under
from ml.simulator.parameters import Parameters
from ml.simulator.people import People
from ml.simulator.regimens import Regimen
from ml.simulator.reporting import Notebook
from ml.simulator.treatment import prescribe
from ml.treatment.periods import cut_into_periods

YEAR = 365
SPIN_UP_DAYS = 120
FIRST_DAY = 738_000


def _regimen(
    code: str, step: int, ics: float, drugs: str = "", reliever: str = "saba", biologic: str = "none"
) -> TreatmentRegimen:
    return TreatmentRegimen(
        code=code,
        step=step,
        ics_micrograms_per_day=ics,
        laba="laba" in drugs,
        lama="lama" in drugs,
        reliever=reliever,  # type: ignore[arg-type]
        reliever_ics_micrograms_per_puff=200.0 if reliever == "ics_formoterol" else 0.0,
        biologic=biologic,  # type: ignore[arg-type]
    )


REGIMENS = (
    _regimen("reliever_only", 1, 0),
    _regimen("as_needed", 1, 0, reliever="ics_formoterol"),
    _regimen("low_ics", 2, 200),
    _regimen("low_ics_laba", 3, 400, "laba"),
    _regimen("low_mart", 3, 400, "laba", "ics_formoterol"),
    _regimen("medium_ics_laba", 4, 800, "laba"),
    _regimen("medium_mart", 4, 800, "laba", "ics_formoterol"),
    _regimen("medium_triple", 5, 800, "laba lama"),
    _regimen("high_triple", 5, 1200, "laba lama"),
    _regimen("high_triple_anti_il5", 5, 1200, "laba lama", biologic="anti_il5"),
    _regimen("high_triple_anti_il4r", 5, 1200, "laba lama", biologic="anti_il4r"),
    _regimen("high_triple_anti_tslp", 5, 1200, "laba lama", biologic="anti_tslp"),
)
CODES = tuple(regimen.code for regimen in REGIMENS)
USUAL = {1: "reliever_only", 2: "low_ics", 3: "low_ics_laba", 4: "medium_ics_laba", 5: "high_triple"}
# A stand-in for the rule engine: neighbours on the ladder, present treatment included where it is legal.
LEGAL = {
    1: ("as_needed", "low_ics"),
    2: ("low_ics", "as_needed", "low_ics_laba", "low_mart"),
    3: ("low_ics_laba", "low_mart", "medium_ics_laba", "low_ics"),
    4: ("medium_ics_laba", "medium_mart", "medium_triple", "low_ics_laba"),
    5: ("high_triple", "medium_triple", "high_triple_anti_il5", "high_triple_anti_il4r", "high_triple_anti_tslp"),
}


@dataclass(frozen=True, slots=True)
class VirtualClinic:
    """`people` is the truth; advisers get `patients` only. `changed` marks who got another regimen for year two."""

    patients: TreatmentPatients
    people: People
    latent: Latent
    step: NDArray[np.intp]
    as_of: int
    changed: NDArray[np.bool_]

    def legal_sets(self) -> list[list[TreatmentRegimen]]:
        return [[REGIMENS[CODES.index(code)] for code in LEGAL[step]] for step in self.step.tolist()]


def simulated_regimen(regimen: TreatmentRegimen) -> Regimen:
    return Regimen(
        ics_micrograms_per_day=regimen.ics_micrograms_per_day,
        laba=regimen.laba,
        lama=regimen.lama,
        reliever=regimen.reliever,
        reliever_ics_micrograms_per_puff=regimen.reliever_ics_micrograms_per_puff,
        biologic=regimen.biologic,
    )


SIMULATED = [simulated_regimen(regimen) for regimen in REGIMENS]


def follow(
    p: Parameters,
    seed: int,
    patients: int,
    *,
    years: int = 1,
    second_year: str | None = None,
    biomarkers_missing: float = 0.15,
    technique_unchecked: float = 0.0,
) -> VirtualClinic:
    """Diaries of `years` under usual care or, if asked, of one such year and a second one after a change of treatment.

    The same seed gives the same people, however long they are followed.
    `second_year`: "randomised" draws from the legal set by lot; "confounded" lets doctors step up those with attacks or
    bad weeks, or who look severe (which no record shows).
    """
    rng = np.random.default_rng([seed, 41])
    people = people_of.draw(p, rng, patients)
    years = 2 if second_year else years
    air = surroundings.draw(p, rng, FIRST_DAY - SPIN_UP_DAYS - YEAR, SPIN_UP_DAYS + (1 + years) * YEAR)
    step = people.treatment_step.astype(np.intp)
    usual = np.array([CODES.index(USUAL[s]) for s in step.tolist()])
    treatment = prescribe(p, people, SIMULATED, usual)
    airways, latent = Airways(p, people), Latent.at_rest(rng, patients)
    before = np.zeros(patients)
    for number in range(SPIN_UP_DAYS + YEAR):
        day = airways.advance(latent, treatment, air, number, rng)
        before += day.severe * (number >= SPIN_UP_DAYS)
    notebook = Notebook.empty(p, people, FIRST_DAY, years * YEAR)
    attacks, symptoms = np.zeros(patients), np.zeros(patients)
    starts = [(np.arange(patients), np.full(patients, FIRST_DAY), usual)]
    changed = np.zeros(patients, bool)
    for number in range(years * YEAR):
        if number == YEAR and second_year:
            chosen = _second_year(rng, second_year, step, usual, attacks, symptoms / YEAR, people)
            changed = chosen != usual
            treatment = prescribe(p, people, SIMULATED, chosen)
            starts.append((np.arange(patients), np.full(patients, FIRST_DAY + YEAR), chosen))
        day = airways.advance(latent, treatment, air, SPIN_UP_DAYS + YEAR + number, rng)
        notebook.write(number, day, treatment.has_controller, rng)
        attacks += day.severe
        symptoms += day.symptoms
    index, first, which = (np.concatenate(parts) for parts in zip(*starts, strict=True))
    order = np.lexsort((first, index))
    as_of = FIRST_DAY + years * YEAR - 1
    periods = cut_into_periods(notebook.diaries(0), index[order], first[order], which[order], as_of)
    missing = rng.random((2, patients)) < biomarkers_missing
    # Eosinophils and FeNO vary by hour and season: one measurement is off by about 10 to 15 % of a decade.
    measured = 10 ** (0.12 * rng.standard_normal((2, patients)))
    unchecked = rng.random(patients) < technique_unchecked
    known = TreatmentPatients(
        age_years=people.age_years,
        eosinophils_per_microlitre=_known(people.eosinophils_per_microlitre * measured[0], missing[0], 1, 20000),
        feno_ppb=_known(people.feno_ppb * measured[1], missing[1], 1, 400),
        severe_attacks_last_year=before.astype(np.float32),
        technique_correct=_known(1 - people.poor_technique, unchecked, 0, 1),
        periods=periods,
        regimens=REGIMENS,
    )
    return VirtualClinic(known, people, latent, step, as_of, changed)


def _known(values: NDArray[np.floating], missing: NDArray[np.bool_], low: float, high: float) -> NDArray[np.float32]:
    return np.where(missing, np.nan, np.clip(values, low, high)).astype(np.float32)


def _second_year(
    rng: np.random.Generator,
    how: str,
    step: NDArray[np.intp],
    usual: NDArray[np.intp],
    attacks: NDArray[np.float64],
    symptoms: NDArray[np.float64],
    people: People,
) -> NDArray[np.intp]:
    chosen = usual.copy()
    eosinophils = np.log10(people.eosinophils_per_microlitre) - 2.35
    push = -0.7 + 1.0 * attacks + 1.0 * (symptoms - 0.7) + 0.6 * people.severity + 1.0 * eosinophils
    steps_up = rng.random(len(step)) < 1 / (1 + np.exp(-push))
    for i, s in enumerate(step.tolist()):
        legal = [CODES.index(code) for code in LEGAL[s]]
        others = [code for code in legal if code != usual[i]]
        if how == "randomised":
            chosen[i] = rng.choice(legal)
        elif steps_up[i] or usual[i] not in legal:
            up = [code for code in others if code > usual[i]]
            chosen[i] = rng.choice(up)
    return chosen


@dataclass(frozen=True, slots=True)
class TrueRates:
    """Expected severe attacks a year (patients, codes), NaN where not asked: twice, over courses of other luck and
    weather, so that who is ranked by one can be paid by the other and nobody is paid for luck."""

    ranked: NDArray[np.float64]
    paid: NDArray[np.float64]

    @property
    def both(self) -> NDArray[np.float64]:
        return np.asarray((self.ranked + self.paid) / 2)


COURSES, REPLICATES = 4, 4


def true_rates(p: Parameters, clinic: VirtualClinic, seed: int) -> TrueRates:
    """Every patient under every regimen of the legal set and the present one: true daily chances, averaged over 2 × 16
    years. All regimens meet the same weather, infections and luck."""
    halves = np.full((2, len(clinic.people), len(CODES)), np.nan)
    for step in sorted(LEGAL):
        members = np.flatnonzero(clinic.step == step)
        people = clinic.people.take(members)
        codes = sorted({*LEGAL[step], USUAL[step]})
        regimens = {code: SIMULATED[CODES.index(code)] for code in codes}
        for half, courses in enumerate(halves):
            met = [
                outcomes_under(people, regimens, seed + COURSES * half + course, replicates=REPLICATES, parameters=p)
                for course in range(COURSES)
            ]
            for code in codes:
                rates = [outcomes[code].severe_attacks_per_year for outcomes in met]
                courses[members, CODES.index(code)] = np.mean(rates, axis=0)
    return TrueRates(*halves)
