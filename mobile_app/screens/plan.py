"""The signed plan and the medicines."""

from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.screens.today import StepLine
from mobile_app.state.medicines import FULL_INHALER_PUFFS, MedicineCard, Medicines, NewInhaler
from mobile_app.state.plan import PlanPage, ZoneOfPlan
from mobile_app.widgets.press import Choice, IconButton, PushButton, RowLink
from mobile_app.widgets.surface import Card, Column, Notice, Page, Row
from mobile_app.widgets.text import Words
from mobile_app.widgets.zone_mark import ZoneMark


class PlanScreen(Page):
    """Shows ``state``: what is new first, then the zones."""

    def __init__(self, state: PlanPage, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("plan.title"))
        self.state = state
        self.wording = wording
        self.frame = frame
        state.on_change = self.fill

    def shown(self) -> None:
        """Reads the plan anew."""
        self.state.refresh()

    def fill(self) -> None:
        """Builds the page from the state."""
        state, say, body = self.state, self.wording.say, self.ids.body
        body.clear_widgets()
        self.ids.foot.clear_widgets()
        if state.plan is None:
            body.add_widget(Notice(text=say("plan.none"), tone="primary", icon="file-document-outline"))
        else:
            self._news()
            for zone in state.zones:
                body.add_widget(self._zone(zone))
            self._lines("plan.prescriptions", state.prescriptions)
            self._lines("plan.reminders", state.reminders)
            about = Card()
            for line in (state.best_line, state.signed_line, state.review_line):
                if line:
                    about.add_widget(Words(text=line, role="small", tone="soft"))
            body.add_widget(about)
        medicines = Card()
        link = RowLink(icon="lungs", label=say("medicines.title"), detail=say("medicines.lead"))
        link.bind(on_release=lambda _: self.frame.go("medicines"))
        medicines.add_widget(link)
        body.add_widget(medicines)

    def _lines(self, title: str, lines: list[tuple[str, str]]) -> None:
        if not lines:
            return
        card = Card(spacing="8dp")
        card.add_widget(Words(text=self.wording.say(title), role="title"))
        for head, text in lines:
            line = Column(spacing="2dp")
            line.add_widget(Words(text=head, role="strong"))
            line.add_widget(Words(text=text, role="label", tone="soft"))
            card.add_widget(line)
        self.ids.body.add_widget(card)

    def _news(self) -> None:
        state, say = self.state, self.wording.say
        if not state.is_unread:
            return
        news = Card(ground="warm_soft")
        news.add_widget(Words(text=say("plan.new"), role="title", tone="on_warm_soft"))
        for line in state.differences:
            news.add_widget(StepLine(number="•", text=line))
        self.ids.body.add_widget(news)
        read = PushButton(icon="check", label=say("plan.read"))
        read.bind(on_release=lambda _: self._confirm())
        self.put_at_foot(read)

    def _confirm(self) -> None:
        self.state.confirm_read()
        self.frame.toast(self.wording.say("plan.read_kept"))

    def _zone(self, zone: ZoneOfPlan) -> Card:
        card = Card(ground=f"{zone.zone}_soft", spacing="12dp")
        head = Row(spacing="14dp")
        head.add_widget(
            ZoneMark(zone=zone.zone, size_hint=(None, None), size=("48dp", "48dp"), pos_hint={"center_y": 0.5})
        )
        words = Column(spacing="2dp", pos_hint={"center_y": 0.5})
        words.add_widget(Words(text=zone.word, role="title", tone=f"on_{zone.zone}_soft"))
        words.add_widget(Words(text=zone.limits, role="label", tone=f"on_{zone.zone}_soft"))
        head.add_widget(words)
        card.add_widget(head)
        for number, step in enumerate(zone.steps, start=1):
            card.add_widget(StepLine(number=str(number), text=step, zone=zone.zone))
        return card


