"""Every page in every language, on the narrowest phone, at the smallest and the largest text."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from kivy.core.text import Label as Measure
from kivy.metrics import dp
from kivy.uix.label import Label

from mobile_app.data.consents import Consents
from mobile_app.locales import LANGUAGES
from mobile_app.state.open_diary import OpenDiary
from mobile_app.widgets.surface import HelpButton
from tests.phone.conftest import CONTROLLER_ID, papers, plan_wire
from tests.phone.scenes import two_months
from tests.phone.screens.conftest import Start
from tests.phone.screens.hand import WANTS_PHOTOS, Hand, is_seen

NARROW = (320, 700)


def pages(diary: OpenDiary) -> dict[str, dict[str, Any]]:
    """Every page by name, with what it needs to be shown."""
    inhalers = diary.clinic.inhalers()
    reading = diary.journal.latest("peak_flow")
    assert reading is not None
    plain = (
        "today diary trends plan more add peak_flow symptoms puffs trigger attack note medicines preferences "
        "emergency refused enrol welcome intended_use consent people control_check my_data lock reliability "
        "consents research_uses who_saw links carers watch precursors first_steps reminders"
    )
    return {
        **{name: {} for name in plain.split()},
        "entry": {"entry": reading.entry},
        "technique": {"inhaler": inhalers[0]},
        "new_inhaler": {"inhaler": inhalers[1]},
        "link": {"link_id": "7"},
    }


def fill(diary: OpenDiary) -> None:
    """A diary in which every page has something to show."""
    diary.clinic.absorb(papers())
    diary.clinic.absorb({"plan": plan_with_everything()})
    diary.clinic.absorb({"inbox": [warning("1", "amber"), warning("2", "amber"), warning("3", "red")]})
    diary.database.keep_setting("snoozes", {"2": "2026-03-03T20:00:00Z"})
    two_months(diary, days=8)
    diary.record("attack", {"systemic_steroids": True, "emergency_visit": True, "source": "self"})
    diary.record("trigger", {"trigger": "weather_change", "note": None})
    now = diary.moment(diary.clock.now() + timedelta(minutes=1))
    diary.record("peak_flow", {"blows_litres_per_min": [210], "action_zone": "red", "plan_version": 2}, now)
    diary.database.keep_setting("contacts", [{"name": "Jun", "number": "010-1234-5678"}])
    sharing(diary)


def warning(alert_id: str, level: str) -> dict[str, Any]:
    """A message of an alert: one waits for an answer, one rests, one cannot."""
    said = {"title": "Your asthma may get worse", "text": "Measure again.", "created_at": "2026-03-02T07:00:00Z"}
    return {"id": alert_id, "alert_id": alert_id, "kind": "forecast", "level": level, "resolved_at": None, **said}


def plan_with_everything() -> dict[str, Any]:
    """A second plan, with the clinic's words on what is new, medicines and reminders."""
    return plan_wire(
        2,
        signed_at="2026-02-28T09:00:00Z",
        personal_best_litres_per_min=520,
        difference=["Personal best 520 instead of 500 L/min"],
        prescriptions=[
            {
                "inhaler_id": CONTROLLER_ID,
                "name": "Symbicort Turbuhaler 160/4.5",
                "use": "maintenance_and_relief",
                "inhalations": 1,
                "times_a_day": 2,
                "text": "1 inhalation twice a day, and 1 when needed",
            }
        ],
        reminders=[{"kind": "take_inhaler", "at": "07:30", "inhaler_id": CONTROLLER_ID, "text": "Symbicort: 1 puff"}],
    )


def sharing(diary: OpenDiary) -> None:
    """As if the clinic had answered: somebody looked, a link is open, a carer helps, a consent waits to be told."""
    keep = diary.database.keep_setting
    keep("accesses", [{"on": "2026-03-01", "role": "clinician", "name": "Dr. Kim", "times": 3}])
    keep("uses", [research_use("study", "research", 2), research_use("training_round", "federated_learning", 1)])
    link = {"id": "7", "label": "Dr. Lee", "expires_at": "2026-03-04T08:00:00Z", "opened_count": 1}
    keep("links", [{**link, "last_opened_at": None}])
    keep("link_addresses", {"7": "https://soom.clinic.example/shared/" + "x" * 43})
    seen = {"last_seen_at": "2026-03-01T08:00:00Z", "is_this_phone": False}
    keep("phones", [{"id": "8", "name": "Halmoni's phone", "role": "carer", **seen}])
    here = {"id": "7", "name": "Galaxy S24", "role": "patient", "is_this_phone": True}
    carers = [
        {"id": one, "name": f"{one}'s phone", "role": "carer", "is_this_phone": False} for one in ("Halmoni", "Jun")
    ]
    resting = {"device_id": "Jun", "to_device_id": "Halmoni", "until": "2026-03-04T08:00:00Z"}
    keep("watch", {"phones": [here, *carers], "watches": [resting]})
    Consents(diary.database).decide("research", True, diary.clock.now())


