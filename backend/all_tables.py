"""Every table module, loaded once: Alembic compares this list with the database."""

from sqlmodel import SQLModel

from backend.accounts import tables as accounts
from backend.core import audit, due, heartbeat
from backend.diary import tables as diary
from backend.medication import tables as medication
from backend.patients import tables as patients
from backend.plans import tables as plans

TABLE_MODULES = (accounts, audit, diary, due, heartbeat, medication, patients, plans)
metadata = SQLModel.metadata
