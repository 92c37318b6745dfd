"""The figures of a study's report, drawn from the combined documents alone."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ml.rwe.survival import Z95

Document = dict[str, Any]
TARGET, COMPARATOR, GREY = "#1b6ca8", "#c8553d", "#8a8a8a"
STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "soom"}
COVARIATES_SHOWN = 40


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _write(figure: Figure, folder: Path, name: str) -> Path:
    """SVG for the page and PNG for the PDF; the path without ending is returned."""
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    figure.savefig(folder / f"{name}.png", dpi=150)
    return folder / name


def preference_plot(diagnostics: Document, arms: tuple[str, str], folder: Path) -> Path:
    """How likely each arm was to be given the target: overlap is what a comparison lives on."""
    with mpl.rc_context(STYLE):
        figure, axes = _axes(6, 2.8)
        for arm, label, colour in zip(("target", "comparator"), arms, (TARGET, COMPARATOR), strict=True):
            bins = [one["propensity"]["preference"][arm] for one in diagnostics["hospitals"]]
            total = np.array([[count or 0 for count in one] for one in bins]).sum(axis=0)
            share = total / max(total.sum(), 1)
            axes.stairs(share, np.linspace(0, 1, len(share) + 1), fill=True, alpha=0.45, color=colour, label=label)
        axes.axvspan(0.3, 0.7, color="#eeeeee", zorder=0)
        axes.set(xlabel="preference score (grey: equipoise)", ylabel="share of the arm")
        axes.legend(frameon=False)
        return _write(figure, folder, "preference")


def balance_plot(analysis: Document, limit: float, folder: Path) -> Path:
    """Differences between the arms before and after adjustment, the largest first."""
    chosen = sorted(analysis["balance"].items(), key=lambda item: -abs(item[1][0]))[:COVARIATES_SHOWN][::-1]
    with mpl.rc_context(STYLE):
        figure, axes = _axes(6, 1 + 0.17 * len(chosen))
        place = np.arange(len(chosen))
        axes.scatter([abs(values[0]) for _, values in chosen], place, s=16, color=GREY, marker="s", label="before")
        axes.scatter([abs(values[1]) for _, values in chosen], place, s=16, color=TARGET, label="after")
        axes.axvline(limit, color="black", linewidth=0.8, linestyle="--")
        axes.set_yticks(place, [name for name, _ in chosen], fontsize=7)
        axes.set(xlabel="standardised difference (absolute)", ylim=(-1, len(chosen)))
        axes.legend(frameon=False, loc="lower right")
        return _write(figure, folder, "balance")


def curves_plot(analysis: Document, arms: tuple[str, str], outcome: str, folder: Path) -> Path:
    with mpl.rc_context(STYLE):
        figure, axes = _axes(6, 3)
        for arm, label, colour in zip(("target", "comparator"), arms, (TARGET, COMPARATOR), strict=True):
            curve = analysis["arms"][arm]["curve"]
            axes.plot(curve["day"], [100 * share for share in curve["without_event"]], color=colour, label=label)
        axes.set(xlabel="days at risk", ylabel=f"without {outcome}, %", ylim=(0, 101))
        axes.legend(frameon=False)
        return _write(figure, folder, "curves")


def forest_plot(results: Document, primary: str, folder: Path) -> Path:
    """Hospitals, the pooled and the calibrated estimate of the primary analysis, then the other analyses."""
    rows: list[tuple[str, Document | None, str]] = []
    main = results["analyses"][primary]
    rows += [(name, one["estimate"], GREY) for name, one in main["hospitals"].items()]
    rows.append(("all hospitals", main["estimate"], TARGET))
    rows.append(("all, calibrated", main["calibrated"], "black"))
    for name, analysis in results["analyses"].items():
        if name != primary:
            rows.append((f"{name}, calibrated", analysis["calibrated"] or analysis["estimate"], GREY))
    known = [(label, value, colour) for label, value, colour in rows if value is not None][::-1]
    with mpl.rc_context(STYLE):
        figure, axes = _axes(6, 1 + 0.26 * len(known))
        for place, (_, value, colour) in enumerate(known):
            axes.plot([value["low"], value["high"]], [place, place], color=colour, linewidth=1.4)
            axes.plot(value["hazard_ratio"], place, "o", color=colour, markersize=5)
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_yticks(range(len(known)), [label for label, _, _ in known])
        axes.set_xscale("log")
        low = min([value["low"] for _, value, _ in known], default=0.5)
        high = max([value["high"] for _, value, _ in known], default=2.0)
        ticks = [tick for tick in (0.1, 0.25, 0.5, 0.67, 1, 1.5, 2, 4, 10) if low / 1.3 <= tick <= high * 1.3]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set(xlabel="hazard ratio (95 % interval); below 1 favours the target", xlim=(low / 1.15, high * 1.15))
        return _write(figure, folder, "forest")


def controls_plot(analysis: Document, folder: Path) -> Path:
    """Negative controls, whose truth is 1: below the dashed lines p < 0.05, in the shade calibrated p < 0.05."""
    controls = [one for one in analysis["negative_controls"].values() if one is not None]
    bias = analysis["systematic_error"]
    with mpl.rc_context(STYLE):
        figure, axes = _axes(6, 3.2)
        highest = max([one["standard_error"] for one in controls], default=0.5) * 1.15
        error = np.linspace(0, highest, 100)
        for side in (-1, 1):
            axes.plot(np.exp(side * Z95 * error), error, color="black", linewidth=0.8, linestyle="--")
        if bias is not None:
            width = Z95 * np.sqrt(error**2 + bias["sd"] ** 2)
            low, high = np.exp(bias["mean"] - width), np.exp(bias["mean"] + width)
            axes.fill_betweenx(error, 0.2, low, color="#f3dcc0", linewidth=0)
            axes.fill_betweenx(error, high, 5, color="#f3dcc0", linewidth=0)
        axes.scatter(
            [one["hazard_ratio"] for one in controls], [one["standard_error"] for one in controls], s=14, color=TARGET
        )
        estimate = analysis["estimate"]
        if estimate is not None:
            axes.scatter(
                estimate["hazard_ratio"],
                estimate["standard_error"],
                s=50,
                marker="D",
                color=COMPARATOR,
                label="outcome",
            )
            axes.legend(frameon=False)
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_xscale("log")
        axes.set_xticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
        axes.minorticks_off()
        axes.set(xlabel="hazard ratio", ylabel="standard error", xlim=(0.2, 5), ylim=(0, highest))
        return _write(figure, folder, "controls")
