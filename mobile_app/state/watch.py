"""Who gets the warnings now: a phone hands the watch to another until a time, and takes it back."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mobile_app.data.sharing import Watch, WatchPhone
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.sharing import Ask, AskedPage

WATCH_HOURS = (8, 24, 3 * 24, 7 * 24)


@dataclass(frozen=True, slots=True)
class WatchLine:
    """One phone in words, and whether it rests."""

    name: str
    text: str
    rests: bool


class WatchPage(AskedPage):
    """What the clinic said last of the watch, and what a tap asks for; nothing holds before the clinic says so."""

    def __init__(self, diary: OpenDiary, ask: Ask) -> None:
        super().__init__(diary, ask)
        self.hours = WATCH_HOURS[0]
        self._chosen: str | None = None

    def refresh(self) -> None:
        """Asks anew who is on watch."""
        self.ask(lambda server: server.fetch_watch())

    @property
    def lines(self) -> list[WatchLine]:
        """Every phone with what rings on it."""
        return [self._line(phone) for phone in self._papers.watch_phones()]

    @property
    def rests(self) -> bool:
        """Whether this phone has handed the watch away."""
        return self._papers.rests_here(self._diary.clock.now())

    @property
    def others(self) -> list[WatchPhone]:
        """Phones that can take the watch: those that have not handed it away themselves."""
        resting = {watch.phone_id for watch in self._watches}
        return [one for one in self._papers.watch_phones() if not one.is_this_phone and one.id not in resting]

    @property
    def chosen(self) -> str | None:
        """The id of the phone that would take it."""
        ids = [one.id for one in self.others]
        return self._chosen if self._chosen in ids else next(iter(ids), None)

    @property
    def until(self) -> datetime:
        """When the watch would come back, to the minute."""
        return self._diary.clock.now().replace(second=0, microsecond=0) + timedelta(hours=self.hours)

    @property
    def until_in_words(self) -> str:
        """The same, as people say it."""
        return self._until(self.until)

    def choose_phone(self, phone_id: str) -> None:
        """One of the others."""
        self._chosen = phone_id
        self.on_change()

    def choose_hours(self, hours: int) -> None:
        """One of WATCH_HOURS."""
        self.hours = hours
        self.on_change()

    def hand_over(self) -> None:
        """Asks for it."""
        chosen, until = self.chosen, self.until
        if chosen is not None:
            self.ask(lambda server: server.hand_watch(chosen, until), if_unreachable="watch.needs_network")

    def take_back(self) -> None:
        """Asks for it."""
        self.ask(lambda server: server.take_watch_back(), if_unreachable="watch.needs_network")

    def name(self, phone: WatchPhone) -> str:
        """What a person calls it."""
        say = self._diary.wording.say
        if phone.is_this_phone:
            return say("watch.this_phone")
        return say("watch.patients_phone", name=phone.name) if phone.role == "patient" else phone.name

    @property
    def _watches(self) -> list[Watch]:
        return self._papers.watches(self._diary.clock.now())

    def _line(self, phone: WatchPhone) -> WatchLine:
        say = self._diary.wording.say
        names = {one.id: self.name(one) for one in self._papers.watch_phones()}
        for watch in self._watches:
            if watch.phone_id == phone.id:
                to = names.get(watch.to_phone_id, "")
                return WatchLine(self.name(phone), say("watch.rests", name=to, until=self._until(watch.until)), True)
        texts = [say("watch.hears")]
        for watch in self._watches:
            if watch.to_phone_id == phone.id:
                of = names.get(watch.phone_id, "")
                texts.append(say("watch.hears_for", name=of, until=self._until(watch.until)))
        return WatchLine(self.name(phone), "\n".join(texts), False)
