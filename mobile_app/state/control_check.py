"""The monthly control check: GINA's questions in own words, and a score from elsewhere if there is one."""

from collections.abc import Callable
from datetime import timedelta

from mobile_app.data.journal import KeptEntry
from mobile_app.state.open_diary import OpenDiary

# GINA's four questions on symptom control over the last four weeks; none yes is well, three or four not controlled.
QUESTIONS = ("daytime_symptoms", "night_waking", "reliever_use", "activity_limited")
_PERIOD_DAYS = 28
_WEEKS = 4
_PARTLY_FROM, _NOT_FROM = 1, 3
# Published ranges of the totals; the questionnaires themselves are their owners' and not in Soom.
SCORES = {
    "act": ("ACT", 5, 25),
    "c_act": ("C-ACT", 0, 27),
    "acq": ("ACQ", 0, 6),
    "airq": ("AIRQ", 0, 10),
    "carat": ("CARAT", 0, 30),
}


class AnswerMissing(ValueError):
    """The check cannot be kept as it stands. The argument is a text for the person."""


class ControlCheck:
    """Answers so far, what the diary says to each, and the result."""

    def __init__(self, diary: OpenDiary) -> None:
        self._diary = diary
        self.on_change: Callable[[], None] = lambda: None
        self.answers: dict[str, bool | None] = dict.fromkeys(self._questions())
        today = diary.today()
        self._entries = diary.journal.between(
            today - timedelta(days=_PERIOD_DAYS - 1), today, ("symptoms", "inhaler_use")
        )

    def _questions(self) -> tuple[str, ...]:
        # GINA counts the use of relievers other than ICS-formoterol; the clinic's side leaves it out as well.
        relievers = [inhaler for inhaler in self._diary.clinic.inhalers() if inhaler.relieves]
        if relievers and all(inhaler.relieves_and_treats for inhaler in relievers):
            return tuple(question for question in QUESTIONS if question != "reliever_use")
        return QUESTIONS

    @property
    def counts_reliever(self) -> bool:
        """Whether the use of the reliever is one of the questions."""
        return "reliever_use" in self.answers

    def answer(self, question: str, given: bool) -> None:
        """Answers one of the questions."""
        self.answers[question] = given
        self.on_change()

    def diary_says(self, question: str) -> bool | None:
        """What the entries of the last four weeks say; None without any such entry. A hint, never the answer."""
        say: dict[str, Callable[[], bool | None]] = {
            "daytime_symptoms": lambda: self._days("daytime", 2 * _WEEKS),
            "night_waking": lambda: self._days("night_waking", 0),
            "activity_limited": lambda: self._days("activity_limited", 0),
            "reliever_use": self._relief_days,
        }
        return say[question]()

    def _days(self, name: str, more_than: int) -> bool | None:
        answered = [kept for kept in self._entries if kept.entry.value.get(name) is not None]
        if not answered:
            return None
        return len({_day(kept) for kept in answered if kept.entry.value[name]}) > more_than

    def _relief_days(self) -> bool | None:
        uses = [kept for kept in self._entries if kept.entry.kind == "inhaler_use"]
        if not uses:
            return None
        relief = [
            kept for kept in uses if kept.entry.value.get("purpose") == "relief" and kept.entry.value.get("puffs")
        ]
        return len({_day(kept) for kept in relief}) > 2 * _WEEKS

    @property
    def result(self) -> str | None:
        """``well``, ``partly`` or ``not``; None until all are answered."""
        if any(given is None for given in self.answers.values()):
            return None
        yes = sum(bool(given) for given in self.answers.values())
        return "not" if yes >= _NOT_FROM else "partly" if yes >= _PARTLY_FROM else "well"

    @property
    def attacks_last_year(self) -> int:
        """Attacks in this diary in the last twelve months."""
        today = self._diary.today()
        return len(self._diary.journal.between(today - timedelta(days=365), today, ("attack",)))

    def submit(self) -> None:
        """Keeps the answers. Raises AnswerMissing."""
        if self.result is None:
            raise AnswerMissing(self._diary.wording.say("control_check.answer_all"))
        answers = {question: int(bool(given)) for question, given in self.answers.items()}
        self._keep("control_check", answers)

    def keep_score(self, code: str, typed: str) -> None:
        """Keeps the total of a questionnaire filled in elsewhere. Raises AnswerMissing outside its range."""
        name, low, high = SCORES[code]
        try:
            score = float(typed.replace(",", "."))
        except ValueError:
            score = low - 1.0
        if not low <= score <= high:
            raise AnswerMissing(self._diary.wording.say("control_check.score_range", name=name, low=low, high=high))
        self._keep("score", {code: score})

    def _keep(self, instrument: str, answers: dict[str, int] | dict[str, float]) -> None:
        body = {"instrument": instrument, "period_days": _PERIOD_DAYS, "answers": answers, "score": None}
        self._diary.record("questionnaire", body)


def _day(kept: KeptEntry) -> object:
    return kept.entry.moment.local_date
