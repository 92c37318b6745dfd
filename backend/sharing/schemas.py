"""What a phone says and hears about who may see its diary."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from backend.accounts.tables import DeviceRole, Platform
from backend.patients.schemas import ConsentOut
from backend.patients.tables import Language, Purpose

MOST_DAYS = 7
Label = Annotated[str, StringConstraints(strip_whitespace=True, max_length=60, pattern=r"^[^\x00]*$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConsentIn(Strict):
    """One decision. `text_version` names the words that the person read."""

    purpose: Purpose
    given: StrictBool
    text_version: Annotated[str, StringConstraints(min_length=1, max_length=20, pattern=r"^[\w.-]+$")]


class ConsentsOut(BaseModel):
    consents: list[ConsentOut]


class AccessOut(BaseModel):
    """Somebody opened or changed the patient's data on one day of the patient's own calendar.

    `role`: clinician, or guest for somebody with a link, whose `name` is then the link's label.
    """

    on: date
    role: str
    name: str
    times: int


class AccessesOut(BaseModel):
    accesses: list[AccessOut]


class LinkIn(Strict):
    """`label`: for whom, in the patient's words. `language`: of the page, not of the patient."""

    label: Label = ""
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)]
    language: Language = Language.ENGLISH


class LinkOut(BaseModel):
    id: UUID
    label: str
    created_at: datetime
    expires_at: datetime
    opened_count: int
    last_opened_at: datetime | None


class LinksOut(BaseModel):
    """Those that still open, newest first."""

    links: list[LinkOut]


class NewLinkOut(LinkOut):
    """`address` is told this once."""

    address: str


class CarerCodeOut(BaseModel):
    """`code` lets one more phone in, which may write and not correct or delete; `link` is the same for a camera."""

    code: str
    expires_at: datetime
    link: str


class PhoneOut(BaseModel):
    id: UUID
    name: str
    platform: Platform
    role: DeviceRole
    enrolled_at: datetime
    last_seen_at: datetime | None
    is_this_phone: bool


class PhonesOut(BaseModel):
    phones: list[PhoneOut]
