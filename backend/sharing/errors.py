"""Why a phone's or a guest's request about sharing is declined."""

from backend.core.errors import SoomError


class CarerNotAllowed(SoomError):
    status = 403
    code = "carer_not_allowed"
    message = "This phone belongs to a carer. Only the patient's own phone may do this."


class TooManyLinks(SoomError):
    status = 409
    code = "too_many_links"
    message = "There are ten open links already; end one of them first."


class LinkUnknown(SoomError):
    """The answer for a link that never was, has expired or was taken back: they look the same from outside."""

    status = 404
    code = "link_unknown"
    message = "This link is not valid, or no longer. Ask the patient for a new one."


class PhoneUnknown(SoomError):
    status = 404
    code = "phone_unknown"
    message = "There is no such carer's phone on this diary."
