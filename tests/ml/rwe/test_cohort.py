"""Who enters, since when, how long: checked on people made by hand."""

import datetime
from collections.abc import Sequence

import pyarrow as pa
import pytest

from ml.omop.source import OmopSource, OmopUnreadable
from ml.omop.tables import SCHEMAS
from ml.rwe.cohort import MAIN_OUTCOME, Cohort, ConceptSetUnusable, build_cohort
from ml.rwe.protocol import Protocol, parse_protocol
from tests.ml.rwe.example import changed

TIOTROPIUM, MONTELUKAST, PREDNISOLONE = 1106776, 1154161, 1550557
ASTHMA, COPD, EXACERBATION, CONTROL = 317009, 255573, 45771045, 2000100000
INDEX = datetime.date(2023, 3, 1)


def day(offset: int) -> datetime.date:
    return INDEX + datetime.timedelta(days=offset)


class Hospital:
    """People with a period of observation around INDEX and asthma on record; days count from INDEX."""

    def __init__(self) -> None:
        self.people: list[dict[str, object]] = []
        self.periods: list[dict[str, object]] = []
        self.drugs: list[dict[str, object]] = []
        self.conditions: list[dict[str, object]] = []

    def person(
        self,
        drugs: Sequence[tuple[int, int, int]],
        conditions: Sequence[tuple[int, int]] = (),
        *,
        observed: tuple[int, int] = (-400, 400),
        born: int = 1980,
    ) -> int:
        """`drugs`: (concept, first day, days' supply); `conditions`: (concept, day). Returns the person's id."""
        number = len(self.people) + 1
        self.people.append(
            {
                "person_id": number,
                "gender_concept_id": 8532,
                "year_of_birth": born,
                "race_concept_id": 0,
                "ethnicity_concept_id": 0,
            }
        )
        self.periods.append(
            {
                "observation_period_id": number,
                "person_id": number,
                "observation_period_start_date": day(observed[0]),
                "observation_period_end_date": day(observed[1]),
                "period_type_concept_id": 32880,
            }
        )
        for concept, first, supply in drugs:
            self.drugs.append(
                {
                    "drug_exposure_id": len(self.drugs) + 1,
                    "person_id": number,
                    "drug_concept_id": concept,
                    "drug_exposure_start_date": day(first),
                    "drug_exposure_end_date": day(first + supply - 1),
                    "drug_type_concept_id": 32817,
                    "days_supply": supply,
                }
            )
        for concept, at in [(ASTHMA, -100), *conditions]:
            self.conditions.append(
                {
                    "condition_occurrence_id": len(self.conditions) + 1,
                    "person_id": number,
                    "condition_concept_id": concept,
                    "condition_start_date": day(at),
                    "condition_type_concept_id": 32817,
                }
            )
        return number

    def source(self) -> OmopSource:
        rows = {
            "person": self.people,
            "observation_period": self.periods,
            "drug_exposure": self.drugs,
            "condition_occurrence": self.conditions,
        }
        return OmopSource.of_tables(
            {name: pa.Table.from_pylist(content, SCHEMAS[name]) for name, content in rows.items()}, "by hand"
        )

    def cohort(self, protocol: Protocol) -> Cohort:
        with self.source() as source:
            return build_cohort(source, protocol)


def test_the_first_dispensing_of_either_treatment_is_time_zero_for_both_arms(protocol: Protocol) -> None:
    hospital = Hospital()
    hospital.person([(TIOTROPIUM, 0, 30), (TIOTROPIUM, 40, 30)])
    hospital.person([(MONTELUKAST, 5, 30), (TIOTROPIUM, 60, 30)])
    cohort = hospital.cohort(protocol)
    assert cohort.target.tolist() == [True, False]
    assert (cohort.index_day - cohort.index_day[0]).tolist() == [0, 5]


def test_each_criterion_takes_out_whom_it_should_and_the_flow_says_so(protocol: Protocol) -> None:
    hospital = Hospital()
    hospital.person([(TIOTROPIUM, 0, 30)])
    hospital.person([(TIOTROPIUM, 0, 30), (MONTELUKAST, 0, 30)])
    hospital.person([(TIOTROPIUM, 0, 30)], observed=(-364, 400))
    hospital.person([(TIOTROPIUM, 0, 30)], born=2010)
    hospital.person([(TIOTROPIUM, 0, 30)], [(COPD, -1)])
    hospital.person([(TIOTROPIUM, 0, 30)], observed=(-400, 0))
    # A dispensing outside any period of observation is no beginning that was watched.
    hospital.person([(TIOTROPIUM, 0, 30)], observed=(10, 400))
    cohort = hospital.cohort(protocol)
    assert cohort.person_id.tolist() == [1]
    assert [step.target for step in cohort.attrition] == [7, 6, 4, 3, 3, 2, 1]


