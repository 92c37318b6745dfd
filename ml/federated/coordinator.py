"""A federated run from the first hello to a model folder. It sees sums, trees and refusals, and no patient's row.

Steps: hello; counts; cells (shared bins); regression, as often as Newton needs; grow (each hospital's trees on top of
the regression, without leaf values) and leaves (sums that value them); both again for each round of a bagged
challenger, if the plan asks for one; held_out (calibration); thresholds (alarms, hospital factors); judge (each
hospital tries the model on patients that it set aside).
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flwr.serverapp import Grid
from numpy.typing import NDArray

from ml.experts import LinearExpert
from ml.features.catalogue import FAST_COLUMNS, FEATURES
from ml.federated import trees as travelling
from ml.federated.alarm_sums import THRESHOLDS, figures_within_budgets
from ml.federated.bins import CELLS, cell_edges, shared_edges, spreads
from ml.federated.exchange import Exchange, Gathered, RunRefused, Say
from ml.federated.fitting import Regression, asked, check_counts, fit_exactly, fit_privately, regressions
from ml.federated.growing import FOREST_STEP, Forest, NothingGrown, grow_forest
from ml.federated.logit_counts import STEPS, auroc_of_counts, calibration_of_counts, log_loss_of_counts
from ml.federated.messages import Reply
from ml.federated.plan import FederationPlan
from ml.federated.tree_steps import booster_of, shared, variant_name
from ml.model import MAIN_HORIZON_DAYS, Head, Model, Reference, save_model
from ml.registry import try_model

Float64 = NDArray[np.float64]

ONE_SHOT, BAGGED = "one_shot", "bagged"
# A challenger may lose this much AUROC at one hospital, and none over all of them.
CHALLENGER_MARGIN = 0.01
AGREEMENT = 1e-12
LARGEST_COEFFICIENT = 100.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How many hospitals to wait for at the start, for how long, and how long a hospital has for a step (seconds)."""

    hospitals: int
    start_seconds: float = 60.0
    step_seconds: float = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """`judgement` holds what each hospital found; `rounds` counts every question put to the hospitals."""

    model: Model
    judgement: Mapping[str, Mapping[str, Any]]
    rounds: int
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Regressions:
    """What all hospitals' sums gave: counts, shared bins, the features' spread, and each expert by name."""

    counts: Mapping[str, Float64]
    edges: list[Float64]
    references: dict[str, Reference]
    experts: Mapping[str, LinearExpert]


def run_identity(folder: Path, plan: FederationPlan) -> str:
    """The run's name, kept in the folder: a killed run goes on under it. RunRefused where another plan ran there."""
    file = folder / "run.json"
    if file.exists():
        stored = json.loads(file.read_text(encoding="utf-8"))
        if stored["plan"] != plan.digest:
            raise RunRefused(f"{folder} holds a run of another plan")
        return str(stored["run"])
    folder.mkdir(parents=True, exist_ok=True)
    run = secrets.token_hex(8)
    file.write_text(json.dumps({"run": run, "plan": plan.digest}), encoding="utf-8")
    return run


