"""The models a server may use: admitted after a trial in a process of their own, approved by a person, rolled back.

A registry is a folder with one folder a model and a ledger, `registry.jsonl`, that only grows. Whoever holds a
`CurrentForecaster` sees an approval or a roll-back at the next question, without a restart.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from ml.forecaster import SHIPPED_MODEL, Forecaster, load
from ml.model import ModelRefused

LEDGER = "registry.jsonl"
TRIAL_SECONDS = 60
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}")

Action = Literal["admit", "approve", "roll_back"]


class NotInRegistry(LookupError):
    """The registry holds no such model, or none is approved."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Who did what to which model, when and why; `hash` pins the admitted files."""

    at: str
    by: str
    action: Action
    model: str
    hash: str
    reason: str


def try_model(folder: Path) -> None:
    """Load and score with a model in a process of its own. ModelRefused with the reason when it fails or never ends.

    LightGBM ends its process on some malformed texts; here that costs a child, not the server.
    """
    try:
        trial = subprocess.run(  # noqa: S603 - our own interpreter and module; the folder is one argument
            [sys.executable, "-m", "ml.trial_load", str(folder)],
            capture_output=True,
            encoding="utf-8",
            # LightGBM prints stray bytes of the text it chokes on.
            errors="replace",
            timeout=TRIAL_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelRefused(f"{folder}: the model did not load within {TRIAL_SECONDS} s") from error
    if trial.returncode < 0:
        raise ModelRefused(f"{folder}: loading the model ended the process by signal {-trial.returncode}")
    if trial.returncode:
        lines = trial.stderr.strip().splitlines()
        raise ModelRefused(lines[-1] if lines else f"{folder}: loading the model failed")


class Registry:
    """The models under `root`; the folder is made when the first model is admitted."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def ledger(self) -> Iterator[LedgerEntry]:
        """All entries, oldest first. ModelRefused names a line that is none."""
        try:
            lines = (self.root / LEDGER).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return
        for number, line in enumerate(lines, 1):
            try:
                yield LedgerEntry(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise ModelRefused(f"line {number} of {self.root / LEDGER} is not an entry of a registry") from error

    def admit(self, folder: Path, *, by: str, now: datetime, reason: str = "") -> str:
        """Try a model folder and take a copy in as a challenger; returns its name. ModelRefused when it is unusable."""
        try_model(folder)
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        name = f"{card['model_id']}-{card['model_version']}"
        if not _NAME.fullmatch(name):
            raise ModelRefused(f"{name!r} is not a usable name: letters, digits, dot, dash and underscore only")
        target = self.root / name
        if target.exists():
            raise ModelRefused(f"{name} is in the registry already; give the model a new version")
        target.mkdir(parents=True)
        for file in ("card.json", *card["files"]):
            shutil.copyfile(folder / file, target / file)
        self._write(LedgerEntry(now.isoformat(), by, "admit", name, card["hash"], reason))
        return name

    def approve(self, name: str, *, by: str, now: datetime, reason: str) -> None:
        """Make an admitted model the champion. NotInRegistry for an unknown name."""
        self._write(LedgerEntry(now.isoformat(), by, "approve", name, self._admitted_hash(name), reason))

    def roll_back(self, *, by: str, now: datetime, reason: str) -> str | None:
        """Return to the champion before this one and name it; None: to the shipped model. NotInRegistry where no model
        is approved."""
        champions = self._champions()
        if not champions:
            raise NotInRegistry("no model is approved, so there is none to roll back from")
        self._write(LedgerEntry(now.isoformat(), by, "roll_back", champions[-1], "", reason))
        return champions[-2] if len(champions) > 1 else None

    def champion(self) -> str | None:
        """Name of the newest approved model that was not rolled back."""
        champions = self._champions()
        return champions[-1] if champions else None

    def challengers(self) -> list[str]:
        """Admitted models that are not the champion, oldest first."""
        champion = self.champion()
        return [entry.model for entry in self.ledger() if entry.action == "admit" and entry.model != champion]

    def load(self, name: str) -> Forecaster:
        """The forecaster of an admitted model. ModelRefused where its files are no longer those admitted."""
        pinned = self._admitted_hash(name)
        forecaster = load(self.root / name)
        if forecaster.model.card["hash"] != pinned:
            raise ModelRefused(f"{name} is not the model that was admitted: its hash has changed")
        return forecaster

    def _champions(self) -> list[str]:
        champions: list[str] = []
        for entry in self.ledger():
            if entry.action == "approve":
                champions.append(entry.model)
            elif entry.action == "roll_back":
                champions.pop()
        return champions

    def _admitted_hash(self, name: str) -> str:
        for entry in self.ledger():
            if entry.action == "admit" and entry.model == name:
                return entry.hash
        raise NotInRegistry(f"{name} is not in the registry")

    def _write(self, entry: LedgerEntry) -> None:
        with (self.root / LEDGER).open("a", encoding="utf-8") as ledger:
            ledger.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")


class CurrentForecaster:
    """The champion's forecaster, reloaded when the ledger changes; the shipped model until one is approved.

    A champion that cannot be loaded leaves the last good one in place; `problem` then says why.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._seen: tuple[int, int] | None = None
        self._forecaster: Forecaster | None = None
        self._name: str | None = None
        self.problem: str | None = None

    def get(self) -> Forecaster:
        """The forecaster to use now."""
        try:
            status = (self._registry.root / LEDGER).stat()
            seen = (status.st_mtime_ns, status.st_size)
        except FileNotFoundError:
            seen = (0, 0)
        if self._forecaster is None or seen != self._seen:
            self._seen = seen
            self._reload()
        if self._forecaster is None:
            self._forecaster = load(SHIPPED_MODEL)
        return self._forecaster

    def _reload(self) -> None:
        self.problem = None
        try:
            champion = self._registry.champion()
            if champion is not None and champion == self._name:
                return
            self._forecaster = self._registry.load(champion) if champion else load(SHIPPED_MODEL)
            self._name = champion
        except (ModelRefused, NotInRegistry) as error:
            self.problem = str(error)
