"""interchange"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "patient_identifier",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_patient_identifier_hospital_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_patient_identifier_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "system", "value", name=op.f("pk_patient_identifier")),
        sa.UniqueConstraint(
            "hospital_id", "system", "value", name=op.f("uq_patient_identifier_hospital_id_system_value")
        ),
    )
    op.create_table(
        "imported_resource",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("resource_type", sa.String(), nullable=False),
        sa.Column("source_id", sa.String(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("became", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_imported_resource_patient_id")),
        sa.PrimaryKeyConstraint(
            "patient_id", "resource_type", "source_id", "content_hash", name=op.f("pk_imported_resource")
        ),
    )
    op.create_index(
        "ix_imported_resource_patient_id_type",
        "imported_resource",
        ["patient_id", "resource_type", "happened_at"],
    )


def downgrade() -> None:
    op.drop_table("imported_resource")
    op.drop_table("patient_identifier")
