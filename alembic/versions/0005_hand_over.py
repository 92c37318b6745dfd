"""hand over"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hand_over",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("from_clinician_id", sa.Uuid(), nullable=False),
        sa.Column("to_clinician_id", sa.Uuid(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("from_clinician_id <> to_clinician_id", name=op.f("ck_hand_over_two_people")),
        sa.CheckConstraint("ends_at > began_at", name=op.f("ck_hand_over_ends_at")),
        sa.CheckConstraint("length(note) BETWEEN 1 AND 2000", name=op.f("ck_hand_over_note")),
        sa.ForeignKeyConstraint(["from_clinician_id"], ["clinician.id"], name=op.f("fk_hand_over_from_clinician_id")),
        sa.ForeignKeyConstraint(["to_clinician_id"], ["clinician.id"], name=op.f("fk_hand_over_to_clinician_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_over")),
    )
    op.create_index(op.f("ix_hand_over_from_clinician_id"), "hand_over", ["from_clinician_id"])
    op.create_index(op.f("ix_hand_over_to_clinician_id"), "hand_over", ["to_clinician_id"])
    op.add_column("care_relation", sa.Column("hand_over_id", sa.Uuid(), nullable=True))
    op.add_column("care_relation", sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(op.f("fk_care_relation_hand_over_id"), "care_relation", "hand_over", ["hand_over_id"], ["id"])
    op.create_check_constraint(
        op.f("ck_care_relation_ends_at"), "care_relation", "(hand_over_id IS NULL) = (ends_at IS NULL)"
    )
    op.create_index(
        "ix_care_relation_ends_at",
        "care_relation",
        ["ends_at"],
        postgresql_where=sa.text("ended_at IS NULL AND ends_at IS NOT NULL"),
    )
    op.create_index("ix_care_relation_hand_over_id", "care_relation", ["hand_over_id"])
    op.add_column("alert", sa.Column("hand_over_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_alert_hand_over_id"), "alert", "hand_over", ["hand_over_id"], ["id"])


def downgrade() -> None:
    op.drop_column("alert", "hand_over_id")
    op.drop_index("ix_care_relation_hand_over_id", "care_relation")
    op.drop_index("ix_care_relation_ends_at", "care_relation")
    op.drop_constraint(op.f("ck_care_relation_ends_at"), "care_relation")
    op.drop_column("care_relation", "ends_at")
    op.drop_column("care_relation", "hand_over_id")
    op.drop_table("hand_over")
