"""The fault drill in short: real workers, a real database of its own, a push service that fails."""

import pytest

from tests.evidence.reminders_drills import Plan, drill


@pytest.mark.timeout(240)
def test_nothing_told_is_lost_while_workers_are_killed_the_database_crashes_and_fcm_fails() -> None:
    found = drill(
        Plan(
            patients=20,
            phones_each=2,
            seconds=5,
            kills=2,
            database_crashes=1,
            time_outs=1,
            seed=3,
            leases_turn=True,
            give_up_seconds=150,
        )
    )
    assert found.lost == set()
    assert found.shown_wrongly == 0
    assert (found.kills, found.crashes) == (2, 1)
    assert found.failures_answered > 10
    assert found.still_due == 0
    assert set(found.outcomes) == {"handed_over"}
