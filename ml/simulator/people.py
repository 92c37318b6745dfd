"""Who the virtual patients are: correlated traits that never change during a simulation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ml.simulator.parameters import Parameters

Float32 = NDArray[np.float32]
HOSPITALS = 5


@dataclass(frozen=True, slots=True)
class Hospital:
    """How one site differs: share of patients, mean severity (SD units), infections, air, diary habits."""

    share: float
    severity: float
    infection_ratio: float
    pm25_ratio: float
    diary_logit: float
    steroid_threshold_ratio: float


# [A] Unequal in size, case mix and behaviour, so that leave-one-hospital-out means something.
SITES = (
    Hospital(0.34, 0.00, 1.00, 1.00, 0.2, 1.00),
    Hospital(0.25, 0.35, 1.10, 1.60, 0.0, 1.00),
    Hospital(0.19, -0.30, 0.95, 0.80, 0.3, 1.06),
    Hospital(0.13, 0.15, 1.15, 2.20, -0.4, 0.95),
    Hospital(0.09, 0.60, 0.90, 0.60, -0.2, 0.92),
)


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """One float32 array per trait, patients along axis 0. Peak flow in L/min, age in years, height in cm."""

    age_years: Float32
    female: Float32
    height_cm: Float32
    predicted_litres_per_min: Float32
    eosinophils_per_microlitre: Float32
    feno_ppb: Float32
    smoker: Float32
    hospital: Float32
    severity: Float32
    frailty: Float32
    steroid_response: Float32
    symptom_sensitivity: Float32
    peak_flow_sensitivity: Float32
    severe_load: Float32
    treatment_step: Float32
    adherence_logit: Float32
    poor_technique: Float32
    technique: Float32
    symptom_offset: Float32
    reliever_habit: Float32
    obstruction: Float32
    lung_size_ratio: Float32
    blow_noise_sd: Float32
    morning_dip: Float32
    diary_logit: Float32
    leaves_after_days: Float32

    def __len__(self) -> int:
        return len(self.age_years)

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        return type(self)(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    @property
    def child(self) -> NDArray[np.bool_]:
        return np.asarray(self.age_years < 18)


def predicted_peak_flow(age_years: Float32, female: Float32, height_cm: Float32) -> Float32:
    """Hankinson 1999 (NHANES III, white) in L/min; men change equation at 20 years, women at 18."""
    man = np.where(
        age_years < 20,
        -0.5962 - 0.12357 * age_years + 0.013135 * age_years**2,
        1.0523 + 0.08272 * age_years - 0.001301 * age_years**2,
    )
    woman = np.where(
        age_years < 18,
        -3.6181 + 0.60644 * age_years - 0.016846 * age_years**2,
        0.9267 + 0.06929 * age_years - 0.001031 * age_years**2,
    )
    litres_per_second = np.where(female == 1, woman + 0.00018623 * height_cm**2, man + 0.00024962 * height_cm**2)
    return np.asarray(np.maximum(litres_per_second * 60, 90), dtype=np.float32)


def predicted_fev1_litres(age_years: Float32, female: Float32, height_cm: Float32) -> Float32:
    """Hankinson 1999 (NHANES III, white) in litres."""
    man = np.where(
        age_years < 20,
        -0.7453 - 0.04106 * age_years + 0.004477 * age_years**2,
        0.5536 - 0.01303 * age_years - 0.000172 * age_years**2,
    )
    woman = np.where(
        age_years < 18,
        -0.8710 + 0.06537 * age_years,
        0.4333 - 0.00361 * age_years - 0.000194 * age_years**2,
    )
    litres = np.where(female == 1, woman + 0.00011496 * height_cm**2, man + 0.00014098 * height_cm**2)
    return np.asarray(np.maximum(litres, 0.6), dtype=np.float32)


def _height_cm(rng: np.random.Generator, age: Float32, female: Float32) -> Float32:
    adult = np.where(female == 1, 163.0, 176.5)
    # Growth charts, roughly: 116 cm at 6 years, 6 cm a year, adult height by 15 (girls) or 17 (boys).
    growing = np.minimum(adult, 116.0 + 6.0 * (age - 6))
    return np.asarray(growing + rng.standard_normal(len(age)) * 6.5, dtype=np.float32)


def draw(
    parameters: Parameters,
    rng: np.random.Generator,
    patients: int,
    age_range: tuple[float, float] | None = None,
    severity_shift: float = 0.0,
) -> People:
    """New patients. `age_range` in years replaces the usual mix of children and adults."""
    p = parameters
    n = patients
    normal = rng.standard_normal((14, n)).astype(np.float32)
    uniform = rng.random((8, n)).astype(np.float32)

    is_child = uniform[0] < p.share_of_children
    adult_age = np.clip(45 + 15.5 * normal[0], 18, 82)
    age = np.where(is_child, 6 + 11.9 * uniform[1], adult_age)
    if age_range is not None:
        low, high = age_range
        age = np.where(is_child & (low < 18), np.clip(age, low, min(high, 17.9)), np.clip(adult_age, low, high))
        # Reflect instead of piling up at the ends of a narrow range.
        outside = (adult_age < low) | (adult_age > high)
        age = np.where(~(is_child & (low < 18)) & outside, low + (high - low) * uniform[1], age)
    age = age.astype(np.float32)
    female = (uniform[2] < np.where(age < 13, 0.42, p.share_of_women)).astype(np.float32)
    height = _height_cm(rng, age, female)

    hospital = np.searchsorted(np.cumsum([site.share for site in SITES])[:-1], uniform[3]).astype(np.float32)
    site = hospital.astype(np.intp)
    severity = normal[1] + np.array([s.severity for s in SITES], np.float32)[site] + np.float32(severity_shift)

    shared = p.biomarker_correlation
    z_eosinophils = normal[2]
    z_feno = shared * normal[2] + np.sqrt(1 - shared**2) * normal[3]
    smoker = (uniform[4] < 0.14) & (age >= 18)
    # Smoking lowers exhaled nitric oxide by about a third.
    log10_feno = p.log10_feno_mean + p.log10_feno_sd * z_feno - 0.17 * smoker
    type_two = (z_eosinophils + z_feno) / np.sqrt(2 + 2 * shared)
    response = 2 / (1 + np.exp(-p.ics_response_slope * type_two)) * np.where(smoker, 0.8, 1.0)

    step_scale = severity + p.step_noise_sd * normal[4]
    step = 1 + np.searchsorted(np.array([-1.1, -0.2, 0.7, 1.6]), step_scale)

    shares = np.array(p.several("type_shares"))
    means = np.array(p.several("type_means"))
    kind = np.searchsorted(np.cumsum(shares)[:-1], uniform[5])
    adherence = np.log(means / (1 - means))[kind] + 0.4 * normal[5] + p.adherence_severity * severity

    poor = uniform[6] < p.technique_error_share
    delivery = np.where(poor, p.technique_error_delivery, 1.0) * np.exp(p.technique_delivery_sd * normal[6])

    return People(
        age_years=age,
        female=female,
        height_cm=height,
        predicted_litres_per_min=predicted_peak_flow(age, female, height),
        eosinophils_per_microlitre=(10 ** (p.log10_eosinophils_mean + p.log10_eosinophils_sd * z_eosinophils)).astype(
            np.float32
        ),
        feno_ppb=(10**log10_feno).astype(np.float32),
        smoker=smoker.astype(np.float32),
        hospital=hospital,
        severity=severity.astype(np.float32),
        frailty=(rng.standard_gamma(p.frailty_shape, n) / p.frailty_shape).astype(np.float32),
        steroid_response=response.astype(np.float32),
        symptom_sensitivity=np.exp(p.sensitivity_sd * normal[7]).astype(np.float32),
        peak_flow_sensitivity=np.exp(p.sensitivity_sd * normal[8]).astype(np.float32),
        severe_load=np.array([s.steroid_threshold_ratio for s in SITES], np.float32)[site] * np.float32(p.severe_load),
        treatment_step=step.astype(np.float32),
        adherence_logit=adherence.astype(np.float32),
        poor_technique=poor.astype(np.float32),
        technique=np.minimum(delivery, 1.2).astype(np.float32),
        symptom_offset=(p.symptom_offset + p.symptom_offset_sd * normal[9] + p.symptom_severity * severity).astype(
            np.float32
        ),
        reliever_habit=np.exp(p.reliever_habit_sd * normal[10]).astype(np.float32),
        obstruction=np.maximum(
            0, p.fixed_obstruction + p.fixed_obstruction_severity * severity + 0.03 * normal[11]
        ).astype(np.float32),
        lung_size_ratio=np.exp(0.11 * normal[12]).astype(np.float32),
        blow_noise_sd=(p.blow_noise_sd * np.exp(p.blow_noise_sd_spread * normal[13])).astype(np.float32),
        morning_dip=(p.dip_mean * (0.6 + 0.8 * uniform[7]) * np.exp(0.2 * severity)).astype(np.float32),
        diary_logit=(
            np.log(p.diary_share / (1 - p.diary_share)) * 1.25
            + p.diary_share_sd * rng.standard_normal(n)
            + np.array([s.diary_logit for s in SITES])[site]
        ).astype(np.float32),
        leaves_after_days=(rng.standard_exponential(n) * 365 / p.dropout_per_year).astype(np.float32),
    )


def eligible(people: People, limits: Mapping[str, tuple[float, float]]) -> NDArray[np.bool_]:
    """Which patients lie within every limit (inclusive), by trait name. Unknown names raise ValueError."""
    inside = np.ones(len(people), bool)
    for name, (low, high) in limits.items():
        if name not in People.__slots__:
            raise ValueError(f"unknown trait in eligibility: {name}")
        values = getattr(people, name)
        inside &= (values >= low) & (values <= high)
    return inside


def draw_eligible(
    parameters: Parameters,
    rng: np.random.Generator,
    patients: int,
    limits: Mapping[str, tuple[float, float]],
    severity_shift: float = 0.0,
) -> People:
    """Exactly `patients` people within the limits, drawn until there are enough; ValueError if hardly any qualify."""
    age_range = limits.get("age_years")
    others = {name: bounds for name, bounds in limits.items() if name != "age_years"}
    found: list[People] = []
    count = 0
    for _ in range(60):
        people = draw(parameters, rng, max(64, patients - count) * (2 if others else 1), age_range, severity_shift)
        people = people.take(eligible(people, others))
        found.append(people)
        count += len(people)
        if count >= patients:
            return joined(found).take(np.arange(patients))
    raise ValueError(f"only {count} of {patients} patients within {dict(limits)}: the limits exclude nearly everyone")


def joined(parts: Sequence[People]) -> People:
    """One population from several."""
    return People(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(People)})