def research_use(kind: str, purpose: str, times: int) -> dict[str, Any]:
    """A line of the clinic's ledger on research, as GET /v1/patient/research carries it."""
    title = "Peak flow before attacks" if kind == "study" else "A forecast of attacks for every hospital"
    days = {"first_on": "2026-02-20", "last_on": "2026-02-27" if times > 1 else "2026-02-20"}
    return {"kind": kind, "purpose": purpose, "title": title, "times": times, "text": title, **days}


def show(hand: Hand, name: str, arguments: dict[str, Any]) -> None:
    """Shows a page on top of the one before, or the tab."""
    assert hand.app.frame is not None
    hand.app.frame.go(name, **arguments)
    hand.app.frame.page.shown()


def labels(hand: Hand) -> Iterator[Any]:
    """Every text in view, scrolled to or not."""
    for widget in hand.everything():
        if isinstance(widget, Label) and widget.text and is_seen(widget) and widget.width >= 2:
            yield widget


def cut_off(hand: Hand) -> Iterator[str]:
    """Texts that do not fit: wider than their place, or with a word that is broken in two."""
    for widget in labels(hand):
        left, _ = widget.to_window(widget.x, widget.y)
        if widget.texture_size[0] > widget.width + 2 or left < -1 or left + widget.width > NARROW[0] + 1:
            yield f"{widget.text!r}: {widget.texture_size[0]} wide in {widget.width:.0f} at {left:.0f}"
        if widget.text_size[0] is None or "[font" in widget.text:
            continue
        for word in widget.text.split():
            if width_of(word, widget.font_name, widget.font_size) > widget.text_size[0] + 1:
                yield f"{word!r} does not fit into {widget.text_size[0]:.0f}"


@cache
def width_of(word: str, font_name: str, font_size: float) -> float:
    """How wide a word is written."""
    return float(Measure(text=word, font_name=font_name, font_size=font_size).get_extents(word)[0])


def help_of(hand: Hand) -> Any:
    """The way to the emergency page."""
    [button] = [one for one in hand.everything() if isinstance(one, HelpButton)]
    return button


def help_out_of_reach(hand: Hand) -> Iterator[str]:
    """What is wrong with the way to help: it is seen, large enough for a thumb, and at the top, where it always is."""
    button = help_of(hand)
    _, height = button.to_window(button.center_x, button.center_y)
    if not is_seen(button) or min(button.size) < dp(48) or height < hand.app.place.height - dp(120):
        yield f"help is out of reach: {button.size} at {height:.0f}"


@pytest.mark.parametrize("text_scale", [1.0, 2.0])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_cut_off_and_help_is_one_touch_away_on_every_page(
    start: Start, language: str, text_scale: float
) -> None:
    hand = start(NARROW, language=language, text_scale=text_scale, welcomed=True, reduced_motion=True)
    fill(hand.app.diary)
    found: list[str] = []
    for name, arguments in pages(hand.app.diary).items():
        show(hand, name, arguments)
        hand.frames(4)
        found += [f"{name}: {text}" for text in cut_off(hand)]
        if name != "emergency":
            found += [f"{name}: {text}" for text in help_out_of_reach(hand)]
        hand.photo(f"narrow/{language}_{round(text_scale * 100)}_{name}")
    assert found == [], "\n".join(found)


@pytest.mark.skipif(not WANTS_PHOTOS, reason="only photographs; SOOM_PHOTOS=1 takes them")
def test_every_page_in_the_dark(start: Start) -> None:
    hand = start(dark=True, welcomed=True, reduced_motion=True)
    fill(hand.app.diary)
    for name, arguments in pages(hand.app.diary).items():
        show(hand, name, arguments)
        hand.frames(4)
        hand.photo(f"dark/{name}")


def test_a_touch_on_help_shows_what_to_do_wherever_one_is(start: Start) -> None:
    hand = start(welcomed=True, reduced_motion=True)
    fill(hand.app.diary)
    every = pages(hand.app.diary)
    for name in ("today", "peak_flow", "lock"):
        show(hand, name, every[name])
        hand.frames(2)
        hand.tap_widget(help_of(hand))
        assert hand.app.frame is not None
        assert hand.app.frame.page_name == "emergency", name
