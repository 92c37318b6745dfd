import pytest

from mobile_app.screens.day_list import LINE
from mobile_app.theme import DARK, LIGHT, TYPE, Colour, Palette, look
from mobile_app.widgets.text import lines_of, written
from tests.phone.screens.conftest import Start

# WCAG 2.2, 1.4.3 and 1.4.11.
READABLE, VISIBLE = 4.5, 3.0


def luminance(colour: Colour) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part) for part in colour[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_colour_is_readable_on_every_ground_it_is_used_on(palette: Palette) -> None:
    pairs = [(f"on_{name}", name) for name in ("primary", "green", "yellow", "red")]
    softs = ("primary_soft", "warm_soft", "green_soft", "yellow_soft", "red_soft", "none_soft")
    pairs += [(f"on_{name}", name) for name in softs]
    pairs += [("ink", name) for name in ("paper", "surface", "sunken", *softs)]
    pairs += [("soft", name) for name in ("paper", "surface", "sunken", "none_soft")]
    pairs += [("primary", "paper"), ("primary", "surface"), ("red", "surface"), ("on_red_soft", "paper")]
    dim = {
        f"{text} on {ground}": round(contrast(getattr(palette, text), getattr(palette, ground)), 2)
        for text, ground in pairs
        if contrast(getattr(palette, text), getattr(palette, ground)) < READABLE
    }
    assert dim == {}


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_a_zones_shape_stands_out_from_its_ground(palette: Palette) -> None:
    assert contrast(palette.green, palette.green_soft) >= VISIBLE
    assert contrast(palette.red, palette.red_soft) >= VISIBLE
    # Yellow is bright by nature: its shape is told by the dark sign on it.
    assert contrast(palette.on_yellow, palette.yellow) >= READABLE


def test_body_text_doubles_at_200_percent(start: Start) -> None:
    start(text_scale=1.0)
    before = {role: look.size(role) for role in TYPE}
    start(text_scale=2.0)
    for role in ("body", "strong", "label", "small"):
        assert look.size(role) == pytest.approx(2 * before[role])
    assert all(look.size(role) > before[role] for role in TYPE)


def test_a_line_of_the_diary_grows_with_the_text_size(start: Start) -> None:
    start(text_scale=1.0)
    small = written("430 L/min", "strong", 200.0).height
    start(text_scale=2.0)
    assert written("430 L/min", "strong", 200.0).height == pytest.approx(2 * small, rel=0.1)


def test_a_line_of_the_diary_never_runs_into_its_neighbours(start: Start) -> None:
    start(text_scale=2.0)
    assert written("Weather change", "strong", 150.0).width <= 150
    words = "steroid tablets · emergency room · hospital stay · waiting"
    lines = lines_of(words, "small", 226.0, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    detail = written(words, "small", 226.0, 3)
    assert detail.width <= 226
    assert detail.height <= 3 * look.size("small") * LINE
    assert lines_of("waiting", "small", 226.0, 3) == ("waiting",)
