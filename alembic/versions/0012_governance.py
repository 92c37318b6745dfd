"""Proposals of studies and rounds, checks of models, and what hospitals decided."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def decided(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(decision, reason, decided_by, decided_at) IN (0, 4)", name=op.f(f"ck_{table}_decided_whole")
        ),
        sa.CheckConstraint("length(reason) BETWEEN 1 AND 500", name=op.f(f"ck_{table}_reason")),
        sa.ForeignKeyConstraint(["decided_by"], ["clinician.id"], name=op.f(f"fk_{table}_decided_by")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospital.id"], name=op.f(f"fk_{table}_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]


def upgrade() -> None:
    op.create_table(
        "research_proposal",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        *decided("research_proposal"),
        sa.CheckConstraint("kind IN ('study', 'export', 'training_round')", name=op.f("ck_research_proposal_kind")),
        sa.CheckConstraint(
            "purpose IN ('care', 'forecasting', 'research', 'federated_learning')",
            name=op.f("ck_research_proposal_purpose"),
        ),
        sa.CheckConstraint("decision IN ('accepted', 'declined')", name=op.f("ck_research_proposal_decision")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_research_proposal_name")),
        sa.CheckConstraint("length(title) BETWEEN 1 AND 200", name=op.f("ck_research_proposal_title")),
        sa.CheckConstraint(
            "sha256 = encode(sha256(convert_to(text, 'UTF8')), 'hex')", name=op.f("ck_research_proposal_sha256")
        ),
        sa.ForeignKeyConstraint(["proposed_by"], ["clinician.id"], name=op.f("fk_research_proposal_proposed_by")),
    )
    op.create_index(op.f("ix_research_proposal_hospital_id"), "research_proposal", ["hospital_id"])
    op.create_index(
        "uq_research_proposal_live",
        "research_proposal",
        ["hospital_id", "sha256"],
        unique=True,
        postgresql_where="decision IS DISTINCT FROM 'declined'",
    )
    op.create_table(
        "model_check",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("model_hash", sa.String(), nullable=False),
        sa.Column("figures", postgresql.JSONB(), nullable=False),
        sa.Column("checked_by", sa.Uuid(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        *decided("model_check"),
        sa.CheckConstraint("decision IN ('adopted', 'declined')", name=op.f("ck_model_check_decision")),
        sa.ForeignKeyConstraint(["checked_by"], ["clinician.id"], name=op.f("fk_model_check_checked_by")),
    )
    op.create_index(op.f("ix_model_check_hospital_id"), "model_check", ["hospital_id"])
    # What a hospital agreed to stays what it agreed to: a decision may be added once, and nothing else touched.
    op.execute("""
        CREATE FUNCTION refuse_other_than_a_first_decision() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND OLD.decision IS NULL
                AND to_jsonb(OLD) - ARRAY['decision', 'reason', 'decided_by', 'decided_at']
                  = to_jsonb(NEW) - ARRAY['decision', 'reason', 'decided_by', 'decided_at']
            THEN RETURN NEW; END IF;
            RAISE EXCEPTION 'a proposal and its decision cannot be changed';
        END $$
    """)
    for table in ("research_proposal", "model_check"):
        op.execute(
            f"CREATE TRIGGER {table}_is_kept BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_other_than_a_first_decision()"
        )


def downgrade() -> None:
    op.drop_table("model_check")
    op.drop_table("research_proposal")
    op.execute("DROP FUNCTION refuse_other_than_a_first_decision()")
