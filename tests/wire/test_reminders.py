"""The phone and the server compute the same reminders, each with its own code: identity and due instant."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backend.plans.schemas import InstructionsOut, PlanOut, PrescriptionOut, ReminderOut
from backend.reminders import rules
from backend.reminders.planning import sources_from
from backend.reminders.timing import habit_of
from backend.sync.schemas import ReminderSettingsBody
from mobile_app.data.clinic import plan_from_wire
from mobile_app.device.wall_clock import instant_of
from mobile_app.state.reminders_schedule import schedule_from
from mobile_app.state.reminders_settings import settings_from_body

INHALERS = (UUID(int=0xA1), UUID(int=0xB2))
ZONES = (
    "Asia/Seoul",
    "Europe/Tallinn",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Asia/Kathmandu",
)
# Around both changes of clock of 2026, on both halves of the globe, and of none.
DAYS = st.one_of(
    st.dates(date(2026, 3, 6), date(2026, 4, 7)),
    st.dates(date(2026, 9, 24), date(2026, 11, 3)),
    st.dates(date(2026, 1, 1), date(2026, 12, 31)),
)
CLOCK = st.times().map(lambda at: at.strftime("%H:%M"))


@st.composite
def prescriptions(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [
        {
            "product_id": f"product-{place}",
            "inhaler_id": str(inhaler_id),
            "inhalations": draw(st.integers(1, 4)),
            "times_a_day": draw(st.integers(0, 4)),
        }
        for place, inhaler_id in enumerate(INHALERS[: draw(st.integers(1, 2))])
    ]


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """As the table keeps one."""
    prescribed = draw(prescriptions())
    doses = [
        {"kind": "take_inhaler", "at": f"{draw(CLOCK)}:00", "product_id": one["product_id"]}
        for one in prescribed
        for _ in range(draw(st.sampled_from([0, one["times_a_day"], one["times_a_day"], 1])))
    ]
    others = [
        {"kind": kind, "at": f"{draw(CLOCK)}:00", "product_id": None}
        for kind in ("measure_peak_flow", "write_diary")
        if draw(st.booleans())
    ]
    return {
        "regimen": {"prescriptions": prescribed},
        "reminders": draw(st.permutations(doses + others)),
        "review_on": draw(st.none() | st.dates(date(2026, 1, 1), date(2026, 12, 31))),
        "signed_at": datetime.combine(draw(st.dates(date(2026, 1, 1), date(2026, 12, 31))), draw(st.times()), UTC),
    }


KEYS = [f"dose:{inhaler_id}:{slot}" for inhaler_id in INHALERS for slot in range(4)] + [
    "check_in",
    "peak_flow",
    "control_check",
    "plan_review",
]


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    own = st.fixed_dictionaries({"weekday": CLOCK, "weekend": CLOCK})
    opened = st.fixed_dictionaries(
        {"on": st.dates(date(2026, 1, 1), date(2026, 12, 31)).map(str), "inhalations": st.integers(1, 400)}
    )
    appointment = st.fixed_dictionaries(
        {
            "id": st.uuids().map(str),
            "on": st.dates(date(2026, 3, 1), date(2026, 4, 9)).map(str),
            "at": CLOCK,
        }
    )
    body = {
        "day_starts_at": draw(st.sampled_from(["00:00", "04:00", "12:00"]) | CLOCK),
        "quiet_from": draw(st.just("22:00") | CLOCK),
        "quiet_until": draw(st.just("07:00") | CLOCK),
        "times": draw(st.dictionaries(st.sampled_from(KEYS), own, max_size=4)),
        "follow_habit": draw(st.booleans()),
        "check_in_at": draw(st.none() | CLOCK),
        "paused_until": draw(st.none() | st.dates(date(2026, 3, 1), date(2026, 4, 9)).map(str)),
        "opened": draw(st.dictionaries(st.sampled_from([str(one) for one in INHALERS]), opened)),
        "appointments": draw(st.lists(appointment, max_size=2, unique_by=lambda one: one["id"])),
    }
    return ReminderSettingsBody.model_validate(body).model_dump()


def as_papers(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan as a pull brings it."""
    by_product = {one["product_id"]: one for one in plan["regimen"]["prescriptions"]}
    sent = PlanOut(
        version=1,
        signed_at=plan["signed_at"],
        signed_by="Dr Kim",
        personal_best_litres_per_min=500,
        meter="Mini-Wright",
        yellow_below_litres_per_min=400,
        red_below_litres_per_min=250,
        instructions=InstructionsOut(green=[], yellow=[], red=[]),
        language="en",
        review_on=plan["review_on"],
        prescriptions=[
            PrescriptionOut(
                inhaler_id=UUID(one["inhaler_id"]),
                name="x",
                use="maintenance",
                inhalations=one["inhalations"],
                times_a_day=one["times_a_day"],
                text="x",
            )
            for one in by_product.values()
        ],
        reminders=[
            ReminderOut(
                kind=one["kind"],
                at=one["at"][:5],
                inhaler_id=None if one["product_id"] is None else UUID(by_product[one["product_id"]]["inhaler_id"]),
                text="x",
            )
            for one in plan["reminders"]
        ],
    )
    return sent.model_dump(mode="json")


