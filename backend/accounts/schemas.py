"""What sign-in, enrolment and token exchange say on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints

from backend.accounts.tables import DeviceRole, Platform


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DeviceIn(Strict):
    id: UUID
    name: Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
    platform: Platform


class EnrolIn(Strict):
    code: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    device: DeviceIn

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "code": "K7QM-2XRD",
                    "device": {
                        "id": "3f0c1f0e-8f4e-4c57-9a55-1a1f6f1d8f11",
                        "name": "Minji's phone",
                        "platform": "android",
                    },
                }
            ]
        },
    )


class TokenIn(Strict):
    """`attempt_id` names this exchange: sent again with the same one, a lost answer is repeated and is no theft."""

    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    attempt_id: UUID | None = None


class TokensOut(BaseModel):
    """`role` says whether this is the patient's own phone or a carer's, which may write and not correct or delete."""

    patient_id: UUID
    role: DeviceRole
    access_token: str
    access_expires_at: datetime
    refresh_token: str
    server_time: datetime
