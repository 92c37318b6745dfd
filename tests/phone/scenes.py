"""Diaries to look at: made with a seeded generator through the same calls that the screens make."""

from datetime import timedelta
from random import Random

from mobile_app.state.open_diary import OpenDiary
from tests.phone.conftest import CONTROLLER_ID, RELIEVER_ID


def two_months(diary: OpenDiary, days: int = 60, seed: int = 7) -> None:
    """Two readings on most days with a bad fortnight, puffs, doses, symptoms, and gaps."""
    generator = Random(seed)
    tell, diary.after_change = diary.after_change, []
    with diary.database.transaction():
        for ago in range(days, -1, -1):
            if generator.random() < 0.12:
                continue
            bad = 14 <= ago <= 27
            morning = diary.clock.now() - timedelta(days=ago, hours=9)
            plan = diary.clinic.plan()
            for hours in (0, 12):
                level = generator.gauss(310 if bad else 445, 26)
                blows = [round(level - generator.random() * 25) for _ in range(3)]
                diary.record(
                    "peak_flow",
                    {
                        "blows_litres_per_min": blows,
                        "meter": "Mini-Wright",
                        "scale": "eu",
                        "bronchodilator": "before",
                        "action_zone": plan.zone_of(max(blows)) if plan else None,
                        "plan_version": plan.version if plan else None,
                    },
                    diary.moment(morning + timedelta(hours=hours - 3)),
                )
            puffs = generator.choice([2, 4, 6]) if bad else generator.choice([0, 0, 0, 1, 2])
            for inhaler_id, count, purpose in (
                (RELIEVER_ID, puffs, "relief"),
                (CONTROLLER_ID, 2, "maintenance"),
                (CONTROLLER_ID, generator.choice([0, 2, 2]), "maintenance"),
            ):
                if count:
                    body = {"inhaler_id": inhaler_id, "puffs": count, "purpose": purpose, "source": "logged"}
                    diary.record("inhaler_use", {**body, "puffs_at_most": None}, diary.moment(morning))
            severity = generator.choice([1, 2, 2, 3]) if bad else generator.choice([0, 0, 1])
            diary.record(
                "symptoms",
                {
                    "daytime": severity > 0,
                    "night_waking": severity > 1,
                    "activity_limited": severity > 2,
                    "severity": severity,
                    "red_flags": [],
                },
                diary.moment(morning),
            )
    diary.after_change = tell
