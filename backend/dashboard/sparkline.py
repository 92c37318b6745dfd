"""A month of peak flow as one small SVG, drawn on the server: bands for the zones, a line for the readings."""

from collections.abc import Sequence
from datetime import date, timedelta

from markupsafe import Markup, escape

from backend.dashboard.roster_schemas import DayBest, PlanLines
from backend.dashboard.words import Words

WIDTH, HEIGHT, MARGIN = 148, 40, 3


def sparkline(points: Sequence[DayBest], *, last_day: date, days: int, plan: PlanLines | None, words: Words) -> Markup:
    """SVG of the readings of the `days` days up to `last_day`, empty without any.

    A gap of more than two days breaks the line. Colours come from CSS classes, sizes from SVG attributes, so that no
    style attribute is needed. Its label says in words what it shows.
    """
    first_day = last_day - timedelta(days=days - 1)
    points = [point for point in points if first_day <= point.day <= last_day]
    values = [point.litres_per_min for point in points]
    # The yellow line is always in view; the red one comes in when the readings come near it.
    bounds = [plan.yellow_below_litres_per_min] if plan else []
    if not values:
        return Markup()
    low, high = min(values + bounds), max(values + bounds)
    pad = max(10.0, 0.12 * (high - low))
    low_edge, high_edge = low - pad, high + pad

    def x(day: date) -> float:
        return round(MARGIN + (WIDTH - 2 * MARGIN) * (day - first_day).days / (days - 1), 1)

    def y(litres_per_min: float) -> float:
        return round(HEIGHT * (high_edge - litres_per_min) / (high_edge - low_edge), 1)

    parts = []
    if plan:
        yellow = y(plan.yellow_below_litres_per_min)
        red = min(float(HEIGHT), y(plan.red_below_litres_per_min))
        for name, top, bottom in (("green", 0.0, yellow), ("yellow", yellow, red), ("red", red, float(HEIGHT))):
            height = round(bottom - top, 1)
            parts.append(f'<rect class="band-{name}" x="0" y="{top}" width="{WIDTH}" height="{height}"/>')
    run: list[DayBest] = []
    for point in [*points, None]:
        if run and (point is None or (point.day - run[-1].day).days > 2):
            line = " ".join(f"{x(p.day)},{y(p.litres_per_min)}" for p in run)
            parts.append(f'<polyline class="spark-line" points="{line}"/>')
            if len(run) == 1:
                parts.append(
                    f'<circle class="spark-dot" cx="{x(run[0].day)}" cy="{y(run[0].litres_per_min)}" r="1.6"/>'
                )
            run = []
        if point is not None:
            run.append(point)
    last = points[-1]
    label = words.t("roster.trend_label", days=len(points), low=min(values), high=max(values), last=last.litres_per_min)
    parts.append(f'<circle class="spark-last" cx="{x(last.day)}" cy="{y(last.litres_per_min)}" r="2.8"/>')
    return Markup(  # noqa: S704 (numbers only, and the label is escaped)
        f'<svg class="spark" role="img" aria-label="{escape(label)}" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' width="{WIDTH}" height="{HEIGHT}">{"".join(parts)}</svg>'
    )
