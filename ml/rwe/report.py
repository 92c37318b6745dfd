"""The report of a study, as a page and as a PDF of the same content: sections of text, tables and figures."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace

from ml.rwe import plots
from ml.rwe.protocol import Protocol
from ml.rwe.register import Entry

Document = dict[str, Any]
SUPPRESSED = "few"
STYLESHEET = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:left}
td:not(:first-child),th:not(:first-child){text-align:right}.words td,.words th{text-align:left!important}
caption{text-align:left;font-weight:600}
.note{color:#555}.warning{border-left:4px solid #c8553d;padding:.3rem .8rem;background:#fbeeea}
svg{max-width:100%;height:auto}"""


@dataclass(frozen=True, slots=True)
class Table:
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """`path` without its ending; `text` says what it shows."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    parts: Sequence[str | Table | Picture]
    warning: str = ""


def write_report(
    folder: Path, protocol: Protocol, register: Sequence[Entry], diagnostics: Document, results: Document | None
) -> None:
    """Writes report.html, report.pdf and the pictures. Without `results` it is blind to the outcome by arm."""
    pictures = folder / "plots"
    pictures.mkdir(parents=True, exist_ok=True)
    sections = [_question(protocol, register), *_diagnostics(protocol, diagnostics, pictures)]
    if results is not None:
        sections = [sections[0], *_results(protocol, results, pictures), *sections[1:]]
    (folder / "report.html").write_text(_page(protocol, sections), encoding="utf-8")
    _pdf(protocol, sections, folder / "report.pdf")


def count(value: float | None, digits: int = 0) -> str:
    """A number for people; a suppressed one as a word."""
    return SUPPRESSED if value is None else f"{value:,.{digits}f}"


def ratio(estimate: Document | None) -> str:
    if estimate is None:
        return "not estimable"
    return f"{estimate['hazard_ratio']:.2f} ({estimate['low']:.2f} to {estimate['high']:.2f})"


def _p_value(p: float | None) -> str:
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _question(protocol: Protocol, register: Sequence[Entry]) -> Section:
    words = {"registered": "protocol registered", "diagnosed": "diagnostics", "opened": "results opened"}
    rows = []
    for entry in register:
        detail = ""
        if entry.step == "diagnosed":
            detail = "passed" if entry.detail["passed"] else "did not pass: " + "; ".join(entry.detail["failed"])
        if entry.step == "overridden":
            detail = str(entry.detail["reason"])
        rows.append((entry.at[:19].replace("T", " "), words.get(entry.step, "opened against the diagnostics"), detail))
    overridden = [entry.detail["reason"] for entry in register if entry.step == "overridden"]
    eligibility, follow_up = protocol.eligibility, protocol.follow_up
    trial = [
        ("Target treatment", protocol.target.label),
        ("Active comparator", protocol.comparator.label),
        ("New users", f"neither treatment in the {protocol.washout_days} days before"),
        ("Age at index", f"{eligibility.least_age_years} to {eligibility.most_age_years} years"),
        ("Required before index", ", ".join(eligibility.required) or "nothing"),
        ("Excluded before index", ", ".join(eligibility.excluded) or "nothing"),
        ("Outcome", f"{protocol.outcome.label}: {', '.join(protocol.outcome.concept_sets)}"),
        ("At risk", f"day {follow_up.first_day} to {follow_up.last_day} after index"),
        ("Severity terms", "; ".join(term.name for term in protocol.covariates.severity_terms)),
        ("Negative controls", str(len(protocol.negative_controls))),
    ]
    return Section(
        "Question and target trial",
        [
            protocol.question,
            Table("Target trial", ("", ""), trial, numbers=False),
            Table("Register", ("Time (UTC)", "Step", "Detail"), rows, numbers=False),
            f"SHA-256 of the protocol: {protocol.sha256}",
        ],
        warning=f"Results opened although the diagnostics had not passed. Reason given: {'; '.join(overridden)}"
        if overridden
        else "",
    )


def _diagnostics(protocol: Protocol, diagnostics: Document, pictures: Path) -> list[Section]:
    verdict = (
        "The diagnostics passed."
        if diagnostics["passed"]
        else "The diagnostics did not pass: " + "; ".join(diagnostics["failed"]) + "."
    )
    parts: list[str | Table | Picture] = [
        verdict,
        f"Equipoise: {100 * diagnostics['equipoise']:.0f} % of the patients had either treatment open to them "
        f"(needed: {100 * protocol.diagnostics.least_equipoise:.0f} %).",
        Table(
            "Analyses",
            ("", "target", "comparator", "events", "detectable hazard ratio", "largest difference before", "after"),
            [
                (
                    f"{name} ({one['adjustment']}, {one['follow_up'].replace('_', ' ')})",
                    count(one["target"]),
                    count(one["comparator"]),
                    count(one["events"]),
                    "–" if one["detectable_hazard_ratio"] is None else f"{one['detectable_hazard_ratio']:.2f}",
                    "–" if one["largest_smd_before"] is None else f"{one['largest_smd_before']:.2f}",
                    "–" if one["largest_smd_after"] is None else f"{one['largest_smd_after']:.2f}",
                )
                for name, one in diagnostics["analyses"].items()
            ],
        ),
    ]
    if diagnostics["hospitals"]:
        primary = diagnostics["analyses"][protocol.primary.name]
        arms = (protocol.target.label, protocol.comparator.label)
        parts += [
            Picture(plots.preference_plot(diagnostics, arms, pictures), "Preference scores of the two arms"),
            Picture(
                plots.balance_plot(primary, protocol.diagnostics.largest_smd, pictures),
                "Standardised differences before and after adjustment, primary analysis",
            ),
        ]
    sections = [Section("Diagnostics, blind to the outcome of each arm", parts)]
    flow: list[str | Table | Picture] = []
    for one in diagnostics["hospitals"]:
        rows = [(step["criterion"], count(step["target"]), count(step["comparator"])) for step in one["attrition"]]
        flow.append(Table(one["hospital"], ("Left after", "target", "comparator"), rows))
        missing = [
            (name, *("few" if share[arm] is None else f"{100 * share[arm]:.0f} %" for arm in ("target", "comparator")))
            for name, share in one["missing"].items()
        ]
        flow.append(Table(f"{one['hospital']}: not recorded before index", ("", "target", "comparator"), missing))
    flow += [f"Takes no part: {reason}." for reason in diagnostics["declined"]]
    flow.append(
        f"“{SUPPRESSED}” stands for counts below {protocol.smallest_cell}, and for those that would give one away."
    )
    return [*sections, Section("Attrition and missing data", flow)]


def _results(protocol: Protocol, results: Document, pictures: Path) -> list[Section]:
    primary = results["analyses"][protocol.primary.name]
    arms = (protocol.target.label, protocol.comparator.label)
    rows = []
    for name, one in results["analyses"].items():
        p = one["calibrated_p"]
        rows.append((name, ratio(one["estimate"]), ratio(one["calibrated"]), _p_value(p)))
    incidence = []
    for arm, label in zip(("target", "comparator"), arms, strict=True):
        one = primary["arms"][arm]
        rate = one["rate_per_1000_person_years"]
        incidence.append(
            (label, count(one["patients"]), count(one["person_years"]), count(one["events"]), count(rate, 1))
        )
    bias = primary["systematic_error"]
    said = (
        "Too few negative controls could be estimated: nothing is calibrated."
        if bias is None
        else f"{bias['controls']} negative controls, whose truth is 1, show a bias of the hazard ratio by a factor of "
        f"{math.exp(bias['mean']):.2f} (SD of its logarithm {bias['sd']:.2f}); the calibrated figures allow for it."
    )
    spread = primary["tau"]
    between = (
        "" if spread is None else f"Spread between hospitals: tau {spread:.2f}, I² {100 * primary['i_squared']:.0f} %."
    )
    return [
        Section(
            f"Result: {protocol.outcome.label}, {arms[0]} against {arms[1]}",
            [
                Table("Hazard ratio (95 % interval)", ("", "estimate", "calibrated", "calibrated p"), rows),
                said,
                between,
                Picture(
                    plots.forest_plot(results, protocol.primary.name, pictures),
                    "Hazard ratios by hospital and analysis",
                ),
                Table(
                    "Incidence, primary analysis",
                    ("", "patients", "person-years", "events", "per 1,000 person-years"),
                    incidence,
                ),
                Picture(
                    plots.curves_plot(primary, arms, protocol.outcome.label, pictures), "Share without the outcome"
                ),
                Picture(plots.controls_plot(primary, pictures), "Negative controls and the outcome"),
                "Exposure is dispensing, not use. What no record shows can still bias the estimate beyond what the "
                "negative controls reveal.",
            ],
        )
    ]


def _page(protocol: Protocol, sections: Sequence[Section]) -> str:
    body = [f"<h1>{html.escape(protocol.title)}</h1>"]
    for section in sections:
        body.append(f"<h2>{html.escape(section.title)}</h2>")
        if section.warning:
            body.append(f'<p class="warning">{html.escape(section.warning)}</p>')
        body += [_html_part(part) for part in section.parts if part]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(protocol.title)}</title>'
        f"<style>{STYLESHEET}</style></head><body>{''.join(body)}</body></html>"
    )


def _html_part(part: str | Table | Picture) -> str:
    if isinstance(part, str):
        return f"<p>{html.escape(part)}</p>"
    if isinstance(part, Picture):
        # Inside the page, so that one file is the whole report.
        svg = part.path.with_suffix(".svg").read_text(encoding="utf-8")
        return f'<figure role="img" aria-label="{html.escape(part.text)}">{svg[svg.index("<svg") :]}</figure>'
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in part.head)
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in part.rows)
    kind = "" if part.numbers else ' class="words"'
    return f"<table{kind}><caption>{html.escape(part.caption)}</caption><tr>{head}</tr>{rows}</table>"


def _pdf(protocol: Protocol, sections: Sequence[Section], file: Path) -> None:
    pdf = FPDF(format="A4")
    pdf.set_margin(18)
    pdf.set_auto_page_break(True, 18)
    pdf.add_page()

    def write(text: str, size: float, style: str = "") -> None:
        pdf.set_font("Helvetica", style, size)
        pdf.multi_cell(0, size * 0.5, _latin(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        pdf.ln(1.5)

    write(protocol.title, 16, "B")
    for section in sections:
        pdf.ln(3)
        write(section.title, 12.5, "B")
        if section.warning:
            write(section.warning, 10, "BI")
        for part in section.parts:
            if isinstance(part, Table):
                _pdf_table(pdf, part)
            elif isinstance(part, Picture):
                pdf.image(part.path.with_suffix(".png"), w=150, alt_text=part.text)
                pdf.ln(2)
            elif part:
                write(part, 10)
    pdf.output(str(file))


def _pdf_table(pdf: FPDF, table: Table) -> None:
    pdf.set_font("Helvetica", "B", 9.5)
    pdf.multi_cell(0, 5, _latin(table.caption), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.set_font("Helvetica", "", 8.5)
    columns = len(table.head)
    if table.numbers:
        widths = (max(26.0, 100 - 20.0 * (columns - 1)), *[20.0] * (columns - 1))
    else:
        widths = (30.0, *[70.0 / (columns - 1)] * (columns - 1))
    align = ("LEFT", *["RIGHT" if table.numbers else "LEFT"] * (columns - 1))
    with pdf.table(
        col_widths=widths,
        text_align=align,
        borders_layout="HORIZONTAL_LINES",
        line_height=4.4,
        headings_style=FontFace(emphasis="BOLD"),
        first_row_as_headings=any(table.head),
    ) as drawn:
        for cells in [*([table.head] if any(table.head) else []), *table.rows]:
            row = drawn.row()
            for cell in cells:
                row.cell(_latin(cell))
    pdf.ln(2)


def _latin(text: str) -> str:
    """The built-in typeface has Latin-1 alone; what it lacks is written with what it has."""
    for wide, plain in (("–", "-"), ("“", '"'), ("”", '"'), ("’", "'"), ("…", "..."), ("≥", ">="), ("≤", "<=")):
        text = text.replace(wide, plain)
    return text.encode("latin-1", "replace").decode("latin-1")
