"""What a federated run does and what it guards: agreed before it starts, and pinned by its hash."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from ml.contract import HORIZONS_DAYS

# For a network's thousand patients, whose days say much the same, the penalty of `ml.training` is too light: with this
# one a model foresees more and remembers less of who was in it. Chosen on simulated hospitals of seeds 21-24: half as
# much foresees about the same and gives away more of who was in the smallest hospital, half as much again loses AUROC.
FEW_PATIENTS_RIDGE = 2000.0


class PlanRefused(ValueError):
    """The plan contradicts itself, or is weaker than a hospital allows; the message says how."""


@dataclass(frozen=True, slots=True)
class DifferentialPrivacy:
    """Patient-level differential privacy of the logistic regressions: a budget, spent over `steps` noisy gradients.

    It covers the coefficients. The counts, shared bins and trees of a run are guarded by the other means of `Privacy`.
    """

    epsilon: float = 8.0
    delta: float = 1e-4
    clip: float = 0.05
    steps: int = 30


@dataclass(frozen=True, slots=True)
class Privacy:
    """What no message may show. `masked`: sums leave a hospital only under pairwise masks.

    Of a tree only the splits leave the hospital that grew it; its leaves are valued by sums over all. Every leaf rests
    on at least `patients_per_leaf` patients and `rows_per_leaf` patient-days of the hospital that grew it. A hospital
    of fewer than `patients_to_grow` sends no trees: the merged model is no worse without. A plain number about fewer
    than `smallest_cell` patients or outcomes is not sent.
    """

    masked: bool = True
    patients_per_leaf: int = 20
    rows_per_leaf: int = 100
    patients_to_grow: int = 200
    smallest_cell: int = 10
    differential: DifferentialPrivacy | None = None


@dataclass(frozen=True, slots=True)
class FederationPlan:
    """One run. `trees` are grown at each hospital and horizon; `challenger_rounds` > 0 also grows bagged ones.

    `ridge` is the penalty of the regressions. `set_aside` is the share of each hospital's patients that train nothing
    and judge the finished model there.
    """

    name: str = "federated"
    version: str = "1"
    purpose: str = "chance of the onset of a severe asthma attack in the next 3, 7 and 14 days, from a home diary"
    seed: int = 1
    horizons: tuple[int, ...] = HORIZONS_DAYS
    every_days: int = 4
    folds: int = 2
    trees: int = 100
    bins: int = 63
    ridge: float = FEW_PATIENTS_RIDGE
    challenger_rounds: int = 0
    set_aside: float = 0.2
    fewest_hospitals: int = 3
    privacy: Privacy = field(default_factory=Privacy)

    def __post_init__(self) -> None:
        if not self.horizons or list(self.horizons) != sorted(set(self.horizons) & set(range(1, 61))):
            raise PlanRefused("horizons must rise and lie between 1 and 60 days")
        for name, low, high in (
            ("every_days", 1, 28),
            ("folds", 2, 10),
            ("trees", 1, 1000),
            ("bins", 8, 200),
            ("ridge", 1.0, 1e6),
            ("challenger_rounds", 0, 50),
            ("set_aside", 0.0, 0.5),
            ("fewest_hospitals", 2, 1000),
        ):
            if not low <= getattr(self, name) <= high:
                raise PlanRefused(f"{name} is {getattr(self, name)}; allowed are {low} to {high}")
        if self.privacy.masked and self.fewest_hospitals < 3:
            raise PlanRefused(
                "a masked sum of two hospitals shows each the other's; fewest_hospitals must be 3 or more"
            )
        differential = self.privacy.differential
        if differential and not (
            0 < differential.epsilon <= 100
            and 0 < differential.delta < 1
            and differential.clip > 0
            and 1 <= differential.steps <= 1000
        ):
            raise PlanRefused(
                "differential privacy needs epsilon 0 to 100, delta 0 to 1, a clip above 0 and 1-1000 steps"
            )

    @property
    def variants(self) -> tuple[tuple[int, int], ...]:
        """(horizon, fold left out) of every model fitted; fold -1 leaves nobody out."""
        return tuple((horizon, fold) for horizon in self.horizons for fold in (-1, *range(self.folds)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"horizons": list(self.horizons)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Self:
        """The inverse of `to_dict`; PlanRefused for unknown or impossible values."""
        try:
            known = dict(stored)
            privacy = dict(known.pop("privacy", {}))
            differential = privacy.pop("differential", None)
            unknown = set(known) - {item.name for item in fields(cls)}
            if unknown:
                raise PlanRefused(f"unknown settings in the plan: {', '.join(sorted(unknown))}")
            known["horizons"] = tuple(int(horizon) for horizon in known.get("horizons", HORIZONS_DAYS))
            return cls(
                **known,
                privacy=Privacy(**privacy, differential=DifferentialPrivacy(**differential) if differential else None),
            )
        except (TypeError, AttributeError) as error:
            raise PlanRefused(f"not a plan: {error}") from error

    @property
    def digest(self) -> str:
        """SHA-256 of the plan: what a hospital accepts."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


def refuse_weaker(plan: FederationPlan, floor: Privacy) -> None:
    """PlanRefused where the plan guards less than `floor`, a hospital's own least."""
    if floor.masked and not plan.privacy.masked:
        raise PlanRefused("the plan sends unmasked sums; this hospital sends only masked ones")
    for name in ("patients_per_leaf", "rows_per_leaf", "patients_to_grow", "smallest_cell"):
        if getattr(plan.privacy, name) < getattr(floor, name):
            raise PlanRefused(
                f"the plan's {name} is {getattr(plan.privacy, name)}; this hospital asks for {getattr(floor, name)}"
            )
