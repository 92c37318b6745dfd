"""Flower's Grid inside one process, for tests and studies: no network, no SuperLink, the same messages.

The only place that touches Flower's internals: `TaskIdentity`, which a message's constructor reads.
"""

from collections.abc import Callable, Iterable, Mapping

from flwr.app import Message, RecordDict
from flwr.app.error import Error
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from ml.federated.messages import question_from_records, reply_to_records
from ml.federated.site import Hospital

Node = Callable[[Message], Message | None]


def hospital_node(hospital: Hospital) -> Node:
    """A hospital as a node of the grid."""

    def answer(message: Message) -> Message:
        return Message(reply_to_records(hospital.answer(question_from_records(message.content))), reply_to=message)

    return answer


class MemoryGrid(Grid):
    """Nodes by id; a node that returns None never answers, one that raises answers with Flower's error.

    `nodes` may be changed while a run goes on: that is how hospitals leave and come back.
    """

    def __init__(self, nodes: Mapping[int, Node]) -> None:
        self.nodes = dict(nodes)
        self._replies: dict[str, Message] = {}
        self._sent = 0
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1

    def set_run(self, run: Run) -> None:
        raise NotImplementedError("an in-memory grid has one run")

    @property
    def run(self) -> Run:
        raise NotImplementedError("an in-memory grid has one run")

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        return sorted(self.nodes)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        numbers = []
        for message in messages:
            self._sent += 1
            number = str(self._sent)
            message.metadata.__dict__["_message_id"] = number
            numbers.append(number)
            node = self.nodes.get(message.metadata.dst_node_id)
            try:
                reply = node(message) if node else None
            except Exception as error:  # as a ClientApp's process does
                reply = Message(Error(code=0, reason=repr(error)), reply_to=message)
            if reply is not None:
                self._replies[number] = reply
        return numbers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return [self._replies.pop(number) for number in list(message_ids) if number in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        return self.pull_messages(self.push_messages(messages))
