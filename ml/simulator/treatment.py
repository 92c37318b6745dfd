"""Regimens spread over patients: one array per ingredient, and what a biologic does to each patient."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ml.simulator.parameters import Parameters
from ml.simulator.people import People
from ml.simulator.regimens import Biologic, Regimen

Float32 = NDArray[np.float32]


def _logistic(x: Float32) -> Float32:
    return np.asarray(1 / (1 + np.exp(-x)), dtype=np.float32)


def biologic_effect(parameters: Parameters, people: People, biologic: Biologic) -> Float32:
    """Cut of the log rate at which worsenings start, per patient: grows with eosinophils and FeNO."""
    if biologic == "none":
        return np.zeros(len(people), np.float32)
    p = parameters
    floor, by_eosinophils, by_feno = p.several(biologic)
    eosinophils = np.log10(people.eosinophils_per_microlitre) - np.float32(p.biologic_log10_eosinophils_mid)
    feno = np.log10(people.feno_ppb) - np.float32(p.biologic_log10_feno_mid)
    slope = np.float32(p.biologic_slope)
    effect = floor + by_eosinophils * _logistic(slope * eosinophils) + by_feno * _logistic(slope * feno)
    return effect.astype(np.float32)


@dataclass(slots=True, eq=False)
class Treatment:
    """What each patient is prescribed; float32 arrays, one entry per patient."""

    ics_micrograms_per_day: Float32
    two_doses: NDArray[np.bool_]
    laba: Float32
    lama: Float32
    reliever_ics_micrograms: Float32
    reliever_formoterol: Float32
    biologic: Float32
    onset_multiplier: Float32
    onset_days: Float32
    adherence_logit: Float32
    technique: Float32
    has_controller: NDArray[np.bool_]

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        return type(self)(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def where(self, chosen: NDArray[np.bool_], other: Self) -> Self:
        """Another treatment for the chosen patients."""
        return type(self)(
            **{f.name: np.where(chosen, getattr(other, f.name), getattr(self, f.name)) for f in fields(self)}
        )


def _population_logit(parameters: Parameters) -> float:
    shares, means = np.array(parameters.several("type_shares")), np.array(parameters.several("type_means"))
    return float(np.sum(shares * np.log(means / (1 - means))))


def prescribe(
    parameters: Parameters, people: People, regimens: Sequence[Regimen], which: NDArray[np.intp]
) -> Treatment:
    """Give patient i the regimen `regimens[which[i]]`."""

    def spread(name: str) -> Float32:
        return np.array([getattr(regimen, name) for regimen in regimens], np.float32)[which]

    adherence = people.adherence_logit + spread("adherence_logit_shift")
    technique = people.technique.copy()
    biologic = np.zeros(len(people), np.float32)
    for code, regimen in enumerate(regimens):
        chosen = which == code
        if regimen.adherence_mean is not None:
            # Participants differ less than patients do: part of the spread stays, around the reported mean. The
            # factor 1.25 undoes the pull of the logistic towards one half under that spread.
            centre = 1.25 * np.log(regimen.adherence_mean / (1 - regimen.adherence_mean))
            own = 0.5 * (people.adherence_logit - _population_logit(parameters))
            adherence = np.where(chosen, centre + own + regimen.adherence_logit_shift, adherence)
        if regimen.technique is not None:
            technique = np.where(chosen, np.float32(regimen.technique), technique)
        if regimen.biologic != "none":
            biologic = np.where(chosen, biologic_effect(parameters, people, regimen.biologic), biologic)
    ics = spread("ics_micrograms_per_day")
    laba, lama = spread("laba"), spread("lama")
    formoterol = np.array([r.reliever in ("formoterol", "ics_formoterol") for r in regimens], np.float32)[which]
    return Treatment(
        ics_micrograms_per_day=ics,
        two_doses=spread("doses_per_day") == 2,
        laba=laba,
        lama=lama,
        reliever_ics_micrograms=spread("reliever_ics_micrograms_per_puff"),
        reliever_formoterol=formoterol,
        biologic=biologic.astype(np.float32),
        onset_multiplier=spread("onset_multiplier"),
        onset_days=spread("onset_days"),
        adherence_logit=adherence.astype(np.float32),
        technique=technique.astype(np.float32),
        has_controller=(ics > 0) | (laba > 0) | (lama > 0),
    )
