"""research"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "study",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("dates_shifted", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id ~ '^[a-z0-9][a-z0-9_-]{0,62}$'", name=op.f("ck_study_id")),
        sa.CheckConstraint("length(title) BETWEEN 1 AND 200", name=op.f("ck_study_title")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study")),
    )
    op.create_table(
        "study_patient",
        sa.Column("study_id", sa.String(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("shift_days", sa.SmallInteger(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("person_id >= 1", name=op.f("ck_study_patient_person_id")),
        sa.CheckConstraint(
            "shift_days BETWEEN -182 AND 182 AND shift_days % 7 = 0", name=op.f("ck_study_patient_shift_days")
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_study_patient_patient_id")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_study_patient_study_id")),
        sa.PrimaryKeyConstraint("study_id", "patient_id", name=op.f("pk_study_patient")),
        sa.UniqueConstraint("study_id", "person_id", name=op.f("uq_study_patient_study_id_person_id")),
    )


def downgrade() -> None:
    op.drop_table("study_patient")
    op.drop_table("study")