def test_who_has_no_asthma_on_record_in_the_window_is_left_out(protocol: Protocol) -> None:
    hospital = Hospital()
    hospital.person([(TIOTROPIUM, 0, 30)])
    hospital.conditions[-1]["condition_start_date"] = day(0)
    assert len(hospital.cohort(protocol)) == 0


def test_treatment_goes_on_over_small_gaps_and_ends_with_a_large_one_or_a_switch(protocol: Protocol) -> None:
    hospital = Hospital()
    hospital.person([(TIOTROPIUM, 0, 30), (TIOTROPIUM, 59, 30)])
    hospital.person([(TIOTROPIUM, 0, 30), (TIOTROPIUM, 61, 30)])
    hospital.person([(MONTELUKAST, 0, 90), (TIOTROPIUM, 20, 30)])
    cohort = hospital.cohort(protocol)
    # Days of supply, the grace of 30 days, and the day before the switch.
    assert (cohort.treated_until - cohort.index_day).tolist() == [88 + 30, 29 + 30, 19]


def test_an_event_counts_from_the_first_day_at_risk_to_the_end_of_treatment(protocol: Protocol) -> None:
    hospital = Hospital()
    hospital.person([(TIOTROPIUM, 0, 30)], [(EXACERBATION, 0)])
    hospital.person([(TIOTROPIUM, 0, 30)], [(EXACERBATION, 1)])
    hospital.person([(TIOTROPIUM, 0, 30)], [(EXACERBATION, 59)])
    hospital.person([(TIOTROPIUM, 0, 30)], [(EXACERBATION, 60)])
    cohort = hospital.cohort(protocol)
    days, event = cohort.times(MAIN_OUTCOME, "on_treatment")
    assert event.tolist() == [False, True, True, False]
    assert days.tolist() == [59, 1, 59, 59]
    days, event = cohort.times(MAIN_OUTCOME, "intention_to_treat")
    assert event.tolist() == [False, True, True, True]
    assert days.tolist() == [365, 1, 59, 60]


def test_a_steroid_course_of_two_days_is_no_severe_attack(protocol: Protocol) -> None:
    hospital = Hospital()
    hospital.person([(TIOTROPIUM, 0, 30), (PREDNISOLONE, 10, 2)])
    hospital.person([(TIOTROPIUM, 0, 30), (PREDNISOLONE, 10, 3)])
    assert hospital.cohort(protocol).times(MAIN_OUTCOME, "on_treatment")[1].tolist() == [False, True]


def test_negative_controls_are_followed_like_the_outcome(protocol: Protocol) -> None:
    hospital = Hospital()
    hospital.person([(TIOTROPIUM, 0, 30)], [(CONTROL, 7)])
    days, event = hospital.cohort(protocol).times(str(CONTROL), "on_treatment")
    assert (days.tolist(), event.tolist()) == ([7], [True])


def test_an_outcome_before_index_excludes_only_if_the_protocol_asks_for_clean_days(protocol: Protocol) -> None:
    hospital = Hospital()
    hospital.person([(TIOTROPIUM, 0, 30)], [(EXACERBATION, -20)])
    assert len(hospital.cohort(protocol)) == 1
    clean = parse_protocol(changed(("clean_days = 0", "clean_days = 30")))
    assert len(hospital.cohort(clean)) == 0


def test_descendants_without_an_ancestor_table_are_refused_with_the_set_named() -> None:
    asked = parse_protocol(changed(("concept_ids = [1106776]", "concept_ids = [1106776]\ndescendants = true")))
    with pytest.raises(ConceptSetUnusable, match=r"concept_sets\.tiotropium"):
        Hospital().cohort(asked)


def test_tables_without_people_are_no_omop() -> None:
    with pytest.raises(OmopUnreadable, match="observation_period"):
        OmopSource.of_tables({"person": pa.Table.from_pylist([], SCHEMAS["person"])}, "half a hospital")


def test_a_hospital_without_anybody_gives_an_empty_cohort(protocol: Protocol) -> None:
    assert len(Hospital().cohort(protocol)) == 0
