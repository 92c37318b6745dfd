"""Who saw the diary, links for a doctor, carers' phones: what was heard last, and what a tap asks for."""

from collections.abc import Callable
from datetime import datetime, timedelta

from mobile_app.data.server import ServerRefused, ServerUnreachable, SignInLost
from mobile_app.data.sharing import CarerCode, Link, OtherPhone, Sharing, SharingPapers
from mobile_app.state.open_diary import OpenDiary

LINK_DAYS = (1, 3, 7)
MOST_LABEL_CHARACTERS = 60

Then = Callable[[Exception | None], None]
# Asks the server off the UI thread; the second argument is called on it, with the exception if there was one.
Ask = Callable[[Callable[[Sharing], None], Then], None]


class AskedPage:
    """A page that shows what the server said last and asks again. Without a network the old answer stays, with why."""

    def __init__(self, diary: OpenDiary, ask: Ask) -> None:
        self._diary = diary
        self._ask = ask
        self._papers = SharingPapers(diary.database)
        self.busy = False
        self.problem: str | None = None
        self.on_change: Callable[[], None] = lambda: None

    def ask(
        self,
        question: Callable[[Sharing], None],
        then: Callable[[], None] = lambda: None,
        if_unreachable: str = "sharing.unreachable",
    ) -> None:
        """Asks; ``then`` is called when the answer is kept. ``if_unreachable`` is the text for no network."""
        if self.busy:
            return
        self.busy, self.problem = True, None
        self.on_change()

        def answered(error: Exception | None) -> None:
            self.busy = False
            self.problem = None if error is None else self._in_words(error, if_unreachable)
            if error is None:
                then()
            self.on_change()

        self._ask(question, answered)

    def _in_words(self, error: Exception, if_unreachable: str) -> str:
        wording = self._diary.wording
        if isinstance(error, ServerRefused):
            if wording.knows(f"sharing.{error.code}"):
                return wording.say(f"sharing.{error.code}")
            return error.message
        if isinstance(error, SignInLost):
            return wording.say("sharing.not_connected")
        if isinstance(error, ServerUnreachable):
            return wording.say(if_unreachable)
        raise error

    def _until(self, at: datetime) -> str:
        """Day and time by the calendar on the wall: at one in the morning the diary's day is still the one before."""
        wording, local = self._diary.wording, self._diary.moment(at).local
        return wording.say("watch.day_and_time", day=wording.full_date(local.date()), time=wording.time(local))

    def _day(self, at: datetime) -> str:
        return self._diary.wording.day(self._diary.moment(at).local_date, self._diary.today())


class WhoSaw(AskedPage):
    """Who opened the diary, day by day."""

    def refresh(self) -> None:
        """Asks anew."""
        self.ask(lambda server: server.fetch_accesses())

    @property
    def days(self) -> list[tuple[str, list[str]]] | None:
        """A day and who looked on it, newest first; None before the clinic was ever asked."""
        accesses = self._papers.accesses()
        if accesses is None:
            return None
        say, today = self._diary.wording.say, self._diary.today()
        found: dict[str, list[str]] = {}
        for one in accesses:
            name = one.name or say("who_saw.no_name")
            line = say(f"who_saw.{one.role}", name=name, count=one.times)
            found.setdefault(self._diary.wording.day(one.on, today), []).append(line)
        return list(found.items())


class Links(AskedPage):
    """Links to the one-page report."""

    def __init__(self, diary: OpenDiary, ask: Ask) -> None:
        super().__init__(diary, ask)
        self.label = ""
        self.days = LINK_DAYS[1]
        self.made: str | None = None

    def refresh(self) -> None:
        """Asks anew which links still open."""
        self.ask(lambda server: server.fetch_links())

    @property
    def open(self) -> list[Link]:
        """Links that still open, newest first."""
        return self._papers.links(self._diary.clock.now())

    def find(self, link_id: str) -> Link | None:
        """One of them."""
        return next((link for link in self.open if link.id == link_id), None)

    def describe(self, link: Link) -> tuple[str, str]:
        """For whom, and until when and how often it was opened."""
        say = self._diary.wording.say
        moment = self._diary.moment(link.expires_at)
        until = say(
            "links.until",
            day=self._diary.wording.full_date(moment.local_date),
            time=self._diary.wording.time(moment.local),
        )
        opened = say("links.opened", count=link.opened_count) if link.opened_count else say("links.not_opened")
        return link.label or say("links.for_somebody"), f"{until} · {opened}"

    def choose_days(self, days: int) -> None:
        """One of LINK_DAYS."""
        self.days = days
        self.on_change()

    def make(self, then: Callable[[str], None]) -> None:
        """Asks for a link; ``then`` gets its id."""
        label, days, language = self.label.strip()[:MOST_LABEL_CHARACTERS], self.days, self._diary.wording.language
        made: list[str] = []

        def question(server: Sharing) -> None:
            made.append(server.make_link(label, days, language))

        self.ask(question, lambda: then(made[0]))

    def end(self, link_id: str, then: Callable[[], None]) -> None:
        """Takes a link back."""
        self.ask(lambda server: server.end_link(link_id), then)


class Carers(AskedPage):
    """Phones of carers, and a code for one more."""

    def __init__(self, diary: OpenDiary, ask: Ask) -> None:
        super().__init__(diary, ask)
        self.code: CarerCode | None = None

    def refresh(self) -> None:
        """Asks anew which phones are on this diary, and which of them get the warnings."""

        def question(server: Sharing) -> None:
            server.fetch_phones()
            server.fetch_watch()

        self.ask(question)

    @property
    def carers(self) -> list[OtherPhone]:
        """The carers' phones."""
        return [phone for phone in self._papers.phones() if phone.role == "carer"]

    def describe(self, phone: OtherPhone) -> str:
        """When it was last heard of."""
        say = self._diary.wording.say
        if phone.last_seen_at is None:
            return say("carers.never_seen")
        return say("carers.seen", day=self._day(phone.last_seen_at))

    @property
    def code_ends(self) -> str:
        """Until when the code lets a phone in."""
        if self.code is None:
            return ""
        last = self._diary.moment(self.code.expires_at - timedelta(seconds=1)).local_date
        return self._diary.wording.say("carers.code_until", day=self._diary.wording.full_date(last))

    def make_code(self) -> None:
        """Asks for a code."""

        def question(server: Sharing) -> None:
            self.code = server.make_carer_code()

        self.ask(question)

    def remove(self, phone_id: str) -> None:
        """Shuts a carer's phone out."""
        self.ask(lambda server: server.remove_carer(phone_id))