class Federation:
    """One run over a Flower grid, kept in `folder`: `steps/` as they come in, `model/` at the end."""

    def __init__(
        self, grid: Grid, plan: FederationPlan, folder: Path, patience: Patience, say: Say = lambda _: None
    ) -> None:
        if MAIN_HORIZON_DAYS not in plan.horizons:
            raise RunRefused(f"the plan has no {MAIN_HORIZON_DAYS}-day horizon")
        self.plan, self.folder, self.patience, self.say = plan, folder, patience, say
        self.exchange = Exchange(grid, plan, run_identity(folder, plan), folder, patience.step_seconds, say)
        self.rounds = 0

    def train(self) -> Outcome:
        """Run to the end. RunRefused, with the reason, where no sound model can come of it."""
        found = self.regressions()
        counts, edges, experts = found.counts, found.edges, found.experts
        candidates = {ONE_SHOT: self._one_shot(experts, edges)}
        if self.plan.challenger_rounds:
            try:
                candidates[BAGGED] = self._bagged(experts, edges)
            except NothingGrown as nothing:
                self.say(f"no bagged challenger: {nothing}")
        held_out = self._held_out(experts, edges, candidates)
        champion = self._champion(held_out, list(candidates))
        metrics, calibrations = self._calibrate(held_out, champion, counts)
        forest = candidates[champion]
        factors, amber, red, alarms = self._thresholds(experts, edges, forest, calibrations)
        heads = {
            horizon: Head(
                # Trees on top of the whole regression foresee more than on top of the slow features alone: they need
                # not find again, with a thousand patients, what the regression knows of the last days.
                rate=experts[variant_name(horizon, -1)],
                trees=self._checked_booster(forest, variant_name(horizon, -1)),
                linear=experts[variant_name(horizon, -1)],
                slope=calibrations[horizon][0],
                intercept=calibrations[horizon][1],
            )
            for horizon in self.plan.horizons
        }
        card = self._card(champion, metrics, alarms, factors)
        model = Model(heads, factors, amber, red, card, found.references)
        judgement = self._judged(model)
        return Outcome(model, judgement, self.rounds, tuple(self.exchange.members.events))

    def regressions(self) -> Regressions:
        """The run up to its logistic regressions, which need no trees. RunRefused as `train`."""
        self.exchange.begin(self.patience.hospitals, self.patience.start_seconds)
        counts = self._counts()
        models = regressions(self.exchange, counts)
        edges, references, starts = self._bins(counts, models)
        if self.plan.privacy.differential:
            experts, rounds = fit_privately(self.exchange, models)
        else:
            experts, rounds = fit_exactly(self.exchange, models, starts)
        self.rounds += 2 + rounds
        return Regressions(counts, edges, references, experts)

    def _counts(self) -> Mapping[str, Float64]:
        variants, width = len(self.plan.variants), len(FEATURES)
        shapes: dict[str, tuple[int, ...]] = {"patients": (1,), "rows": (variants,), "positives": (variants,)}
        shapes |= dict.fromkeys(("known", "total", "squares"), (width,))
        sums = dict(self.exchange.ask("counts", shapes=shapes, check=check_counts).sums)
        for name in ("patients", "rows", "positives", "known"):
            sums[name] = np.round(sums[name])
        self.say(f"{sums['patients'][0]:,.0f} patients, {sums['rows'].max():,.0f} patient-days")
        return sums

    def _bins(
        self, counts: Mapping[str, Float64], models: Sequence[Regression]
    ) -> tuple[list[Float64], dict[str, Reference], dict[str, Float64]]:
        """Shared thresholds, the features' spread, and where the regressions begin."""
        known = np.maximum(counts["known"], 1.0)
        centre = counts["total"] / known
        scale = np.sqrt(np.maximum(counts["squares"] / known - centre**2, 1e-12))
        shape = (len(FEATURES), CELLS + 3)

        # Coefficients without noise would spend the privacy that noisy gradients keep.
        positives = counts["positives"]
        begun = [] if self.plan.privacy.differential else list(models)
        fields, arrays = asked(begun)
        shapes: dict[str, tuple[int, ...]] = {f"{model.name}.start": (model.standard.width,) for model in begun}

        def check(sums: Mapping[str, Float64]) -> None:
            rows = sums["cells"].sum(axis=1)
            if (sums["cells"] < -1e-3).any() or np.ptp(rows) > 0.5:
                raise ValueError("every feature must have the same number of rows, none negative")
            most = max((np.abs(sums[f"{model.name}.start"]).max() for model in begun), default=0.0)
            if most > LARGEST_COEFFICIENT * positives.sum():
                raise ValueError("a coefficient is beyond reason")

        found = self.exchange.ask(
            "cells",
            fields=fields,
            arrays=arrays | {"centre": centre, "scale": scale},
            shapes=shapes | {"cells": shape},
            check=check,
        )
        by_variant = dict(zip(self.plan.variants, positives, strict=True))
        starts = {
            model.name: found.sums[f"{model.name}.start"] / by_variant[model.horizon, model.left_out] for model in begun
        }
        cells, grid = np.round(found.sums["cells"]), cell_edges(centre, scale)
        references = {
            name: Reference(tuple(edges), tuple(shares)) for name, (edges, shares) in spreads(cells, grid).items()
        }
        return shared_edges(cells, grid, FAST_COLUMNS, self.plan.bins), references, starts

    def _one_shot(self, experts: Mapping[str, LinearExpert], edges: list[Float64]) -> Forest:
        self.rounds += 2
        return grow_forest(self.exchange, experts, edges, self.plan.trees)

    def _bagged(self, experts: Mapping[str, LinearExpert], edges: list[Float64]) -> Forest:
        """Rounds of fewer trees, each hospital's grown on top of everybody's so far."""
        rounds = self.plan.challenger_rounds
        each, step = max(1, self.plan.trees // rounds), FOREST_STEP / rounds
        forest = grow_forest(self.exchange, experts, edges, each, 1, step)
        for number in range(2, rounds + 1):
            forest = forest + grow_forest(self.exchange, experts, edges, each, number, step, forest)
        self.rounds += 2 * rounds
        return forest

    def _held_out(
        self, experts: Mapping[str, LinearExpert], edges: list[Float64], candidates: Mapping[str, Forest]
    ) -> Gathered:
        shapes: dict[str, tuple[int, ...]] = {
            f"{name}.{horizon}": (2, STEPS) for horizon in self.plan.horizons for name in (*candidates, "linear")
        }

        def check(sums: Mapping[str, Float64]) -> None:
            if any((values < -1e-3).any() or (values > 1e10).any() for values in sums.values()):
                raise ValueError("a count of rows is negative or beyond reason")

        fields, arrays = shared(experts, edges)
        found = self.exchange.ask(
            "held_out",
            fields=fields | {"candidates": list(candidates)},
            arrays=arrays,
            texts={
                f"{candidate}.{variant_name(horizon, fold)}": travelling.write_trees(
                    forest.trees[variant_name(horizon, fold)]
                )
                for candidate, forest in candidates.items()
                for horizon in self.plan.horizons
                for fold in range(self.plan.folds)
            },
            shapes=shapes,
            check=check,
        )
        self.rounds += 1
        return Gathered({name: np.round(values) for name, values in found.sums.items()}, found.fields, found.texts)

    def _champion(self, held_out: Gathered, candidates: list[str]) -> str:
        """The bagged trees only where they are no worse over all hospitals, nor clearly worse at any."""
        if BAGGED not in candidates:
            return ONE_SHOT
        pooled = {name: auroc_of_counts(held_out.sums[f"{name}.{MAIN_HORIZON_DAYS}"]) for name in candidates}
        worse_somewhere = [
            hospital
            for hospital, own in held_out.fields.items()
            if own.get(BAGGED) is not None and own[BAGGED] < own[ONE_SHOT] - CHALLENGER_MARGIN
        ]
        promoted = pooled[BAGGED] >= pooled[ONE_SHOT] and not worse_somewhere
        self.say(
            f"bagged trees {'replace' if promoted else 'do not replace'} the one-shot trees:"
            f" held-out AUROC {pooled[BAGGED]:.4f} against {pooled[ONE_SHOT]:.4f}"
        )
        return BAGGED if promoted else ONE_SHOT

    def _calibrate(
        self, held_out: Gathered, champion: str, counts: Mapping[str, Float64]
    ) -> tuple[dict[str, Any], dict[int, tuple[float, float]]]:
        """Figures and calibration by horizon. RunRefused where the model says less than the base rate."""
        metrics: dict[str, Any] = {}
        calibrations: dict[int, tuple[float, float]] = {}
        for horizon in self.plan.horizons:
            logits = held_out.sums[f"{champion}.{horizon}"]
            rows, positives = logits.sum(), logits[1].sum()
            share = positives / rows
            base = float(-(share * np.log(share) + (1 - share) * np.log(1 - share)))
            calibrations[horizon] = calibration_of_counts(logits)
            loss, area = log_loss_of_counts(logits, *calibrations[horizon]), auroc_of_counts(logits)
            # An attack counts once for each kept day of the horizon before it. Two standard errors of the AUROC of
            # guessing, with so many attacks and far more days without, are luck.
            luck = 2.0 / np.sqrt(12.0 * positives * self.plan.every_days / horizon)
            if not (loss < base and area > 0.5 + luck):
                raise RunRefused(
                    f"the {horizon}-day model says no more than the base rate on held-out patients (log-loss {loss:.4f}"
                    f" against {base:.4f}, AUROC {area:.3f} where {0.5 + luck:.3f} may be luck); it is not written"
                )
            metrics[str(horizon)] = {
                "days": int(rows),
                "positive_days": int(positives),
                "log_loss": loss,
                "log_loss_of_base_rate": base,
                "auroc": area,
                "auroc_logistic_regression": auroc_of_counts(held_out.sums[f"linear.{horizon}"]),
            }
            self.say(f"{horizon}-day head: held-out AUROC {area:.3f}")
        return metrics, calibrations

    def _thresholds(
        self,
        experts: Mapping[str, LinearExpert],
        edges: list[Float64],
        forest: Forest,
        calibrations: Mapping[int, tuple[float, float]],
    ) -> tuple[dict[int, float], float, float, dict[str, Any]]:
        slope, intercept = calibrations[MAIN_HORIZON_DAYS]
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("alarms", "caught", "helpful_alarms"), (len(THRESHOLDS),))
        shapes |= {"attacks": (1,), "judged_days": (1,)}

        def accept(_hospital: str, reply: Reply) -> None:
            factor = reply.fields.get("factor")
            if not isinstance(factor, float) or not 0.1 <= factor <= 10:
                raise ValueError("an impossible hospital factor")

        def check(sums: Mapping[str, Float64]) -> None:
            if (sums["alarms"] > sums["judged_days"]).any() or (sums["caught"] > sums["attacks"]).any():
                raise ValueError("more alarms than days, or more attacks caught than there were")

        names = [variant_name(MAIN_HORIZON_DAYS, fold) for fold in range(self.plan.folds)]
        fields, arrays = shared(experts, edges)
        found = self.exchange.ask(
            "thresholds",
            fields=fields | {"slope": slope, "intercept": intercept},
            arrays=arrays,
            texts={name: travelling.write_trees(forest.trees[name]) for name in names},
            shapes=shapes,
            accept=accept,
            check=check,
        )
        self.rounds += 1
        factors = {
            self.exchange.members.code[hospital]: float(fields["factor"]) for hospital, fields in found.fields.items()
        }
        alarms = figures_within_budgets(found.sums)
        amber, red = (alarms[name]["threshold"] for name in ("amber", "red"))
        return factors, amber, red, {"model": alarms}

    def _checked_booster(self, forest: Forest, variant: str) -> Any:
        """LightGBM's booster of the forest, which must say what the trees' plain sum says."""
        trees = forest.trees[variant]
        # A leaf that few patients' days reach is written as the smallest cell.
        shown = [
            np.maximum(rows, self.plan.privacy.smallest_cell).astype(np.int64) for rows in forest.leaf_rows[variant]
        ]
        booster = booster_of(trees, shown)
        rng = np.random.default_rng(self.plan.seed)
        rows = rng.normal(0.0, 2.0, (256, len(FEATURES))).astype(np.float32)
        rows[rng.random(rows.shape) < 0.1] = np.nan
        plain = travelling.predict(trees, rows[:, FAST_COLUMNS].astype(np.float64))
        if np.abs(booster.logit(rows) - plain).max() > AGREEMENT:
            raise RunRefused("LightGBM's answer to the merged trees is not the sum of the hospitals' trees")
        return booster

    def _card(
        self, champion: str, metrics: dict[str, Any], alarms: dict[str, Any], factors: Mapping[int, float]
    ) -> dict[str, Any]:
        privacy = self.plan.to_dict()["privacy"]
        privacy["covers"] = (
            "differential privacy covers the coefficients of the logistic regressions, not counts, bins or trees"
            if self.plan.privacy.differential
            else "no differential privacy"
        )
        members = self.exchange.members
        return {
            "model_id": self.plan.name,
            "model_version": self.plan.version,
            "purpose": self.plan.purpose,
            "data": {
                "source": "federated training",
                "run": self.exchange.run,
                "plan": self.plan.digest,
                "hospitals": len(members.patients),
                "hospitals_at_the_end": len(members.node),
                "patients_at_least": sum(members.patients.values()),
                "trees": champion,
                "rounds": self.rounds,
                "seed": self.plan.seed,
                "privacy": privacy,
            },
            # By these a hospital that adopts the model finds its own factor; one that is not here has none.
            "hospitals": {
                own_id: members.code[name]
                for name, ids in sorted(members.own_ids.items())
                for own_id in ids
                if members.code[name] in factors
            },
            "held_out": metrics,
            "held_out_alarms": alarms,
        }

    def _judged(self, model: Model) -> dict[str, Mapping[str, Any]]:
        """Write the model once it loads in a process of its own and most hospitals would take it."""
        draft = self.folder / "draft"
        save_model(model, draft)
        try_model(draft)
        files = {file.name: file.read_text(encoding="utf-8") for file in sorted(draft.iterdir())}
        found = self.exchange.ask("judge", texts=files)
        self.rounds += 1
        unwilling = [hospital for hospital, fields in found.fields.items() if fields.get("adopt") is not True]
        (self.folder / "judgement.json").write_text(json.dumps(dict(found.fields), indent=1), encoding="utf-8")
        if 2 * len(unwilling) > len(found.fields):
            raise RunRefused(
                f"most hospitals would not take the model ({', '.join(sorted(unwilling))}); it is not written"
            )
        save_model(model, self.folder / "model")
        return dict(found.fields)
