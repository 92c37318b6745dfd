"""Today: the zone, what to do, what is open."""

from kivy.properties import BooleanProperty, ListProperty, NumericProperty, StringProperty

from mobile_app.locales import Wording
from mobile_app.screens.alert_notice import AlertNotice
from mobile_app.screens.frame import Frame
from mobile_app.state.snoozing import Snoozing
from mobile_app.state.sync_truth import SyncTruth
from mobile_app.state.today import DoseCard, ForecastCard, News, RelieverCard, Today, ZoneCard
from mobile_app.widgets import load_rules
from mobile_app.widgets.press import Pressable
from mobile_app.widgets.surface import Card, Column, Notice, Page, Row
from mobile_app.widgets.text import Words

_TRUTH_ICON = {
    "sent": "check-all",
    "waiting": "cloud-upload-outline",
    "refused": "alert-circle-outline",
    "alone": "cellphone",
}


class ZoneCardView(Card):
    """The zone as shape, word and colour, with what to do."""

    zone = StringProperty("none")
    word = StringProperty("")
    headline = StringProperty("")
    detail = StringProperty("")
    is_emergency = BooleanProperty(False)

    def write_steps(self, steps: list[str]) -> None:
        """The plan's instructions, numbered when there are several."""
        for number, step in enumerate(steps, start=1):
            self.ids.steps.add_widget(
                StepLine(number=str(number) if len(steps) > 1 else "•", text=step, zone=self.zone)
            )


class StepLine(Row):
    """One instruction."""

    number = StringProperty("")
    text = StringProperty("")
    zone = StringProperty("none")


class InhalerCardView(Card):
    """An inhaler, today's count, and one tap."""

    name = StringProperty("")
    text = StringProperty("")
    warning = StringProperty("")
    action = StringProperty("")
    icon = StringProperty("")
    is_done = BooleanProperty(False)
    kind = StringProperty("soft")


class CheckInView(Card):
    """The ten-second check-in, or what was answered."""

    answered = StringProperty("")


class ForecastView(Card):
    """The forecast in words, its reasons, its source."""

    level = StringProperty("")
    headline = StringProperty("")
    detail = StringProperty("")
    source = StringProperty("")
    reasons = ListProperty([])
    share = NumericProperty(0)


class TruthLine(Pressable, Row):
    """What is saved, sent or refused."""

    icon = StringProperty("")
    text = StringProperty("")
    is_problem = BooleanProperty(False)


class PressableNotice(Pressable, Notice):
    """A notice that may lead somewhere."""


