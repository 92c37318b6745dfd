"""The study's figures as a page that a clinician can read: tables, three charts, and plain words on what is thin."""

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite, log10
from pathlib import Path
from typing import Any

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;color:#1b2430}
table{border-collapse:collapse;margin:1rem 0;font-size:.9rem}td,th{padding:.3rem .7rem;border-bottom:1px solid #d5dbe3;
text-align:right;white-space:nowrap}td:first-child,th:first-child{text-align:left}caption{text-align:left;font-weight:600}
.note{background:#fff6df;border-left:4px solid #c98a00;padding:.6rem 1rem}svg{margin:1rem 1rem 0 0}
"""
_WIDTH, _HEIGHT, _MARGIN = 430, 310, 65
_COLOURS = ("#0b6bcb", "#c2410c", "#15803d", "#6b21a8", "#475569", "#be123c")

# With ten, chance alone moves observed over expected by a factor of about two either way.
ATTACKS_TO_READ_A_GROUP = 10

Point = tuple[float, float]


def _number(value: object, digits: int = 3) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}f}" if isfinite(value) else "–"
    return escape(str(value))


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th scope='col'>{escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{_number(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>"


def _chart(title: str, across: str, up: str, lines: Mapping[str, Sequence[Point]], *, log_scales: bool = False) -> str:
    """A line chart as SVG; each line has its own dash as well as its colour. With `log_scales` the points are log10 on
    both scales, which are alike: the grey line is where both are equal; otherwise it is where `up` is zero."""
    points = [point for line in lines.values() for point in line if isfinite(point[0]) and isfinite(point[1])]
    if not points:
        return ""
    left, right = min(p[0] for p in points), max(p[0] for p in points)
    low, high = min(p[1] for p in points), max(p[1] for p in points)
    if log_scales:
        left = low = min(left, low)
        right = high = max(right, high)
    bottom, top = _HEIGHT - 45, 45

    def place(point: Point) -> str:
        x = _MARGIN + (point[0] - left) / ((right - left) or 1) * (_WIDTH - _MARGIN - 10)
        y = bottom - (point[1] - low) / ((high - low) or 1) * (bottom - top)
        return f"{x:.1f},{y:.1f}"

    def label(value: float) -> str:
        return f"{10**value:.2g}" if log_scales else f"{value:.3g}"

    level = [(left, low), (right, high)] if log_scales else [(left, 0.0), (right, 0.0)]
    parts = [
        f"<text x='{_MARGIN}' y='16' font-weight='600'>{escape(title)}</text>",
        f"<text x='{_MARGIN}' y='34'>{escape(up)}</text>",
        f"<polyline points='{place((left, high))} {place((left, low))} {place((right, low))}' stroke='#64748b' "
        "fill='none'/>",
    ]
    if log_scales or low < 0 < high:
        parts.append(f"<polyline points='{' '.join(map(place, level))}' stroke='#bbb' fill='none'/>")
    for number, (name, line) in enumerate(lines.items()):
        colour, dash = _COLOURS[number % len(_COLOURS)], f"{6 + 4 * number},{3 * number}"
        kept = [point for point in line if isfinite(point[0]) and isfinite(point[1])]
        drawn = " ".join(place(point) for point in kept)
        drawing = f"stroke='{colour}' stroke-dasharray='{dash}' fill='none' stroke-width='2'"
        key = 60 + 18 * number
        parts.append(
            f"<polyline points='{drawn}' {drawing}/>"
            f"<polyline points='{_WIDTH + 5},{key - 4} {_WIDTH + 45},{key - 4}' {drawing}/>"
            f"<text x='{_WIDTH + 50}' y='{key}' fill='{colour}'>{escape(name)}</text>"
        )
    middle = (left + right) / 2
    for value in (left, middle, right):
        x = place((value, low)).split(",")[0]
        parts.append(f"<text x='{x}' y='{bottom + 16}' text-anchor='middle'>{label(value)}</text>")
    for value in (low, (low + high) / 2, high):
        y = float(place((left, value)).split(",")[1]) + 4
        parts.append(f"<text x='{_MARGIN - 6}' y='{y:.1f}' text-anchor='end'>{label(value)}</text>")
    parts.append(f"<text x='{_MARGIN}' y='{_HEIGHT - 8}'>{escape(across)}</text>")
    size = f"width='{_WIDTH + 240}' height='{_HEIGHT}'"
    return f"<svg {size} role='img' aria-label='{escape(title)}' font-size='12'>{''.join(parts)}</svg>"


def _interval(found: Mapping[str, float]) -> str:
    return f"{_number(found['value'])} ({_number(found['low'])}–{_number(found['high'])})"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _verdict(verdict: str) -> str:
    sentence = escape(verdict[:1].upper() + verdict[1:])
    if verdict.startswith("enough"):
        return f"<p>{sentence}.</p>"
    meaning = "What follows shows how it would be judged, not how good it is."
    return f"<p class='note'><strong>{sentence}.</strong> {meaning}</p>"


def _study_section(study: Mapping[str, Any]) -> str:
    contenders = study["contenders"]
    parts = [
        f"<h2>{escape(_words(study['scheme']).capitalize())}</h2>",
        f"<p>{study['patients']:,} patients, {study['judged_days']:,} judged days, {study['attacks']:,} attacks.</p>",
        _verdict(study["verdict"]),
        _table(
            "Discrimination and calibration, 7 days ahead (95 % intervals: patients drawn again)",
            ["", "AUROC", "within patients", "log loss", "share of attainable gain", "observed/expected", "slope"],
            [
                [
                    _words(name),
                    _interval(found["auroc"]),
                    found["within_patient_auroc"],
                    found.get("log_loss", float("nan")),
                    found.get("share_of_attainable_log_loss_gain", float("nan")),
                    _interval(found["observed_over_expected_by"]["all"]["all"]) if "calibration" in found else "–",
                    found.get("calibration", {}).get("slope", float("nan")),
                ]
                for name, found in contenders.items()
            ],
        ),
    ]
    budgets = list(next(iter(contenders.values()))["alarms"])
    for budget in budgets:
        title = _words(budget.replace("as_", "as many alarms as "))
        per_month = study["rule_alarms_per_patient_month"].get(budget)
        title += " alarms per patient-month" if per_month is None else f" ({per_month:.2f} per patient-month)"
        parts.append(
            _table(
                title,
                [
                    "",
                    "alarms a patient-month",
                    "attacks foreseen",
                    "PPV",
                    "lead, days",
                    "two days or more",
                    "on the top 5 % of patients",
                ],
                [
                    [
                        _words(name),
                        # A rule has few steps: its next one may lie above the budget.
                        found["alarms"][budget]["alarms_per_patient_month"],
                        _interval(found["alarms"][budget]["sensitivity_interval"]),
                        found["alarms"][budget]["ppv"],
                        found["alarms"][budget]["lead_days_median"],
                        found["alarms"][budget]["lead_two_days_share"],
                        found["alarms"][budget]["share_on_top_twentieth"],
                    ]
                    for name, found in contenders.items()
                ],
            )
        )
    with_chance = {name: found for name, found in contenders.items() if "calibration" in found}
    parts.append(
        _chart(
            "Calibration (log scales; grey: what was said is what came)",
            "chance of an attack that was given",
            "share of days with an attack in the week after",
            {
                _words(name): [(log10(p), log10(o)) for p, o, _ in found["calibration"]["curve"] if p > 0 and o > 0]
                for name, found in list(with_chance.items())[:4]
            },
            log_scales=True,
        )
    )
    benefit = {_words(name): found["net_benefit"] for name, found in list(with_chance.items())[:4]}
    benefit["action plan"] = study["action_plan_net_benefit"]
    parts.append(
        _chart(
            "Decision curve (grey: acting on nobody)",
            "chance worth acting on",
            "net benefit a patient-day",
            {name: [(float(at), value) for at, value in curve.items()] for name, curve in benefit.items()},
        )
    )
    curve = study["by_diary_days"]
    parts.append(
        _chart(
            "What knowing the patient is worth",
            "diary days",
            "log-loss gain over the base rate",
            {
                _words(name): [(row["from_day"], row[name]["log_loss_gain"]) for row in curve if name in row]
                for name in ("soom", "soom_without_personal_layer", "lightgbm_today_only")
                if any(name in row for row in curve)
            },
        )
    )
    for name, found in list(with_chance.items())[:1]:
        parts.append(
            _table(
                f"Calibration of {_words(name)} by group: attacks that happened over those expected (95 % intervals: "
                f"patients drawn again); fewer than {ATTACKS_TO_READ_A_GROUP} attacks say nothing",
                ["", "observed/expected", "attacks", ""],
                [
                    [
                        "all patients" if group == "all" else f"{_words(group)}: {value}",
                        _interval(ratio),
                        ratio["attacks"],
                        "too few" if ratio["attacks"] < ATTACKS_TO_READ_A_GROUP else "",
                    ]
                    for group, values in found["observed_over_expected_by"].items()
                    for value, ratio in values.items()
                ],
            )
        )
    own = study.get("per_patient_lightgbm")
    if own:
        parts.append(
            f"<p>LightGBM trained on each patient's own first half: AUROC {own['own_auroc']:.3f} on the second "
            f"halves of {own['patients']} patients, against {own['population_auroc']:.3f} of the population model.</p>"
        )
    return "".join(parts)


def as_json(content: Any) -> str:
    """As JSON that every reader takes: a figure that is not known is null."""
    return json.dumps(_known(content), indent=1, allow_nan=False)


def _known(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {name: _known(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_known(value) for value in content]
    return None if isinstance(content, float) and not isfinite(content) else content


def write_report(folder: Path, title: str, studies: Sequence[Mapping[str, Any]], notes: Sequence[str]) -> None:
    """Write `report.json` and `report.html` into `folder`; `notes` say what is missing or thin."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"title": title, "notes": list(notes), "studies": list(studies)}
    (folder / "report.json").write_text(as_json(content), encoding="utf-8")
    body = "".join(f"<p class='note'>{escape(note)}</p>" for note in notes) + "".join(map(_study_section, studies))
    page = (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{escape(title)}</h1>{body}</html>"
    )
    (folder / "report.html").write_text(page, encoding="utf-8")
