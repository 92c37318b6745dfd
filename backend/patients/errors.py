"""What can go wrong with a patient's own data."""

from backend.core.errors import SoomError


class ProfileChangedMeanwhile(SoomError):
    status = 409
    code = "profile_changed_meanwhile"
    message = "Somebody changed this patient's data in the meantime. Load the page again and repeat your change."
