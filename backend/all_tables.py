"""Every table module, loaded once: Alembic compares this list with the database."""

from sqlmodel import SQLModel

from backend.accounts import tables as accounts
from backend.alerts import tables as alerts
from backend.core import audit, due, heartbeat
from backend.dashboard import tables as dashboard
from backend.diary import tables as diary
from backend.interchange import tables as interchange
from backend.measurements import tables as measurements
from backend.medication import tables as medication
from backend.notifications import tables as notifications
from backend.patients import tables as patients
from backend.plans import tables as plans
from backend.recommendations import tables as recommendations
from backend.reminders import tables as reminders
from backend.research import governance_tables as governance
from backend.research import tables as research
from backend.risk import tables as risk
from backend.sharing import tables as sharing

TABLE_MODULES = (
    accounts,
    alerts,
    audit,
    dashboard,
    diary,
    due,
    governance,
    heartbeat,
    interchange,
    measurements,
    medication,
    notifications,
    patients,
    plans,
    recommendations,
    reminders,
    research,
    risk,
    sharing,
)
metadata = SQLModel.metadata