class MedicinesScreen(Page):
    """Shows ``state``: one card an inhaler."""

    def __init__(self, state: Medicines, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("medicines.title"))
        self.state = state
        self.wording = wording
        self.frame = frame
        state.on_change = self.fill

    def shown(self) -> None:
        """Counts anew."""
        self.fill()

    def fill(self) -> None:
        """Builds the cards."""
        body = self.ids.body
        body.clear_widgets()
        cards = self.state.cards
        if not cards:
            body.add_widget(Notice(text=self.wording.say("puffs.none"), tone="primary"))
        for card in cards:
            body.add_widget(self._card(card))

    def _card(self, medicine: MedicineCard) -> Card:
        say = self.wording.say
        card = Card()
        card.add_widget(Words(text=medicine.inhaler.name, role="title"))
        card.add_widget(Words(text=medicine.inhaler.drug, role="small", tone="soft"))
        for line in (medicine.purpose, medicine.dose, medicine.limit, medicine.today):
            if line:
                card.add_widget(Words(text=line))
        if medicine.ceiling:
            text = say(f"today.ceiling_{medicine.ceiling}", limit=medicine.inhaler.max_puffs_per_day or 0)
            card.add_widget(Notice(text=text, tone="red", icon="alert-circle-outline"))
        tone = "yellow" if medicine.needs_refill else "none"
        card.add_widget(Notice(text=medicine.left, tone=tone, icon="inbox-outline"))
        ways = Column(spacing="4dp")
        for icon, key, route in (
            ("format-list-checks", "technique.title", "technique"),
            ("package-variant-closed", "medicines.start_new", "new_inhaler"),
        ):
            link = RowLink(icon=icon, label=say(key))
            link.bind(on_release=lambda _, route=route: self.frame.go(route, inhaler=medicine.inhaler))
            ways.add_widget(link)
        card.add_widget(ways)
        return card


class TechniqueScreen(Page):
    """How to use one kind of inhaler, step by step."""

    def __init__(self, name: str, steps: list[str], wording: Wording) -> None:
        super().__init__(title=wording.say("technique.title"))
        self.add_widget(Words(text=name, role="strong"))
        card = Card(spacing="14dp")
        for number, step in enumerate(steps, start=1):
            card.add_widget(StepLine(number=str(number), text=step))
        self.add_widget(card)
        self.add_widget(
            Notice(text=wording.say("technique.show_somebody"), tone="primary", icon="account-heart-outline")
        )


class NewInhalerScreen(Page):
    """How many puffs a new inhaler has and until when it is good."""

    def __init__(self, state: NewInhaler, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("medicines.start_new"))
        self.state = state
        self.wording = wording
        self.frame = frame
        say = wording.say
        self.add_widget(Words(text=state.inhaler.name, role="strong"))
        self.add_widget(Words(text=say("medicines.how_full"), tone="soft"))
        self._choices = {}
        for puffs in FULL_INHALER_PUFFS:
            choice = Choice(label=say("puffs.puffs", count=puffs))
            choice.bind(on_release=lambda _, puffs=puffs: state.choose(puffs))
            self._choices[puffs] = choice
            self.add_widget(choice)
        expiry = Card()
        expiry.add_widget(Words(text=say("medicines.expiry"), role="strong"))
        row = Row()
        self._month = Words(text="", role="strong", halign="center", pos_hint={"center_y": 0.5})
        for icon, months in (("minus", -1), ("plus", 1)):
            step = IconButton(icon=icon, ground="sunken", size=("56dp", "56dp"), pos_hint={"center_y": 0.5})
            step.bind(on_release=lambda _, months=months: state.move_expiry(months))
            row.add_widget(step)
            if months < 0:
                row.add_widget(self._month)
        expiry.add_widget(row)
        self.add_widget(expiry)
        begin = PushButton(icon="check", label=say("medicines.begin"))
        begin.bind(on_release=lambda _: self._begin())
        self.put_at_foot(begin)
        state.on_change = self.fill
        self.fill()

    def fill(self) -> None:
        """Shows what is chosen."""
        for puffs, choice in self._choices.items():
            choice.chosen = puffs == self.state.puffs
        self._month.text = self.state.expiry_words

    def _begin(self) -> None:
        if self.state.begin():
            self.frame.back()
            self.frame.toast(self.wording.say("form.saved"))
        else:
            self.frame.toast(self.wording.say("medicines.how_full_missing"))
