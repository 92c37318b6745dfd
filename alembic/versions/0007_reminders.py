"""reminder settings, phones' reports, the ledger of occurrences, contact tasks"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reminder_planning",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("planned_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_reminder_planning_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_reminder_planning")),
    )
    op.create_table(
        "reminder_settings",
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
        sa.Column("day_starts_at", sa.String(), nullable=True),
        sa.Column("quiet_from", sa.String(), nullable=True),
        sa.Column("quiet_until", sa.String(), nullable=True),
        sa.Column("times", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("follow_habit", sa.Boolean(), nullable=True),
        sa.Column("check_in_at", sa.String(), nullable=True),
        sa.Column("paused_until", sa.Date(), nullable=True),
        sa.Column("health_words_on_lock_screen", sa.Boolean(), nullable=True),
        sa.Column("opened", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("appointments", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint(
            "deleted OR (day_starts_at ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$' AND quiet_from ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$' AND quiet_until ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$' AND (check_in_at IS NULL OR check_in_at ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$') AND times IS NOT NULL AND opened IS NOT NULL AND appointments IS NOT NULL AND follow_habit IS NOT NULL AND health_words_on_lock_screen IS NOT NULL) IS TRUE",
            name=op.f("ck_reminder_settings_body"),
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_reminder_settings_revision")),
        sa.CheckConstraint(
            "utc_offset_minutes BETWEEN -840 AND 840", name=op.f("ck_reminder_settings_utc_offset_minutes")
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_reminder_settings_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "id", name=op.f("pk_reminder_settings")),
    )
    op.create_index(
        "ix_reminder_settings_patient_id_change", "reminder_settings", ["patient_id", "change"], unique=False
    )
    op.create_index(
        "ix_reminder_settings_patient_id_local_date", "reminder_settings", ["patient_id", "local_date"], unique=False
    )
    op.create_table(
        "reminder_phone",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("notifications_allowed", sa.Boolean(), nullable=True),
        sa.Column("exact_alarms_allowed", sa.Boolean(), nullable=True),
        sa.Column("battery_unrestricted", sa.Boolean(), nullable=True),
        sa.Column("armed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("armed_count", sa.Integer(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("armed_count BETWEEN 0 AND 10000", name=op.f("ck_reminder_phone_armed_count")),
        sa.ForeignKeyConstraint(
            ["device_id", "patient_id"],
            ["device.id", "device.patient_id"],
            name=op.f("fk_reminder_phone_device_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint("patient_id", "device_id", name=op.f("pk_reminder_phone")),
    )
    op.create_table(
        "reminder_report",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(), nullable=True),
        sa.Column("skip_reason", sa.String(), nullable=True),
        sa.Column("cause", sa.String(), nullable=True),
        sa.Column("snoozed_times", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "action IN ('taken', 'skipped', 'done', 'already_logged')", name=op.f("ck_reminder_report_action")
        ),
        sa.CheckConstraint(
            "cause IN ('phone_off', 'not_permitted', 'app_stopped', 'too_late', 'clock_changed', 'zone_changed', 'unknown')",
            name=op.f("ck_reminder_report_cause"),
        ),
        sa.CheckConstraint(
            "skip_reason IN ('forgot', 'side_effects', 'ran_out', 'feel_well', 'ill', 'away', 'other')",
            name=op.f("ck_reminder_report_skip_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('armed', 'fired', 'shown', 'acted', 'missed', 'cancelled')",
            name=op.f("ck_reminder_report_state"),
        ),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 120", name=op.f("ck_reminder_report_key")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_reminder_report_revision")),
        sa.CheckConstraint("snoozed_times BETWEEN 0 AND 10000", name=op.f("ck_reminder_report_snoozed_times")),
        sa.ForeignKeyConstraint(
            ["device_id", "patient_id"],
            ["device.id", "device.patient_id"],
            name=op.f("fk_reminder_report_device_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint("patient_id", "key", "local_date", "device_id", name=op.f("pk_reminder_report")),
    )
    op.create_table(
        "contact_task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("silent_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard_again_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.Uuid(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(done_at IS NULL) = (done_by IS NULL)", name=op.f("ck_contact_task_done_by")),
        sa.CheckConstraint("length(note) <= 2000", name=op.f("ck_contact_task_note")),
        sa.ForeignKeyConstraint(["done_by"], ["clinician.id"], name=op.f("fk_contact_task_done_by")),
        sa.ForeignKeyConstraint(["message_id"], ["inbox_message.id"], name=op.f("fk_contact_task_message_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_contact_task_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_task")),
    )
    op.create_index(
        "ix_contact_task_open",
        "contact_task",
        ["patient_id"],
        unique=True,
        postgresql_where="done_at IS NULL AND heard_again_at IS NULL",
    )
    op.create_index("uq_contact_task_silence", "contact_task", ["patient_id", "silent_since"], unique=True)
    op.create_table(
        "reminder_occurrence",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("expected", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(), nullable=True),
        sa.Column("skip_reason", sa.String(), nullable=True),
        sa.Column("cause", sa.String(), nullable=True),
        sa.Column("snoozed_times", sa.Integer(), nullable=False),
        sa.Column("pushed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("judge_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "action IN ('taken', 'skipped', 'done', 'already_logged')", name=op.f("ck_reminder_occurrence_action")
        ),
        sa.CheckConstraint(
            "cause IN ('phone_off', 'not_permitted', 'app_stopped', 'too_late', 'clock_changed', 'zone_changed', 'unknown', 'phone_silent')",
            name=op.f("ck_reminder_occurrence_cause"),
        ),
        sa.CheckConstraint("decided_by IN ('phone', 'server')", name=op.f("ck_reminder_occurrence_decided_by")),
        sa.CheckConstraint(
            "skip_reason IN ('forgot', 'side_effects', 'ran_out', 'feel_well', 'ill', 'away', 'other')",
            name=op.f("ck_reminder_occurrence_skip_reason"),
        ),
        sa.CheckConstraint(
            "state <> 'missed' OR cause IS NOT NULL", name=op.f("ck_reminder_occurrence_missed_has_a_cause")
        ),
        sa.CheckConstraint("state <> 'pushed' OR pushed_at IS NOT NULL", name=op.f("ck_reminder_occurrence_pushed_at")),
        sa.CheckConstraint(
            "state IN ('due', 'cancelled', 'armed', 'missed', 'pushed', 'fired', 'shown', 'acted')",
            name=op.f("ck_reminder_occurrence_state"),
        ),
        sa.CheckConstraint(
            "(pushed_at IS NULL) = (message_id IS NULL)", name=op.f("ck_reminder_occurrence_message_id")
        ),
        sa.CheckConstraint("length(key) BETWEEN 1 AND 120", name=op.f("ck_reminder_occurrence_key")),
        sa.ForeignKeyConstraint(["message_id"], ["inbox_message.id"], name=op.f("fk_reminder_occurrence_message_id")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_reminder_occurrence_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "key", "local_date", name=op.f("pk_reminder_occurrence")),
        sa.UniqueConstraint("message_id", name=op.f("uq_reminder_occurrence_message_id")),
    )
    op.create_index(
        "ix_reminder_occurrence_judge_at",
        "reminder_occurrence",
        ["judge_at"],
        unique=False,
        postgresql_where="judge_at IS NOT NULL",
    )
    op.create_index(
        "ix_reminder_occurrence_patient_id_due_at", "reminder_occurrence", ["patient_id", "due_at"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_reminder_occurrence_patient_id_due_at", table_name="reminder_occurrence")
    op.drop_index(
        "ix_reminder_occurrence_judge_at", table_name="reminder_occurrence", postgresql_where="judge_at IS NOT NULL"
    )
    op.drop_table("reminder_occurrence")
    op.drop_index("uq_contact_task_silence", table_name="contact_task")
    op.drop_index(
        "ix_contact_task_open", table_name="contact_task", postgresql_where="done_at IS NULL AND heard_again_at IS NULL"
    )
    op.drop_table("contact_task")
    op.drop_table("reminder_report")
    op.drop_table("reminder_phone")
    op.drop_index("ix_reminder_settings_patient_id_local_date", table_name="reminder_settings")
    op.drop_index("ix_reminder_settings_patient_id_change", table_name="reminder_settings")
    op.drop_table("reminder_settings")
    op.drop_table("reminder_planning")
