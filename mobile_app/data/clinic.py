"""What the clinic sent last, kept so that plan, inhalers, forecast and messages are there without a network."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from mobile_app.data.database import PhoneDatabase
from mobile_app.data.entries import instant_from_wire


@dataclass(frozen=True, slots=True)
class Profile:
    """Who keeps this diary, as the clinic knows them."""

    patient_id: str
    display_name: str
    born_on: date | None
    sex: str | None
    height_cm: float | None
    language: str
    time_zone: str | None
    emergency_number: str | None
    hospital: str | None


@dataclass(frozen=True, slots=True)
class Inhaler:
    """One prescribed inhaler. The ceilings come from the prescription; None means that the clinic set none."""

    id: str
    name: str
    role: str
    drug: str
    device: str
    puffs_per_dose: int | None
    doses_per_day: int | None
    max_puffs_per_day: int | None
    warn_puffs_per_day: int | None
    active: bool

    @property
    def relieves(self) -> bool:
        """Whether it is taken when breathing gets worse."""
        return self.role in ("reliever", "both")

    @property
    def relieves_and_treats(self) -> bool:
        """Whether it is an ICS-formoterol reliever: then each puff is also a dose against the inflammation."""
        return self.relieves and "formoterol" in self.drug

    @property
    def controls(self) -> bool:
        """Whether it is taken every day."""
        return self.role in ("controller", "both") and bool(self.doses_per_day)


@dataclass(frozen=True, slots=True)
class Prescription:
    """One inhaler of a signed plan. As needed: ``times_a_day`` 0."""

    inhaler_id: str
    name: str
    inhalations: int
    times_a_day: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class PlanReminder:
    """What the plan wants to be reminded of; ``at`` is HH:MM of the patient's own clock."""

    kind: str
    at: str
    inhaler_id: str | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A signed action plan: thresholds in L/min and what to do in each zone, in the patient's language."""

    version: int
    signed_at: datetime
    signed_by: str
    personal_best_litres_per_min: int
    meter: str
    yellow_below_litres_per_min: int
    red_below_litres_per_min: int
    instructions: dict[str, list[str]]
    language: str
    review_on: date | None
    prescriptions: tuple[Prescription, ...] = ()
    reminders: tuple[PlanReminder, ...] = ()
    # What is new against the version before, as the clinician signed it; empty in plans signed before that existed.
    difference: tuple[str, ...] = ()

    def zone_of(self, litres_per_min: int) -> str:
        """The action zone of a reading, by the thresholds the clinician signed."""
        if litres_per_min < self.red_below_litres_per_min:
            return "red"
        return "yellow" if litres_per_min < self.yellow_below_litres_per_min else "green"


@dataclass(frozen=True, slots=True)
class ForecastReason:
    """One reason behind a forecast, in the patient's language, with its number."""

    code: str
    text: str
    value: float | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The last forecast, with what is needed to judge it."""

    status: str
    as_of: date | None
    made_at: datetime | None
    diary_days: int
    horizon_days: int
    probability: float | None
    level: str | None
    reasons: list[ForecastReason]
    model_id: str | None
    model_version: str | None


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A message from the clinic's side."""

    id: str
    alert_id: str | None
    kind: str
    level: str
    title: str
    text: str
    created_at: datetime
    resolved_at: datetime | None


