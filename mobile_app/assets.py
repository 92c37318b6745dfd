"""Brings the typeface from npm's folder to where the app loads it: `npm ci`, then `python -m mobile_app.assets`."""

import shutil
import sys
from pathlib import Path

FONTS = Path(__file__).parent / "fonts"
_PACKAGE = Path(__file__).parent / "node_modules" / "pretendard" / "dist"
# Pretendard has Hangul, Estonian and the figures in one design; these three weights are all that theme.py uses.
WEIGHTS = ("Regular", "Medium", "Bold")


def copy_typeface() -> None:
    """Copies the three weights and their licence (SIL OFL 1.1). Raises FileNotFoundError before ``npm ci``."""
    FONTS.mkdir(exist_ok=True)
    for weight in WEIGHTS:
        name = f"Pretendard-{weight}.otf"
        shutil.copyfile(_PACKAGE / "public" / "static" / name, FONTS / name)
    shutil.copyfile(_PACKAGE / "LICENSE.txt", FONTS / "LICENSE.txt")


if __name__ == "__main__":
    try:
        copy_typeface()
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is missing; run `npm ci --prefix mobile_app` first")
