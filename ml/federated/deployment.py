"""A network of real processes: certificates and keys, the SuperLink, one SuperNode a hospital, and a run over them.

All of Flower's command lines live here. In the deployed form the SuperLink speaks TLS under the network's own
certificate authority and lets in only SuperNodes whose public key was registered with it; each hospital makes its key
itself and hands over the public half alone.
"""

import datetime
import ipaddress
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ml.federated.flower_app import OUTCOME, PLAN, PROGRESS
from ml.federated.plan import FederationPlan

CONNECTION = "network"
AUTHORITY, CERTIFICATE, CERTIFICATE_KEY = "authority.pem", "superlink.pem", "superlink_key.pem"
NODE_KEY, NODE_PUBLIC = "node_key.pem", "node_key.pub"
CERTIFICATE_DAYS = 825
CLIENT_SECONDS = 120

_APP = """\
[build-system]
requires = ["setuptools>=80"]
build-backend = "setuptools.build_meta"

[project]
name = "soom-network"
version = "1.0.0"
description = "Both ends live in the installed ml.federated; this only names them."
license = { file = "LICENSE" }
dependencies = ["flwr>=1.41.0"]

[tool.flwr.app]
publisher = "soom"
fab-format-version = 1
flwr-version-target = "1.41.0"

[tool.flwr.app.components]
serverapp = "soom_network.ends:server_app"
clientapp = "soom_network.ends:client_app"

[tool.flwr.app.config]
folder = ""
hospitals = 1
start-seconds = 60.0
step-seconds = 300.0
"""


class NetworkFailed(RuntimeError):
    """A process of the network did not start or ended; the message says which, and what it said last."""


def environment(home: Path) -> dict[str, str]:
    """Flower keeps its own files under `home`, reports to nobody, and finds its commands beside this interpreter."""
    return os.environ | {
        "FLWR_HOME": str(home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.25",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")))),
        "OMP_NUM_THREADS": "1",
    }


def _command(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def _write_secret(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)


def make_certificates(folder: Path, hosts: tuple[str, ...], now: datetime.datetime) -> None:
    """A certificate authority and the SuperLink's certificate for `hosts` (names or addresses).

    The authority's key is not kept: a new certificate means a new authority, which the hospitals take by hand.
    """
    folder.mkdir(parents=True, exist_ok=True)
    authority_key, key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Soom network authority")])
    end = now + datetime.timedelta(days=CERTIFICATE_DAYS)

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(end)
        )

    authority = (
        builder(issuer, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA384())
    )
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    certificate = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])]), key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA384())
    )
    (folder / AUTHORITY).write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / CERTIFICATE).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write_secret(folder / CERTIFICATE_KEY, pem)


def make_node_key(hospital: Path) -> None:
    """The key by which the SuperLink knows a hospital's SuperNode; `NODE_PUBLIC` is what the coordinator registers."""
    key = ec.generate_private_key(ec.SECP384R1())
    _write_secret(hospital / NODE_KEY, _private_pem(key))
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    (hospital / NODE_PUBLIC).write_bytes(public)


def superlink_command(certificates: Path, host: str, port: int) -> list[str]:
    """The coordinator's SuperLink, with TLS and only for registered SuperNodes."""
    return [
        _command("flower-superlink"),
        *("--host", host, "--port", str(port)),
        *("--ssl-ca-certfile", str(certificates / AUTHORITY)),
        *("--ssl-certfile", str(certificates / CERTIFICATE)),
        *("--ssl-keyfile", str(certificates / CERTIFICATE_KEY)),
        "--enable-supernode-auth",
        "--disable-runtime-dependency-installation",
    ]


def supernode_command(hospital: Path, authority: Path, superlink: str, port: int) -> list[str]:
    """A hospital's SuperNode and the process that answers its questions; `port` is for the two, on loopback."""
    return [
        *(sys.executable, "-m", "ml.federated.answering", f"127.0.0.1:{port}"),
        *(_command("flower-supernode"), "--isolation", "process", "--port", str(port)),
        *("--superlink", superlink, "--root-certificates", str(authority)),
        *("--auth-supernode-private-key", str(hospital / NODE_KEY)),
        *("--node-config", f'hospital="{hospital}"'),
    ]


def write_app(folder: Path) -> None:
    """The Flower app that is sent along with a run: names of the installed code, and no code of its own."""
    package = folder / "soom_network"
    package.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(_APP, encoding="utf-8")
    (folder / "LICENSE").write_text("Apache-2.0\n", encoding="utf-8")
    (package / "__init__.py").write_text("", encoding="utf-8")
    ends = 'from ml.federated.flower_app import client_app, server_app\n\n__all__ = ["client_app", "server_app"]\n'
    (package / "ends.py").write_text(ends, encoding="utf-8")


def write_connection(home: Path, address: str, authority: Path) -> None:
    """How `flwr` reaches the SuperLink."""
    home.mkdir(parents=True, exist_ok=True)
    text = (
        f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\n'
        f'address = "{address}"\nroot-certificates = "{authority}"\n'
    )
    (home / "config.toml").write_text(text, encoding="utf-8")


