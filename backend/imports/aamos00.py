"""Real diaries of 14 adults with severe asthma (AAMOS-00, CC BY 4.0) as patients, through the public sync endpoint.

Tsang KCH, Pinnock H, Wilson AM, Salvi D, Shah SA. Sci Data 10:370 (2023), doi:10.1038/s41597-023-02241-9.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from rich.progress import Progress
from sqlmodel import Session

from backend.accounts.tables import Clinician, Hospital
from backend.accounts.tokens import create_enrolment_code
from backend.clinical.peak_flow import PeakFlowReading, thresholds_from_personal_best
from backend.clinical.personal_best import BestBasis, assess_personal_best
from backend.clinical.red_flags import emergency_number
from backend.core.errors import StartRefused
from backend.imports import aamos00_rows as rows
from backend.imports.aamos00_rows import METER, TIME_ZONE, Fields, Person, RowRefused, Translated
from backend.imports.report import ImportReport, RowNote
from backend.imports.sending import HttpClient, Wire, enrol, send_entries
from backend.medication.service import prescribe
from backend.medication.tables import InhalerRole
from backend.patients.service import add_patient
from backend.patients.store import add_to_care
from backend.patients.tables import Language, Patient, Sex
from backend.plans.service import sign
from backend.plans.wording import standard_instructions

PEOPLE = "patient_info"
DAILY, PEAK_FLOW, SMART_INHALER, WEEKLY = "dailyquestionnaire", "peakflow", "smartinhaler", "weeklyquestionnaire"
DIARY_FILES = (DAILY, PEAK_FLOW, SMART_INHALER, WEEKLY)

# The files give a range of ages. The forecast needs one, so it gets the middle; "50+" has no middle and stays unknown.
MIDDLE_AGE = {"18-29yo": 24, "30-39yo": 35, "40-49yo": 45}
# Doses are not published. One puff twice a day is assumed, so that "as usual" and a sensor have something to stand for.
CONTROLLER_DOSES_PER_DAY = 2
REVIEW_AFTER = timedelta(days=180)


@dataclass
class _PatientRows:
    """A patient's rows by file, each with its place in it."""

    info: Fields
    rows: dict[str, list[tuple[int, Fields]]] = field(default_factory=lambda: defaultdict(list))

    def last_day(self) -> int:
        days = [day for of_file in self.rows.values() for _, fields in of_file if (day := _day(fields)) is not None]
        return max(days, default=0)


@dataclass
class _Diary:
    """Entries of one patient by id, and which of them each row stands for."""

    entries: dict[str, Wire] = field(default_factory=dict)
    ids_of_row: dict[tuple[str, int], list[str]] = field(default_factory=dict)

    def add(self, file: str, row: int, translated: Translated) -> None:
        for one in translated.entries:
            known = self.entries.setdefault(one["id"], one)
            if known is not one and one["kind"] == "attack":
                # Two weeks that name the same day tell of one event.
                known["body"] |= one["body"]
        self.ids_of_row[file, row] = [one["id"] for one in translated.entries]


def import_aamos00(
    folder: Path,
    client: HttpClient,
    session: Session,
    clinician: Clinician,
    *,
    now: datetime,
    progress: Progress,
    end_on: date | None = None,
) -> ImportReport:
    """Bring the patients of `folder` into the care of `clinician`; running it again changes nothing.

    Each patient's last recorded day becomes `end_on`, or the last day that is over where they live. Commits `session`
    before it sends through `client`. Raises StartRefused for a folder without the files, ServerDeclined if the server
    does.
    """
    yesterday = now.astimezone(ZoneInfo(TIME_ZONE)).date() - timedelta(days=1)
    end_on = min(end_on or yesterday, yesterday)
    report = ImportReport()
    people = _read_people(folder, report)
    diaries: list[tuple[UUID, str, _Diary]] = []
    for key, of_one in people.items():
        patient_id = uuid5(clinician.hospital_id, f"aamos00/{key}")
        person = Person(
            patient_id=patient_id,
            first_day_on=end_on - timedelta(days=of_one.last_day()),
            reliever_id=uuid5(patient_id, "reliever"),
            controller_id=uuid5(patient_id, "controller"),
        )
        diary = _translate(person, of_one, report)
        if session.get(Patient, patient_id) is None:
            _admit(session, clinician, person, key, of_one, diary, now=now)
        code = create_enrolment_code(session, patient_id, created_by=clinician.id, now=now)
        diaries.append((patient_id, code, diary))
    session.commit()
    task = progress.add_task("Sending diaries", total=sum(len(diary.entries) for _, _, diary in diaries))
    for patient_id, code, diary in diaries:
        token = enrol(client, code, uuid5(patient_id, "device"), "AAMOS-00 import")
        _send(client, token, diary, report, now=now, on_sent=lambda count: progress.advance(task, count))
        report.patients += 1
    for notes in (report.refusals, report.remarks):
        notes.sort(key=lambda note: (DIARY_FILES.index(note.file), note.row))
    return report


def _read_people(folder: Path, report: ImportReport) -> dict[str, _PatientRows]:
    people = {fields["user_key"]: _PatientRows(fields) for fields in _read(folder, PEOPLE)}
    for file in DIARY_FILES:
        for place, fields in enumerate(_read(folder, file), start=1):
            report.rows_by_file[file] += 1
            of_one = people.get(fields.get("user_key", ""))
            if of_one is None:
                report.refusals.append(RowNote(file, place, "the patient is not in the list of patients"))
            else:
                of_one.rows[file].append((place, fields))
    return people


