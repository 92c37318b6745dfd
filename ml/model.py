"""A trained model: one head a horizon, hospital factors, alarm thresholds and a card. On disk it is a folder.

`card.json` says what it is, what it was trained on and how good it was, and holds the SHA-256 of every other file;
`heads.json` the linear experts and calibrations; `trees_<horizon>.txt` the boosters as text; `reference.json` how each
feature was spread in training.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.experts import LinearExpert, TreeExpert
from ml.features.catalogue import FEATURES
from ml.personal import Float64

FORMAT = 1
# The horizon that level, alarms and the personal layer speak of.
MAIN_HORIZON_DAYS = 7


class ModelRefused(ValueError):
    """The folder is not a model that this version can use; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One horizon: the mean of two experts' log-odds, calibrated by a slope and an intercept.

    The first expert is the patient-rate layer plus trees on all features, the second a logistic regression on all. In a
    federated model the first is the second plus trees on the fast features.
    """

    rate: LinearExpert
    trees: TreeExpert
    linear: LinearExpert
    slope: float
    intercept: float

    def raw_logit(self, features: NDArray[np.float32]) -> Float64:
        """Mean log-odds of the two experts before calibration."""
        layered = self.rate.logit(features) + self.trees.logit(features)
        mean: Float64 = 0.5 * (layered + self.linear.logit(features))
        return mean

    def logit(self, features: NDArray[np.float32]) -> Float64:
        """Calibrated log-odds of each row."""
        result: Float64 = self.intercept + self.slope * self.raw_logit(features)
        return result

    def contributions(self, features: NDArray[np.float32]) -> tuple[Float64, Float64]:
        """Exact share of each feature in the calibrated log-odds (rows, features), and the rest (rows,)."""
        shares = np.zeros((len(features), len(FEATURES)))
        tree_shares, tree_mean = self.trees.contributions(features)
        for columns, part in (
            (self.rate.columns, self.rate.contributions(features)),
            (self.trees.columns, tree_shares),
            (self.linear.columns, self.linear.contributions(features)),
        ):
            shares[:, columns] += 0.5 * self.slope * part
        rest = self.intercept + 0.5 * self.slope * (self.rate.intercept + self.linear.intercept + tree_mean)
        return shares, rest


@dataclass(frozen=True, slots=True)
class Reference:
    """How a feature was spread in training: shares of the bins up to each edge, above the last, and, last, missing."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Heads by horizon in days, odds factors by hospital code, and the two alarm thresholds on the alarm score.

    `reference` holds the training spread of each feature by name, which the drift report compares with.
    """

    heads: Mapping[int, Head]
    hospital_factor: Mapping[int, float]
    amber_threshold: float
    red_threshold: float
    card: Mapping[str, Any]
    reference: Mapping[str, Reference]

    @property
    def model_id(self) -> str:
        return str(self.card["model_id"])

    @property
    def model_version(self) -> str:
        return str(self.card["model_version"])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def save_model(model: Model, folder: Path) -> None:
    """Write the model's files; the card's `files` and `hash` are made here. The same model makes the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {f"trees_{horizon}.txt": head.trees.booster.model_to_string() for horizon, head in model.heads.items()}
    heads = {
        str(horizon): {
            "rate": head.rate.to_dict(),
            "linear": head.linear.to_dict(),
            "slope": head.slope,
            "intercept": head.intercept,
        }
        for horizon, head in model.heads.items()
    }
    contents["heads.json"] = json.dumps(
        {
            "heads": heads,
            "hospital_factor": {str(code): factor for code, factor in model.hospital_factor.items()},
            "amber_threshold": model.amber_threshold,
            "red_threshold": model.red_threshold,
        },
        indent=1,
    )
    contents["reference.json"] = json.dumps({name: asdict(spread) for name, spread in model.reference.items()})
    files = {name: _digest(text) for name, text in sorted(contents.items())}
    card = dict(model.card) | {"format": FORMAT, "files": files, "hash": _digest(json.dumps(files))}
    contents["card.json"] = json.dumps(card, indent=1, ensure_ascii=False)
    for name, text in contents.items():
        (folder / name).write_text(text + "\n" if name.endswith(".json") else text, encoding="utf-8")


def load_model(folder: Path) -> Model:
    """Read a model folder. ModelRefused when a file is missing, altered, of another format or inconsistent.

    Every file is checked against the card before LightGBM sees it, for LightGBM ends the process on some bad texts; a
    folder from elsewhere goes through `ml.registry`, which tries it in a process of its own.
    """
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        if card.get("format") != FORMAT:
            raise ModelRefused(f"{folder}: the model's format is {card.get('format')!r}, this version reads {FORMAT}")
        texts = {name: (folder / name).read_text(encoding="utf-8") for name in card["files"]}
        for name, text in texts.items():
            if _digest(text.removesuffix("\n") if name.endswith(".json") else text) != card["files"][name]:
                raise ModelRefused(f"{folder / name} does not match the hash in its card: it was altered or cut short")
        stored = json.loads(texts["heads.json"])
        heads = {
            int(horizon): Head(
                rate=LinearExpert.from_dict(parts["rate"]),
                trees=TreeExpert.from_text(texts[f"trees_{horizon}.txt"]),
                linear=LinearExpert.from_dict(parts["linear"]),
                slope=float(parts["slope"]),
                intercept=float(parts["intercept"]),
            )
            for horizon, parts in sorted(stored["heads"].items(), key=lambda item: int(item[0]))
        }
        if MAIN_HORIZON_DAYS not in heads:
            raise ModelRefused(f"{folder}: the model has no {MAIN_HORIZON_DAYS}-day head")
        return Model(
            heads=heads,
            hospital_factor={int(code): float(factor) for code, factor in stored["hospital_factor"].items()},
            amber_threshold=float(stored["amber_threshold"]),
            red_threshold=float(stored["red_threshold"]),
            card=card,
            reference={
                name: Reference(tuple(spread["edges"]), tuple(spread["shares"]))
                for name, spread in json.loads(texts["reference.json"]).items()
            },
        )
    except ModelRefused:
        raise
    except FileNotFoundError as error:
        raise ModelRefused(f"{error.filename} is missing from the model") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelRefused(f"{folder} is not a usable model: {error!r}") from error
