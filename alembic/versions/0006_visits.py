"""visits, changes of control, saved drafts, who wrote a consent down"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ZONES = "('green', 'yellow', 'red')"
CLASSES = "('well_controlled', 'partly_controlled', 'uncontrolled', 'not_enough_data')"


def upgrade() -> None:
    op.create_table(
        "patient_visit",
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_change", sa.BigInteger(), nullable=False),
        sa.Column("seen_zone", sa.String(), nullable=True),
        sa.Column("before_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("before_change", sa.BigInteger(), nullable=True),
        sa.Column("before_zone", sa.String(), nullable=True),
        sa.CheckConstraint(f"seen_zone IN {ZONES}", name=op.f("ck_patient_visit_seen_zone")),
        sa.CheckConstraint(f"before_zone IN {ZONES}", name=op.f("ck_patient_visit_before_zone")),
        sa.CheckConstraint("(before_at IS NULL) = (before_change IS NULL)", name=op.f("ck_patient_visit_before")),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_patient_visit_clinician_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_patient_visit_patient_id")),
        sa.PrimaryKeyConstraint("clinician_id", "patient_id", name=op.f("pk_patient_visit")),
    )
    op.create_table(
        "control_change",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("control_class", sa.String(), nullable=False),
        sa.CheckConstraint(f"control_class IN {CLASSES}", name=op.f("ck_control_change_control_class")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_control_change_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "noted_at", name=op.f("pk_control_change")),
    )
    op.create_table(
        "saved_draft",
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("based_on_version", sa.Integer(), nullable=False),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        sa.Column("editor", sa.Uuid(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_saved_draft_clinician_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_saved_draft_patient_id")),
        sa.PrimaryKeyConstraint("clinician_id", "patient_id", name=op.f("pk_saved_draft")),
    )
    for column in ("granted_by", "withdrawn_by"):
        op.add_column("consent", sa.Column(column, sa.Uuid(), nullable=True))
        op.create_foreign_key(op.f(f"fk_consent_{column}"), "consent", "clinician", [column], ["id"])


def downgrade() -> None:
    op.drop_column("consent", "withdrawn_by")
    op.drop_column("consent", "granted_by")
    op.drop_table("saved_draft")
    op.drop_table("control_change")
    op.drop_table("patient_visit")
