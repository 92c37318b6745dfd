"""Twenty phones for ten days, worse than life: what people truly saw against both ledgers."""

from datetime import timedelta

import pytest

from tests.evidence.reminders_simulation import simulate


@pytest.mark.timeout(600)
def test_every_reminder_of_twenty_troubled_phones_is_accounted_for_and_none_comes_twice(own_database: str) -> None:
    found = simulate(own_database, phones=20, days=10, seed=3, every=timedelta(minutes=30))
    assert found.unaccounted == []
    assert found.doubled == []
    assert found.untrue == []
    assert found.occurrences > 200
    assert {"acted", "pushed", "missed"} <= set(found.ends), "a simulation in which nothing happens proves nothing"
