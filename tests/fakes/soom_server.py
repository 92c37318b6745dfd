"""A small real HTTP server on loopback that keeps wire version 1, for the phone's tests.

It keeps versions in a dictionary; faults are switched on by the test: the answer is lost after the work is done,
the server declines, the tokens expire.
"""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

Wire = dict[str, Any]


class SoomServerFake:
    """The state behind the loopback server; tests read and change it directly."""

    def __init__(self) -> None:
        self.patient_id = str(uuid4())
        self.codes = {"SOOM-2468"}
        self.now: Callable[[], datetime] = lambda: datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
        self.papers: Wire = {"profile": None, "inhalers": None, "plan": None, "forecast": None, "inbox": []}
        self.consents: dict[str, Wire] = {
            purpose: {"given": purpose in ("care", "forecasting"), "since": "2026-01-05T09:00:00+00:00"}
            for purpose in ("care", "forecasting", "research", "federated_learning")
        }
        self.papers["consents"] = self._consents()
        self.accesses: list[Wire] = []
        self.research_uses: list[Wire] = []
        self.links: list[Wire] = []
        self.carers: dict[str, str] = {}
        self.versions: dict[tuple[str, str], Wire] = {}
        self.changes: list[tuple[str, str]] = []
        self.papers_changed_at = 0
        self.inhaler_ids: set[str] = set()
        self.occurrences: dict[tuple[str, str, str], Wire] = {}
        self.push_receipts: list[Wire] = []
        self.requests: list[tuple[str, str, Wire | None]] = []
        self.compressed_requests = 0
        self.lose_answers = 0
        self.decline_with: list[tuple[int, str, dict[str, str]]] = []
        self._access: dict[str, str] = {}
        self._refresh: dict[str, str] = {}
        self._lock = threading.Lock()

    # What a test does to the server

    def expire_access_tokens(self) -> None:
        """Every access token handed out so far is refused from now on."""
        self._access.clear()

    def revoke_everything(self) -> None:
        """No token is good any more."""
        self._access.clear()
        self._refresh.clear()

    def publish(self, **papers: Any) -> None:
        """The clinic changes a paper: the next pull brings it."""
        self.papers.update(papers)
        self.papers_changed_at = len(self.changes) + 1
        self.changes.append(("papers", ""))

    # What the wire does

    def answer(self, method: str, path: str, query: dict[str, str], token: str, body: Wire | None) -> tuple[int, Wire]:
        """Status and JSON for one request."""
        with self._lock:
            self.requests.append((method, path, body))
            if self.decline_with:
                status, code, _headers = self.decline_with.pop(0)
                return status, _error(code)
            if path == "/v1/enrol" and body is not None:
                return self._enrol(body)
            if path.startswith("/v1/patient/"):
                return self._about_sharing(method, path.removeprefix("/v1/patient/"), self._access.get(token), body)
            if path == "/v1/token" and body is not None:
                device = self._refresh.pop(body["refresh_token"], None)
                return (200, self._tokens(device)) if device else (401, _error("refresh_token_unknown"))
            device = self._access.get(token)
            if device is None:
                return 401, _error("access_token_expired")
            if method == "POST" and body is not None:
                if body["entries"] and not self.consents["care"]["given"]:
                    return 403, _error("consent_withdrawn")
                return 200, self._receive(body, device)
            return self._send(query)

    def _about_sharing(self, method: str, path: str, device: str | None, body: Wire | None) -> tuple[int, Wire]:
        if device is None:
            return 401, _error("access_token_expired")
        if path == "watch":
            phones = [(device, "patient"), *((one, "carer") for one in self.carers)]
            return 200, {"phones": [self._phone(one, role, one == device) for one, role in phones], "watches": []}
        if device in self.carers:
            return 403, _error("carer_not_allowed")
        if path == "consents" and body is not None:
            self.consents[body["purpose"]] = {"given": body["given"], "since": self.now().isoformat()}
            self.publish(consents=self._consents())
            return 200, {"consents": self._consents()}
        if path == "accesses":
            return 200, {"accesses": self.accesses}
        if path == "research":
            return 200, {"uses": self.research_uses, "standing": []}
        if path == "links" and method == "POST" and body is not None:
            link = {
                "id": str(uuid4()),
                "label": body["label"],
                "created_at": self.now().isoformat(),
                "expires_at": (self.now() + timedelta(days=body["days"])).isoformat(),
                "opened_count": 0,
                "last_opened_at": None,
            }
            self.links.insert(0, link)
            return 201, {**link, "address": f"https://soom.clinic.example/shared/{uuid4().hex}"}
        if path.startswith("links/"):
            self.links = [one for one in self.links if one["id"] != path.split("/")[1]]
        if path.startswith("links"):
            return 200, {"links": self.links}
        if path == "carer-codes":
            expires_at = (self.now() + timedelta(days=7)).isoformat()
            self.codes.add("CARE-2468")
            address = "soom://enrol?code=CARE-2468&server=https://soom.clinic.example"
            return 201, {"code": "CARE-2468", "expires_at": expires_at, "link": address}
        if path.startswith("phones/"):
            self.carers.pop(path.split("/")[1].replace("-", ""), None)
        phones = [(device, "patient"), *((one, "carer") for one in self.carers)]
        return 200, {"phones": [self._phone(one, role, one == device) for one, role in phones]}

    def _phone(self, device: str, role: str, is_this_phone: bool) -> Wire:
        name = self.carers.get(device, "My phone")
        seen = {"enrolled_at": self.now().isoformat(), "last_seen_at": self.now().isoformat()}
        return {"id": str(UUID(device)), "name": name, "role": role, "is_this_phone": is_this_phone, **seen}

    def _consents(self) -> list[Wire]:
        return [{"purpose": purpose, **standing} for purpose, standing in self.consents.items()]

    def _enrol(self, body: Wire) -> tuple[int, Wire]:
        if body["code"] not in self.codes:
            return 404, _error("enrolment_code_unknown")
        device = body["device"]["id"].replace("-", "")
        if body["code"].startswith("CARE"):
            self.carers[device] = body["device"]["name"]
        return 200, {"patient_id": self.patient_id, **self._tokens(device)}

    def _tokens(self, device: str) -> Wire:
        access, refresh = uuid4().hex, uuid4().hex
        self._access[access] = device
        self._refresh[refresh] = device
        expires = self.now() + timedelta(minutes=15)
        return {
            "access_token": access,
            "access_expires_at": expires.isoformat(),
            "refresh_token": refresh,
            "role": "carer" if device in self.carers else "patient",
            "server_time": self.now().isoformat(),
        }

    def _receive(self, body: Wire, device: str) -> Wire:
        receipts = []
        for entry in body["entries"]:
            reason = self._reason_against(entry, device)
            outcome = "refused" if reason else self._take({**entry, "device_id": device})
            receipts.append({**{k: entry[k] for k in ("id", "kind", "revision")}, "outcome": outcome, "reason": reason})
        occurrence_receipts = [self._account(one, device) for one in body.get("occurrences", [])]
        self.push_receipts += body.get("push_receipts", [])
        answer = {"server_time": self.now().isoformat(), "receipts": receipts}
        return {**answer, "occurrence_receipts": occurrence_receipts}

    def _account(self, occurrence: Wire, device: str) -> Wire:
        key = (device, occurrence["key"], occurrence["local_date"])
        known = self.occurrences.get(key)
        is_newer = known is None or known["revision"] < occurrence["revision"]
        if is_newer:
            self.occurrences[key] = occurrence
        identity = {name: occurrence[name] for name in ("key", "local_date", "revision")}
        return {**identity, "outcome": "accepted" if is_newer else "unchanged", "reason": None}

    def _reason_against(self, entry: Wire, device: str) -> Wire | None:
        body = entry["body"] or {}
        if device in self.carers and entry["revision"] > 1:
            code = "carer_may_not_delete" if entry["deleted"] else "carer_may_not_correct"
            return {"code": code, "message": "A carer's phone may add to the diary.", "field": "revision"}
        if entry["kind"] == "inhaler_use" and body and body["inhaler_id"] not in self.inhaler_ids:
            message = "This inhaler is not on the patient's list."
            return {"code": "unknown_inhaler", "message": message, "field": "body.inhaler_id"}
        return None

    def _take(self, entry: Wire) -> str:
        key = (entry["kind"], entry["id"])
        stored = self.versions.get(key)
        if stored is not None:
            stored_version = (stored["revision"], stored["device_id"])
            version = (entry["revision"], entry["device_id"])
            if version == stored_version:
                return "unchanged"
            if version < stored_version:
                return "superseded"
        self.versions[key] = entry
        self.changes.append(key)
        return "accepted"

    def _send(self, query: dict[str, str]) -> tuple[int, Wire]:
        cursor = query.get("cursor", "")
        if cursor and not cursor.startswith("c"):
            return 400, _error("cursor_invalid")
        start, limit = int(cursor[1:] or 0) if cursor else 0, int(query.get("limit", "500"))
        window = self.changes[start : start + limit]
        end = start + len(window)
        keys = dict.fromkeys(key for key in window if key[0] != "papers")
        changed = self.papers_changed_at > start
        empty: Wire = {"profile": None, "consents": None, "inhalers": None, "plan": None, "forecast": None, "inbox": []}
        return 200, {
            "server_time": self.now().isoformat(),
            "cursor": f"c{end}",
            "more": end < len(self.changes),
            "entries": [self.versions[key] for key in keys],
            **(self.papers if changed else empty),
        }


def _error(code: str) -> Wire:
    return {"code": code, "message": f"Refused: {code}.", "fields": []}


def _handler(fake: SoomServerFake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Silence: the test reads fake.requests."""

        def do_GET(self) -> None:
            self._serve(None)

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                fake.compressed_requests += 1
                raw = gzip.decompress(raw)
            self._serve(json.loads(raw))

        def _serve(self, body: Wire | None) -> None:
            path, _, query = self.path.partition("?")
            pairs = dict(part.split("=", 1) for part in query.split("&") if part)
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            retry_after = fake.decline_with[0][2] if fake.decline_with else {}
            status, wire = fake.answer(self.command, path, pairs, token, body)
            if fake.lose_answers > 0:
                fake.lose_answers -= 1
                self.close_connection = True
                return
            content = gzip.compress(json.dumps(wire).encode())
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(content)))
            for name, text in retry_after.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

    return Handler


@contextmanager
def running(fake: SoomServerFake) -> Iterator[str]:
    """Serves the fake on a free loopback port and yields its base address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
