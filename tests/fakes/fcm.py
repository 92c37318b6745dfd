"""A loopback server that speaks Google's OAuth token endpoint and FCM's HTTP v1, so that firebase-admin runs for real.

What it answers is set per registration token; without a setting it takes the message. It checks what Google checks: the
signed assertion, the bearer token, the project, the shape of the message.
"""

import json
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PROJECT = "soom-tests"
ACCOUNT = "push@soom-tests.example"
# google-auth signs for this address whatever `token_uri` says.
AUDIENCE = "https://oauth2.googleapis.com/token"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


@dataclass(frozen=True)
class Answer:
    """`hang`: say nothing until the server closes; `body` as text is sent as it is."""

    status: int
    body: dict[str, Any] | str
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False


def error(status: int, code: str, message: str = "", *details: dict[str, Any], **headers: str) -> Answer:
    body = {"error": {"code": status, "message": message, "status": code, "details": list(details)}}
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def fcm_error(status: int, code: str, fcm_code: str, **headers: str) -> Answer:
    return error(status, code, fcm_code, {"@type": FCM_ERROR, "errorCode": fcm_code}, **headers)


UNREGISTERED = fcm_error(404, "NOT_FOUND", "UNREGISTERED")
SENDER_ID_MISMATCH = fcm_error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH")
QUOTA_EXCEEDED = fcm_error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", Retry_After="120")
TOKEN_NOT_VALID = error(
    400,
    "INVALID_ARGUMENT",
    "The registration token is not a valid FCM registration token",
    {"@type": FCM_ERROR, "errorCode": "INVALID_ARGUMENT"},
)
MESSAGE_NOT_VALID = error(
    400,
    "INVALID_ARGUMENT",
    "Request contains an invalid argument.",
    {"@type": BAD_REQUEST, "fieldViolations": [{"field": "message.android.ttl", "description": "too long"}]},
)
INTERNAL = error(500, "INTERNAL")
UNAVAILABLE = error(503, "UNAVAILABLE", "", Retry_After="30")
GARBAGE = Answer(200, "<html>proxy says hello</html>")
NAMELESS = Answer(200, {"unexpected": True})
TIME_OUT = Answer(200, {}, hang=True)


@cache
def _signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class FcmServer:
    """`received` holds every message taken, `requests` counts all calls of the send endpoint.

    `thinks_seconds`: how long it takes to answer after it has taken a message.
    """

    def __init__(self) -> None:
        self.thinks_seconds = 0.0
        self.answers: dict[str, deque[Answer]] = defaultdict(deque)
        self.received: list[dict[str, Any]] = []
        self.requests = 0
        self.sign_ins = 0
        self.refuse_sign_in = False
        self._issued: set[str] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._key = _signing_key()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        if self._closing.is_set():
            return
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def will_answer(self, token: str, *answers: Answer) -> None:
        """In this order; after the last, messages for the token are taken."""
        self.answers[token].extend(answers)

    def write_credentials(self, folder: Path) -> Path:
        key = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = folder / "service-account.json"
        account = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "1",
            "private_key": key.decode(),
            "client_email": ACCOUNT,
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }
        path.write_text(json.dumps(account), encoding="utf-8")
        return path

    def sign_in(self, form: dict[str, list[str]]) -> Answer:
        if self.refuse_sign_in:
            return Answer(403, {"error": "account_disabled"})
        try:
            claims = jwt.decode(form["assertion"][0], self._key.public_key(), algorithms=["RS256"], audience=AUDIENCE)
        except (jwt.InvalidTokenError, KeyError):
            return Answer(400, {"error": "invalid_grant"})
        if claims["iss"] != ACCOUNT:
            return Answer(400, {"error": "invalid_grant"})
        with self._lock:
            token = f"access-{len(self._issued)}"
            self._issued.add(token)
            self.sign_ins += 1
        return Answer(200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    def send(self, path: str, authorization: str, body: dict[str, Any]) -> Answer:
        with self._lock:
            self.requests += 1
            if path != f"/v1/projects/{PROJECT}/messages:send":
                return error(404, "NOT_FOUND")
            if authorization.removeprefix("Bearer ") not in self._issued:
                return error(401, "UNAUTHENTICATED")
            message = body["message"]
            queue = self.answers[message["token"]]
            if queue:
                return queue.popleft()
            self.received.append(message)
            return Answer(200, {"name": f"projects/{PROJECT}/messages/{len(self.received)}"})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                content = self.rfile.read(length)
                # Who was killed while sending has asked nothing.
                if server._closing.is_set() or len(content) < length:
                    self.close_connection = True
                    return
                if self.path == "/token":
                    answer = server.sign_in(parse_qs(content.decode()))
                else:
                    answer = server.send(self.path, self.headers.get("Authorization", ""), json.loads(content))
                    server._closing.wait(server.thinks_seconds)
                if answer.hang:
                    server._closing.wait(timeout=30)
                    self.close_connection = True
                    return
                text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text.encode())))
                # Who asked may have been killed meanwhile.
                with suppress(BrokenPipeError, ConnectionResetError):
                    self.end_headers()
                    self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                """Quiet: what matters is in `received` and `requests`."""

        return Handler


class _Server(ThreadingHTTPServer):
    # A batch knocks all at once; the default of five would leave the rest to TCP's own retries.
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that a killed worker leaves behind is no error; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def fcm_server() -> Iterator[FcmServer]:
    server = FcmServer()
    server.start()
    try:
        yield server
    finally:
        server.close()