@st.composite
def histories(draw: st.DrawFn) -> Mapping[str, Sequence[datetime]]:
    """When doses were taken, by inhaler; some have a habit and some have none."""
    taken = {}
    for inhaler_id in INHALERS:
        hour, days = draw(st.integers(0, 23)), draw(st.integers(0, 60))
        minutes = draw(st.lists(st.integers(-40, 40), min_size=1, max_size=5))
        taken[str(inhaler_id)] = [
            datetime.combine(date(2026, 4, 10), time(hour)) - timedelta(days=back, minutes=minutes[back % len(minutes)])
            for back in range(days)
        ]
    return taken


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    plan=plans(),
    body=st.none() | bodies(),
    taken=histories(),
    zone=st.sampled_from(ZONES),
    first=DAYS,
    last_check=st.none() | st.dates(date(2026, 1, 1), date(2026, 4, 1)),
)
def test_phone_and_server_remind_of_the_same_at_the_same_instant(
    plan: dict[str, Any],
    body: dict[str, Any] | None,
    taken: Mapping[str, Sequence[datetime]],
    zone: str,
    first: date,
    last_check: date | None,
) -> None:
    days = [first + timedelta(days=place) for place in range(15)]
    here = ZoneInfo(zone)

    sources = sources_from({**plan, "settings": body, "last_control_check": last_check, "daily_inhalers": None}, here)
    habit = habit_of(taken, sources.settings.quiet, first)
    by_server = {(one.key, one.local_date): one.due_at for one in rules.occurrences(sources, days, here, habit)}

    chosen = None if body is None else settings_from_body(body)
    schedule = schedule_from(plan_from_wire(as_papers(plan)), [], chosen, last_control_check=last_check, zone=here)
    by_phone = {(one.key, one.local_date): instant_of(one.wall, here) for one in schedule.of_days(days, taken, first)}
    assert by_server == by_phone


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(zone=st.sampled_from(ZONES), day=DAYS, minute=st.integers(0, 1439))
@example(zone="America/New_York", day=date(2026, 3, 8), minute=150)
@example(zone="Europe/Tallinn", day=date(2026, 10, 25), minute=210)
@example(zone="Australia/Lord_Howe", day=date(2026, 10, 4), minute=135)
def test_a_wall_time_is_the_same_instant_on_phone_and_server(zone: str, day: date, minute: int) -> None:
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    here = ZoneInfo(zone)
    found = rules.instant_of(wall, here)
    assert found == instant_of(wall, here)
    back = found.astimezone(here).replace(tzinfo=None)
    assert back >= wall, "never before the time that was asked for"
    if back != wall:
        before = (found - timedelta(seconds=1)).astimezone(here).replace(tzinfo=None)
        assert before < wall, "the first instant after the gap"
