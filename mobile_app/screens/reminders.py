"""Reminders: today's and tomorrow's, what came and what did not, and when they shall come."""

from collections.abc import Callable
from functools import partial

from kivy.properties import ObjectProperty, StringProperty

from mobile_app.device.ports import Reliability
from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.reminders import STEP_MINUTES, ReminderLine, Reminders, TimeLine
from mobile_app.state.reminders_settings import clock_text
from mobile_app.state.reminders_words import SKIP_REASONS
from mobile_app.widgets import load_rules
from mobile_app.widgets.press import ChoiceRow, PushButton
from mobile_app.widgets.surface import Card, Column, Notice, Page
from mobile_app.widgets.text import Words

_PAUSE_DAYS = (1, 7)


class ReminderRow(Column):
    """One reminder: when, what for, what became of it, and what can be done."""

    time = StringProperty("")
    text = StringProperty("")
    state = StringProperty("")
    icon = StringProperty("bell-outline")
    tone = StringProperty("none")


class TimeStepper(Column):
    """A time with a step back and a step on."""

    label = StringProperty("")
    text = StringProperty("")
    earlier = ObjectProperty(lambda: None)
    later = ObjectProperty(lambda: None)


class RemindersScreen(Page):
    """Shows ``state`` and hands it every choice."""

    def __init__(self, state: Reminders, reliability: Reliability, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("reminders.title"))
        self.state = state
        self.reliability = reliability
        self.wording = wording
        self.frame = frame
        self._asking: ReminderLine | None = None
        self._times_shown = False
        self._drawn: tuple[object, ...] = ()
        state.on_change = self.shown

    def shown(self) -> None:
        """Reads everything anew. What is the same stays, also under a finger that is just pressing it."""
        state, checks = self.state, self.reliability.checks()
        content = (
            state.today,
            state.tomorrow,
            state.account,
            state.silences,
            state.settings,
            state.paused_line,
            checks,
        )
        drawn = (content, self._asking, self._times_shown, state.times if self._times_shown else [])
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._draw()

    def _draw(self) -> None:
        say, body = self.wording.say, self.ids.body
        body.clear_widgets()
        if any(not check.is_fine for check in self.reliability.checks()):
            warning = PushButton(kind="warm", icon="bell-alert-outline", label=say("reliability.news"))
            warning.bind(on_release=lambda _: self.frame.go("reliability"))
            body.add_widget(warning)
        if self.state.paused_line:
            body.add_widget(Notice(text=self.state.paused_line, tone="yellow", icon="pause-circle-outline"))
        for title, lines in (("today", self.state.today), ("tomorrow", self.state.tomorrow)):
            card = self._card(title)
            if not lines:
                card.add_widget(Words(text=say("reminders.nothing"), tone="soft"))
            for line in lines:
                card.add_widget(self._row(line, may_act=title == "today"))
        self._add_sentences("account_title", self.state.account)
        if self.state.silences:
            self._add_sentences("silence_title", self.state.silences)
        self._add_settings()

    def _card(self, title: str) -> Card:
        card = Card()
        card.add_widget(Words(text=self.wording.say(f"reminders.{title}"), role="title"))
        self.ids.body.add_widget(card)
        return card

    def _add_sentences(self, title: str, sentences: list[str]) -> None:
        card = self._card(title)
        for sentence in sentences:
            card.add_widget(Words(text=sentence))

    # A reminder and what can be done

    def _row(self, line: ReminderLine, *, may_act: bool) -> ReminderRow:
        row = ReminderRow(time=line.time, text=line.text, state=line.state, icon=line.icon, tone=line.tone)
        if not (may_act and line.is_open):
            return row
        if self._asking is not None and (self._asking.key, self._asking.local_date) == (line.key, line.local_date):
            for reason in SKIP_REASONS:
                self._button(row, f"skip_{reason}", partial(self._skip, line, reason))
        elif line.is_dose:
            self._button(row, "button_taken", lambda: self._did(line, self.state.take(line)), kind="main")
            self._button(row, "button_skip", lambda: self._ask(line))
        elif line.page is not None:
            self._button(row, "answer", partial(self.frame.go, line.page))
        else:
            self._button(row, "button_done", lambda: self._did(line, self.state.done(line)))
        return row

    def _button(self, row: ReminderRow, key: str, press: Callable[[], None], kind: str = "soft") -> None:
        button = PushButton(kind=kind, label=self.wording.say(f"reminders.{key}"))
        button.bind(on_release=lambda _: press())
        row.ids.buttons.add_widget(button)

    def _ask(self, line: ReminderLine) -> None:
        self._asking = line
        self.shown()

    def _skip(self, line: ReminderLine, reason: str) -> None:
        self._asking = None
        self._did(line, self.state.skip(line, reason))

    def _did(self, line: ReminderLine, undo: Callable[[], None]) -> None:
        self.frame.toast(self.wording.say("reminders.kept", what=line.text), undo)

    # Settings

    def _add_settings(self) -> None:
        say, state = self.wording.say, self.state
        settings = state.settings
        card = self._card("times_title")
        if self._times_shown:
            for line in state.times:
                self._add_times(card, line)
        else:
            self._push(card, "pencil-outline", "times_open", self._show_times)
        for key, chosen, choose in (
            ("follow_habit", settings.follow_habit, state.follow_habit),
            ("ask_daily", settings.check_in_minute is not None, state.ask_daily),
            ("health_words", settings.health_words_on_lock_screen, state.show_health_words),
        ):
            row = ChoiceRow(label=say(f"reminders.{key}"), detail=say(f"reminders.{key}_why"), chosen=chosen)
            row.bind(on_release=lambda _, chosen=chosen, choose=choose: choose(not chosen))
            card.add_widget(row)
        quiet = self._card("quiet_title")
        for key, minute, start in (
            ("quiet_from", settings.quiet.from_minute, True),
            ("quiet_until", settings.quiet.until_minute, False),
        ):
            self._step(quiet, say(f"reminders.{key}"), clock_text(minute), partial(state.move_quiet, start=start))
        self._step(
            quiet,
            say("reminders.day_starts"),
            clock_text(settings.day_starts_minute),
            lambda by: state.move_day_start(1 if by > 0 else -1),
        )
        pause = self._card("pause_title")
        if state.paused_line:
            pause.add_widget(Words(text=state.paused_line))
            self._push(pause, "play-outline", "pause_end", lambda: state.pause(0))
        else:
            for days in _PAUSE_DAYS:
                self._push(pause, "pause", f"pause_{days}", partial(state.pause, days))

    def _show_times(self) -> None:
        self._times_shown = True
        self.shown()

    def _add_times(self, card: Card, line: TimeLine) -> None:
        say, state = self.wording.say, self.state
        card.add_widget(Words(text=line.text, role="strong"))
        self._step(card, say("reminders.weekdays"), line.weekday, lambda by: state.move(line, by, weekend=False))
        self._step(card, say("reminders.weekends"), line.weekend, lambda by: state.move(line, by, weekend=True))
        if line.is_own:
            self._push(card, "restore", "give_back", lambda: state.give_back(line), kind="quiet")

    def _step(self, card: Card, label: str, text: str, move: Callable[[int], None]) -> None:
        card.add_widget(
            TimeStepper(label=label, text=text, earlier=lambda: move(-STEP_MINUTES), later=lambda: move(STEP_MINUTES))
        )

    def _push(self, card: Card, icon: str, key: str, press: Callable[[], None], kind: str = "soft") -> None:
        button = PushButton(kind=kind, icon=icon, label=self.wording.say(f"reminders.{key}"))
        button.bind(on_release=lambda _: press())
        card.add_widget(button)


load_rules(__file__)
