"""sharing"""

import sqlalchemy as sa
from alembic import op

from backend.core.database import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ACTOR_KINDS = ("clinician", "patient", "system")


def upgrade() -> None:
    op.create_table(
        "shared_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("revoked_at", Instant, nullable=True),
        sa.Column("opened_count", sa.Integer(), nullable=False),
        sa.Column("last_opened_at", Instant, nullable=True),
        sa.CheckConstraint("length(label) <= 60", name=op.f("ck_shared_link_label")),
        sa.CheckConstraint("opened_count >= 0", name=op.f("ck_shared_link_opened_count")),
        sa.CheckConstraint(
            "expires_at > created_at AND expires_at <= created_at + interval '7 days'",
            name=op.f("ck_shared_link_expires_at"),
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_shared_link_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shared_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_shared_link_token_hash")),
    )
    op.create_index(op.f("ix_shared_link_patient_id"), "shared_link", ["patient_id"])
    for table in ("device", "enrolment_code"):
        op.add_column(table, sa.Column("role", sa.String(), nullable=False, server_default="patient"))
        op.alter_column(table, "role", server_default=None)
        op.create_check_constraint(op.f(f"ck_{table}_role"), table, "role IN ('patient', 'carer')")
    op.add_column("device", sa.Column("removed_at", Instant, nullable=True))
    _know_actors((*ACTOR_KINDS, "guest"))


def downgrade() -> None:
    _know_actors(ACTOR_KINDS)
    op.drop_column("device", "removed_at")
    for table in ("enrolment_code", "device"):
        op.drop_constraint(op.f(f"ck_{table}_role"), table, type_="check")
        op.drop_column(table, "role")
    op.drop_index(op.f("ix_shared_link_patient_id"), table_name="shared_link")
    op.drop_table("shared_link")


def _know_actors(kinds: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.drop_constraint(op.f("ck_audit_entry_actor_kind"), "audit_entry", type_="check")
    # NOT VALID on the way down: the trail is append-only, so a guest's entries cannot be taken out of it.
    valid = "" if "guest" in kinds else " NOT VALID"
    op.execute(
        f"ALTER TABLE audit_entry ADD CONSTRAINT ck_audit_entry_actor_kind CHECK (actor_kind IN ({listed})){valid}"
    )
