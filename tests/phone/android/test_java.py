"""What the Java does with Python dead, walked on a phone in memory; and that Python calls it as it is."""

import ast
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.stage_mobile import PACKAGE

Walk = Callable[..., list[str]]
DEVICE = PACKAGE / "device"


@pytest.fixture
def walk(classes: Path) -> Walk:
    def run(*steps: str) -> list[str]:
        # Arguments and lines are UTF-8 whatever the machine's language is.
        options = ["-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8"]
        done = subprocess.run(
            ["java", *options, "-cp", str(classes), "Walk", *steps],
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_an_alarm_rings_once_with_python_dead_and_leaves_a_note(walk: Walk) -> None:
    seen = walk("arm:dose-1,0,60,Evening dose", "ring:dose-1", "ring:dose-1", "see")
    assert "shown dose-1 on reminders icon 7: Evening dose tap null" in seen
    assert seen.count("noted shown|dose-1") == 1
    assert not [line for line in seen if line.startswith(("waiting", "armed"))]


def test_words_with_any_sign_come_through_unharmed(walk: Walk) -> None:
    seen = walk("arm:a,0,60,약 | ; , õhtune; annus", "reboot", "heard:BOOT_COMPLETED", "ring:a", "see")
    assert "shown a on reminders icon 7: 약 | ; , õhtune; annus tap null" in seen


def test_a_cancelled_alarm_stays_silent_even_if_it_was_about_to_ring(walk: Walk) -> None:
    seen = walk("arm:a,0,60,Dose", "cancel:a", "ring:a", "see")
    assert seen == ["exact true"]


def test_after_a_reboot_what_is_ahead_is_armed_and_what_is_past_its_window_is_noted_as_missed(walk: Walk) -> None:
    seen = walk(
        "arm:ahead,600,60,A", "arm:late,-10,60,B", "arm:gone,-100,60,C", "reboot", "heard:BOOT_COMPLETED", "see"
    )
    armed = {line.split()[1].rsplit(".", 1)[1] for line in seen if line.startswith("armed")}
    assert armed == {"ahead", "late"}
    assert [line for line in seen if line.startswith("noted")] == ["noted missed_off|gone"]


def test_an_alarm_that_android_held_back_past_its_window_is_missed_and_not_shown(walk: Walk) -> None:
    seen = walk("arm:a,-100,60,Dose", "ring:a", "see")
    assert seen == ["exact true", "noted missed_late|a"]


def test_eight_in_the_morning_stays_eight_in_the_morning_after_a_flight(walk: Walk) -> None:
    seen = walk(
        "zone:Asia/Seoul",
        "arm:a,2035-03-02T08:00,60,Dose",
        "see",
        "zone:Europe/Tallinn",
        "heard:TIMEZONE_CHANGED",
        "see",
    )
    assert [line for line in seen if line.startswith("armed")] == [
        "armed org.soom.phone.ALARM.a 2035-03-01T23:00",
        "armed org.soom.phone.ALARM.a 2035-03-02T06:00",
    ]


def test_an_alarm_of_the_zone_just_left_is_armed_anew_instead_of_shown_early(walk: Walk) -> None:
    seen = walk("zone:Asia/Seoul", "arm:a,0,60,Dose", "zone:Europe/Tallinn", "ring:a", "see")
    assert not [line for line in seen if line.startswith(("shown", "noted"))]
    assert "waiting a" in seen
    assert [line for line in seen if line.startswith("armed")]


@pytest.mark.parametrize(
    ("due", "armed"),
    [
        # Clocks in Tallinn go from 03:00 to 04:00 on 25 March 2035, and from 04:00 back to 03:00 on 28 October.
        ("2035-03-25T03:30", "2035-03-25T01:00"),
        ("2035-10-28T03:30", "2035-10-28T00:30"),
        ("2035-10-28T08:00", "2035-10-28T06:00"),
    ],
)
def test_a_time_that_is_skipped_is_the_end_of_the_gap_and_one_that_comes_twice_is_the_first(
    walk: Walk, due: str, armed: str
) -> None:
    seen = walk("zone:Europe/Tallinn", f"arm:a,{due},60,Dose", "see")
    assert f"armed org.soom.phone.ALARM.a {armed}" in seen


def test_without_the_permission_for_exact_alarms_it_is_armed_inexactly_and_says_so(walk: Walk) -> None:
    seen = walk("deny:exact", "arm:a,600,60,Dose", "see")
    assert seen[0] == "exact false"
    assert [line for line in seen if line.startswith("armed")]


@pytest.mark.parametrize("denied", ["notifications", "reminders"])
def test_what_the_person_does_not_allow_is_noted_as_such(walk: Walk, denied: str) -> None:
    seen = walk(f"deny:{denied}", "arm:a,0,60,Dose", "ring:a", "see")
    assert seen == ["exact true", "noted not_permitted|a"]


def test_buttons_work_with_python_dead_and_each_press_is_noted(walk: Walk) -> None:
    seen = walk("arm:a,0,60,Dose", "ring:a", "press:a,Done", "see")
    assert sorted(seen) == ["exact true", "noted shown|a", "noted taken|a"]


def test_a_snoozed_alarm_comes_back_and_after_three_times_offers_no_more(walk: Walk) -> None:
    steps = ["arm:a,0,60,Dose", "ring:a"]
    seen = walk(*steps, "press:a,In 15 minutes", "see")
    assert "waiting a" in seen
    assert "noted snoozed_1|a" in seen
    assert not [line for line in seen if line.startswith("shown")]
    early = walk(*steps, "press:a,In 15 minutes", "ring:a", "see")
    assert "waiting a" in early, "rung before its quarter of an hour was over"


def test_the_reason_for_skipping_is_asked_for_only_where_words_may_be_read(walk: Walk) -> None:
    seen = walk("arm:a,0,60,Symbicort,open", "ring:a", "see", "press:a,Skip", "see", "press:a,Ran out", "see")
    assert "open on the lock screen" in seen
    assert "shown a on reminders icon 7: Why? tap null" in seen
    assert seen[-1].startswith("noted")
    assert {line for line in seen if line.startswith("noted skipped")} == {
        "noted skipped|a",
        "noted skipped_ran_out|a",
    }
    discreet = walk("arm:a,0,60,Soom", "ring:a", "press:a,Skip", "see")
    assert not [line for line in discreet if line.startswith("shown")]


def test_swept_away_is_noted_as_seen(walk: Walk) -> None:
    assert "noted dismissed|a" in walk("arm:a,0,60,Dose", "ring:a", "press:a,", "see")


@pytest.mark.parametrize(
    ("steps", "cause"),
    [
        (["stop", "start"], "stopped"),
        (["start"], "late"),
        (["reboot", "start"], "off"),
        (["heard:TIME_SET"], "clock"),
        (["heard:TIMEZONE_CHANGED"], "zone"),
        (["stop", "heard:MY_PACKAGE_REPLACED"], "stopped"),
    ],
)
def test_why_an_alarm_was_missed_is_told_as_far_as_it_can_be_known(walk: Walk, steps: list[str], cause: str) -> None:
    assert f"noted missed_{cause}|a" in walk("arm:a,-100,60,Dose", *steps, "see")


def test_a_push_for_an_occurrence_takes_the_place_of_its_alarm_in_its_words(walk: Walk) -> None:
    seen = walk("arm:check_in@2026-03-02,30,60,Own words", "push:message-9,check_in", "see")
    shown = [line for line in seen if line.startswith("shown")]
    assert shown == ["shown check_in@2026-03-02 on reminders icon 7: Own words tap null"]
    assert "noted pushed|check_in@2026-03-02" in seen
    assert "noted received|message-9" in seen
    assert not [line for line in seen if line.startswith(("waiting", "armed"))]


def test_settled_notes_are_not_told_again(walk: Walk) -> None:
    seen = walk("arm:a,0,60,A", "ring:a", "settle", "arm:b,0,60,B", "ring:b", "withdraw:a", "withdraw:b", "see")
    assert seen[2:] == ["noted shown|b"]


def test_a_push_that_comes_twice_is_drawn_once_noted_as_received_and_carries_its_message_to_the_tap(
    walk: Walk,
) -> None:
    seen = walk("push:message-9", "push:message-9", "see")
    assert [line for line in seen if line.startswith("shown")] == [
        "shown alert-1 on urgent icon 7: Title tap message-9"
    ]
    assert "noted received|message-9" in seen
    assert "open on the lock screen" not in seen


def test_a_push_that_may_not_be_shown_is_noted_as_received_all_the_same(walk: Walk) -> None:
    seen = walk("deny:notifications", "push:message-9", "see")
    assert seen == ["noted received|message-9"]


def test_a_push_for_an_occurrence_that_has_rung_already_is_noted_and_not_drawn_again(walk: Walk) -> None:
    alarm = "check_in@2026-03-02"
    seen = walk(f"arm:{alarm},0,60,Own words", f"ring:{alarm}", f"withdraw:{alarm}", "push:message-9,check_in", "see")
    assert not [line for line in seen if line.startswith("shown")]
    assert "noted received|message-9" in seen


def test_the_push_token_waits_for_python(walk: Walk) -> None:
    assert walk("token:abc") == ["token abc"]


def test_only_the_owners_finger_opens(walk: Walk) -> None:
    assert walk("owner:fits", "owner:away") == ["owner true", "owner false"]


def test_python_calls_only_java_that_exists_with_as_many_arguments(classes: Path) -> None:
    """pyjnius would find a mistake only on a phone."""
    methods = _public_methods(classes)
    called = 0
    for file in (DEVICE / "android.py", DEVICE / "android_notices.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        named = {
            node.targets[0].id: _java_class(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _java_class(node.value)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = node.func.value
            java = named.get(owner.id) if isinstance(owner, ast.Name) else _java_class(owner)
            if java and java.startswith("org.soom."):
                assert len(node.args) in methods[java, node.func.attr], f"{java}.{node.func.attr}"
                called += 1
    assert called >= 10


def _java_class(node: ast.expr) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "java_class":
        return str(ast.literal_eval(node.args[0]))
    return None


def _public_methods(classes: Path) -> dict[tuple[str, str], set[int]]:
    """(class, method) to the numbers of arguments it takes, for every public static method of Soom's."""
    files = [str(file) for file in (classes / "org" / "soom" / "phone").glob("*.class")]
    printed = subprocess.run(
        ["javap", "-public", *files], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    found: dict[tuple[str, str], set[int]] = {}
    java = ""
    for line in printed.splitlines():
        if head := re.search(r"(?:class|interface) (\S+)", line):
            java = head[1]
        elif method := re.search(r"public static \S+ (\w+)\((.*)\)", line):
            arguments = [one for one in method[2].split(",") if one.strip()]
            found.setdefault((java, method[1]), set()).add(len(arguments))
    return found
