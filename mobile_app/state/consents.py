"""What the patient agrees to, one purpose at a time."""

from collections.abc import Callable
from dataclasses import dataclass

from mobile_app.data.consents import Consents
from mobile_app.state.open_diary import OpenDiary


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """One purpose in words, with where it stands and since when."""

    purpose: str
    title: str
    detail: str
    standing: str
    given: bool


class ConsentPage:
    """Reads and changes consents; ``after_change`` sends what was decided."""

    def __init__(self, diary: OpenDiary, after_change: Callable[[], None]) -> None:
        self._diary = diary
        self._consents = Consents(diary.database)
        self._after_change = after_change
        self.on_change: Callable[[], None] = lambda: None

    @property
    def lines(self) -> list[ConsentLine]:
        """Every purpose."""
        say = self._diary.wording.say
        return [
            ConsentLine(
                purpose=one.purpose,
                title=say(f"consents.{one.purpose}"),
                detail=say(f"consents.{one.purpose}_detail"),
                standing=self._standing(one.purpose),
                given=one.given,
            )
            for one in self._consents.all()
        ]

    def _standing(self, purpose: str) -> str:
        consent = next(one for one in self._consents.all() if one.purpose == purpose)
        if consent.since is None:
            return ""
        wording = self._diary.wording
        day = wording.day(self._diary.moment(consent.since).local_date, self._diary.today())
        words = wording.say("consents.given" if consent.given else "consents.withdrawn", day=day)
        return words if consent.told else f"{words}\n{wording.say('consents.not_told_yet')}"

    @property
    def may_send(self) -> bool:
        """Whether the diary goes to the clinic."""
        return self._consents.may_send

    def is_given(self, purpose: str) -> bool:
        """Whether that purpose is agreed to."""
        return next(one.given for one in self._consents.all() if one.purpose == purpose)

    def decide(self, purpose: str, given: bool) -> None:
        """Gives or withdraws one; it holds on this phone at once."""
        self._consents.decide(purpose, given, self._diary.clock.now())
        self._after_change()
        self.on_change()
