"""Facts about recommendations and signatures that the clinician can act on."""

from backend.core.errors import InvalidFields, SoomError


class RecommendationNoLongerOpen(SoomError):
    status = 409
    code = "recommendation_no_longer_open"
    message = "This recommendation was decided or has expired since you opened it. Reload the page; nothing was saved."


class OptionNotOffered(SoomError):
    status = 422
    code = "option_not_offered"
    message = "This change is not among the ones offered now. Reload the page and choose again."


class ChecklistOpen(InvalidFields):
    code = "checklist_open"
    message = "Before a step up, answer the whole checklist; nothing was saved."


class ChecklistNotInOrder(InvalidFields):
    code = "checklist_not_in_order"
    message = "An item of the checklist is not in order. Put it right first, or sign despite it and say why."


class ReviewNotReady(SoomError):
    status = 409
    code = "review_not_ready"
    message = "This review is not due yet, or was answered before."
