"""Queries on the inbox and on deliveries."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session, col, select

from backend.notifications.tables import InboxMessage


def inbox_changed_after(
    session: Session, patient_id: UUID, change: int, up_to: int | None = None
) -> Sequence[InboxMessage]:
    """Messages with a change number above `change` and, if given, not above `up_to`; in the order of change."""
    query = select(InboxMessage).where(InboxMessage.patient_id == patient_id, InboxMessage.change > change)
    if up_to is not None:
        query = query.where(InboxMessage.change <= up_to)
    return session.exec(query.order_by(col(InboxMessage.change))).all()
