"""1,000 phones for 60 days, worse than life: is every reminder accounted for, and does none come twice?"""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context

from tests.databases import new_database
from tests.factories.reminder_lives import START, Lives
from tests.factories.reminder_referee import Verdicts, judge
from tests.factories.reminder_world import World, analyse
from tests.figures import Figure, figure

PHONES, DAYS, SEED = 1000, 60, 20261121
# Towns do not meet: two of 500 phones, each with a server and a database of its own, use both cores of a machine.
TOWNS = 2


# A worker's real round is every five seconds; a rarer one only makes its pushes later.
ROUND = timedelta(minutes=15)


def simulate(url: str, *, phones: int, days: int, seed: int, every: timedelta = ROUND) -> Verdicts:
    """Everything that happens, and a last day on which whoever has a phone opens Soom."""
    world = World(url, START, every)
    lives = Lives(world, days=days, seed=seed)
    try:
        lives.add(phones)
        world.walk_to(START + timedelta(days=1))
        analyse(world.engine)
        world.walk_to(START + timedelta(days=days))
        lives.bring_home()
        world.walk_to(START + timedelta(days=days + 1))
        with world.new_session() as session:
            return judge(session, lives.lives, since=START, until=START + timedelta(days=days - 1))
    finally:
        world.end()


def _town(number: int) -> Verdicts:
    with new_database() as url:
        return simulate(url, phones=PHONES // TOWNS, days=DAYS, seed=SEED + number)


def figures() -> Iterator[Figure]:
    started = time.perf_counter()
    with ProcessPoolExecutor(TOWNS, mp_context=get_context("spawn")) as pool:
        found = sum(pool.map(_town, range(TOWNS)), Verdicts())
    minutes = (time.perf_counter() - started) / 60
    for fault, times in sorted(found.befell.items()):
        yield figure(f"reminders.befell_{fault}", times, "times")
    yield figure("reminders.occurrences", found.occurrences, "reminders")
    for end in ("acted", "shown", "fired", "pushed", "missed"):
        yield figure(f"reminders.ended_{end}", found.ends[end], "reminders")
    for cause, count in sorted(found.causes.items()):
        yield figure(f"reminders.missed_{cause}", count, "reminders")
    yield figure("reminders.withdrawn_before_due", found.ends["cancelled"], "reminders")
    unaccounted, doubled, untrue = len(found.unaccounted), len(found.doubled), len(found.untrue)
    yield figure("reminders.unaccounted", unaccounted, "reminders", goal="0", met=unaccounted == 0)
    yield figure("reminders.doubled", doubled, "reminders", goal="0", met=doubled == 0)
    yield figure(
        "reminders.told_otherwise_than_it_was", untrue, "reminders", goal="0 by an independent referee", met=untrue == 0
    )
    share = found.pushes_in_time / found.pushes if found.pushes else None
    yield figure("reminders.pushed_within_60_minutes", share, "share of all pushes of the shadow")
    yield figure("reminders.simulation_minutes", minutes, "min", goal="at most 15 on two idle cores", met=minutes <= 15)
