"""Every table module, loaded once: Alembic compares this list with the database."""

from sqlmodel import SQLModel

from backend.accounts import tables as accounts
from backend.core import audit, due, heartbeat
from backend.patients import tables as patients

TABLE_MODULES = (accounts, audit, due, heartbeat, patients)
metadata = SQLModel.metadata
