"""Research decided at the command line: `soom study propose`, `accept`, `decline`, `take-back` and `proposals`, `soom
export round`, `soom model check`, `adopt` and `decline`.

Whoever can type these reaches the database anyway; `--by` names the account that answers for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from sqlmodel import Session

from backend.accounts.tables import Hospital
from backend.core.clock import utc_now
from backend.core.database import connect, database_url
from backend.core.errors import InvalidFields, SoomError
from backend.core.settings import Settings
from backend.patients.tables import Purpose
from backend.research import governance, governance_models
from backend.research.cli import stopped
from backend.research.governance_tables import Decision, ModelDecision, ProposalKind, ResearchProposal
from backend.risk.training import NobodyToExport, export_training

screen = Console(stderr=True)

By = Annotated[str, typer.Option(help="E-mail address of who answers for it.")]
Reason = Annotated[str, typer.Option(prompt=True)]


@contextmanager
def _one_session() -> Iterator[Session]:
    """Committed at the end, or ended with the error's sentence."""
    engine = connect(database_url(Settings()))
    try:
        with Session(engine) as session:
            yield session
            session.commit()
    except SoomError as error:
        raise stopped(error) from error
    finally:
        engine.dispose()


def propose(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Protocol (TOML) or plan of a round (JSON).")
    ],
    by: By,
    kind: Annotated[ProposalKind, typer.Option()] = ProposalKind.STUDY,
) -> None:
    """Put a study, an export or a training round before the researcher's hospital, as it stands in the file."""
    with _one_session() as session:
        asked = governance.read_asked(kind, file.read_bytes())
        row = governance.propose(session, governance.account(session, by), asked, now=utc_now())
        typer.echo(_line(row))


def proposals(by: By) -> None:
    """What wants to run at the hospital of the account, and what was decided."""
    with _one_session() as session:
        hospital_id = governance.account(session, by).hospital_id
        for row in governance.proposals(session, hospital_id):
            count = governance.eligible_patients(session, hospital_id, Purpose(row.purpose))
            typer.echo(f"{_line(row)}\t{'fewer than 10' if count is None else f'at least {count}'} patients")


def accept(proposal: int, by: By, reason: Reason) -> None:
    """Let it run, exactly as proposed. An administrator's decision, which can be taken back."""
    _decide(proposal, by, Decision.ACCEPTED, reason)


def decline(proposal: int, by: By, reason: Reason) -> None:
    """Say no. An administrator's decision, which stays."""
    _decide(proposal, by, Decision.DECLINED, reason)


def take_back(proposal: int, by: By, reason: Reason) -> None:
    """End an acceptance: no later run, round or export uses it. An administrator's decision."""
    with _one_session() as session:
        who = governance.account(session, by)
        typer.echo(_line(governance.take_back(session, who, proposal, _written(reason), now=utc_now())))


def _decide(proposal: int, by: str, decision: Decision, reason: str) -> None:
    with _one_session() as session:
        who = governance.account(session, by)
        typer.echo(_line(governance.decide(session, who, proposal, decision, _written(reason), now=utc_now())))


def export_round(
    file: Annotated[Path, typer.Argument(help="The cohort file to write (.npz), which stays in the hospital.")],
    plan: Annotated[str, typer.Argument(help="SHA-256 of the round's plan, as the network names it.")],
    hospital: Annotated[str | None, typer.Option(help="Name of the hospital, where several accepted the plan.")] = None,
) -> None:
    """Write the diaries that a hospital brings to an accepted round: of patients who consent to learning together.

    The data command of a hospital in a federation: soom export round {file} {plan}
    """
    with _one_session() as session:
        agreed = governance.accepted(session, plan, (ProposalKind.TRAINING_ROUND,))
        row = _of_hospital(session, agreed, hospital)
        try:
            found = export_training(
                session,
                file,
                hospital_id=row.hospital_id,
                now=utc_now(),
                purpose=Purpose.FEDERATED_LEARNING,
                detail={"kind": row.kind, "protocol": row.sha256},
            )
        except NobodyToExport:
            raise SoomError("Nobody with a diary consents to learning together; nothing was written.") from None
    screen.print(f"{found.patients} patients, {found.patient_days} patient-days in {file}.")


def check_model(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A model folder, as a round ends with.")],
    by: By,
) -> None:
    """Judge a model from elsewhere on the hospital's own consenting patients, beside the model in use."""
    from backend.research.governance_check import check

    with _one_session() as session:
        who = governance.account(session, by)
        row = check(session, who, Settings().model_folder, folder, now=utc_now())
        for line in _figures(row.figures):
            typer.echo(line)
        typer.echo(f"check {row.id}\t{row.model}\t{row.figures['verdict']}")


def adopt_model(check: int, by: By, reason: Reason) -> None:
    """Use a checked model for forecasts from now on. An administrator's decision."""
    _decide_on_model(check, by, ModelDecision.ADOPTED, reason)


def decline_model(check: int, by: By, reason: Reason) -> None:
    """Do not use a checked model. An administrator's decision."""
    _decide_on_model(check, by, ModelDecision.DECLINED, reason)


def _decide_on_model(check: int, by: str, decision: ModelDecision, reason: str) -> None:
    with _one_session() as session:
        who, folder = governance.account(session, by), Settings().model_folder
        row = governance_models.decide(session, who, folder, check, decision, _written(reason), now=utc_now())
        typer.echo(f"check {row.id}\t{row.model}\t{row.decision}")


def _of_hospital(session: Session, agreed: list[ResearchProposal], hospital: str | None) -> ResearchProposal:
    names = {session.get_one(Hospital, one.hospital_id).name: one for one in agreed}
    if hospital is None and len(names) == 1:
        return agreed[0]
    if hospital not in names:
        raise governance.NotAccepted(f"Name with --hospital one that accepted the plan: {', '.join(sorted(names))}.")
    return names[hospital]


def _written(reason: str) -> str:
    if not 1 <= len(reason.strip()) <= 500:
        raise InvalidFields("The reason is 1 to 500 characters long.")
    return reason.strip()


def _line(row: ResearchProposal) -> str:
    state = "taken back" if row.taken_back_at else row.decision or "waits"
    return f"{row.id}\t{row.kind}\t{row.name}\t{state}\t{row.sha256}"


def _figures(figures: dict[str, Any]) -> Iterator[str]:
    for side, name in (("candidate", "this model"), ("current", "the model in use")):
        for key, found in (figures[side] or {}).items():
            if key != "model":
                yield f"{name}\t{key}\t{found['value']} ({found['low']} to {found['high']})"


COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "study": {
        "propose": propose,
        "proposals": proposals,
        "accept": accept,
        "decline": decline,
        "take-back": take_back,
    },
    "export": {"round": export_round},
    "model": {"check": check_model, "adopt": adopt_model, "decline": decline_model},
}
