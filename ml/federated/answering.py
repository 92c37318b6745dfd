"""The process that answers a SuperNode's questions: `python -m ml.federated.answering ADDRESS COMMAND…`.

COMMAND starts the SuperNode, with `--isolation process` and its tasks at ADDRESS. Left to itself a SuperNode starts a
Python interpreter for each question, whose imports take longer than most answers. Here one process imports everything
once and forks a child for each question: a model text that LightGBM dies of still ends one answer and no more.

With `memory_grid` the only place that touches Flower's internals: SuperExec, which takes a SuperNode's tasks.
"""

import os
import sys
from contextlib import suppress

import flwr.supercore.superexec.run_superexec as superexec
from flwr.supercore.superexec.executor import ExecutionSpec, LaunchResult, SubprocessExecutor
from flwr.supernode.runtime.run_clientapp import run_clientapp


class ForkingExecutor(SubprocessExecutor):
    """Starts a task as a fork of this process, where Flower's own starts an interpreter."""

    def launch(self, spec: ExecutionSpec) -> LaunchResult:
        if os.fork():
            return LaunchResult.accepted()
        status = 1
        try:
            run_clientapp(spec.runtime_api_address, spec.token, spec.insecure, parent_pid=spec.parent_pid)
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            # Not one step further in the parent's code, whatever happened.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def reconcile(self) -> None:
        """SuperExec calls this between tasks: children that have ended are let go."""
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def answer_questions(address: str, supernode: int) -> None:
    """Answer what the SuperNode at `address` is asked, as long as its process is there."""
    # What the steps would import, each child anew.
    from ml.federated import judgement, site, tree_steps  # noqa: F401

    superexec.get_executor = lambda *_arguments, **_named: ForkingExecutor()  # type: ignore[attr-defined]
    superexec.run_superexec(address, insecure=True, parent_pid=supernode)


def main() -> None:
    address, *command = sys.argv[1:]
    # The SuperNode keeps this process's number, by which the other one sees it end.
    supernode = os.getpid()
    if os.fork() == 0:
        answer_questions(address, supernode)
    os.execv(command[0], command)  # noqa: S606 - Flower's own command


if __name__ == "__main__":
    main()
