"""Constructs everything and connects it: the only place where the phone's parts meet."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from kivy.clock import Clock as KivyClock
from kivy.core.window import Window
from kivy.uix.floatlayout import FloatLayout
from kivymd.app import MDApp

from mobile_app import theme
from mobile_app.arrival import Arrival
from mobile_app.data.clinic import Inhaler
from mobile_app.data.credentials import Credentials, Invitation
from mobile_app.data.database import PhoneDatabase
from mobile_app.data.door import Door
from mobile_app.data.entries import Entry
from mobile_app.data.seal import Seal, new_key
from mobile_app.data.sharing import Sharing
from mobile_app.data.sync import BackgroundSync, SyncReport
from mobile_app.device.machine import Device
from mobile_app.device.ports import KeyStore
from mobile_app.locales import Wording
from mobile_app.screens.add import AddScreen
from mobile_app.screens.control_check import ControlCheckScreen
from mobile_app.screens.day_list import DayListScreen, EntryScreen
from mobile_app.screens.emergency import EmergencyScreen
from mobile_app.screens.forms import FORMS, form_page, form_pages
from mobile_app.screens.frame import TABS, Frame
from mobile_app.screens.more import MoreScreen
from mobile_app.screens.my_data import MyDataScreen
from mobile_app.screens.people import LockScreen, PeopleScreen
from mobile_app.screens.plan import MedicinesScreen, NewInhalerScreen, PlanScreen, TechniqueScreen
from mobile_app.screens.precursors import PrecursorsScreen
from mobile_app.screens.preferences import PreferencesScreen
from mobile_app.screens.refused import RefusedScreen
from mobile_app.screens.reliability import ReliabilityScreen
from mobile_app.screens.reminders import RemindersScreen
from mobile_app.screens.reminding import Reminding
from mobile_app.screens.sharing import sharing_pages
from mobile_app.screens.today import TodayScreen
from mobile_app.screens.trends import TrendsScreen
from mobile_app.screens.when import WhenScreen
from mobile_app.state.control_check import ControlCheck
from mobile_app.state.day_list import DayList, entry_in_words
from mobile_app.state.emergency import Emergency
from mobile_app.state.export import Export
from mobile_app.state.medicines import Medicines, NewInhaler
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.people import Lock, People
from mobile_app.state.plan import PlanPage
from mobile_app.state.precursors import Precursors
from mobile_app.state.preferences import Preferences
from mobile_app.state.reminders import Reminders
from mobile_app.state.snoozing import Snoozing
from mobile_app.state.sync_truth import SyncTruth
from mobile_app.state.today import Today
from mobile_app.state.trends import Trends
from mobile_app.state.when import When

# Their kv rules and names become known to Kivy by importing them.
from mobile_app.widgets import breath_mark, chart, field, press, qr_code, surface, text, zone_mark  # noqa: F401
from mobile_app.widgets.surface import Page

_LAYOUT_PASSES = 60


class SoomApp(MDApp):
    """Soom on one device. ``folder`` holds everything it keeps."""

    def __init__(self, folder: Path, device: Device, invitation: Invitation | None = None) -> None:
        super().__init__()
        self.title = "Soom"
        self._folder = folder
        self._device = device
        self._invitation = invitation
        self._seal = Seal(_key(device.keys))
        self._phone = PhoneDatabase(folder / "phone.sqlite", self._seal)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="soom-work")
        self.wording = Wording(self._phone.setting("language", "en"))
        self._lock = Lock(self._phone, device.clock)
        self.frame: Frame | None = None
        self._reminding = Reminding(device, self._phone, folder, self.wording, lambda: self.frame, self.request_sync)
        self._arrival = Arrival(
            device,
            self._phone,
            self.wording,
            self._reminding,
            diary=lambda: self.diary,
            frame=lambda: self.frame,
            enrol=self.enrol,
            in_background=self.in_background,
            request_sync=self.request_sync,
        )
        self._open(self._current_diary())
        self._stopped = False

    # The diary that is open

    def _current_diary(self) -> str:
        known = self._phone.setting("current_diary")
        if known is None:
            known = uuid4().hex
            self._phone.keep_setting("current_diary", known)
        return str(known)

    def _diary_path(self, diary_id: str) -> Path:
        return self._folder / "diaries" / diary_id / "diary.sqlite"

    def _diary_of(self, diary_id: str) -> OpenDiary:
        return OpenDiary(PhoneDatabase(self._diary_path(diary_id), self._seal), self._device.clock, self.wording)

    def _open(self, diary_id: str) -> None:
        path = self._diary_path(diary_id)
        self.diary = self._diary_of(diary_id)
        self.truth = SyncTruth(self.diary)
        self.credentials = Credentials(self.diary.database)
        self._door = Door(path, self._seal, self._device.clock.now)
        self._reminding.opened(diary_id, self.diary)
        self._sync = BackgroundSync(
            self._door.synchroniser, self._reported, Random(), self._reminding.push_token, self._door.has_route
        )
        self._sync.start()
        self.diary.after_change.append(self.request_sync)
        self._emergency = Emergency(self.diary, self._device.telephone)

    def request_sync(self) -> None:
        """Asks for an exchange with the server; returns at once."""
        self.truth.requested()
        self._sync.request()

    def _reported(self, report: SyncReport) -> None:
        KivyClock.schedule_once(lambda _: self._show_report(report))

    def _show_report(self, report: SyncReport) -> None:
        if self._stopped:
            # An exchange that was on its way when the app was closed: its database is closed too.
            return
        self.truth.reported(report)
        self._reminding.look()
        if report.fetched or report.problem is None:
            self._adopt_language_of_profile()
        if self.frame is not None and self.frame.page_name in ("today", "plan", "trends", "diary", "consents"):
            self.frame.page.shown()

    def _adopt_language_of_profile(self) -> None:
        profile = self.diary.clinic.profile()
        if self._phone.setting("language") is None and profile and profile.language != self.wording.language:
            self.choose_language(profile.language)

    # What screens need

    def say(self, key: str, **facts: object) -> str:
        """The text of a key, for kv rules."""
        return self.wording.say(key, **facts)

    def keep_phone_setting(self, name: str, content: Any) -> None:
        """Keeps a setting of this phone, whoever's diary is open."""
        self._phone.keep_setting(name, content)

    def choose_language(self, language: str) -> None:
        """Keeps the language and shows everything in it."""
        self._phone.keep_setting("language", language)
        self.wording.language = language
        self._reminding.look()
        self.rebuild()

    def in_background(self, work: Callable[[], None], then: Callable[[Exception | None], None]) -> None:
        """Runs work off the UI thread; then is called on it, with the exception if there was one."""

        def run() -> None:
            error: Exception | None = None
            try:
                work()
            except Exception as raised:  # handed to the screen, which knows what to say
                error = raised
            KivyClock.schedule_once(lambda _: then(error))

        self._worker.submit(run)

    def ask_clinic(self, question: Callable[[Sharing], None], then: Callable[[Exception | None], None]) -> None:
        """Asks the server off the UI thread, as state pages want it. Nobody is told once another diary is open."""
        door = self._door

        def told(error: Exception | None) -> None:
            if self._door is door and not self._stopped:
                then(error)

        self.in_background(lambda: door.ask(question), told)

    def enrol(self, address: str, code: str) -> None:
        """Trades a code for tokens; blocks. Raises ServerRefused, ServerUnreachable, OtherPatient."""
        self._door.enrol(address, code, self._device.name, self._device.platform)

    def _my_data(self) -> Page:
        export, shelf = Export(self.diary, self._folder / "export"), self._device.shelf
        return MyDataScreen(export, shelf, self.diary, self._delete_everything, self.wording, self._shown_frame)

    def _delete_everything(self) -> None:
        path = self.diary.database.path
        self._close_diary()
        for file in path.parent.iterdir():
            file.unlink()
        path.parent.rmdir()
        shutil.rmtree(self._folder / "export", ignore_errors=True)
        self._phone.keep_setting("welcomed", None)
        self._open(self._current_diary())
        self.rebuild("welcome")

    def _close_diary(self) -> None:
        self._reminding.end()
        self._sync.stop()
        self.diary.database.close()

    def _switch_to(self, diary_id: str) -> None:
        self._close_diary()
        self._open(diary_id)
        self.rebuild("today")
        if self.credentials.tokens is None:
            self._shown_frame.go("consent")
        else:
            self.request_sync()

    def _on_ui(self, work: Callable[[], None]) -> Callable[[], None]:
        """The work, done on the UI thread whoever calls."""
        return lambda: KivyClock.schedule_once(lambda _: work()) and None

    # Building

    def build(self) -> Any:
        """The root: an empty place that the frame fills, so that a new look or language can replace it."""
        theme.register_typeface()
        # A frame lays widths out from the window down and then heights from the words up, a level at a time.
        KivyClock.max_iteration = _LAYOUT_PASSES
        self.wording.language = self._phone.setting("language", self.wording.language)
        self.place = FloatLayout()
        self._wear_look()
        self._build_frame()
        Window.bind(on_keyboard=self._key_pressed)
        self._arrival.follow_link()
        KivyClock.schedule_once(lambda _: self._begin_reminding())
        if self.credentials.tokens is not None:
            self.request_sync()
        elif self._invitation is not None:
            self._arrival.accept(self._invitation)
        return self.place

    def _begin_reminding(self) -> None:
        if not self._stopped:
            self._reminding.begin(self._current_diary(), self._diary_of)

    def _wear_look(self) -> None:
        theme.look.wear(
            dark=bool(self._phone.setting("dark", False)),
            text_scale=float(self._phone.setting("text_scale", 1.0)),
            reduced_motion=bool(self._phone.setting("reduced_motion", False)),
        )
        # The window itself is the paper that everything lies on: one large area less to fill in every frame.
        Window.clearcolor = theme.look.colour("paper")
        self.theme_cls.theme_style = "Dark" if theme.look.palette is theme.DARK else "Light"

    def rebuild(self, name: str | None = None) -> None:
        """Builds all screens anew, for another look or language, and returns to the page that was shown."""
        arguments: dict[str, Any] = {}
        if name is None:
            name = self.frame.page_name if self.frame is not None else "today"
            arguments = self.frame.page_arguments if self.frame is not None else {}
        self.place.clear_widgets()
        # Nothing may lie under the lock, to which the way back would lead.
        if name in TABS or name in ("welcome", "lock"):
            self._build_frame(name)
        else:
            self._build_frame("more")
            self._shown_frame.go(name, **arguments)

    def _build_frame(self, name: str | None = None) -> None:
        self.frame = Frame(self.wording, self._routes())
        self.place.add_widget(self.frame)
        self.frame.start_at("lock" if name is None and self._lock.is_set else name or self._first_page)

    def _unlocked(self) -> None:
        self._shown_frame.start_at(self._first_page)

    @property
    def _first_page(self) -> str:
        return "today" if self._invitation else self._arrival.first_page

    def _routes(self) -> dict[str, Callable[..., Page]]:
        diary, wording = self.diary, self.wording
        return {
            **self._arrival.pages(self.choose_language, self._choose_size),
            **sharing_pages(diary, self.ask_clinic, self.request_sync, wording, lambda: self._shown_frame),
            "precursors": lambda: PrecursorsScreen(Precursors(diary), wording),
            "lock": lambda: LockScreen(self._lock, self._device.owner, wording, self._on_ui(self._unlocked)),
            "people": lambda: PeopleScreen(
                People(self._phone, self._switch_to), self._lock, wording, self._shown_frame
            ),
            "control_check": lambda: ControlCheckScreen(ControlCheck(diary), wording, self._shown_frame),
            "my_data": self._my_data,
            "reliability": lambda: ReliabilityScreen(self._device.reliability, self._device.maker, wording),
            "reminders": lambda: RemindersScreen(
                Reminders(diary, self._reminding.keeper), self._device.reliability, wording, self._shown_frame
            ),
            "today": lambda: TodayScreen(
                Today(diary, self._device.reliability),
                Snoozing(diary, self.ask_clinic),
                self.truth,
                wording,
                self._shown_frame,
            ),
            "diary": lambda: DayListScreen(DayList(diary), wording, self._shown_frame),
            "trends": lambda: TrendsScreen(Trends(diary), wording, self._shown_frame),
            "plan": lambda: PlanScreen(PlanPage(diary), wording, self._shown_frame),
            "more": lambda: MoreScreen(wording, self._shown_frame),
            "medicines": lambda: MedicinesScreen(Medicines(diary), wording, self._shown_frame),
            "technique": lambda inhaler: TechniqueScreen(inhaler.name, Medicines(diary).technique(inhaler), wording),
            "new_inhaler": self._new_inhaler,
            "preferences": self._preferences,
            **form_pages(diary, wording, lambda: self._shown_frame),
            "add": lambda: AddScreen(wording, self._shown_frame),
            "entry": self._entry,
            "when": lambda form: WhenScreen(When(diary, form), wording, self._shown_frame),
            "emergency": lambda: EmergencyScreen(self._emergency, wording, self._shown_frame),
            "refused": lambda: RefusedScreen(self.truth, wording),
        }

    @property
    def _shown_frame(self) -> Frame:
        if self.frame is None:
            raise RuntimeError("a page was asked for before the frame was built")
        return self.frame

    def _new_inhaler(self, inhaler: Inhaler) -> Page:
        return NewInhalerScreen(NewInhaler(self.diary, inhaler), self.wording, self._shown_frame)

    def _preferences(self) -> Page:
        return PreferencesScreen(
            Preferences(self._phone, self.diary, self._apply_preferences), self.wording, self._shown_frame
        )

    def _choose_size(self, scale: float) -> None:
        self._phone.keep_setting("text_scale", scale)
        self._wear_look()
        self.rebuild()

    def _apply_preferences(self) -> None:
        self._wear_look()
        self.rebuild("preferences")

    def _entry(self, entry: Entry) -> Page:
        kept = self.diary.journal.find(entry.kind, entry.id)
        if entry.kind not in FORMS or self.diary.is_carers:
            return EntryScreen(entry_in_words(entry, self.diary), self._why_not_corrected(), self.wording)
        form = FORMS[entry.kind](self.diary, kept.entry if kept else entry)
        return form_page(form, self.wording, self._shown_frame)

    def _why_not_corrected(self) -> str:
        if not self.diary.is_carers:
            return ""
        return self.say("carers.may_not_change", name=self.diary.patient_name)

    def _key_pressed(self, _: object, key: int, *__: object) -> bool:
        # 27 is Escape on a desk and the back key on Android.
        return key == 27 and self.frame is not None and self.frame.back()

    def on_pause(self) -> bool:
        """Android puts the app aside; everything is on disk already."""
        return True

    def on_resume(self) -> None:
        """Back in view: another day may have begun, or a code was read with the camera."""
        self.request_sync()
        self._arrival.follow_link()
        self._reminding.come_back()
        if self.frame is not None:
            self.frame.page.shown()

    def on_stop(self) -> None:
        """Ends the threads; nothing is lost, since nothing waits in memory."""
        self._stopped = True
        self._close_diary()
        self._phone.close()
        self._worker.shutdown(wait=False, cancel_futures=True)


def _key(keys: KeyStore) -> bytes:
    key = keys.read("journal_key")
    if key is None:
        key = new_key()
        keys.write("journal_key", key)
    return key
