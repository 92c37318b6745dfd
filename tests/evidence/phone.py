"""What the phone promises: kills, two phones, labels at the narrowest, languages, walked clocks."""

import json
import os
import re
import resource
import subprocess
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings

from mobile_app.locales import LANGUAGES, catalogue
from tests.figures import Figure, figure
from tests.phone.killed_phone import kill_a_phone
from tests.phone.test_two_phones import TwoPhones

KILLS = 200
TWO_PHONE_CASES = 400
ROOT = Path(__file__).parents[2]
# Diary, sync, forms, plan, medicines, sharing. Reminders have figures of their own, and so have the kills.
_STATE_AND_DATA_TESTS = (
    *("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/phone", "--deselect", "tests/phone/test_killed.py"),
    *("--ignore", "tests/phone/screens", "--ignore", "tests/phone/android", "--ignore", "tests/phone/reminders"),
)


def figures() -> Iterator[Figure]:
    yield from _kills()
    yield from _two_phones()
    yield from _languages()
    yield from _labels()
    yield from _walks()
    yield from _state_and_data_tests()


def _kills() -> Iterator[Figure]:
    with TemporaryDirectory() as place:
        after = kill_a_phone(KILLS, Path(place))
    yield figure("phone.kills", after.kills, "kills at random moments", goal="200", met=after.kills >= KILLS)
    yield figure("phone.entries_promised_between_kills", after.promised, "entries")
    lost = after.lost + after.older_than_promised
    yield figure("phone.entries_lost_by_kills", lost, "entries", goal="none", met=lost == 0)
    whole = after.is_whole and after.restores_identically
    yield figure(
        "phone.entries_doubled_by_kills", after.doubled, "entries", goal="none", met=after.doubled == 0 and whole
    )


def _two_phones() -> Iterator[Figure]:
    """Interleavings of two phones, lost answers, old backups and expired tokens; a case fails unless both agree."""
    cases = []

    class Counted(TwoPhones):
        def teardown(self) -> None:
            super().teardown()
            cases.append(len(self.written))

    Counted.TestCase.settings = settings(
        max_examples=TWO_PHONE_CASES,
        stateful_step_count=30,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Counted.TestCase).run(result)
    agreed = result.wasSuccessful()
    yield figure(
        "phone.two_phones_converged",
        len(cases) if agreed else 0,
        "interleavings with one diary hash",
        goal=f"each of at least {TWO_PHONE_CASES}",
        met=agreed and len(cases) >= TWO_PHONE_CASES,
    )


def _languages() -> Iterator[Figure]:
    english = catalogue("en")
    missing = sum(len(set(english) ^ set(catalogue(language))) for language in LANGUAGES)
    yield figure("phone.texts", len(english), f"texts in each of {len(LANGUAGES)} languages")
    yield figure("phone.texts_missing_in_a_language", missing, "texts", goal="none", met=missing == 0)


def _labels() -> Iterator[Figure]:
    counts = json.loads(_run("-m", "tests.phone.screens.measure_labels").splitlines()[-1])
    yield figure("phone.pages_measured_at_320_dp", counts["pages"], "pages: each language, 100 % and 200 % text")
    yield figure("phone.labels_measured_at_320_dp", counts["labels"], "labels")
    yield figure("phone.labels_cut_off_at_320_dp", counts["cut_off"], "labels", goal="none", met=counts["cut_off"] == 0)


def _walks() -> Iterator[Figure]:
    """Summer time, flight, midnight and night work, as the tests walk them."""
    told = _run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/phone/test_walks.py")
    passed = re.search(r"(\d+) passed", told)
    walks = int(passed[1]) if passed else 0
    yield figure("phone.fake_clock_walks", walks, "walks", goal="each passes", met=walks > 0 and "failed" not in told)


def _state_and_data_tests() -> Iterator[Figure]:
    """Processor time of the whole run, interpreter and imports included, with the byte code already written."""
    with TemporaryDirectory() as place:
        environment = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": place}
        _run(*_STATE_AND_DATA_TESTS, "--collect-only", **environment)
        before = _processor_seconds_of_children()
        told = _run(*_STATE_AND_DATA_TESTS, **environment)
        spent = _processor_seconds_of_children() - before
    passed = re.search(r"(\d+) passed", told)
    yield figure("phone.state_and_data_tests", int(passed[1]) if passed else 0, "tests without Kivy")
    yield figure("phone.state_and_data_tests_take", spent, "s of processor time", goal="under 5 s", met=spent < 5)


def _processor_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    return done.stdout
