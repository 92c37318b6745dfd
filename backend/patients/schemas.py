"""A patient's consents as a phone receives them."""

from datetime import datetime

from pydantic import BaseModel

from backend.patients.tables import Purpose


class ConsentOut(BaseModel):
    """`since`: when it was given or withdrawn; null when it was never given."""

    purpose: Purpose
    given: bool
    since: datetime | None
