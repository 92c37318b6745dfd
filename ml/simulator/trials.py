"""Runs a randomised trial on the virtual cohort and analyses it the way trials are analysed.

Every participant is followed under every arm with the same chance events (a perfectly matched trial): the estimand is
that of the randomised trial, the Monte-Carlo error much smaller.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.simulator import people as people_of
from ml.simulator import surroundings
from ml.simulator.cohort import START_ON
from ml.simulator.parameters import Parameters, frozen
from ml.simulator.trial_analysis import Result, analyse
from ml.simulator.trial_fields import TrialSpecError
from ml.simulator.trial_follow import Followed, follow_arm, run_in
from ml.simulator.trial_spec import Limits, TrialSpec

CANDIDATES_PER_CHUNK = 4096
WANTED_STANDARD_ERROR = 0.028
FEWEST_CHUNKS = 4


@dataclass(slots=True, eq=False)
class Participants:
    """All participants so far: what was known before, and each arm's follow-up."""

    before: dict[str, NDArray[np.float32]]
    arms: dict[str, Followed]

    def __len__(self) -> int:
        return len(self.before["age_years"])


def _within(columns: Mapping[str, NDArray[np.float32]], limits: Limits) -> NDArray[np.bool_]:
    inside = np.ones(len(columns["age_years"]), bool)
    for name, (low, high) in limits.items():
        inside &= (columns[name] >= low) & (columns[name] <= high)
    return inside


def _one_chunk(spec: TrialSpec, p: Parameters, chunk: int, candidates: int) -> Participants:
    # Enrolment is spread over the year: chunks start at dates a golden section of the year apart.
    first_day = START_ON.toordinal() + int(365 * ((chunk * 0.6180339887) % 1.0))
    waiting = spec.before_days + spec.run_in_days
    air = surroundings.draw(p, np.random.default_rng([spec.seed, 0, chunk]), first_day, waiting + spec.duration_days)
    rng = np.random.default_rng([spec.seed, 1, chunk])
    try:
        people = people_of.draw_eligible(p, rng, candidates, spec.traits, spec.severity_shift)
    except ValueError as nobody:
        raise TrialSpecError(f"eligibility.traits: {nobody}") from nobody
    enrolled = run_in(
        p,
        people,
        air,
        (spec.before, spec.before_days),
        (spec.run_in, spec.run_in_days),
        np.random.default_rng([spec.seed, 2, chunk]),
    )
    enrolled = enrolled.take(_within(enrolled.columns(), {**spec.history, **spec.run_in_limits}))
    arms = {
        arm.name: follow_arm(
            p,
            enrolled,
            air,
            waiting,
            spec.duration_days,
            arm,
            spec.outcomes,
            np.random.default_rng([spec.seed, 3, chunk]),
        )
        for arm in spec.arms
    }
    return Participants(enrolled.columns(), arms)


def _merged(parts: list[Participants]) -> Participants:
    def joined(tables: list[dict[str, NDArray[np.float32]]]) -> dict[str, NDArray[np.float32]]:
        return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}

    arms = {}
    for arm in parts[0].arms:
        followed = [part.arms[arm] for part in parts]
        arms[arm] = Followed(
            joined([one.count for one in followed]),
            {name: np.concatenate([one.first_day[name] for one in followed]) for name in followed[0].first_day},
            joined([one.levels for one in followed]),
        )
    return Participants(joined([part.before for part in parts]), arms)


def run_trial(spec: TrialSpec, parameters: Parameters | None = None, patients: int | None = None) -> Result:
    """Run `spec` and analyse it.

    `patients` (or the specification's number) fixes the number of participants; without it, participants are added
    until every compared ratio has a Monte-Carlo standard error of ln ratio under 0.03, or `largest_patients` is
    reached. TrialSpecError when hardly any candidate is eligible.
    """
    p = parameters or frozen()
    wanted = patients or spec.patients
    parts: list[Participants] = []
    enrolled = chunk = 0
    while True:
        missing = (wanted - enrolled) if wanted else CANDIDATES_PER_CHUNK
        share = max(enrolled / max(chunk * CANDIDATES_PER_CHUNK, 1), 0.02) if chunk else 1.0
        candidates = CANDIDATES_PER_CHUNK if not wanted else int(min(CANDIDATES_PER_CHUNK, max(256, missing / share)))
        parts.append(_one_chunk(spec, p, chunk, candidates))
        enrolled += len(parts[-1])
        chunk += 1
        if chunk >= 12 and enrolled < 20:
            raise TrialSpecError(f"eligibility: {enrolled} of {chunk * CANDIDATES_PER_CHUNK} candidates are eligible")
        if wanted:
            if enrolled >= wanted:
                break
            continue
        if enrolled >= spec.largest_patients:
            break
        if chunk >= FEWEST_CHUNKS and chunk % 2 == 0 and enrolled:
            merged = _merged(parts)
            parts = [merged]
            result = analyse(spec, merged.before, merged.arms)
            if result.largest_standard_error < WANTED_STANDARD_ERROR:
                return result
    merged = _merged(parts)
    return analyse(spec, merged.before, merged.arms)