class TodayScreen(Page):
    """Shows ``state`` and hands it every tap."""

    def __init__(self, state: Today, snoozing: Snoozing, truth: SyncTruth, wording: Wording, frame: Frame) -> None:
        super().__init__()
        self.state = state
        self.snoozing = snoozing
        self.truth = truth
        self.wording = wording
        self.frame = frame
        state.on_change = self.fill
        snoozing.on_change = self.fill
        truth.on_change = self.tell_truth

    def shown(self) -> None:
        """Reads the day anew."""
        self.state.refresh()

    def fill(self) -> None:
        """Builds the cards from the state."""
        self.title = self.state.greeting
        body = self.ids.body
        body.clear_widgets()
        head = Column(spacing="4dp")
        head.add_widget(Words(text=self.state.date_line, tone="soft", role="label"))
        self._truth_line = TruthLine()
        self._truth_line.bind(on_release=lambda _: self._why_refused())
        head.add_widget(self._truth_line)
        body.add_widget(head)
        self.tell_truth()
        self._zone(self.state.zone_card)
        for news in self.state.news:
            body.add_widget(self._news(news))
        self._ways()
        for reliever in self.state.relievers:
            self._reliever(reliever)
        for dose in self.state.doses:
            self._dose(dose)
        self._check_in()
        self._forecast(self.state.forecast_card)

    def _news(self, news: News) -> AlertNotice | PressableNotice:
        if news.alert_id is not None:
            return AlertNotice(news, news.alert_id, self.snoozing, self.wording)
        notice = PressableNotice(text=news.text, tone=news.tone, icon=news.icon)
        if news.page is not None:
            notice.bind(on_release=lambda _, page=news.page: self.frame.go(page))
        return notice

    def _zone(self, card: ZoneCard) -> None:
        view = ZoneCardView(
            zone=card.zone,
            word=card.word,
            headline=card.headline,
            detail=card.detail,
            is_emergency=card.is_emergency,
            ground=f"{card.zone}_soft" if card.zone != "none" else "surface",
        )
        view.write_steps(card.steps)
        if not card.steps:
            view.remove_widget(view.ids.steps)
        if card.is_emergency:
            view.ids.emergency.bind(on_release=lambda _: self.frame.go("emergency"))
        else:
            view.remove_widget(view.ids.emergency)
        self.ids.body.add_widget(view)

    def _ways(self) -> None:
        ways = Ways()
        for name in ("peak_flow", "symptoms", "puffs"):
            ways.ids[name].bind(on_release=lambda _, name=name: self.frame.go(name))
        self.ids.body.add_widget(ways)

    def _reliever(self, card: RelieverCard) -> None:
        say = self.wording.say
        view = InhalerCardView(
            name=card.inhaler.name,
            text=card.text,
            warning=card.ceiling_text,
            action=say("today.one_puff"),
            icon="lungs",
            kind="danger_soft" if card.ceiling else "warm",
        )
        view.ids.action.bind(
            on_release=lambda _: self.frame.toast(self.state.log_puff(card.inhaler.id), self.state.take_back)
        )
        self._add_inhaler(view)

    def _add_inhaler(self, view: InhalerCardView) -> None:
        if not view.warning:
            view.remove_widget(view.ids.warning)
        self.ids.body.add_widget(view)

    def _dose(self, card: DoseCard) -> None:
        view = InhalerCardView(
            name=card.inhaler.name,
            text=card.text,
            action=self.wording.say("today.all_taken" if card.complete else "today.take_dose"),
            icon="calendar-check",
            is_done=card.complete,
        )
        view.ids.action.bind(
            on_release=lambda _: self.frame.toast(self.state.take_dose(card.inhaler), self.state.take_back)
        )
        self._add_inhaler(view)

    def _check_in(self) -> None:
        view = CheckInView(answered=self.state.check_in_text)
        if self.state.checked_in:
            view.remove_widget(view.ids.answers)
        else:
            view.remove_widget(view.ids.answered)
            view.ids.fine.bind(on_release=lambda _: self.frame.toast(self.state.feel_fine(), self.state.take_back))
            view.ids.some.bind(on_release=lambda _: self.frame.go("symptoms"))
        self.ids.body.add_widget(view)

    def _forecast(self, card: ForecastCard) -> None:
        view = ForecastView(level=card.level or "", headline=card.headline, detail=card.detail, source=card.source)
        for reason in card.reasons:
            view.ids.reasons.add_widget(StepLine(number="•", text=reason))
        if not card.reasons:
            view.remove_widget(view.ids.because)
            view.remove_widget(view.ids.reasons)
        for part in ("detail", "source"):
            if not getattr(card, part):
                view.remove_widget(view.ids[part])
        self.ids.body.add_widget(view)

    def tell_truth(self) -> None:
        """Shows what is saved and sent."""
        note, truth = self.truth.clock_note, self.truth.now()
        self._truth_line.icon = _TRUTH_ICON[truth.tone]
        self._truth_line.text = truth.line + (f"\n{note}" if note else "")
        self._truth_line.is_problem = truth.tone == "refused"

    def _why_refused(self) -> None:
        if self._truth_line.is_problem:
            self.frame.go("refused")


class Ways(Row):
    """The three entries made most often."""


load_rules(__file__)