class Clinic:
    """Keeps and reads the clinic's latest papers."""

    def __init__(self, database: PhoneDatabase) -> None:
        self._database = database
        self._connection = database.connection

    def absorb(self, page: dict[str, Any]) -> None:
        """Takes over what a sync page brought; a part that is null or empty stays as it is."""
        with self._database.transaction():
            for name in ("profile", "inhalers", "forecast"):
                if page.get(name) is not None:
                    self._database.keep_setting(name, page[name])
            if page.get("plan") is not None:
                plan_from_wire(page["plan"])
                self._connection.execute(
                    "INSERT OR REPLACE INTO plan VALUES (?, ?)",
                    (page["plan"]["version"], self._database.seal(page["plan"])),
                )
            for item in page.get("inbox") or []:
                self._connection.execute(
                    "INSERT OR REPLACE INTO inbox_item VALUES (?, ?)", (item["id"], self._database.seal(item))
                )

    def profile(self) -> Profile | None:
        """The patient's profile, or None before the first sync."""
        wire = self._database.setting("profile")
        if wire is None:
            return None
        born_on = wire.get("born_on")
        return Profile(
            patient_id=wire["patient_id"],
            display_name=wire["display_name"],
            born_on=date.fromisoformat(born_on) if born_on else None,
            sex=wire.get("sex"),
            height_cm=wire.get("height_cm"),
            language=wire["language"],
            time_zone=wire.get("time_zone"),
            emergency_number=wire.get("emergency_number"),
            hospital=wire.get("hospital"),
        )

    def inhalers(self) -> list[Inhaler]:
        """The inhalers in use, relievers first."""
        every = [inhaler_from_wire(one) for one in self._all_inhalers()]
        return sorted((one for one in every if one.active), key=lambda one: (not one.relieves, one.name))

    def inhaler_name(self, inhaler_id: str) -> str | None:
        """The name of an inhaler, also of one no longer in use."""
        return next((one["name"] for one in self._all_inhalers() if one["id"] == inhaler_id), None)

    def _all_inhalers(self) -> list[dict[str, Any]]:
        return list(self._database.setting("inhalers", []))

    def plan(self) -> Plan | None:
        """The newest signed plan, or None."""
        plans = self.plans(limit=1)
        return plans[0] if plans else None

    def plans(self, limit: int) -> list[Plan]:
        """The signed plans this phone received, newest first."""
        rows = self._connection.execute("SELECT content FROM plan ORDER BY version DESC LIMIT ?", (limit,))
        return [plan_from_wire(self._database.unseal(content)) for (content,) in rows]

    def forecast(self) -> Forecast | None:
        """The last forecast, or None before the first."""
        wire = self._database.setting("forecast")
        if wire is None:
            return None
        as_of, made_at = wire.get("as_of"), wire.get("made_at")
        return Forecast(
            status=wire["status"],
            as_of=date.fromisoformat(as_of) if as_of else None,
            made_at=instant_from_wire(made_at) if made_at else None,
            diary_days=int(wire.get("diary_days") or 0),
            horizon_days=int(wire.get("horizon_days") or 7),
            probability=wire.get("probability"),
            level=wire.get("level"),
            reasons=[
                ForecastReason(str(one["code"]), str(one["text"]), one.get("value"), one.get("unit"))
                for one in wire.get("reasons") or []
            ],
            model_id=wire.get("model_id"),
            model_version=wire.get("model_version"),
        )

    def inbox(self) -> list[InboxItem]:
        """Messages, newest first."""
        rows = self._connection.execute("SELECT content FROM inbox_item")
        items = [_inbox_item_from_wire(self._database.unseal(content)) for (content,) in rows]
        return sorted(items, key=lambda item: item.created_at, reverse=True)


def inhaler_from_wire(wire: dict[str, Any]) -> Inhaler:
    """An inhaler as GET /v1/sync carries it. Raises KeyError on a missing part."""
    return Inhaler(
        id=wire["id"],
        name=wire["name"],
        role=wire["role"],
        drug=wire["drug"],
        device=wire["device"],
        puffs_per_dose=wire.get("puffs_per_dose"),
        doses_per_day=wire.get("doses_per_day"),
        max_puffs_per_day=wire.get("max_puffs_per_day"),
        warn_puffs_per_day=wire.get("warn_puffs_per_day"),
        active=bool(wire["active"]),
    )


def plan_from_wire(wire: dict[str, Any]) -> Plan:
    """A plan as GET /v1/sync carries it. Raises KeyError, TypeError or ValueError on anything else."""
    review_on = wire.get("review_on")
    return Plan(
        version=int(wire["version"]),
        signed_at=instant_from_wire(wire["signed_at"]),
        signed_by=str(wire["signed_by"]),
        personal_best_litres_per_min=int(wire["personal_best_litres_per_min"]),
        meter=str(wire.get("meter") or ""),
        yellow_below_litres_per_min=int(wire["yellow_below_litres_per_min"]),
        red_below_litres_per_min=int(wire["red_below_litres_per_min"]),
        instructions={zone: list(wire["instructions"].get(zone) or []) for zone in ("green", "yellow", "red")},
        language=str(wire["language"]),
        review_on=date.fromisoformat(review_on) if review_on else None,
        prescriptions=tuple(
            Prescription(
                str(one["inhaler_id"]),
                str(one["name"]),
                int(one["inhalations"]),
                int(one["times_a_day"]),
                str(one.get("text") or ""),
            )
            for one in wire.get("prescriptions") or []
        ),
        reminders=tuple(
            PlanReminder(str(one["kind"]), str(one["at"]), one.get("inhaler_id"), str(one.get("text") or ""))
            for one in wire.get("reminders") or []
        ),
        difference=tuple(str(line) for line in wire.get("difference") or []),
    )


def _inbox_item_from_wire(wire: dict[str, Any]) -> InboxItem:
    resolved_at = wire.get("resolved_at")
    return InboxItem(
        id=wire["id"],
        alert_id=wire.get("alert_id"),
        kind=wire["kind"],
        level=wire["level"],
        title=wire["title"],
        text=wire["text"],
        created_at=instant_from_wire(wire["created_at"]),
        resolved_at=instant_from_wire(resolved_at) if resolved_at else None,
    )
