"""Who may see the diary: consents, who saw it, links for a doctor, carers' phones."""

from collections.abc import Callable

from mobile_app.data.sharing import Link, OtherPhone
from mobile_app.locales import Wording
from mobile_app.screens.asked import AskedScreen
from mobile_app.screens.frame import Frame
from mobile_app.screens.research_uses import ResearchUsesScreen
from mobile_app.screens.watch import WatchLineView, WatchScreen
from mobile_app.state.consents import ConsentPage
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.research_uses import ResearchUses
from mobile_app.state.sharing import LINK_DAYS, Ask, Carers, Links, WhoSaw
from mobile_app.state.watch import WatchPage
from mobile_app.widgets.field import Field
from mobile_app.widgets.press import Choice, ChoiceGrid, ChoiceRow, PushButton, RowLink
from mobile_app.widgets.qr_code import QrCode
from mobile_app.widgets.surface import Card, Column, Notice, Page
from mobile_app.widgets.text import Words


class ConsentsScreen(Page):
    """Shows ``state``: one row a purpose, given and withdrawn by touch."""

    def __init__(self, state: ConsentPage, wording: Wording) -> None:
        super().__init__(title=wording.say("consents.title"))
        self.state = state
        self.wording = wording
        state.on_change = self.fill

    def shown(self) -> None:
        """Reads them anew."""
        self.fill()

    def fill(self) -> None:
        """Builds the rows."""
        body, say = self.ids.body, self.wording.say
        body.clear_widgets()
        body.add_widget(Words(text=say("consents.lead"), tone="soft"))
        for line in self.state.lines:
            card = Card()
            row = ChoiceRow(label=line.title, detail=line.detail, chosen=line.given)
            row.bind(on_release=lambda _, line=line: self.state.decide(line.purpose, not line.given))
            card.add_widget(row)
            if line.standing:
                card.add_widget(Words(text=line.standing, role="small", tone="soft"))
            body.add_widget(card)


class WhoSawScreen(AskedScreen):
    """Who opened the diary."""

    state: WhoSaw

    def __init__(self, state: WhoSaw, wording: Wording, frame: Frame) -> None:
        super().__init__(state, wording, frame, "who_saw.title")

    def shown(self) -> None:
        """Asks anew; what is known stays in view meanwhile."""
        self.state.refresh()

    def lay_out(self, body: Column) -> None:
        """A card a day."""
        say, days = self.wording.say, self.state.days
        body.add_widget(Words(text=say("who_saw.lead"), tone="soft"))
        if days == []:
            body.add_widget(Notice(text=say("who_saw.nobody"), tone="primary", icon="eye-off-outline"))
        for day, lines in days or []:
            card = Card(spacing="4dp")
            card.add_widget(Words(text=day, role="label", tone="soft"))
            for line in lines:
                card.add_widget(Words(text=line))
            body.add_widget(card)


class LinksScreen(AskedScreen):
    """Links that still open, and the way to a new one."""

    state: Links

    def __init__(self, state: Links, wording: Wording, frame: Frame) -> None:
        super().__init__(state, wording, frame, "links.title")
        # Built once: an answer that arrives must not take the keyboard away from somebody who is typing.
        self._new = self._new_link()

    def _new_link(self) -> Card:
        say = self.wording.say
        new = Card()
        self._label = Field(label=say("links.for_whom"), hint=say("links.for_whom_hint"))
        self._label.ids.input.bind(text=lambda _, text: setattr(self.state, "label", text))
        new.add_widget(self._label)
        new.add_widget(Words(text=say("links.how_long"), role="label", tone="soft"))
        days = ChoiceGrid(cols=len(LINK_DAYS))
        self._days = {}
        for number in LINK_DAYS:
            choice = Choice(label=say("links.days", count=number), ticks=False)
            choice.bind(on_release=lambda _, number=number: self.state.choose_days(number))
            self._days[number] = choice
            days.add_widget(choice)
        new.add_widget(days)
        return new

    def shown(self) -> None:
        """Asks anew which links open."""
        self.state.refresh()

    def lay_out(self, body: Column) -> None:
        """What a link is, those that open, and the form for a new one."""
        say = self.wording.say
        body.add_widget(Words(text=say("links.lead"), tone="soft"))
        if self.state.open:
            card = Card(spacing="4dp")
            for link in self.state.open:
                label, detail = self.state.describe(link)
                row = RowLink(icon="link-variant", label=label, detail=detail)
                row.bind(on_release=lambda _, link=link: self.frame.go("link", link_id=link.id))
                card.add_widget(row)
            body.add_widget(card)
        for number, choice in self._days.items():
            choice.chosen = number == self.state.days
        body.add_widget(self._new)
        make = PushButton(icon="link-plus", label=say("links.make"))
        make.enabled = not self.state.busy
        make.bind(on_release=lambda _: self.state.make(self._made))
        self.put_at_foot(make)

    def _made(self, link_id: str) -> None:
        self._label.ids.input.text = ""
        self.frame.go("link", link_id=link_id)


