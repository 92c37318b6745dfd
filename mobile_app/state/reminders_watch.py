"""The reminders of every diary on this phone, while Soom is in view and when it starts."""

from collections.abc import Callable

from mobile_app.data.database import PhoneDatabase
from mobile_app.device.kept_alarms import KeptAlarms
from mobile_app.device.ports import Alarm, Alarms, Notifier, Reliability
from mobile_app.locales import Wording
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.reminders_keeper import ReminderKeeper
from mobile_app.state.reminders_schedule import PENDING_AT_MOST

CHANNELS = ("urgent", "reminders", "messages")
_FIRST_DIARY = "first_diary"


class ReminderWatch:
    """Makes the keeper of the diary that is open, and looks after the others when Soom starts.

    phone: settings of this phone. ``banner``: shows an alarm of a desk inside Soom.
    """

    def __init__(
        self,
        phone: PhoneDatabase,
        alarms: Alarms,
        notifier: Notifier | None,
        reliability: Reliability,
        banner: Callable[[Alarm], None],
    ) -> None:
        self._phone = phone
        self._alarms = alarms
        self._notifier = notifier
        self._reliability = reliability
        self._banner = banner
        self._seen: tuple[object, ...] = ()
        self.keeper: ReminderKeeper | None = None
        self.push_token: str | None = None
        if isinstance(alarms, KeptAlarms):
            alarms.show = self._show

    def _show(self, alarm: Alarm) -> bool:
        self._banner(alarm)
        return True

    def keeper_of(self, diary_id: str, diary: OpenDiary) -> ReminderKeeper:
        """The keeper of a diary. The first diary of a phone has the plain names that the clinic's pushes carry."""
        first = self._phone.setting(_FIRST_DIARY)
        if first is None:
            first = diary_id
            self._phone.keep_setting(_FIRST_DIARY, first)
        mark = "" if diary_id == first else diary_id[:8]
        many = max(len(self._phone.setting("people", {})), 1)
        return ReminderKeeper(
            diary, self._alarms, self._reliability, mark=mark, pending_at_most=PENDING_AT_MOST // many
        )

    def opened(self, diary_id: str, diary: OpenDiary) -> ReminderKeeper:
        """Another diary is open from now on."""
        self.keeper = self.keeper_of(diary_id, diary)
        return self.keeper

    def start(self, wording: Wording) -> None:
        """Soom starts or comes back: channels are named, alarms armed anew, the account is brought up to date."""
        if self._notifier is not None:
            self._notifier.name_channels({channel: wording.say(f"channel.{channel}") for channel in CHANNELS})
            self.push_token = self._notifier.push_token()
        if self.keeper is not None:
            self.keeper.wake()

    def look_after_others(self, open_id: str, open_diary: Callable[[str], OpenDiary]) -> None:
        """Alarms of the people whose diary is not open stay armed, and what became of them is written down."""
        for diary_id in self._phone.setting("people", {}):
            if diary_id == open_id:
                continue
            diary = open_diary(diary_id)
            self.keeper_of(diary_id, diary).look()
            diary.database.close()

    def tick(self, clock_state: tuple[object, ...]) -> bool:
        """Every few seconds: what is due rings on a desk, and what the system noted meanwhile is written down. True
        when a push has come: the clinic has something to fetch.

        clock_state: zone and diary day; another one means that alarms may be due elsewhere.
        """
        if isinstance(self._alarms, KeptAlarms):
            self._alarms.ring_due()
        if self._notifier is not None:
            self.push_token = self._notifier.push_token()
        notes = self._alarms.notes()
        if self.keeper is not None and (notes or clock_state != self._seen):
            self._seen = clock_state
            self.keeper.look()
        return any(note.event == "received" for note in notes)

    def tapped(self) -> str | None:
        """The page that a tapped notification leads to, once: ``reminders`` or ``today``."""
        what = self._notifier.tapped() if self._notifier is not None else None
        if what is None or self.keeper is None:
            return None
        if "@" in what:
            self.keeper.seen(what)
            return "reminders"
        self.keeper.opened_message(what)
        return "today"

    def ask_permission(self) -> None:
        """Shows the system's own question where notifications are not allowed yet."""
        wanting = {check.code for check in self._reliability.checks() if not check.is_fine}
        if self._notifier is not None and "notifications" in wanting:
            self._notifier.ask_permission()

    @property
    def stands_in_the_way(self) -> bool:
        """Whether the phone may hold reminders back."""
        return any(not check.is_fine for check in self._reliability.checks())
