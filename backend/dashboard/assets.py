"""Copies what the pages serve from npm's folder to `static/vendor/`: `python -m backend.dashboard.assets`."""

import shutil
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
VENDOR = FOLDER / "static" / "vendor"

SERVED = {
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter-latin.woff2",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2": "inter-latin-ext.woff2",
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "uplot/dist/uPlot.iife.min.js": "uplot.min.js",
    "uplot/dist/uPlot.min.css": "uplot.min.css",
    "pretendard/dist/web/variable/pretendardvariable-dynamic-subset.css": "pretendard.css",
    "pretendard/dist/public/static/Pretendard-Regular.otf": "pretendard-regular.otf",
    "pretendard/dist/public/static/Pretendard-SemiBold.otf": "pretendard-semibold.otf",
    "pretendard/dist/web/variable/woff2-dynamic-subset": "woff2-dynamic-subset",
}


def copy_assets(node_modules: Path = FOLDER / "node_modules", vendor: Path = VENDOR) -> None:
    """Fill `vendor` anew. Raises FileNotFoundError, and leaves `vendor` as it was, when npm has not run."""
    for source in SERVED:
        if not (node_modules / source).exists():
            raise FileNotFoundError(f"{source} is missing: run `npm ci --prefix backend/dashboard` first")
    shutil.rmtree(vendor, ignore_errors=True)
    vendor.mkdir(parents=True)
    for source, name in SERVED.items():
        if (node_modules / source).is_dir():
            shutil.copytree(node_modules / source, vendor / name)
        else:
            shutil.copyfile(node_modules / source, vendor / name)


if __name__ == "__main__":
    try:
        copy_assets()
    except FileNotFoundError as error:
        sys.exit(str(error))
