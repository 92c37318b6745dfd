"""Treatments as what reaches the patient: doses, drugs in the reliever, and changes of behaviour."""

from dataclasses import dataclass
from typing import Literal

# Budesonide-equivalent micrograms (metered, dry powder) for one microgram of each drug: the middle of the low, medium
# and high ranges in GINA 2024, box 4-2.
BUDESONIDE_EQUIVALENT = {
    "budesonide": 1.0,
    "beclometasone": 0.8,
    "beclometasone_extrafine": 2.0,
    "ciclesonide": 2.0,
    "fluticasone_propionate": 1.7,
    "fluticasone_furoate": 4.0,
    "mometasone": 2.0,
}

Reliever = Literal["saba", "formoterol", "ics_saba", "ics_formoterol"]
Biologic = Literal["none", "anti_il4r", "anti_il5", "anti_tslp", "anti_ige"]


@dataclass(frozen=True, slots=True)
class Regimen:
    """What is prescribed, and how it is taken. Doses are budesonide-equivalent micrograms.

    `ics_micrograms_per_day` is scheduled; `reliever_ics_micrograms_per_puff` comes with each relief puff.
    `onset_multiplier` multiplies the scheduled inhaled steroid for `onset_days` once the patient's own plan says that
    asthma is getting worse. `adherence_mean` sets the mean share of scheduled doses taken (None: as in real life);
    `adherence_logit_shift` is an intervention on top. `technique` 1 means perfect for all, None as found.
    """

    ics_micrograms_per_day: float = 0.0
    doses_per_day: int = 2
    laba: bool = False
    lama: bool = False
    reliever: Reliever = "saba"
    reliever_ics_micrograms_per_puff: float = 0.0
    biologic: Biologic = "none"
    onset_multiplier: float = 1.0
    onset_days: int = 14
    adherence_mean: float | None = None
    adherence_logit_shift: float = 0.0
    technique: float | None = None

    def __post_init__(self) -> None:
        if self.ics_micrograms_per_day < 0 or self.reliever_ics_micrograms_per_puff < 0:
            raise ValueError("a dose cannot be negative")
        if self.doses_per_day not in (1, 2):
            raise ValueError("doses_per_day must be 1 or 2")
        if (self.reliever_ics_micrograms_per_puff > 0) != self.reliever.startswith("ics_"):
            raise ValueError("reliever_ics_micrograms_per_puff belongs to ics_saba or ics_formoterol, and only to them")
        if self.onset_multiplier < 1 or self.onset_days < 1:
            raise ValueError("onset_multiplier and onset_days must be at least 1")
        if self.adherence_mean is not None and not 0 < self.adherence_mean < 1:
            raise ValueError("adherence_mean must lie between 0 and 1")
        if self.technique is not None and not 0 < self.technique <= 1:
            raise ValueError("technique must lie in (0, 1]")


# GINA track 2 doses, as found in clinics today, by treatment step.
USUAL_CARE_BY_STEP: dict[int, Regimen] = {
    1: Regimen(),
    2: Regimen(ics_micrograms_per_day=200, doses_per_day=2),
    3: Regimen(ics_micrograms_per_day=400, laba=True),
    4: Regimen(ics_micrograms_per_day=800, laba=True),
    5: Regimen(ics_micrograms_per_day=1200, laba=True, lama=True),
}
