"""foundation"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index("ix_attempt_subject_at", "attempt", ["subject", "attempted_at"], unique=False)
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("actor_kind IN ('clinician', 'patient', 'system')", name=op.f("ck_audit_entry_actor_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index("ix_audit_entry_patient_id_id", "audit_entry", ["patient_id", "id"], unique=False)
    op.create_table(
        "due_work",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_due_work")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_due_work_kind_key")),
    )
    op.create_index("ix_due_work_kind_due_at", "due_work", ["kind", "due_at"], unique=False)
    op.create_table(
        "hospital",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hospital")),
        sa.UniqueConstraint("name", name=op.f("uq_hospital_name")),
    )
    op.create_table(
        "worker_heartbeat",
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("worker", name=op.f("pk_worker_heartbeat")),
    )
    op.create_table(
        "clinician",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('clinician', 'researcher', 'administrator')", name=op.f("ck_clinician_role")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_clinician_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinician")),
        sa.UniqueConstraint("email", name=op.f("uq_clinician_email")),
    )
    op.create_table(
        "patient",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("display_name", sa.String(), nullable=False),
        sa.Column("born_on", sa.Date(), nullable=True),
        sa.Column("sex", sa.String(), nullable=False),
        sa.Column("height_cm", sa.Integer(), nullable=True),
        sa.Column("weight_kg", sa.Integer(), nullable=True),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("treatment_step", sa.Integer(), nullable=True),
        sa.Column("severe_attacks_last_year", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("profile_change", sa.Integer(), nullable=False),
        sa.Column("last_change", sa.Integer(), nullable=False),
        sa.CheckConstraint("language IN ('en', 'ko', 'et')", name=op.f("ck_patient_language")),
        sa.CheckConstraint("sex IN ('female', 'male', 'unknown')", name=op.f("ck_patient_sex")),
        sa.CheckConstraint("height_cm BETWEEN 50 AND 250", name=op.f("ck_patient_height_cm")),
        sa.CheckConstraint("treatment_step BETWEEN 1 AND 5", name=op.f("ck_patient_treatment_step")),
        sa.CheckConstraint("weight_kg BETWEEN 5 AND 400", name=op.f("ck_patient_weight_kg")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_patient_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient")),
    )
    op.create_index(op.f("ix_patient_hospital_id"), "patient", ["hospital_id"], unique=False)
    op.create_table(
        "care_relation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('responsible', 'covering')", name=op.f("ck_care_relation_role")),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_care_relation_clinician_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_care_relation_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_care_relation")),
    )
    op.create_index("ix_care_relation_clinician_id", "care_relation", ["clinician_id", "patient_id"], unique=False)
    op.create_index(
        "uq_care_relation_open",
        "care_relation",
        ["patient_id", "clinician_id"],
        unique=True,
        postgresql_where="ended_at IS NULL",
    )
    op.create_table(
        "clinician_session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("csrf_token", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_clinician_session_clinician_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_clinician_session")),
    )
    op.create_index(op.f("ix_clinician_session_clinician_id"), "clinician_session", ["clinician_id"], unique=False)
    op.create_table(
        "consent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("text_version", sa.String(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('care', 'forecasting', 'research', 'federated_learning')", name=op.f("ck_consent_purpose")
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_consent_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_index(
        "uq_consent_open", "consent", ["patient_id", "purpose"], unique=True, postgresql_where="withdrawn_at IS NULL"
    )
    op.create_table(
        "device",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("push_token", sa.String(), nullable=True),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clock_ahead_seconds", sa.Integer(), nullable=True),
        sa.CheckConstraint("platform IN ('android', 'ios', 'desktop')", name=op.f("ck_device_platform")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_device_patient_id")),
        sa.PrimaryKeyConstraint("id", "patient_id", name=op.f("pk_device")),
    )
    op.create_table(
        "enrolment_code",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["clinician.id"], name=op.f("fk_enrolment_code_created_by")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_enrolment_code_patient_id")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_enrolment_code")),
    )
    op.create_index(op.f("ix_enrolment_code_patient_id"), "enrolment_code", ["patient_id"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("family", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("spent_by_attempt", sa.Uuid(), nullable=True),
        sa.Column("successor_hash", sa.LargeBinary(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_refresh_token_patient_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_refresh_token")),
    )
    op.create_index("ix_refresh_token_family", "refresh_token", ["family"], unique=False)

    # The trail can only grow; even the server's own role cannot rewrite it by a slip.
    op.execute("""
        CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$
    """)
    op.execute("""
        CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
    """)


def downgrade() -> None:
    op.drop_index("ix_refresh_token_family", table_name="refresh_token")
    op.drop_table("refresh_token")
    op.drop_index(op.f("ix_enrolment_code_patient_id"), table_name="enrolment_code")
    op.drop_table("enrolment_code")
    op.drop_table("device")
    op.drop_index("uq_consent_open", table_name="consent", postgresql_where="withdrawn_at IS NULL")
    op.drop_table("consent")
    op.drop_index(op.f("ix_clinician_session_clinician_id"), table_name="clinician_session")
    op.drop_table("clinician_session")
    op.drop_index("uq_care_relation_open", table_name="care_relation", postgresql_where="ended_at IS NULL")
    op.drop_index("ix_care_relation_clinician_id", table_name="care_relation")
    op.drop_table("care_relation")
    op.drop_index(op.f("ix_patient_hospital_id"), table_name="patient")
    op.drop_table("patient")
    op.drop_table("clinician")
    op.drop_table("worker_heartbeat")
    op.drop_table("hospital")
    op.drop_index("ix_due_work_kind_due_at", table_name="due_work")
    op.drop_table("due_work")
    op.drop_index("ix_audit_entry_patient_id_id", table_name="audit_entry")
    op.drop_table("audit_entry")
    op.drop_index("ix_attempt_subject_at", table_name="attempt")
    op.drop_table("attempt")
    op.execute("DROP FUNCTION refuse_audit_change()")