def flwr(home: Path, *arguments: str) -> str:
    """Run Flower's client; NetworkFailed with its words where it fails."""
    done = subprocess.run(  # noqa: S603 - Flower's own command
        [_command("flwr"), *arguments],
        env=environment(home),
        capture_output=True,
        encoding="utf-8",
        timeout=CLIENT_SECONDS,
    )
    if done.returncode:
        raise NetworkFailed(f"flwr {arguments[0]}: {(done.stdout + done.stderr)[-1500:]}")
    return done.stdout


def register_node(folder: Path, address: str, public_key: Path) -> None:
    """Let a SuperNode in by its public key. `folder` holds the network's certificates."""
    write_connection(folder / "flower", address, folder / AUTHORITY)
    flwr(folder / "flower", "supernode", "register", str(public_key), CONNECTION)


def run_over(
    network: Path,
    address: str,
    folder: Path,
    plan: FederationPlan,
    hospitals: int,
    say: Callable[[str], None],
    *,
    start_seconds: float = 60.0,
    step_seconds: float = 300.0,
    seconds: float = 86_400.0,
    each_poll: Callable[[], None] = lambda: None,
) -> Mapping[str, Any]:
    """One run into `folder`, to its outcome. A folder of a run that was killed goes on where it stopped.

    `network` is the coordinator's folder, with the certificates. NetworkFailed where nothing comes of it in `seconds`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in (OUTCOME, PROGRESS):
        (folder / left_over).unlink(missing_ok=True)
    (folder / PLAN).write_text(json.dumps(plan.to_dict(), indent=1), encoding="utf-8")
    write_app(network / "app")
    write_connection(network / "flower", address, network / AUTHORITY)
    settings = f'folder="{folder}" hospitals={hospitals} start-seconds={start_seconds} step-seconds={step_seconds}'
    flwr(network / "flower", "run", str(network / "app"), CONNECTION, "--run-config", settings)
    deadline, said = time.monotonic() + seconds, 0
    while True:
        finished = (folder / OUTCOME).exists()
        if (folder / PROGRESS).exists():
            lines = (folder / PROGRESS).read_text(encoding="utf-8").splitlines()
            for line in lines[said:]:
                say(line)
            said = len(lines)
        if finished:
            found: dict[str, Any] = json.loads((folder / OUTCOME).read_text(encoding="utf-8"))
            return found
        if time.monotonic() > deadline:
            raise NetworkFailed(f"the run came to no end within {seconds:g} s")
        each_poll()
        time.sleep(0.2)


class Network:
    """The processes of a network on one machine, each with its log in `folder`. Use `running`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.home = folder / "flower"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, name: str, command: list[str]) -> None:
        """Start a process in a group of its own, so that what it starts ends with it."""
        log = self.folder / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as opened:
            self.processes[name] = subprocess.Popen(  # noqa: S603 - Flower's own commands
                command, stdout=opened, stderr=subprocess.STDOUT, env=environment(self.home), start_new_session=True
            )

    def last_words(self, name: str) -> str:
        """The end of a process's log."""
        return (self.folder / "logs" / f"{name}.log").read_text(encoding="utf-8", errors="replace")[-1500:]

    def start_superlink(self, seconds: float = 60.0) -> None:
        """Start it and wait until it answers. NetworkFailed if it does not."""
        make_certificates(self.folder, ("127.0.0.1", "localhost"), datetime.datetime.now(datetime.UTC))
        self.start("superlink", superlink_command(self.folder, "127.0.0.1", self.port))
        deadline = time.monotonic() + seconds
        while "Application startup complete" not in self.last_words("superlink"):
            if self.processes["superlink"].poll() is not None or time.monotonic() > deadline:
                raise NetworkFailed(f"the SuperLink did not start: {self.last_words('superlink')}")
            time.sleep(0.1)

    def start_supernode(self, hospital: Path, number: int) -> None:
        """Register a hospital's key, if it is new, and start its SuperNode."""
        if not (hospital / NODE_KEY).exists():
            make_node_key(hospital)
            register_node(self.folder, self.address, hospital / NODE_PUBLIC)
        command = supernode_command(hospital, self.folder / AUTHORITY, self.address, self.port + 1 + number)
        self.start(hospital.name, command)

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End one process and all that it started."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, how)
            process.wait(timeout=20)
        # Flower's own children may outlive a parent that was told to end.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def run(
        self,
        folder: Path,
        plan: FederationPlan,
        hospitals: int,
        say: Callable[[str], None],
        seconds: float,
        step_seconds: float = 300.0,
    ) -> Mapping[str, Any]:
        """One run, as `run_over`; NetworkFailed also where the SuperLink ends."""

        def alive() -> None:
            if self.processes["superlink"].poll() is not None:
                raise NetworkFailed(f"the SuperLink ended: {self.last_words('superlink')}")

        return run_over(
            self.folder,
            self.address,
            folder.resolve(),
            plan,
            hospitals,
            say,
            step_seconds=step_seconds,
            seconds=seconds,
            each_poll=alive,
        )


@contextmanager
def running(folder: Path, port: int, hospitals: Mapping[str, Path]) -> Iterator[Network]:
    """A network of a SuperLink and one SuperNode a hospital, ended with everything it started."""
    network = Network(folder.resolve(), port)
    try:
        network.start_superlink()
        for number, name in enumerate(sorted(hospitals)):
            network.start_supernode(hospitals[name].resolve(), number)
        yield network
    finally:
        for name in reversed(list(network.processes)):
            network.stop(name)
