import xml.etree.ElementTree as ET
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backend.dashboard.roster_schemas import DayBest, PlanLines
from backend.dashboard.sparkline import HEIGHT, WIDTH, sparkline
from backend.dashboard.words import words

TODAY = date(2026, 11, 20)
PLAN = PlanLines(
    version=1, personal_best_litres_per_min=500, yellow_below_litres_per_min=400, red_below_litres_per_min=250
)


def drawn(values: dict[int, int], plan: PlanLines | None = PLAN) -> ET.Element:
    """`values`: L/min by days before today."""
    points = [
        DayBest(day=TODAY - timedelta(days=back), litres_per_min=value)
        for back, value in sorted(values.items(), reverse=True)
    ]
    return ET.fromstring(sparkline(points, last_day=TODAY, days=30, plan=plan, words=words("en")))


@given(values=st.dictionaries(st.integers(0, 29), st.integers(30, 900), min_size=1), plan=st.sampled_from([PLAN, None]))
def test_everything_drawn_lies_inside_the_picture_and_needs_no_style(
    values: dict[int, int], plan: PlanLines | None
) -> None:
    svg = drawn(values, plan)
    for shape in svg.iter():
        assert "style" not in shape.attrib
        for point in shape.get("points", "").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
        assert float(shape.get("height", "0")) >= 0
    assert f"last {values[min(values)]} L/min" in svg.attrib["aria-label"]


def test_a_gap_of_more_than_two_days_breaks_the_line() -> None:
    assert len(drawn({0: 400, 2: 410}).findall("polyline")) == 1
    assert len(drawn({0: 400, 3: 410}).findall("polyline")) == 2


def test_a_higher_reading_is_drawn_higher() -> None:
    line = drawn({0: 400, 1: 300}).findall("polyline")[0].attrib["points"].split()
    earlier, later = (float(point.split(",")[1]) for point in line)
    assert later < earlier


def test_without_readings_nothing_is_drawn() -> None:
    assert not sparkline([], last_day=TODAY, days=30, plan=PLAN, words=words("en"))
    old = DayBest(day=TODAY - timedelta(days=40), litres_per_min=400)
    assert not sparkline([old], last_day=TODAY, days=30, plan=PLAN, words=words("en"))


def test_without_a_plan_there_are_no_bands() -> None:
    assert drawn({0: 400}).findall("rect")
    assert not drawn({0: 400}, None).findall("rect")
