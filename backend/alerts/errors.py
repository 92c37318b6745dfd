"""Why an alert could not be acknowledged, handed over or snoozed."""

from backend.core.errors import SoomError


class AlertAlreadyResolved(SoomError):
    status = 409
    code = "alert_already_resolved"
    message = "This alert is already over; there is nothing left to acknowledge."


class AlertAcknowledgedByAnother(SoomError):
    status = 409
    code = "alert_acknowledged_by_another"
    message = "A colleague has already acknowledged this alert; reload to see who, when and with what note."


class NoteTooLong(SoomError):
    status = 422
    code = "note_too_long"
    message = "The note is too long; 2,000 characters are the most."


class RedCannotBeSnoozed(SoomError):
    status = 409
    code = "red_cannot_be_snoozed"
    message = (
        "A red alert cannot be snoozed: it rests when a clinician has acknowledged it. Follow your action plan now."
    )


class SnoozeTooLong(SoomError):
    status = 422
    code = "snooze_too_long"
    message = "Choose between 1 and 72 hours."
