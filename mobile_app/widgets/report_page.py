"""One A4 page for the doctor, drawn with Pillow in the app's own typeface and kept as a PDF."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from mobile_app.state.export import Report
from mobile_app.theme import LIGHT, Colour, typeface_file

# 150 dots an inch.
_WIDTH, _HEIGHT, _DOTS_PER_INCH, _MARGIN = 1240, 1754, 150, 90
_CHART = (_MARGIN + 60, 760, _WIDTH - _MARGIN, 1420)


def write_report(report: Report, file: Path, footnote: str) -> None:
    """Writes the page as a PDF."""
    page = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    draw = ImageDraw.Draw(page)
    y = float(_MARGIN)
    y = _paragraph(draw, report.title, y, "Bold", 40) + 20
    for line in report.lines:
        y = _paragraph(draw, line, y, "Regular", 28) + 6
    _chart(draw, report)
    _paragraph(draw, footnote, _HEIGHT - _MARGIN - 60.0, "Regular", 22)
    page.save(file, "PDF", resolution=_DOTS_PER_INCH)


def _paragraph(draw: ImageDraw.ImageDraw, text: str, y: float, weight: str, size: int) -> float:
    font = ImageFont.truetype(str(typeface_file(weight)), size)
    line = ""
    for word in [*text.split(), "\n"]:
        longer = f"{line} {word}".strip()
        if word == "\n" or draw.textlength(longer, font) > _WIDTH - 2 * _MARGIN:
            draw.text((_MARGIN, y), line, fill="black", font=font)
            y += size * 1.35
            line = "" if word == "\n" else word
        else:
            line = longer
    return y


def _chart(draw: ImageDraw.ImageDraw, report: Report) -> None:
    left, top, right, bottom = _CHART
    trends = report.trends
    values = [reading.litres_per_min for reading in trends.readings]
    values += [span.personal_best_litres_per_min for span in trends.plan_spans]
    values += [round(span.red_below_litres_per_min * 0.85) for span in trends.plan_spans]
    if not values:
        return
    low, high = min(values) // 50 * 50, max(values) // 50 * 50 + 50

    def place(at_day: float, litres_per_min: float) -> tuple[float, float]:
        share = (min(max(litres_per_min, low), high) - low) / (high - low)
        return left + (right - left) * at_day / trends.range_days, bottom - (bottom - top) * share

    colours = (LIGHT.red_soft, LIGHT.yellow_soft, LIGHT.green_soft)
    for span in trends.plan_spans:
        edges = (low, span.red_below_litres_per_min, span.yellow_below_litres_per_min, high)
        for colour, floor, roof in zip(colours, edges, edges[1:], strict=False):
            draw.rectangle((*place(span.from_day, roof), *place(span.to_day, floor)), fill=_rgb(colour))
    font = ImageFont.truetype(str(typeface_file("Regular")), 22)
    for value in range(low, high + 1, 100 if high - low > 250 else 50):
        _, y = place(0, value)
        draw.line((left, y, right, y), fill="#D0D0D0")
        draw.text((left - 55, y - 13), str(value), fill="black", font=font)
    for reading in trends.readings:
        x, y = place(reading.at_day, reading.litres_per_min)
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill="black")


def _rgb(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in colour[:3])
    return red, green, blue
