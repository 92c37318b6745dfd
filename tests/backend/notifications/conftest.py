from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.notifications.push import FirebasePush
from tests.fakes.fcm import FcmServer, fcm_server


@pytest.fixture
def fcm(monkeypatch: pytest.MonkeyPatch) -> Iterator[FcmServer]:
    with fcm_server() as server:
        # google-auth asks a fixed Google address for regions, on a thread of its own; as a proxy, the loopback server
        # refuses that at once.
        monkeypatch.setenv("HTTPS_PROXY", server.url)
        yield server


@pytest.fixture
def firebase(fcm: FcmServer, tmp_path: Path) -> Iterator[FirebasePush]:
    push = FirebasePush(fcm.write_credentials(tmp_path), endpoint=fcm.url, timeout_seconds=2)
    yield push
    push.close()
