"""diary, medication, plans"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "action_plan",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=False),
        sa.Column("personal_best_litres_per_min", sa.Integer(), nullable=False),
        sa.Column("personal_best_basis", sa.String(), nullable=False),
        sa.Column("meter", sa.String(), nullable=False),
        sa.Column("yellow_below_litres_per_min", sa.Integer(), nullable=False),
        sa.Column("red_below_litres_per_min", sa.Integer(), nullable=False),
        sa.Column("instructions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("review_on", sa.Date(), nullable=True),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "personal_best_basis IN ('measured', 'predicted', 'clinician')",
            name=op.f("ck_action_plan_personal_best_basis"),
        ),
        sa.CheckConstraint(
            "0 < red_below_litres_per_min AND red_below_litres_per_min < yellow_below_litres_per_min AND yellow_below_litres_per_min <= personal_best_litres_per_min",
            name=op.f("ck_action_plan_thresholds"),
        ),
        sa.CheckConstraint(
            "personal_best_litres_per_min BETWEEN 30 AND 900", name=op.f("ck_action_plan_personal_best_litres_per_min")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_action_plan_version")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_action_plan_patient_id")),
        sa.ForeignKeyConstraint(["signed_by"], ["clinician.id"], name=op.f("fk_action_plan_signed_by")),
        sa.PrimaryKeyConstraint("patient_id", "version", name=op.f("pk_action_plan")),
    )
    op.create_index("ix_action_plan_patient_id_change", "action_plan", ["patient_id", "change"], unique=False)
    op.create_table(
        "attack",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("systemic_steroids", sa.Boolean(), nullable=True),
        sa.Column("systemic_steroid_days", sa.SmallInteger(), nullable=True),
        sa.Column("emergency_visit", sa.Boolean(), nullable=True),
        sa.Column("hospital_admission", sa.Boolean(), nullable=True),
        sa.Column("unscheduled_visit", sa.Boolean(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.CheckConstraint("source IN ('self', 'clinician', 'record')", name=op.f("ck_attack_source")),
        sa.CheckConstraint(
            "deleted OR ((systemic_steroids IS TRUE OR emergency_visit IS TRUE OR hospital_admission IS TRUE OR unscheduled_visit IS TRUE) AND source IS NOT NULL) IS TRUE",
            name=op.f("ck_attack_body"),
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_attack_revision")),
        sa.CheckConstraint("systemic_steroid_days BETWEEN 1 AND 90", name=op.f("ck_attack_systemic_steroid_days")),
        sa.CheckConstraint(
            "systemic_steroid_days IS NULL OR systemic_steroids IS TRUE",
            name=op.f("ck_attack_systemic_steroid_days_of_a_course"),
        ),
        sa.CheckConstraint("utc_offset_minutes BETWEEN -840 AND 840", name=op.f("ck_attack_utc_offset_minutes")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_attack_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "id", name=op.f("pk_attack")),
    )
    op.create_index("ix_attack_patient_id_change", "attack", ["patient_id", "change"], unique=False)
    op.create_index("ix_attack_patient_id_local_date", "attack", ["patient_id", "local_date"], unique=False)
    op.create_table(
        "inhaler",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("drug", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("puffs_per_dose", sa.Integer(), nullable=False),
        sa.Column("doses_per_day", sa.Integer(), nullable=False),
        sa.Column("max_puffs_per_day", sa.Integer(), nullable=True),
        sa.Column("warn_puffs_per_day", sa.Integer(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("prescribed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("role IN ('reliever', 'controller', 'both')", name=op.f("ck_inhaler_role")),
        sa.CheckConstraint("doses_per_day BETWEEN 0 AND 24", name=op.f("ck_inhaler_doses_per_day")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 80", name=op.f("ck_inhaler_name")),
        sa.CheckConstraint("max_puffs_per_day BETWEEN 1 AND 99", name=op.f("ck_inhaler_max_puffs_per_day")),
        sa.CheckConstraint("puffs_per_dose BETWEEN 1 AND 8", name=op.f("ck_inhaler_puffs_per_dose")),
        sa.CheckConstraint(
            "warn_puffs_per_day BETWEEN 1 AND max_puffs_per_day", name=op.f("ck_inhaler_warn_puffs_per_day")
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_inhaler_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inhaler")),
        sa.UniqueConstraint("patient_id", "id", name=op.f("uq_inhaler_patient_id_id")),
    )
    op.create_index("ix_inhaler_patient_id_change", "inhaler", ["patient_id", "change"], unique=False)
    op.create_table(
        "note",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.CheckConstraint("deleted OR (length(text) BETWEEN 1 AND 2000) IS TRUE", name=op.f("ck_note_body")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_note_revision")),
        sa.CheckConstraint("utc_offset_minutes BETWEEN -840 AND 840", name=op.f("ck_note_utc_offset_minutes")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_note_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "id", name=op.f("pk_note")),
    )
    op.create_index("ix_note_patient_id_change", "note", ["patient_id", "change"], unique=False)
    op.create_index("ix_note_patient_id_local_date", "note", ["patient_id", "local_date"], unique=False)
    op.create_table(
        "peak_flow",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("blows_litres_per_min", postgresql.ARRAY(sa.SmallInteger()), nullable=True),
        sa.Column("litres_per_min", sa.SmallInteger(), nullable=True),
        sa.Column("meter", sa.String(), nullable=True),
        sa.Column("scale", sa.String(), nullable=True),
        sa.Column("bronchodilator", sa.String(), nullable=True),
        sa.Column("action_zone", sa.String(), nullable=True),
        sa.Column("plan_version", sa.Integer(), nullable=True),
        sa.CheckConstraint("action_zone IN ('green', 'yellow', 'red')", name=op.f("ck_peak_flow_action_zone")),
        sa.CheckConstraint(
            "bronchodilator IN ('before', 'after', 'unknown')", name=op.f("ck_peak_flow_bronchodilator")
        ),
        sa.CheckConstraint("scale IN ('eu', 'wright', 'unknown')", name=op.f("ck_peak_flow_scale")),
        sa.CheckConstraint(
            "deleted OR (cardinality(blows_litres_per_min) BETWEEN 1 AND 3 AND 30 <= ALL(blows_litres_per_min) AND 900 >= ALL(blows_litres_per_min) AND litres_per_min = GREATEST(blows_litres_per_min[1], blows_litres_per_min[2], blows_litres_per_min[3]) AND length(meter) BETWEEN 1 AND 60 AND scale IS NOT NULL AND bronchodilator IS NOT NULL) IS TRUE",
            name=op.f("ck_peak_flow_body"),
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_peak_flow_revision")),
        sa.CheckConstraint("utc_offset_minutes BETWEEN -840 AND 840", name=op.f("ck_peak_flow_utc_offset_minutes")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_peak_flow_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "id", name=op.f("pk_peak_flow")),
    )
    op.create_index("ix_peak_flow_patient_id_change", "peak_flow", ["patient_id", "change"], unique=False)
    op.create_index("ix_peak_flow_patient_id_local_date", "peak_flow", ["patient_id", "local_date"], unique=False)
    op.create_table(
        "plan_receipt",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("plan_version", sa.Integer(), nullable=True),
        sa.CheckConstraint("deleted OR (plan_version >= 1) IS TRUE", name=op.f("ck_plan_receipt_body")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_plan_receipt_revision")),
        sa.CheckConstraint("utc_offset_minutes BETWEEN -840 AND 840", name=op.f("ck_plan_receipt_utc_offset_minutes")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_plan_receipt_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "id", name=op.f("pk_plan_receipt")),
    )
    op.create_index("ix_plan_receipt_patient_id_change", "plan_receipt", ["patient_id", "change"], unique=False)
    op.create_index("ix_plan_receipt_patient_id_local_date", "plan_receipt", ["patient_id", "local_date"], unique=False)
    op.create_table(
        "questionnaire",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("instrument", sa.String(), nullable=True),
        sa.Column("period_days", sa.SmallInteger(), nullable=True),
        sa.Column("answers", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "deleted OR (instrument IS NOT NULL AND period_days IS NOT NULL AND jsonb_typeof(answers) = 'object') IS TRUE",
            name=op.f("ck_questionnaire_body"),
        ),
        sa.CheckConstraint(
            "instrument IN ('weekly_review', 'control_check', 'score')", name=op.f("ck_questionnaire_instrument")
        ),
        sa.CheckConstraint("period_days BETWEEN 1 AND 366", name=op.f("ck_questionnaire_period_days")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_questionnaire_revision")),
        sa.CheckConstraint("utc_offset_minutes BETWEEN -840 AND 840", name=op.f("ck_questionnaire_utc_offset_minutes")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_questionnaire_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "id", name=op.f("pk_questionnaire")),
    )
    op.create_index("ix_questionnaire_patient_id_change", "questionnaire", ["patient_id", "change"], unique=False)
    op.create_index(
        "ix_questionnaire_patient_id_local_date", "questionnaire", ["patient_id", "local_date"], unique=False
    )
    op.create_table(
        "symptoms",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("daytime", sa.Boolean(), nullable=True),
        sa.Column("night_waking", sa.Boolean(), nullable=True),
        sa.Column("activity_limited", sa.Boolean(), nullable=True),
        sa.Column("severity", sa.SmallInteger(), nullable=True),
        sa.Column("red_flags", postgresql.ARRAY(sa.String()), nullable=True),
        sa.CheckConstraint(
            "red_flags <@ ARRAY['cannot_speak_sentence', 'blue_lips', 'drowsy_or_confused', 'reliever_not_helping', 'reliever_again_within_3_hours']::varchar[]",
            name=op.f("ck_symptoms_red_flags"),
        ),
        sa.CheckConstraint(
            "deleted OR (red_flags IS NOT NULL AND (num_nonnulls(daytime, night_waking, activity_limited, severity) > 0 OR cardinality(red_flags) > 0)) IS TRUE",
            name=op.f("ck_symptoms_body"),
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_symptoms_revision")),
        sa.CheckConstraint("severity BETWEEN 0 AND 3", name=op.f("ck_symptoms_severity")),
        sa.CheckConstraint("utc_offset_minutes BETWEEN -840 AND 840", name=op.f("ck_symptoms_utc_offset_minutes")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_symptoms_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "id", name=op.f("pk_symptoms")),
    )
    op.create_index("ix_symptoms_patient_id_change", "symptoms", ["patient_id", "change"], unique=False)
    op.create_index("ix_symptoms_patient_id_local_date", "symptoms", ["patient_id", "local_date"], unique=False)
    op.create_table(
        "trigger_exposure",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.CheckConstraint(
            "trigger IN ('pollen', 'house_dust', 'pets', 'mould', 'smoke', 'air_pollution', 'cold_air', 'weather_change', 'infection', 'exercise', 'stress', 'strong_smells', 'medicine', 'food', 'work', 'menstruation', 'other', 'none')",
            name=op.f("ck_trigger_exposure_trigger"),
        ),
        sa.CheckConstraint("deleted OR (trigger IS NOT NULL) IS TRUE", name=op.f("ck_trigger_exposure_body")),
        sa.CheckConstraint("length(note) <= 200", name=op.f("ck_trigger_exposure_note")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_trigger_exposure_revision")),
        sa.CheckConstraint(
            "utc_offset_minutes BETWEEN -840 AND 840", name=op.f("ck_trigger_exposure_utc_offset_minutes")
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_trigger_exposure_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "id", name=op.f("pk_trigger_exposure")),
    )
    op.create_index("ix_trigger_exposure_patient_id_change", "trigger_exposure", ["patient_id", "change"], unique=False)
    op.create_index(
        "ix_trigger_exposure_patient_id_local_date", "trigger_exposure", ["patient_id", "local_date"], unique=False
    )
    op.create_table(
        "inhaler_use",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("inhaler_id", sa.Uuid(), nullable=True),
        sa.Column("puffs", sa.SmallInteger(), nullable=True),
        sa.Column("puffs_at_most", sa.SmallInteger(), nullable=True),
        sa.Column("amount", sa.String(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.CheckConstraint(
            "amount IN ('none', 'less', 'as_usual', 'more', 'unsure')", name=op.f("ck_inhaler_use_amount")
        ),
        sa.CheckConstraint(
            "deleted OR (inhaler_id IS NOT NULL AND num_nonnulls(puffs, amount) = 1 AND purpose IS NOT NULL AND source IS NOT NULL AND (puffs IS NULL OR puffs > 0 OR source = 'day_recall') AND (puffs_at_most IS NULL OR puffs_at_most >= puffs)) IS TRUE",
            name=op.f("ck_inhaler_use_body"),
        ),
        sa.CheckConstraint(
            "purpose IN ('relief', 'maintenance', 'before_exercise', 'unknown')", name=op.f("ck_inhaler_use_purpose")
        ),
        sa.CheckConstraint("source IN ('logged', 'sensor', 'day_recall')", name=op.f("ck_inhaler_use_source")),
        sa.CheckConstraint("puffs BETWEEN 0 AND 99", name=op.f("ck_inhaler_use_puffs")),
        sa.CheckConstraint("puffs_at_most BETWEEN 1 AND 99", name=op.f("ck_inhaler_use_puffs_at_most")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_inhaler_use_revision")),
        sa.CheckConstraint("utc_offset_minutes BETWEEN -840 AND 840", name=op.f("ck_inhaler_use_utc_offset_minutes")),
        sa.ForeignKeyConstraint(
            ["patient_id", "inhaler_id"],
            ["inhaler.patient_id", "inhaler.id"],
            name=op.f("fk_inhaler_use_patient_id_inhaler_id"),
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_inhaler_use_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "id", name=op.f("pk_inhaler_use")),
    )
    op.create_index("ix_inhaler_use_patient_id_change", "inhaler_use", ["patient_id", "change"], unique=False)
    op.create_index("ix_inhaler_use_patient_id_local_date", "inhaler_use", ["patient_id", "local_date"], unique=False)

    # A signed plan is never rewritten: a change is a new version.
    op.execute("""
        CREATE FUNCTION refuse_plan_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'a signed plan cannot be changed; sign a new version'; END $$
    """)
    op.execute("""
        CREATE TRIGGER action_plan_immutable BEFORE UPDATE OR TRUNCATE ON action_plan
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_plan_change()
    """)


def downgrade() -> None:
    op.drop_index("ix_inhaler_use_patient_id_local_date", table_name="inhaler_use")
    op.drop_index("ix_inhaler_use_patient_id_change", table_name="inhaler_use")
    op.drop_table("inhaler_use")
    op.drop_index("ix_trigger_exposure_patient_id_local_date", table_name="trigger_exposure")
    op.drop_index("ix_trigger_exposure_patient_id_change", table_name="trigger_exposure")
    op.drop_table("trigger_exposure")
    op.drop_index("ix_symptoms_patient_id_local_date", table_name="symptoms")
    op.drop_index("ix_symptoms_patient_id_change", table_name="symptoms")
    op.drop_table("symptoms")
    op.drop_index("ix_questionnaire_patient_id_local_date", table_name="questionnaire")
    op.drop_index("ix_questionnaire_patient_id_change", table_name="questionnaire")
    op.drop_table("questionnaire")
    op.drop_index("ix_plan_receipt_patient_id_local_date", table_name="plan_receipt")
    op.drop_index("ix_plan_receipt_patient_id_change", table_name="plan_receipt")
    op.drop_table("plan_receipt")
    op.drop_index("ix_peak_flow_patient_id_local_date", table_name="peak_flow")
    op.drop_index("ix_peak_flow_patient_id_change", table_name="peak_flow")
    op.drop_table("peak_flow")
    op.drop_index("ix_note_patient_id_local_date", table_name="note")
    op.drop_index("ix_note_patient_id_change", table_name="note")
    op.drop_table("note")
    op.drop_index("ix_inhaler_patient_id_change", table_name="inhaler")
    op.drop_table("inhaler")
    op.drop_index("ix_attack_patient_id_local_date", table_name="attack")
    op.drop_index("ix_attack_patient_id_change", table_name="attack")
    op.drop_table("attack")
    op.drop_index("ix_action_plan_patient_id_change", table_name="action_plan")
    op.drop_table("action_plan")
    op.execute("DROP FUNCTION refuse_plan_change()")
