"""A refitted population as one JSON file: numbers only, checked on reading, so that a bad file is merely an error."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ml.treatment.attacks import LEVEL_COEFFICIENTS, Population
from ml.treatment.evidence import Effects
from ml.treatment.ingredients import CLASSES, COEFFICIENTS, Float64

FORMAT = 1


class PopulationFileRefused(ValueError):
    """The file does not hold a population that this version can use."""


def save_population(population: Population, path: Path) -> None:
    """The same population always gives the same bytes."""
    document = {
        "format": FORMAT,
        "coefficients": COEFFICIENTS,
        "level_coefficients": LEVEL_COEFFICIENTS,
        "classes": CLASSES,
        "effects_mean": population.effects.mean.tolist(),
        "effects_covariance": population.effects.covariance.tolist(),
        "level_mean": population.level_mean.tolist(),
        "level_covariance": population.level_covariance.tolist(),
        "frailty_shape": population.frailty_shape,
        "usual_effects": population.usual_effects.tolist(),
        "confounding": population.confounding.tolist(),
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def load_population(path: Path) -> Population:
    """Raises PopulationFileRefused, naming what is wrong; OSError where the file cannot be read."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = (
            document["format"],
            tuple(document["coefficients"]),
            tuple(document["level_coefficients"]),
            tuple(document["classes"]),
        )
        if found != (FORMAT, COEFFICIENTS, LEVEL_COEFFICIENTS, CLASSES):
            raise PopulationFileRefused(f"{path.name} was written for other coefficients than this version uses")
        effects, level, classes = len(COEFFICIENTS), len(LEVEL_COEFFICIENTS), len(CLASSES)
        shape = float(_numbers(document, "frailty_shape", ()))
        if shape <= 0:
            raise PopulationFileRefused(f"{path.name}: frailty_shape must be above zero")
        return Population(
            effects=Effects(
                _numbers(document, "effects_mean", (effects,)),
                _covariance(document, "effects_covariance", effects),
            ),
            level_mean=_numbers(document, "level_mean", (level,)),
            level_covariance=_covariance(document, "level_covariance", level),
            frailty_shape=shape,
            usual_effects=_numbers(document, "usual_effects", (classes,)),
            confounding=_numbers(document, "confounding", (classes,)),
        )
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise PopulationFileRefused(f"{path.name} is no population file: {problem}") from problem


def _numbers(document: dict[str, Any], name: str, shape: tuple[int, ...]) -> Float64:
    try:
        numbers = np.array(document[name], np.float64)
    except ValueError as problem:
        raise PopulationFileRefused(f"{name} does not hold numbers") from problem
    if numbers.shape != shape or not np.isfinite(numbers).all():
        raise PopulationFileRefused(f"{name} must hold finite numbers of shape {shape}")
    return numbers


def _covariance(document: dict[str, Any], name: str, size: int) -> Float64:
    matrix = _numbers(document, name, (size, size))
    if not np.allclose(matrix, matrix.T) or float(np.linalg.eigvalsh(matrix)[0]) <= 0:
        raise PopulationFileRefused(f"{name} is no covariance: it must be symmetric and positive")
    return matrix
