"""Facts about a whole exchange that the phone can act on; single entries have reasons instead."""

from backend.core.errors import SoomError


class BatchTooLarge(SoomError):
    status = 413
    code = "batch_too_large"
    message = "Send at most 200 entries at once."


class CursorInvalid(SoomError):
    code = "cursor_invalid"
    message = "This cursor is not known. Start again with an empty one; nothing is lost by it."


class ConsentWithdrawn(SoomError):
    status = 403
    code = "consent_withdrawn"
    message = "The patient withdrew the consent to sending the diary. It can be given again on the patient's own phone."
