"""The diary that is open on this phone, with what every screen's state needs to read and write it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from mobile_app.data.clinic import Clinic
from mobile_app.data.credentials import Credentials
from mobile_app.data.database import PhoneDatabase
from mobile_app.data.entries import Body, Entry, Moment, moment_at
from mobile_app.data.journal import Journal
from mobile_app.device.ports import Clock
from mobile_app.locales import Wording


@dataclass
class OpenDiary:
    """One patient's diary. ``after_change`` is called after each write, to send it and to show it."""

    database: PhoneDatabase
    clock: Clock
    wording: Wording
    after_change: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = Journal(self.database)
        self.clinic = Clinic(self.database)

    @property
    def is_carers(self) -> bool:
        """Whether this phone is a carer's: it may write, and not correct or delete."""
        return Credentials(self.database).is_carer

    @property
    def patient_name(self) -> str:
        """Whose diary it is, as the clinic writes it."""
        profile = self.clinic.profile()
        return profile.display_name if profile and profile.display_name else self.wording.say("carers.somebody")

    @property
    def day_starts_at_hour(self) -> int:
        """When the diary day begins: at four, so that a dose after midnight belongs to the evening before."""
        return int(self.database.setting("day_starts_at_hour", 4))

    @property
    def meter(self) -> str:
        """The peak flow meter in use: as set on this phone, else the plan's."""
        plan = self.clinic.plan()
        return str(self.database.setting("meter") or (plan.meter if plan else ""))

    @property
    def meter_scale(self) -> str:
        """The scale printed on the meter: eu, wright or unknown."""
        return str(self.database.setting("meter_scale", "unknown"))

    def moment(self, instant: datetime | None = None) -> Moment:
        """Now, or the given instant, by the clock on the wall and the patient's diary day."""
        return moment_at(instant or self.clock.now(), self.clock.time_zone(), self.day_starts_at_hour)

    def today(self) -> date:
        """The diary day now."""
        return self.moment().local_date

    def record(self, kind: str, body: Body, moment: Moment | None = None) -> Entry:
        """Keeps a new entry."""
        entry = self.journal.record(kind, body, moment or self.moment())
        self.changed()
        return entry

    def revise(self, seen: Entry, body: Body | None = None, moment: Moment | None = None) -> Entry:
        """Keeps a correction. Raises EntryChangedMeanwhile."""
        entry = self.journal.revise(seen, body, moment)
        self.changed()
        return entry

    def delete(self, seen: Entry) -> Entry:
        """Deletes an entry, undone by revising the tombstone with the old body. Raises EntryChangedMeanwhile."""
        entry = self.journal.delete(seen)
        self.changed()
        return entry

    def changed(self) -> None:
        """To be called after a write that went past this class."""
        for tell in self.after_change:
            tell()
