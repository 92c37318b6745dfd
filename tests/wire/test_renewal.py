"""The phone's tokens against the real server: an answer lost on the way costs no enrolment."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from backend.accounts.tokens import create_enrolment_code
from mobile_app.data.credentials import Credentials
from mobile_app.data.database import PhoneDatabase
from mobile_app.data.seal import Seal
from mobile_app.data.server import ServerUnreachable, SoomServer
from tests.conftest import SettableClock
from tests.factories import clinic


class LossyNetwork:
    """Carries requests to the application, and loses the answers to so many renewals after they were made."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.renewals_to_lose = 0

    def carry(self, request: httpx.Request) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        path = request.url.raw_path.decode()
        answer = self.client.request(request.method, path, content=request.read(), headers=headers)
        if path == "/v1/token" and self.renewals_to_lose:
            self.renewals_to_lose -= 1
            raise httpx.ReadError("the answer was lost")
        return httpx.Response(answer.status_code, json=answer.json())


def test_a_phone_whose_renewal_was_answered_into_the_void_asks_again_and_stays_enrolled(
    client: TestClient, session: Session, clock: SettableClock, tmp_path: Path
) -> None:
    minji = clinic.patient(session, clinic.hospital(session), now=clock.now)
    code = create_enrolment_code(session, minji.id, created_by=None, now=clock.now)
    session.commit()
    network = LossyNetwork(client)
    database = PhoneDatabase(tmp_path / "diary.sqlite", Seal(b"k" * 32))
    credentials = Credentials(database)
    phone = SoomServer(credentials, httpx.MockTransport(network.carry))
    tokens = phone.enrol("http://testserver", code, "3f0c1f0e-8f4e-4c57-9a55-1a1f6f1d8f11", "phone", "desktop")

    clock.now += timedelta(hours=1)
    network.renewals_to_lose = 2
    for _ in range(2):
        with pytest.raises(ServerUnreachable):
            phone.pull("")
        assert credentials.tokens == tokens
    assert phone.pull("").papers["profile"]["display_name"] == "Minji Lee"
    assert credentials.tokens != tokens
    phone.close()
    database.close()
