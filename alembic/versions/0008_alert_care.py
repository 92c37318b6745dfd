"""alert_care"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KINDS = "kind IN ('red_zone', 'red_flag', 'forecast'{more})"
STATUSES = "status IN ('ready', 'not_enough_data', 'no_consent', 'no_model'{more})"


def _check(table: str, name: str, condition: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def upgrade() -> None:
    # Room on each page for the version that a lease writes, which then needs no new entry in any index.
    op.execute("ALTER TABLE due_work SET (fillfactor = 50)")
    op.add_column("worker_heartbeat", sa.Column("model", sa.String(), nullable=True))
    op.create_table(
        "alert_threshold",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.String(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("amber", sa.Float(), nullable=False),
        sa.Column("red", sa.Float(), nullable=False),
        sa.Column("patient_days", sa.Integer(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amber <= red", name=op.f("ck_alert_threshold_order")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_alert_threshold_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_threshold")),
    )
    op.create_index("ix_alert_threshold_hospital_id_set_at", "alert_threshold", ["hospital_id", "set_at"], unique=False)
    op.create_table(
        "alert_track_record",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.Column("came_true", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("cause IN ('red_zone', 'red_flag', 'forecast')", name=op.f("ck_alert_track_record_cause")),
        sa.CheckConstraint("level IN ('amber', 'red')", name=op.f("ck_alert_track_record_level")),
        sa.CheckConstraint("came_true BETWEEN 0 AND alerts", name=op.f("ck_alert_track_record_came_true")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_alert_track_record_hospital_id")),
        sa.PrimaryKeyConstraint("hospital_id", "level", "cause", name=op.f("pk_alert_track_record")),
    )
    op.create_table(
        "alert_settings",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("amber_per_patient_month", sa.Float(), nullable=False),
        sa.Column("red_per_patient_month", sa.Float(), nullable=False),
        sa.Column("second_after_minutes", sa.Integer(), nullable=False),
        sa.Column("email_after_minutes", sa.Integer(), nullable=False),
        sa.Column("on_call_id", sa.Uuid(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "amber_per_patient_month BETWEEN 0 AND 4", name=op.f("ck_alert_settings_amber_per_patient_month")
        ),
        sa.CheckConstraint(
            "email_after_minutes BETWEEN second_after_minutes AND 2880",
            name=op.f("ck_alert_settings_email_after_minutes"),
        ),
        sa.CheckConstraint(
            "red_per_patient_month BETWEEN 0 AND amber_per_patient_month",
            name=op.f("ck_alert_settings_red_per_patient_month"),
        ),
        sa.CheckConstraint(
            "second_after_minutes BETWEEN 5 AND 1440", name=op.f("ck_alert_settings_second_after_minutes")
        ),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_alert_settings_hospital_id")),
        sa.ForeignKeyConstraint(["on_call_id"], ["clinician.id"], name=op.f("fk_alert_settings_on_call_id")),
        sa.PrimaryKeyConstraint("hospital_id", name=op.f("pk_alert_settings")),
    )
    op.create_table(
        "model_switch",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=True),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("mode IN ('on', 'shadow', 'off')", name=op.f("ck_model_switch_mode")),
        sa.CheckConstraint("length(reason) BETWEEN 1 AND 500", name=op.f("ck_model_switch_reason")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f("fk_model_switch_hospital_id")),
        sa.ForeignKeyConstraint(["set_by"], ["clinician.id"], name=op.f("fk_model_switch_set_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_switch")),
    )
    op.create_index("ix_model_switch_hospital_id_model_id", "model_switch", ["hospital_id", "model_id"], unique=False)
    op.create_table(
        "shadow_alert",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("alarm_score", sa.Float(), nullable=False),
        sa.Column("model_id", sa.String(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("level IN ('amber', 'red')", name=op.f("ck_shadow_alert_level")),
        sa.ForeignKeyConstraint(["patient_id"], ["patient.id"], name=op.f("fk_shadow_alert_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shadow_alert")),
    )
    op.create_index("ix_shadow_alert_patient_id_at", "shadow_alert", ["patient_id", "at"], unique=False)
    op.create_table(
        "watch",
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("to_device_id", sa.Uuid(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("device_id <> to_device_id", name=op.f("ck_watch_two_phones")),
        sa.CheckConstraint("until > began_at", name=op.f("ck_watch_until")),
        sa.ForeignKeyConstraint(
            ["device_id", "patient_id"], ["device.id", "device.patient_id"], name=op.f("fk_watch_device_id_patient_id")
        ),
        sa.ForeignKeyConstraint(
            ["to_device_id", "patient_id"], ["device.id", "device.patient_id"], name="fk_watch_to_device_id"
        ),
        sa.PrimaryKeyConstraint("device_id", "patient_id", name=op.f("pk_watch")),
    )
    op.create_table(
        "clinician_mail",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("handed_over_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error_kind", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(outcome = 'handed_over') = (handed_over_at IS NOT NULL)", name=op.f("ck_clinician_mail_handed_over_at")
        ),
        sa.CheckConstraint(
            "outcome IN ('waiting', 'handed_over', 'in_inbox', 'token_retired', 'given_up', 'not_needed')",
            name=op.f("ck_clinician_mail_outcome"),
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_clinician_mail_attempts")),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_clinician_mail_alert_id")),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinician.id"], name=op.f("fk_clinician_mail_clinician_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clinician_mail")),
    )
    op.create_index(op.f("ix_clinician_mail_alert_id"), "clinician_mail", ["alert_id"], unique=False)
    op.create_index("ix_clinician_mail_created_at", "clinician_mail", ["created_at"], unique=False)
    op.add_column("alert", sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alert", sa.Column("snoozed_by", sa.String(), nullable=True))
    op.add_column("alert", sa.Column("second_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("alert", sa.Column("second_clinician_id", sa.Uuid(), nullable=True))
    op.add_column("alert", sa.Column("emailed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(op.f("fk_alert_second_clinician_id"), "alert", "clinician", ["second_clinician_id"], ["id"])
    op.add_column("assessment", sa.Column("alarm_score", sa.Float(), nullable=True))
    op.add_column("delivery", sa.Column("received_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("delivery", sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_delivery_created_at", "delivery", ["created_at"], unique=False)
    op.add_column("inbox_message", sa.Column("tag", sa.String(), nullable=True))
    op.execute("UPDATE inbox_message SET tag = COALESCE(alert_id, id)::text")
    op.alter_column("inbox_message", "tag", nullable=False)
    op.add_column("inbox_message", sa.Column("data", postgresql.JSONB(), server_default="{}", nullable=False))
    op.alter_column("inbox_message", "data", server_default=None)
    op.create_unique_constraint(op.f("uq_inbox_message_patient_id_tag"), "inbox_message", ["patient_id", "tag"])
    op.create_check_constraint(op.f("ck_alert_red_is_not_snoozed"), "alert", "snoozed_until IS NULL OR level = 'amber'")
    op.create_check_constraint(op.f("ck_alert_snoozed_by"), "alert", "(snoozed_until IS NULL) = (snoozed_by IS NULL)")
    op.create_check_constraint(op.f("ck_alert_snoozed_by_whom"), "alert", "snoozed_by IN ('patient', 'clinician')")
    op.create_check_constraint(
        op.f("ck_delivery_opened_at"), "delivery", "opened_at IS NULL OR received_at IS NOT NULL"
    )
    _check("inbox_message", "kind", KINDS.format(more=", 'reminder', 'phone_silent'"))
    _check("assessment", "status", STATUSES.format(more=", 'switched_off'"))


def downgrade() -> None:
    op.execute("ALTER TABLE due_work RESET (fillfactor)")
    op.drop_column("worker_heartbeat", "model")
    op.execute(
        "DELETE FROM delivery WHERE message_id IN (SELECT id FROM inbox_message WHERE kind IN ('reminder', 'phone_silent'))"
    )
    op.execute("DELETE FROM inbox_message WHERE kind IN ('reminder', 'phone_silent')")
    op.execute("UPDATE assessment SET status = 'no_model' WHERE status = 'switched_off'")
    _check("inbox_message", "kind", KINDS.format(more=""))
    _check("assessment", "status", STATUSES.format(more=""))
    op.drop_constraint(op.f("ck_alert_red_is_not_snoozed"), "alert", type_="check")
    op.drop_constraint(op.f("ck_alert_snoozed_by"), "alert", type_="check")
    op.drop_constraint(op.f("ck_alert_snoozed_by_whom"), "alert", type_="check")
    op.drop_constraint(op.f("ck_delivery_opened_at"), "delivery", type_="check")
    op.drop_constraint(op.f("uq_inbox_message_patient_id_tag"), "inbox_message", type_="unique")
    op.drop_column("inbox_message", "data")
    op.drop_column("inbox_message", "tag")
    op.drop_index("ix_delivery_created_at", table_name="delivery")
    op.drop_column("delivery", "opened_at")
    op.drop_column("delivery", "received_at")
    op.drop_column("assessment", "alarm_score")
    op.drop_constraint(op.f("fk_alert_second_clinician_id"), "alert", type_="foreignkey")
    op.drop_column("alert", "emailed_at")
    op.drop_column("alert", "second_clinician_id")
    op.drop_column("alert", "second_asked_at")
    op.drop_column("alert", "snoozed_by")
    op.drop_column("alert", "snoozed_until")
    op.drop_index("ix_clinician_mail_created_at", table_name="clinician_mail")
    op.drop_index(op.f("ix_clinician_mail_alert_id"), table_name="clinician_mail")
    op.drop_table("clinician_mail")
    op.drop_table("watch")
    op.drop_index("ix_shadow_alert_patient_id_at", table_name="shadow_alert")
    op.drop_table("shadow_alert")
    op.drop_index("ix_model_switch_hospital_id_model_id", table_name="model_switch")
    op.drop_table("model_switch")
    op.drop_table("alert_settings")
    op.drop_table("alert_track_record")
    op.drop_index("ix_alert_threshold_hospital_id_set_at", table_name="alert_threshold")
    op.drop_table("alert_threshold")
