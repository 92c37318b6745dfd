"""`python -m ml.trial_load FOLDER`: load a model and score made-up rows; exit code 0 only if all of it works."""

import sys
from pathlib import Path

import numpy as np

from ml.features.catalogue import FEATURES
from ml.model import ModelRefused, load_model


def main(folder: Path) -> None:
    """ModelRefused when a head does not give finite log-odds for ordinary, extreme and missing features."""
    model = load_model(folder)
    rows = np.random.default_rng(0).normal(0.0, 1.0, (64, len(FEATURES))).astype(np.float32)
    rows[::4] *= 1e6
    rows[::3, ::2] = np.nan
    rows[-1] = np.nan
    for horizon, head in model.heads.items():
        # ln(1 + x) of what is never negative in a diary.
        features = np.where([feature.log_scaled for feature in FEATURES], np.abs(rows), rows)
        if not np.isfinite(head.logit(features)).all() or not np.isfinite(head.contributions(features)[0]).all():
            raise ModelRefused(f"{folder}: the {horizon}-day head does not give finite log-odds")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except ModelRefused as refused:
        sys.exit(str(refused))
