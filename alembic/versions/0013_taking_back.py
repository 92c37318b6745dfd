"""An acceptance of research can be taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TAKEN_BACK = ("taken_back_reason", "taken_back_by", "taken_back_at")
WHOLE = (
    "num_nonnulls(taken_back_reason, taken_back_by, taken_back_at) IN (0, 3)"
    " AND (taken_back_at IS NULL OR decision = 'accepted')"
)


def upgrade() -> None:
    op.add_column("research_proposal", sa.Column("taken_back_reason", sa.String(), nullable=True))
    op.add_column("research_proposal", sa.Column("taken_back_by", sa.Uuid(), nullable=True))
    op.add_column("research_proposal", sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(
        op.f("fk_research_proposal_taken_back_by"), "research_proposal", "clinician", ["taken_back_by"], ["id"]
    )
    op.create_check_constraint(op.f("ck_research_proposal_taken_back_whole"), "research_proposal", WHOLE)
    op.create_check_constraint(
        op.f("ck_research_proposal_taken_back_reason"),
        "research_proposal",
        "length(taken_back_reason) BETWEEN 1 AND 500",
    )
    live_index("decision IS DISTINCT FROM 'declined' AND taken_back_at IS NULL")
    op.execute("""
        CREATE FUNCTION refuse_other_than_decision_and_taking_back() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            decided text[] := ARRAY['decision', 'reason', 'decided_by', 'decided_at'];
            taken_back text[] := ARRAY['taken_back_reason', 'taken_back_by', 'taken_back_at'];
        BEGIN
            IF TG_OP = 'UPDATE' AND (
                (OLD.decision IS NULL AND to_jsonb(OLD) - decided = to_jsonb(NEW) - decided)
                OR (OLD.decision = 'accepted' AND OLD.taken_back_at IS NULL
                    AND to_jsonb(OLD) - taken_back = to_jsonb(NEW) - taken_back)
            ) THEN RETURN NEW; END IF;
            RAISE EXCEPTION 'a proposal and its decision cannot be changed';
        END $$
    """)
    kept_by("refuse_other_than_decision_and_taking_back")


def downgrade() -> None:
    kept_by("refuse_other_than_a_first_decision")
    op.execute("DROP FUNCTION refuse_other_than_decision_and_taking_back()")
    live_index("decision IS DISTINCT FROM 'declined'")
    for column in TAKEN_BACK:
        op.drop_column("research_proposal", column)


def live_index(where: str) -> None:
    op.drop_index("uq_research_proposal_live", "research_proposal")
    op.create_index(
        "uq_research_proposal_live",
        "research_proposal",
        ["hospital_id", "sha256"],
        unique=True,
        postgresql_where=where,
    )


def kept_by(function: str) -> None:
    op.execute("DROP TRIGGER research_proposal_is_kept ON research_proposal")
    op.execute(
        "CREATE TRIGGER research_proposal_is_kept BEFORE UPDATE OR DELETE ON research_proposal"
        f" FOR EACH ROW EXECUTE FUNCTION {function}()"
    )
