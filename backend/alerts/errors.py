"""Why an alert could not be acknowledged or handed over."""

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
