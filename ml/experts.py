"""The two kinds of expert as they are used, linear and boosted trees; `ml.training.experts` fits them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from ml.features.catalogue import COLUMN, FEATURES

Float64 = NDArray[np.float64]

# A linear model must not run away with a value unlike any that it was trained on.
STANDARD_LIMIT = 5.0


@cache
def _places(columns: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Columns of the feature matrix, and which of those chosen are log-scaled; looked up once, for one patient's
    forecast is short work."""
    return np.array(columns, np.intp), np.flatnonzero([FEATURES[column].log_scaled for column in columns])


def linear_inputs(features: NDArray[np.float32], columns: Sequence[int]) -> Float64:
    """The chosen columns as float64, `log_scaled` ones as ln(1 + x)."""
    chosen, scaled = _places(tuple(columns))
    values = features[:, chosen].astype(np.float64)
    values[:, scaled] = np.log1p(values[:, scaled])
    return values


@dataclass(frozen=True, slots=True, eq=False)
class LinearExpert:
    """Log-odds from `columns` of the feature matrix, missing values with a weight of their own.

    All arrays have one element a column.
    """

    columns: tuple[int, ...]
    centre: Float64
    scale: Float64
    coefficient: Float64
    missing_coefficient: Float64
    intercept: float

    def contributions(self, features: NDArray[np.float32]) -> Float64:
        """Exact share of the log-odds of each column (rows, columns); with `intercept` they add up to `logit`."""
        values = linear_inputs(features, self.columns)
        standard = (values - self.centre) / self.scale
        standard = np.minimum(np.maximum(standard, -STANDARD_LIMIT), STANDARD_LIMIT)
        return np.where(np.isnan(values), self.missing_coefficient, standard * self.coefficient)

    def logit(self, features: NDArray[np.float32]) -> Float64:
        """Log-odds of each row."""
        # Summed row by row: a matrix product may round a row differently with the number of rows beside it.
        result: Float64 = self.contributions(features).sum(axis=1) + self.intercept
        return result

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON; columns by feature name."""
        named = asdict(self) | {"columns": [FEATURES[column].name for column in self.columns]}
        return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in named.items()}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """The inverse of `to_dict`. ValueError for an unknown feature or arrays that do not fit together."""
        columns = known_columns(stored["columns"])
        arrays = {
            name: np.array(stored[name], dtype=np.float64)
            for name in ("centre", "scale", "coefficient", "missing_coefficient")
        }
        for name, array in arrays.items():
            if array.shape != (len(columns),) or not np.isfinite(array).all():
                raise ValueError(f"{name} of the linear model must hold {len(columns)} finite numbers")
        return cls(columns=columns, intercept=float(stored["intercept"]), **arrays)


def known_columns(names: Sequence[str]) -> tuple[int, ...]:
    """Columns of the feature matrix by name. ValueError for a feature that this version does not make."""
    unknown = [name for name in names if name not in COLUMN]
    if unknown:
        raise ValueError(f"the model reads features that this version does not make: {', '.join(unknown)}")
    return tuple(COLUMN[name] for name in names)


@dataclass(frozen=True, slots=True, eq=False)
class TreeExpert:
    """Boosted trees over `columns` of the feature matrix."""

    columns: tuple[int, ...]
    booster: lightgbm.Booster

    def logit(self, features: NDArray[np.float32]) -> Float64:
        """What the trees add to the log-odds of each row."""
        if not len(features):
            return np.zeros(0)
        inputs = np.ascontiguousarray(features[:, self.columns])
        return np.asarray(self.booster.predict(inputs, raw_score=True, num_threads=1), dtype=np.float64)

    def contributions(self, features: NDArray[np.float32]) -> tuple[Float64, Float64]:
        """Exact Shapley values (TreeSHAP) of each column (rows, columns), and the trees' mean (rows,)."""
        inputs = np.ascontiguousarray(features[:, self.columns])
        shares = np.asarray(self.booster.predict(inputs, pred_contrib=True, num_threads=1), dtype=np.float64)
        return shares[:, :-1], shares[:, -1]

    @classmethod
    def from_text(cls, text: str) -> Self:
        """From LightGBM's text form. The text must be trusted: LightGBM ends the process on some malformed ones."""
        booster = lightgbm.Booster(model_str=text)
        return cls(columns=known_columns(booster.feature_name()), booster=booster)
