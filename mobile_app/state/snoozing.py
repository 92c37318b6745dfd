"""Putting an amber warning off, and taking that back. A red one cannot be put off."""

from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.sharing import Ask, AskedPage

# The clinic's computer takes 1 to 72.
SNOOZE_HOURS = (4, 12, 24, 72)


class Snoozing(AskedPage):
    """The warning that a hand is on, and which ones rest; nothing rests before the clinic says so."""

    def __init__(self, diary: OpenDiary, ask: Ask) -> None:
        super().__init__(diary, ask)
        self.choosing: str | None = None
        self.asked_about: str | None = None

    def rests_until(self, alert_id: str) -> str | None:
        """Until when in words, or None."""
        until = self._papers.snoozed_until(alert_id, self._diary.clock.now())
        return None if until is None else self._until(until)

    def choose(self, alert_id: str | None) -> None:
        """Shows or hides how long it may rest."""
        self.choosing, self.problem = alert_id, None
        self.on_change()

    def snooze(self, alert_id: str, hours: int) -> None:
        """Asks for one of SNOOZE_HOURS."""
        self.choosing, self.asked_about = None, alert_id
        self.ask(lambda server: server.snooze_alert(alert_id, hours), if_unreachable="alert_snooze.needs_network")

    def wake(self, alert_id: str) -> None:
        """Asks to be warned again."""
        self.asked_about = alert_id
        self.ask(lambda server: server.end_snooze(alert_id), if_unreachable="alert_snooze.needs_network")
