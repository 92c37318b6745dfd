"""What a hospital may tell: no count below the smallest cell, and none that can be worked out from its neighbours."""

from collections.abc import Sequence

Shown = int | None


def small(count: int, smallest_cell: int) -> bool:
    """0 says nothing about anybody; 1 and up to the smallest cell does."""
    return 0 < count < smallest_cell


def suppressed(counts: Sequence[int], smallest_cell: int) -> list[Shown]:
    """Counts of a table whose total is known: None for small ones, and for one more where a single one is missing."""
    shown: list[Shown] = [None if small(count, smallest_cell) else count for count in counts]
    hidden = [place for place, count in enumerate(shown) if count is None]
    if len(hidden) == 1:
        others = [place for place, count in enumerate(counts) if place not in hidden and count > 0]
        if others:
            shown[min(others, key=lambda place: counts[place])] = None
    return shown


def thinned(counts: Sequence[int], smallest_cell: int) -> list[Shown]:
    """A rising or falling series of counts, first and last kept where they can be, in which no difference between two
    shown neighbours is small: who dropped out between two steps cannot be a handful."""
    if not counts:
        return []
    kept = [0]
    for place in range(1, len(counts)):
        if not small(abs(counts[place] - counts[kept[-1]]), smallest_cell):
            kept.append(place)
    last = len(counts) - 1
    if kept[-1] != last:
        while len(kept) > 1 and small(abs(counts[last] - counts[kept[-1]]), smallest_cell):
            kept.pop()
        if not small(abs(counts[last] - counts[kept[-1]]), smallest_cell):
            kept.append(last)
    return [
        counts[place] if place in kept and not small(counts[place], smallest_cell) else None
        for place in range(len(counts))
    ]
