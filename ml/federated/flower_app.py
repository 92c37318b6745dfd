"""The two ends of a run as Flower starts them: `server_app` in the SuperLink, `client_app` in each SuperNode.

Each message is a process of its own (`ml.federated.answering`); a hospital keeps its rows on disk between them. What a
node is for stands in its `--node-config`, which the hospital sets: `hospital`, the path of the hospital's folder.
"""

import json
from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from ml.federated.messages import MessageRefused, Reply, question_from_records, reply_to_records

server_app = ServerApp()
client_app = ClientApp()

PLAN, PROGRESS, OUTCOME = "plan.json", "progress.log", "outcome.json"


@client_app.query()
def answer(message: Message, context: Context) -> Message:
    """A hospital's answer to one question."""
    from ml.federated.site import Hospital

    hospital = Hospital(Path(str(context.node_config["hospital"])))
    try:
        reply = hospital.answer(question_from_records(message.content))
    except MessageRefused as error:
        reply = Reply(hospital.settings.name, refusal=str(error))
    return Message(reply_to_records(reply), reply_to=message)


@server_app.main()
def coordinate(grid: Grid, context: Context) -> None:
    """A run with the plan in the run's folder; the outcome, or why there is none, is written beside it."""
    from ml.federated.coordinator import Federation, Patience
    from ml.federated.exchange import RunRefused
    from ml.federated.plan import FederationPlan
    from ml.model import ModelRefused

    folder = Path(str(context.run_config["folder"]))
    patience = Patience(
        int(context.run_config["hospitals"]),
        float(context.run_config["start-seconds"]),
        float(context.run_config["step-seconds"]),
    )

    def say(line: str) -> None:
        with (folder / PROGRESS).open("a", encoding="utf-8") as progress:
            progress.write(line + "\n")

    try:
        plan = FederationPlan.from_dict(json.loads((folder / PLAN).read_text(encoding="utf-8")))
        outcome = Federation(grid, plan, folder, patience, say).train()
        found = {"model": str(folder / "model"), "rounds": outcome.rounds, "events": list(outcome.events)}
    except (RunRefused, ModelRefused, ValueError, OSError) as error:
        found = {"refused": str(error)}
    temporary = folder / "outcome.tmp"
    temporary.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    temporary.replace(folder / OUTCOME)
