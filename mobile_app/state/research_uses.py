"""What the diary was used for, in words: which studies and training rounds, when, and with which consent."""

from dataclasses import dataclass

from mobile_app.data.consents import Consents
from mobile_app.data.sharing import ResearchUse
from mobile_app.state.sharing import AskedPage

# The purposes on which further uses hang.
RESEARCH_PURPOSES = ("research", "federated_learning")


@dataclass(frozen=True, slots=True)
class UseLine:
    """One study or round: when, what it did with the diary, and what the patient had agreed to."""

    when: str
    what: str
    agreed: str


class ResearchUses(AskedPage):
    """The clinic's ledger, as it was heard last; what may follow, by the consents that this phone holds."""

    def refresh(self) -> None:
        """Asks anew."""
        self.ask(lambda server: server.fetch_research_uses())

    @property
    def lines(self) -> list[UseLine] | None:
        """Every use, newest first; None before the clinic was ever asked."""
        uses = self._papers.research_uses()
        return None if uses is None else [self._line(use) for use in uses]

    @property
    def from_now_on(self) -> list[str]:
        """What each purpose means for later studies and rounds."""
        say = self._diary.wording.say
        return [
            say(f"research_uses.{'goes_on' if one.given else 'ended'}_{one.purpose}")
            for one in Consents(self._diary.database).all()
            if one.purpose in RESEARCH_PURPOSES
        ]

    def _line(self, use: ResearchUse) -> UseLine:
        say = self._diary.wording.say
        if not self._diary.wording.knows(f"research_uses.{use.kind}"):
            # A newer clinic knows kinds of use that this phone does not: its own sentence says both.
            return UseLine(self._when(use), use.text, "")
        return UseLine(
            self._when(use),
            say(f"research_uses.{use.kind}", title=use.title or say("research_uses.untitled")),
            say(f"research_uses.agreed_{use.purpose}"),
        )

    def _when(self, use: ResearchUse) -> str:
        wording = self._diary.wording
        first, last = (wording.full_date(day, with_year=True) for day in (use.first_on, use.last_on))
        when = last if use.first_on == use.last_on else wording.say("research_uses.between", first=first, last=last)
        return when if use.times == 1 else wording.say("research_uses.times", when=when, count=use.times)
