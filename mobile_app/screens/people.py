"""The people whose diaries are on this phone, and the PIN."""

from collections.abc import Callable

from kivy.uix.gridlayout import GridLayout

from mobile_app.device.ports import Owner
from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.people import PIN_DIGITS, Lock, People
from mobile_app.widgets import load_rules
from mobile_app.widgets.field import Field
from mobile_app.widgets.press import ChoiceRow, Digit, PushButton
from mobile_app.widgets.surface import Card, Column, Page
from mobile_app.widgets.text import Words


class Pad(GridLayout):
    """Three columns of keys."""


class PeopleScreen(Page):
    """Shows who is here, adds someone, sets the PIN."""

    def __init__(self, people: People, lock: Lock, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("people.title"))
        self.people = people
        self.lock = lock
        self.wording = wording
        self.frame = frame
        say = wording.say
        who = Card()
        for number, person in enumerate(people.everyone, start=1):
            name = person.name or say("people.unnamed", number=number)
            row = ChoiceRow(label=name, chosen=person.is_open)
            row.bind(on_release=lambda _, person=person: None if person.is_open else people.open(person.id))
            who.add_widget(row)
        self.add_widget(who)
        add = Card()
        self._name = Field(label=say("people.name"))
        self._add_button(add, "account-plus-outline", "people.add", self._add)
        self._add_button(add, "pencil-outline", "people.rename", self._rename)
        add.add_widget(self._name, index=2)
        self.add_widget(add)
        pin = Card()
        pin.add_widget(Words(text=say("people.pin_title"), role="strong"))
        pin.add_widget(Words(text=say("people.pin_why"), role="small", tone="soft"))
        if lock.is_set:
            self._add_button(pin, "lock-open-outline", "people.pin_remove", self._remove_pin)
        else:
            self._pin = Field(label=say("people.pin"), input_type="number", is_secret=True)
            pin.add_widget(self._pin)
            self._add_button(pin, "lock-outline", "people.pin_set", self._set_pin)
        self.add_widget(pin)

    def _add_button(self, place: Card, icon: str, key: str, act: Callable[[], None]) -> None:
        button = PushButton(kind="soft", icon=icon, label=self.wording.say(key))
        button.bind(on_release=lambda _: act())
        place.add_widget(button)

    def _add(self) -> None:
        if name := self._name.ids.input.text.strip():
            self.people.add(name)
        else:
            self.frame.toast(self.wording.say("people.name_missing"))

    def _rename(self) -> None:
        if name := self._name.ids.input.text.strip():
            self.people.name_current(name)
            self.frame.start_at("more")
            self.frame.go("people")
        else:
            self.frame.toast(self.wording.say("people.name_missing"))

    def _set_pin(self) -> None:
        if self.lock.set_pin(self._pin.ids.input.text):
            self.frame.back()
            self.frame.toast(self.wording.say("people.pin_kept"))
        else:
            self.frame.toast(self.wording.say("people.pin_four"))

    def _remove_pin(self) -> None:
        self.lock.remove()
        self.frame.back()


class LockScreen(Page):
    """Asks for the PIN, or the phone for its owner's finger or face. The way to help stays open."""

    def __init__(self, lock: Lock, owner: Owner, wording: Wording, unlocked: Callable[[], None]) -> None:
        super().__init__(title=wording.say("people.locked"))
        self.lock = lock
        self.owner = owner
        self.wording = wording
        self._unlocked = unlocked
        self._typed = ""
        self._dots = Words(text="", role="number", halign="center")
        self._problem = Words(text="", role="label", tone="red", halign="center")
        self.add_widget(self._dots)
        self.add_widget(self._problem)
        pad = Pad()
        for key in "123456789":
            self._key(pad, key)
        pad.add_widget(Column())
        self._key(pad, "0")
        back = Digit(icon="backspace-outline")
        back.bind(on_press=lambda _: self._press(""))
        pad.add_widget(back)
        self.add_widget(pad)
        if owner.can_be_asked():
            ask = PushButton(kind="soft", icon="fingerprint", label=wording.say("people.owner_button"))
            ask.bind(on_release=lambda _: self._ask_owner())
            self.put_at_foot(ask)
        self._show()

    def _ask_owner(self) -> None:
        say = self.wording.say
        self.owner.ask(say("people.owner_ask"), say("people.owner_other_way"), self._owner_answered)

    def _owner_answered(self, is_owner: bool) -> None:
        """May be called on another thread: only hands over, and a refusal leaves the PIN as the way."""
        if is_owner:
            self._unlocked()

    def _key(self, pad: Pad, key: str) -> None:
        digit = Digit(label=key)
        digit.bind(on_press=lambda _: self._press(key))
        pad.add_widget(digit)

    def _press(self, key: str) -> None:
        self._typed = self._typed + key if key else self._typed[:-1]
        self._problem.text = ""
        if len(self._typed) == PIN_DIGITS:
            if self.lock.opens(self._typed):
                self._unlocked()
                return
            self._typed = ""
            key = "people.pin_wait" if self.lock.waits_until else "people.pin_wrong"
            self._problem.text = self.wording.say(key)
        self._show()

    def _show(self) -> None:
        self._dots.text = "●" * len(self._typed) + "○" * (PIN_DIGITS - len(self._typed))


load_rules(__file__)