class LinkScreen(AskedScreen):
    """One link as a QR code, and the way to end it."""

    state: Links

    def __init__(self, state: Links, link_id: str, wording: Wording, frame: Frame) -> None:
        self._link_id = link_id
        super().__init__(state, wording, frame, "links.one")

    def shown(self) -> None:
        """Shows it."""
        self.fill()

    def lay_out(self, body: Column) -> None:
        """The code, the address, until when."""
        say, link = self.wording.say, self.state.find(self._link_id)
        if link is None:
            body.add_widget(Notice(text=say("links.gone"), tone="primary", icon="link-off"))
            return
        label, detail = self.state.describe(link)
        self._code(body, link)
        card = Card()
        card.add_widget(Words(text=label, role="strong"))
        card.add_widget(Words(text=detail, role="label", tone="soft"))
        body.add_widget(card)
        end = PushButton(kind="danger_soft", icon="link-off", label=say("links.end"))
        end.bind(on_release=lambda _: self.state.end(link.id, self._ended))
        self.put_at_foot(end)

    def _code(self, body: Column, link: Link) -> None:
        say = self.wording.say
        if link.address is None:
            body.add_widget(Notice(text=say("links.other_phone"), tone="primary", icon="cellphone"))
            return
        body.add_widget(Words(text=say("links.scan"), tone="soft", halign="center"))
        body.add_widget(QrCode(text=link.address))

    def _ended(self) -> None:
        self.frame.back()
        self.frame.toast(self.wording.say("links.ended"))


class CarersScreen(AskedScreen):
    """Carers' phones and a code for one more."""

    state: Carers

    def __init__(self, state: Carers, watch: WatchPage, wording: Wording, frame: Frame) -> None:
        super().__init__(state, wording, frame, "carers.title")
        self._watch = watch
        self._asked_to_remove: str | None = None

    def shown(self) -> None:
        """Asks anew which phones there are."""
        self.state.refresh()

    def lay_out(self, body: Column) -> None:
        """What a carer may do, who there is, the code."""
        say = self.wording.say
        body.add_widget(Words(text=say("carers.lead"), tone="soft"))
        for phone in self.state.carers:
            body.add_widget(self._carer(phone))
        if self.state.carers:
            self._on_watch(body)
        code = self.state.code
        if code is not None:
            card = Card()
            card.add_widget(Words(text=code.code, role="number", halign="center"))
            card.add_widget(Words(text=self.state.code_ends, role="label", tone="soft", halign="center"))
            card.add_widget(QrCode(text=code.link))
            card.add_widget(Words(text=say("carers.how"), tone="soft", role="label"))
            body.add_widget(card)
        make = PushButton(icon="account-plus-outline", label=say("carers.new_code"))
        make.enabled = not self.state.busy
        make.bind(on_release=lambda _: self.state.make_code())
        self.put_at_foot(make)

    def _on_watch(self, body: Column) -> None:
        card = Card(spacing="14dp")
        for line in self._watch.lines:
            card.add_widget(WatchLineView(line))
        way = RowLink(icon="swap-horizontal", label=self.wording.say("watch.title"))
        way.bind(on_release=lambda _: self.frame.go("watch"))
        card.add_widget(way)
        body.add_widget(card)

    def _carer(self, phone: OtherPhone) -> Card:
        say = self.wording.say
        card = Card()
        card.add_widget(Words(text=phone.name, role="strong"))
        card.add_widget(Words(text=self.state.describe(phone), role="label", tone="soft"))
        is_sure = self._asked_to_remove == phone.id
        remove = PushButton(
            kind="danger" if is_sure else "danger_soft",
            icon="account-remove-outline",
            label=say("carers.remove_yes" if is_sure else "carers.remove"),
        )
        remove.bind(on_release=lambda _: self._remove(phone.id, is_sure))
        card.add_widget(remove)
        return card

    def _remove(self, phone_id: str, is_sure: bool) -> None:
        if is_sure:
            self._asked_to_remove = None
            self.state.remove(phone_id)
        else:
            self._asked_to_remove = phone_id
            self.fill()


def sharing_pages(
    diary: OpenDiary, ask: Ask, send: Callable[[], None], wording: Wording, frame: Callable[[], Frame]
) -> dict[str, Callable[..., Page]]:
    """The pages of this module by name. ``send`` asks for an exchange with the clinic."""
    return {
        "consents": lambda: ConsentsScreen(ConsentPage(diary, send), wording),
        "research_uses": lambda: ResearchUsesScreen(ResearchUses(diary, ask), wording, frame()),
        "who_saw": lambda: WhoSawScreen(WhoSaw(diary, ask), wording, frame()),
        "links": lambda: LinksScreen(Links(diary, ask), wording, frame()),
        "link": lambda link_id: LinkScreen(Links(diary, ask), link_id, wording, frame()),
        "carers": lambda: CarersScreen(Carers(diary, ask), WatchPage(diary, ask), wording, frame()),
        "watch": lambda: WatchScreen(WatchPage(diary, ask), wording, frame()),
    }