def _read(folder: Path, file: str) -> Iterator[dict[str, str]]:
    path = folder / f"anonym_aamos00_{file}.csv"
    if not path.is_file():
        raise StartRefused(f"{folder} has no {path.name}; give the folder with the published AAMOS-00 files.")
    with path.open(encoding="utf-8-sig", newline="") as lines:
        # A row that is too short has None for what is missing; one too long has a None key.
        for fields in csv.DictReader(lines, restval="NA"):
            yield {name: value for name, value in fields.items() if isinstance(name, str)}


def _day(fields: Fields) -> int | None:
    try:
        return rows.whole(fields, "date")
    except RowRefused:
        return None


def _translate(person: Person, of_one: _PatientRows, report: ImportReport) -> _Diary:
    diary = _Diary()
    of_hour: Counter[tuple[str, str]] = Counter()

    def smart_inhaler(whose: Person, fields: Fields) -> Translated:
        hour = fields.get("date", ""), fields.get("hour", "")
        of_hour[hour] += 1
        return rows.smart_inhaler(whose, fields, of_hour[hour])

    translators: Mapping[str, Callable[[Person, Fields], Translated]] = {
        DAILY: rows.daily,
        PEAK_FLOW: rows.peak_flow,
        SMART_INHALER: smart_inhaler,
        WEEKLY: rows.weekly,
    }
    for file, translate in translators.items():
        for place, fields in of_one.rows[file]:
            try:
                translated = translate(person, fields)
            except RowRefused as refused:
                report.refusals.append(RowNote(file, place, str(refused)))
                continue
            if (_day(fields) or 0) < 0:
                translated.remarks.append("before the first day of monitoring: dated accordingly")
            report.remarks += [RowNote(file, place, remark) for remark in translated.remarks]
            diary.add(file, place, translated)
    return diary


def _admit(
    session: Session,
    clinician: Clinician,
    person: Person,
    key: str,
    of_one: _PatientRows,
    diary: _Diary,
    *,
    now: datetime,
) -> None:
    info = of_one.info
    age = MIDDLE_AGE.get(info["age_range"])
    add_patient(
        session,
        patient_id=person.patient_id,
        hospital_id=clinician.hospital_id,
        # The range stands in the name, so that nobody takes the middle for the age.
        display_name=f"AAMOS {key} ({info['sex']}, {info['age_range'].removesuffix('yo')})",
        now=now,
        born_on=None if age is None else date(now.year - age, 7, 1),
        sex=Sex(info["sex"]) if info["sex"] in ("female", "male") else Sex.UNKNOWN,
        language=Language.ENGLISH,
        time_zone=TIME_ZONE,
    )
    add_to_care(session, person.patient_id, clinician.id, now=now)
    names = {fields.get("name", "").strip() for _, fields in of_one.rows[SMART_INHALER]}
    controllers = {name for name in names if name.lower() in rows.CONTROLLER_NAMES}
    relievers = names - controllers - {""}
    prescribe(
        session,
        person.patient_id,
        inhaler_id=person.reliever_id,
        name=", ".join(sorted(relievers)) or "Reliever (name not published)",
        role=InhalerRole.RELIEVER,
        drug="salbutamol",
        device="pmdi",
        now=now,
    )
    prescribe(
        session,
        person.patient_id,
        inhaler_id=person.controller_id,
        name=", ".join(sorted(controllers)) or "Preventer (name not published)",
        role=InhalerRole.CONTROLLER,
        drug="beclometasone-formoterol" if controllers else "not published",
        device="pmdi" if controllers else "not published",
        doses_per_day=CONTROLLER_DOSES_PER_DAY,
        now=now,
    )
    _sign_plan(session, clinician, person, info, diary, now=now)


def _sign_plan(
    session: Session, clinician: Clinician, person: Person, info: Fields, diary: _Diary, *, now: datetime
) -> None:
    """On the best that the patient gave, else on the best of the own readings; without either there is no plan."""
    if info["pef_best"].isdigit():
        best, basis = int(info["pef_best"]), BestBasis.CLINICIAN
    else:
        assessed = assess_personal_best(_readings(diary), METER, now.date()).best
        if assessed is None:
            return
        best, basis = assessed.litres_per_min, BestBasis.MEASURED
    hospital = session.get_one(Hospital, clinician.hospital_id)
    sign(
        session,
        person.patient_id,
        clinician,
        personal_best_litres_per_min=best,
        personal_best_basis=basis,
        meter=METER,
        thresholds=thresholds_from_personal_best(best),
        instructions=standard_instructions(emergency_number(hospital.country)),
        review_on=(now + REVIEW_AFTER).date(),
        now=now,
    )


def _readings(diary: _Diary) -> list[PeakFlowReading]:
    return [
        PeakFlowReading(
            taken_on=date.fromisoformat(one["local_date"]),
            litres_per_min=max(one["body"]["blows_litres_per_min"]),
            meter=one["body"]["meter"],
            morning=int(one["taken_at"][11:13]) < 12,
        )
        for one in diary.entries.values()
        if one["kind"] == "peak_flow"
    ]


def _send(
    client: HttpClient,
    token: str,
    diary: _Diary,
    report: ImportReport,
    *,
    now: datetime,
    on_sent: Callable[[int], object],
) -> None:
    """A row is refused if the server refuses any of its entries."""
    entries = sorted(diary.entries.values(), key=lambda one: str(one["taken_at"]))
    refused: dict[str, str] = {}
    for receipt in send_entries(client, token, entries, sent_at=now, on_sent=on_sent):
        if receipt["outcome"] == "refused":
            refused[receipt["id"]] = f"the server refused it: {receipt['reason']['message']}"
        else:
            report.entries += 1
    for (file, place), ids in diary.ids_of_row.items():
        reasons = [refused[one] for one in ids if one in refused]
        if reasons:
            report.refusals.append(RowNote(file, place, reasons[0]))
