"""treatment"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clinical_check",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("holds", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "code IN ('adherence', 'technique', 'exposures', 'comorbidity', 'diagnosis', 'infection_now', 'travelling_soon', 'pregnant', 'risk_season', 'ever_intensive_care', 'smoking_or_vaping', 'obesity', 'rhinosinusitis', 'reflux', 'food_allergy', 'allergen_exposure', 'psychosocial_problems')",
            name=op.f("ck_clinical_check_code"),
        ),
        sa.CheckConstraint("length(note) BETWEEN 1 AND 500", name=op.f("ck_clinical_check_note")),
        sa.ForeignKeyConstraint(["checked_by"], ["clinician.id"], name=op.f("fk_clinical_check_checked_by")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_clinical_check_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinical_check")),
    )
    op.create_index(
        "ix_clinical_check_patient_id_code_checked_at",
        "clinical_check",
        ["patient_id", "code", "checked_at"],
        unique=False,
    )
    op.create_table(
        "measurement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("bronchodilator", sa.String(), nullable=True),
        sa.Column("measured_on", sa.Date(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_by", sa.Uuid(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'blood_eosinophils' AND unit = 'cells/uL' AND value BETWEEN 5 AND 20000) OR (kind = 'feno' AND unit = 'ppb' AND value BETWEEN 1 AND 400) OR (kind = 'total_ige' AND unit = 'kU/L' AND value BETWEEN 1 AND 50000) OR (kind = 'fev1' AND unit = 'L' AND value BETWEEN 0.2 AND 9) OR (kind = 'fev1_percent_predicted' AND unit = 'percent' AND value BETWEEN 10 AND 180) OR (kind = 'fvc' AND unit = 'L' AND value BETWEEN 0.3 AND 12) OR (kind = 'spirometer_peak_flow' AND unit = 'L/min' AND value BETWEEN 30 AND 900)",
            name=op.f("ck_measurement_value_in_unit"),
        ),
        sa.CheckConstraint(
            "bronchodilator IN ('before', 'after', 'unknown')", name=op.f("ck_measurement_bronchodilator")
        ),
        sa.CheckConstraint(
            "kind IN ('blood_eosinophils', 'feno', 'total_ige', 'fev1', 'fev1_percent_predicted', 'fvc', 'spirometer_peak_flow')",
            name=op.f("ck_measurement_kind"),
        ),
        sa.CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name=op.f("ck_measurement_withdrawn")),
        sa.ForeignKeyConstraint(["entered_by"], ["clinician.id"], name=op.f("fk_measurement_entered_by")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_measurement_patient_id")),
        sa.ForeignKeyConstraint(["withdrawn_by"], ["clinician.id"], name=op.f("fk_measurement_withdrawn_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurement")),
    )
    op.create_index(
        "ix_measurement_patient_id_kind_measured_on", "measurement", ["patient_id", "kind", "measured_on"], unique=False
    )
    op.create_table(
        "recommendation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("picture", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("advice", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expired_because", sa.String(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("chosen_code", sa.String(), nullable=True),
        sa.Column("signed_version", sa.Integer(), nullable=True),
        sa.Column("quiet_until", sa.Date(), nullable=True),
        sa.CheckConstraint("(state = 'open') = (closed_at IS NULL)", name=op.f("ck_recommendation_closed_at")),
        sa.CheckConstraint(
            "(state IN ('approved', 'modified')) = (signed_version IS NOT NULL)",
            name=op.f("ck_recommendation_signed_version"),
        ),
        sa.CheckConstraint(
            "(state IN ('approved', 'modified', 'rejected')) = (decided_by IS NOT NULL AND reason IS NOT NULL)",
            name=op.f("ck_recommendation_decision"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'approved', 'modified', 'rejected', 'expired')", name=op.f("ck_recommendation_state")
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["clinician.id"], name=op.f("fk_recommendation_decided_by")),
        sa.ForeignKeyConstraint(
            ["patient_id", "signed_version"],
            ["action_plan.patient_id", "action_plan.version"],
            name=op.f("fk_recommendation_patient_id_signed_version"),
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_recommendation_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recommendation")),
    )
    op.create_index("ix_recommendation_patient_id_made_at", "recommendation", ["patient_id", "made_at"], unique=False)
    op.create_index(
        "uq_recommendation_open", "recommendation", ["patient_id"], unique=True, postgresql_where="state = 'open'"
    )
    op.create_table(
        "outcome_review",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=False),
        sa.Column("recommendation_id", sa.Uuid(), nullable=True),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("way_back", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("promised", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("verdict IN ('keep', 'change', 'go_back')", name=op.f("ck_outcome_review_verdict")),
        sa.CheckConstraint("(ready_at IS NULL) = (after IS NULL)", name=op.f("ck_outcome_review_ready_at")),
        sa.CheckConstraint("(verdict IS NULL) = (reviewed_at IS NULL)", name=op.f("ck_outcome_review_reviewed_at")),
        sa.CheckConstraint("(verdict IS NULL) = (reviewed_by IS NULL)", name=op.f("ck_outcome_review_reviewed_by")),
        sa.ForeignKeyConstraint(
            ["patient_id", "plan_version"],
            ["action_plan.patient_id", "action_plan.version"],
            name=op.f("fk_outcome_review_patient_id_plan_version"),
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_outcome_review_patient_id")),
        sa.ForeignKeyConstraint(
            ["recommendation_id"], ["recommendation.id"], name=op.f("fk_outcome_review_recommendation_id")
        ),
        sa.ForeignKeyConstraint(["reviewed_by"], ["clinician.id"], name=op.f("fk_outcome_review_reviewed_by")),
        sa.PrimaryKeyConstraint("patient_id", "plan_version", name=op.f("pk_outcome_review")),
    )
    op.add_column(
        "action_plan", sa.Column("regimen", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)
    )
    op.add_column(
        "action_plan",
        sa.Column("oral_steroid", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
    )
    op.add_column(
        "action_plan",
        sa.Column(
            "extra_instructions",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column(
        "action_plan",
        sa.Column(
            "reminders", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
    )
    op.add_column(
        "action_plan",
        sa.Column(
            "difference", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.add_column("action_plan", sa.Column("reason", sa.String(), nullable=True))
    op.add_column("action_plan", sa.Column("edition", sa.String(), nullable=True))
    op.add_column("inhaler", sa.Column("product_id", sa.String(), nullable=True))
    op.add_column("inhaler", sa.Column("use", sa.String(), nullable=True))
    op.add_column("inhaler", sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_inhaler_use"), "inhaler", "use IN ('maintenance', 'as_needed', 'maintenance_and_reliever')"
    )
    op.create_check_constraint(op.f("ck_inhaler_product_id_and_use"), "inhaler", "(product_id IS NULL) = (use IS NULL)")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_inhaler_product_id_and_use"), "inhaler")
    op.drop_constraint(op.f("ck_inhaler_use"), "inhaler")
    op.drop_column("inhaler", "stopped_at")
    op.drop_column("inhaler", "use")
    op.drop_column("inhaler", "product_id")
    op.drop_column("action_plan", "edition")
    op.drop_column("action_plan", "reason")
    op.drop_column("action_plan", "difference")
    op.drop_column("action_plan", "reminders")
    op.drop_column("action_plan", "extra_instructions")
    op.drop_column("action_plan", "oral_steroid")
    op.drop_column("action_plan", "regimen")
    op.drop_table("outcome_review")
    op.drop_index("uq_recommendation_open", table_name="recommendation", postgresql_where="state = 'open'")
    op.drop_index("ix_recommendation_patient_id_made_at", table_name="recommendation")
    op.drop_table("recommendation")
    op.drop_index("ix_measurement_patient_id_kind_measured_on", table_name="measurement")
    op.drop_table("measurement")
    op.drop_index("ix_clinical_check_patient_id_code_checked_at", table_name="clinical_check")
    op.drop_table("clinical_check")
