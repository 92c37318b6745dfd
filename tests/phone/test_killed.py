from pathlib import Path

import pytest

from tests.phone.killed_phone import kill_a_phone

KILLS = 200


@pytest.mark.timeout(400)
def test_a_phone_killed_at_any_moment_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    aftermath = kill_a_phone(KILLS, tmp_path)
    assert aftermath.promised >= KILLS * 4 / 5, "the phones must have got somewhere between the kills"
    assert (aftermath.lost, aftermath.older_than_promised, aftermath.doubled) == (0, 0, 0)
    assert aftermath.is_whole
    assert aftermath.restores_identically
