"""A study from registration to report: what is blind, what is refused, what leaves a hospital."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.omop.source import OmopSource
from ml.rwe.adjustment import common_support
from ml.rwe.cohort import MAIN_OUTCOME, NEVER
from ml.rwe.hospital import HospitalDeclined, HospitalStudy, prepare, standardised_differences
from ml.rwe.protocol import Protocol, parse_protocol
from ml.rwe.register import ProtocolChanged, RegisterBroken, ResultsRefused, StudyRegister
from ml.rwe.run import run_study
from ml.rwe.simulated_hospital import simulated_hospital
from ml.rwe.study import HospitalsDisagree, combine_diagnostics, combine_results
from tests.ml.rwe.example import EXAMPLE, changed

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def numbers_in(document: Any) -> int:
    """How many numbers a document holds, wherever they are."""
    if isinstance(document, dict):
        return sum(numbers_in(value) for value in document.values())
    if isinstance(document, list):
        return sum(numbers_in(value) for value in document)
    return isinstance(document, int | float) and not isinstance(document, bool)


def test_the_severity_terms_are_out_of_balance_before_and_in_balance_after_matching(
    hospitals: list[HospitalStudy], protocol: Protocol
) -> None:
    found = combine_diagnostics(protocol, [one.diagnostics() for one in hospitals], [])
    primary = found["analyses"]["primary"]["balance"]
    assert abs(primary["treatment step"][0]) > 0.5
    for term in protocol.covariates.severity_terms:
        assert abs(primary[term.name][1]) < 0.15
    assert found["analyses"]["crude"]["balance"]["treatment step"][1] > 0.5


def test_weights_of_strata_give_the_comparators_the_targets_distribution(hospitals: list[HospitalStudy]) -> None:
    one = hospitals[0]
    everybody = np.arange(len(one.cohort))
    before = standardised_differences(one.covariates, one.cohort.target, everybody, np.ones(len(everybody)))
    after = one.diagnostics()["analyses"]["stratified"]["balance"]
    step = one.covariates.names.index("treatment step")
    assert abs(after["treatment step"][1]) < 0.3 * abs(before[step])


def test_trimming_takes_only_those_whom_no_other_arm_resembles(hospitals: list[HospitalStudy]) -> None:
    one = hospitals[0]
    kept = common_support(one.model, one.cohort.target, 0.01)
    assert 0.7 < kept.mean() < 1
    assert one.model.score[kept].min() >= one.model.score[one.cohort.target].min()


def test_diagnostics_say_nothing_of_the_outcome_in_one_arm(hospitals: list[HospitalStudy]) -> None:
    one = hospitals[0]
    kept = one.sample("matching").kept
    told = []
    for arm in (kept[one.cohort.target[kept]], kept[~one.cohort.target[kept]]):
        # Sixty events, all in this arm.
        days = np.full(len(one.cohort), NEVER)
        days[arm[:60]] = one.cohort.first_day_at_risk[arm[:60]]
        cohort = replace(one.cohort, first_event={**one.cohort.first_event, MAIN_OUTCOME: days})
        primary = replace(one.protocol, analyses=one.protocol.analyses[:1])
        told.append(HospitalStudy(one.name, primary, cohort, one.covariates, one.model).diagnostics())
    assert told[0]["analyses"]["primary"]["events"] == 60
    assert told[0] == told[1]


def test_no_document_that_leaves_has_a_number_for_each_patient(hospitals: list[HospitalStudy]) -> None:
    one = hospitals[0]
    for document in (one.diagnostics(), {**one.results(), "analyses": {}}):
        assert str(one.cohort.person_id.max()) not in json.dumps(document)
    larger = numbers_in(one.results())
    assert larger == pytest.approx(numbers_in(hospitals[1].results()), rel=0.05)


def test_a_count_below_the_smallest_cell_is_nowhere_in_what_leaves(hospitals: list[HospitalStudy]) -> None:
    for one in hospitals:
        for analysis in one.results()["analyses"].values():
            for arm in analysis["arms"].values():
                assert arm["events"] is None or arm["events"] == 0 or arm["events"] >= 5
        for step in one.diagnostics()["attrition"]:
            for arm_name in ("target", "comparator"):
                assert step[arm_name] is None or step[arm_name] == 0 or step[arm_name] >= 5


def test_a_hospital_with_three_patients_takes_no_part_and_says_no_number(protocol: Protocol) -> None:
    with pytest.raises(HospitalDeclined, match="fewer than 20") as declined:
        prepare(OmopSource.of_tables(simulated_hospital(1, 0, 3), "Tiny"), protocol)
    assert "Tiny" in str(declined.value)


def test_a_hospital_whose_codes_are_unmapped_takes_no_part(protocol: Protocol) -> None:
    tables = simulated_hospital(1, 0, 300)
    drugs = tables["drug_exposure"]
    place = drugs.schema.get_field_index("drug_concept_id")
    tables["drug_exposure"] = drugs.set_column(
        place, drugs.schema.field(place), [np.zeros(drugs.num_rows, dtype=np.int32)]
    )
    with pytest.raises(HospitalDeclined):
        prepare(OmopSource.of_tables(tables, "Unmapped"), protocol)


def test_documents_of_another_protocol_are_not_combined(hospitals: list[HospitalStudy]) -> None:
    other = parse_protocol(changed(("caliper_sd = 0.2", "caliper_sd = 0.3")))
    with pytest.raises(HospitalsDisagree):
        combine_diagnostics(other, [hospitals[0].diagnostics()], [])


def test_a_network_without_any_hospital_does_not_pass_and_has_no_estimate(protocol: Protocol) -> None:
    assert combine_diagnostics(protocol, [], ["Tiny: fewer than 20"])["failed"] == ["no hospital can take part"]
    assert combine_results(protocol, [])["analyses"]["primary"]["estimate"] is None


@pytest.fixture
def register(tmp_path: Path) -> StudyRegister:
    return StudyRegister(tmp_path / "register.jsonl")


def test_results_stay_closed_until_diagnostics_were_seen_and_passed(
    register: StudyRegister, protocol: Protocol
) -> None:
    register.register(protocol, NOW)
    with pytest.raises(ResultsRefused, match="diagnostics are looked at before results"):
        register.open_results(protocol, NOW)
    register.diagnosed(protocol, NOW, passed=False, failed=["equipoise is 0.30"])
    with pytest.raises(ResultsRefused, match=r"equipoise is 0\.30"):
        register.open_results(protocol, NOW, override="  ")
    register.open_results(protocol, NOW, override="The regulator asks for it.")
    steps = [entry.step for entry in register.entries(protocol.id)]
    assert steps == ["registered", "diagnosed", "overridden", "opened"]


def test_a_protocol_changed_after_registration_is_refused(register: StudyRegister, protocol: Protocol) -> None:
    register.register(protocol, NOW)
    register.diagnosed(protocol, NOW, passed=True, failed=[])
    other = parse_protocol(changed(("caliper_sd = 0.2", "caliper_sd = 0.1")))
    for attempt in (register.register, register.open_results):
        with pytest.raises(ProtocolChanged):
            attempt(other, NOW)
    assert register.register(protocol, NOW).protocol_sha256 == protocol.sha256


def test_a_line_changed_or_removed_in_the_register_shows(
    register: StudyRegister, protocol: Protocol, tmp_path: Path
) -> None:
    register.register(protocol, NOW)
    register.diagnosed(protocol, NOW, passed=False, failed=["equipoise"])
    register.diagnosed(protocol, NOW, passed=True, failed=[])
    file = tmp_path / "register.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    for forged in (
        [lines[0], lines[1].replace("false", "true"), lines[2]],
        [lines[0], lines[2]],
        [*lines, "not a line\n"],
    ):
        file.write_text("".join(forged))
        with pytest.raises(RegisterBroken):
            register.entries(protocol.id)


def test_a_run_writes_a_blind_report_first_and_the_results_after_opening(
    register: StudyRegister, sources: list[OmopSource], tmp_path: Path
) -> None:
    # Two analyses and twenty controls are enough to see, and quick.
    text = re.sub(r"    20001000[2-4]0.*\n", "", EXAMPLE.read_text(encoding="utf-8"))
    start, end = text.index('[[analyses]]\nname = "stratified"'), text.index('[[analyses]]\nname = "crude"')
    protocol = parse_protocol((text[:start] + text[end:]).encode())
    folder = tmp_path / "study"
    blind = run_study(protocol, sources, folder, register, NOW)
    assert blind.results is None
    assert not (folder / "results.json").exists()
    assert "Hazard ratio" not in (folder / "report.html").read_text()
    opened = run_study(protocol, sources, folder, register, NOW, open_results=True, override="to see the report")
    assert opened.results is not None
    page = (folder / "report.html").read_text()
    assert "Hazard ratio (95 % interval)" in page
    assert page.count("<svg") == 5
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    results = json.loads((folder / "results.json").read_text())["analyses"]["primary"]
    assert results["calibrated"]["low"] < results["calibrated"]["hazard_ratio"] < results["calibrated"]["high"]
    assert results["systematic_error"]["controls"] >= 15


def test_the_same_tables_give_the_same_results_to_the_last_digit(protocol: Protocol, sources: list[OmopSource]) -> None:
    first, second = (prepare(sources[1], protocol).results() for _ in range(2))
    assert first == second
