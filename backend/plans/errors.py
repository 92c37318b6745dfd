"""Facts about plans that the signing clinician can act on."""

from backend.core.errors import SoomError


class PlanChangedMeanwhile(SoomError):
    status = 409
    code = "plan_changed_meanwhile"
    message = "A newer plan was signed since you began. Look at it first; nothing of yours was saved."


class DraftChangedMeanwhile(SoomError):
    status = 409
    code = "draft_changed_meanwhile"
    message = "Your draft was changed in another window. Load the page again to see it; nothing was saved here."
