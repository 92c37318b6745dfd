"""soom-ml federation: a network of hospitals that learn together, from keys to a model."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    help="Hospitals learn together: no patient's row leaves a hospital, only masked sums and trees of many patients.",
    no_args_is_help=True,
)

HospitalFolder = Annotated[Path, typer.Argument(help="The hospital's own folder; it stays at the hospital.")]
Superlink = Annotated[str, typer.Option(help="host:port of the coordinator's SuperLink.")]
Authority = Annotated[Path, typer.Option(help="The network's certificate authority (authority.pem).")]


def _stop(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


@app.command("new-hospital")
def new_hospital_command(
    folder: HospitalFolder,
    name: Annotated[str, typer.Option(help="Name of the hospital in the network.")],
    code: Annotated[int, typer.Option(min=0, help="Number of the hospital in the shared model.")],
    data_file: Annotated[str | None, typer.Option(help="A cohort file (.npz) in the folder.")] = None,
    data_command: Annotated[
        str | None, typer.Option(help="A program that writes a cohort file to {file}; {plan}: the plan's SHA-256.")
    ] = None,
    accept_any: Annotated[bool, typer.Option(help="Take part in any plan, not only in accepted ones.")] = False,
) -> None:
    """Make a hospital's folder and keys. Prints the public keys, which go to the coordinator and into every roster."""
    from ml.federated.deployment import NODE_PUBLIC, make_node_key
    from ml.federated.site import HospitalSettings, new_hospital

    if (data_file is None) == (data_command is None):
        _stop("name the data by --data-file or by --data-command, one of them")
    data = {"file": data_file} if data_file else {"command": str(data_command)}
    mask_key = new_hospital(folder, HospitalSettings(name, code, data, "any" if accept_any else "listed"))
    make_node_key(folder)
    node_key = (folder / NODE_PUBLIC).read_text(encoding="utf-8")
    typer.echo(json.dumps({"name": name, "mask_key": mask_key, "node_key": node_key}, indent=1))


@app.command()
def roster(
    folder: HospitalFolder,
    members: Annotated[Path, typer.Argument(help="JSON of every hospital's name and mask_key, agreed by all.")],
) -> None:
    """Take up the mask keys of all hospitals. A hospital masks its sums only for those that stand here."""
    from ml.federated.site import write_rosters

    try:
        write_rosters({folder.name: folder}, json.loads(members.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError) as error:
        _stop(f"not a roster: {error}")


@app.command()
def plans(folder: HospitalFolder) -> None:
    """Print the plans that wait for this hospital's acceptance, and what each would do."""
    for file in sorted((folder / "waiting").glob("*.json")):
        state = "accepted" if (folder / "accepted" / file.stem).exists() else "waiting"
        typer.echo(json.dumps({"plan": file.stem, "state": state} | json.loads(file.read_text(encoding="utf-8"))))


@app.command()
def accept(folder: HospitalFolder, plan: Annotated[str, typer.Argument(help="First letters of the plan.")]) -> None:
    """Take part in a plan from the next run on."""
    from ml.federated.site import Refusal
    from ml.federated.site import accept as accept_plan

    try:
        typer.echo(f"accepted {accept_plan(folder, plan, datetime.now(UTC))}")
    except Refusal as error:
        _stop(str(error))


@app.command("take-back")
def take_back(folder: HospitalFolder, plan: Annotated[str, typer.Argument(help="First letters of the plan.")]) -> None:
    """Take no further part in a plan that was accepted: no later question of it is answered."""
    from ml.federated.site import Refusal
    from ml.federated.site import take_back as take_plan_back

    try:
        typer.echo(f"taken back {take_plan_back(folder, plan, datetime.now(UTC))}")
    except Refusal as error:
        _stop(str(error))


@app.command()
def ledger(folder: HospitalFolder) -> None:
    """Print every question that was put to this hospital: when, what for, with how many patients, and the answer."""
    from ml.federated.site import LEDGER

    if (folder / LEDGER).exists():
        typer.echo((folder / LEDGER).read_text(encoding="utf-8"), nl=False)


@app.command()
def hospital(
    folder: HospitalFolder,
    superlink: Superlink,
    authority: Authority,
    port: Annotated[int, typer.Option(help="Loopback port for the SuperNode's own processes.")] = 9094,
) -> None:
    """Run this hospital's SuperNode until it is stopped; TLS to the SuperLink, signed by the hospital's own key."""
    from ml.federated.deployment import environment, supernode_command

    command = supernode_command(folder.resolve(), authority.resolve(), superlink, port)
    os.execve(command[0], command, environment(folder.resolve() / "flower"))  # noqa: S606 - Flower's own command


@app.command()
def certificates(
    folder: Annotated[Path, typer.Argument(help="Folder for authority.pem and the SuperLink's certificate and key.")],
    host: Annotated[list[str], typer.Option(help="Name or address of the SuperLink; may be repeated.")],
) -> None:
    """Make the coordinator's certificate. authority.pem goes to every hospital."""
    from ml.federated.deployment import make_certificates

    make_certificates(folder, tuple(host), datetime.now(UTC))


@app.command()
def coordinator(
    folder: Annotated[Path, typer.Argument(help="Folder of the certificates and of the coordinator's own files.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 9400,
) -> None:
    """Run the SuperLink until it is stopped. Only SuperNodes whose key was registered are let in."""
    from ml.federated.deployment import environment, superlink_command

    command = superlink_command(folder.resolve(), host, port)
    os.execve(command[0], command, environment(folder.resolve() / "flower"))  # noqa: S606 - Flower's own command


@app.command()
def register(
    folder: Annotated[Path, typer.Argument(help="The coordinator's folder.")],
    node_key: Annotated[Path, typer.Argument(help="A hospital's node_key.pub.")],
    superlink: Superlink = "127.0.0.1:9400",
) -> None:
    """Let a hospital's SuperNode in by its public key."""
    from ml.federated.deployment import NetworkFailed, register_node

    try:
        register_node(folder.resolve(), superlink, node_key.resolve())
    except NetworkFailed as error:
        _stop(str(error))


@app.command()
def run(
    folder: Annotated[Path, typer.Argument(help="The coordinator's folder.")],
    result: Annotated[Path, typer.Argument(help="Folder of the run; a run that was killed goes on from there.")],
    plan_file: Annotated[
        Path | None, typer.Option("--plan", help="The plan as JSON; default: the plan as it is.")
    ] = None,
    hospitals: Annotated[int, typer.Option(min=2, help="Hospitals to wait for.")] = 5,
    superlink: Superlink = "127.0.0.1:9400",
    start_seconds: Annotated[float, typer.Option(help="How long to wait for them.")] = 300.0,
    step_seconds: Annotated[float, typer.Option(help="How long a hospital has for one step.")] = 600.0,
) -> None:
    """Train over the network. RESULT/model is then a model folder for `soom-ml registry admit`."""
    from ml.federated.deployment import NetworkFailed, run_over
    from ml.federated.plan import FederationPlan, PlanRefused

    try:
        stored = json.loads(plan_file.read_text(encoding="utf-8")) if plan_file else {}
        plan = FederationPlan.from_dict(stored)
        outcome = run_over(
            folder.resolve(),
            superlink,
            result.resolve(),
            plan,
            hospitals,
            typer.echo,
            start_seconds=start_seconds,
            step_seconds=step_seconds,
        )
    except (NetworkFailed, PlanRefused, OSError, ValueError) as error:
        _stop(str(error))
    if "refused" in outcome:
        _stop(f"no model: {outcome['refused']}")
    typer.echo(f"wrote {outcome['model']}")
