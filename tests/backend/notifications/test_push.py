"""The real firebase-admin against a loopback server."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.notifications import push as push_module
from backend.notifications.push import FirebasePush, LogPush, PushMessage, PushOutcome, PushResult
from tests.fakes import fcm as answers
from tests.fakes.fcm import FcmServer


def message(token: str = "phone-1", **changed: object) -> PushMessage:
    usual: dict[str, object] = {"token": token, "tag": "alert-1", "title": "Soom", "body": "Open Soom"}
    usual |= {"urgent": True, "channel": "urgent", "data": {"a": "b"}}
    return PushMessage(**usual | changed)  # type: ignore[arg-type]


def test_a_message_is_handed_over_with_its_tag_and_urgency(fcm: FcmServer, firebase: FirebasePush) -> None:
    assert firebase.send([message()]) == [PushResult(PushOutcome.HANDED_OVER)]
    (sent,) = fcm.received
    assert sent["token"] == "phone-1"
    assert sent["android"]["collapse_key"] == sent["data"]["tag"] == "alert-1"
    assert sent["apns"]["headers"]["apns-collapse-id"] == "alert-1"
    assert sent["android"]["priority"] == "high"


def test_a_message_reaches_the_app_itself_as_data_and_not_after_its_time(
    fcm: FcmServer, firebase: FirebasePush
) -> None:
    firebase.send([message(channel="reminders", time_to_live=timedelta(minutes=75), data={"message_id": "7"})])
    (sent,) = fcm.received
    assert "notification" not in sent
    assert "notification" not in sent["android"]
    assert sent["android"]["ttl"] == "4500s"
    words = {"title": "Soom", "body": "Open Soom", "tag": "alert-1", "channel": "reminders"}
    assert sent["data"] == {"message_id": "7", **words}
    assert sent["apns"]["payload"]["aps"]["alert"] == {"title": "Soom", "body": "Open Soom"}


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (answers.UNREGISTERED, PushResult(PushOutcome.TOKEN_DEAD, "unregistered")),
        (answers.SENDER_ID_MISMATCH, PushResult(PushOutcome.TOKEN_DEAD, "sender_id_mismatch")),
        (answers.TOKEN_NOT_VALID, PushResult(PushOutcome.TOKEN_DEAD, "invalid_argument")),
        (answers.MESSAGE_NOT_VALID, PushResult(PushOutcome.REFUSED, "invalid_argument")),
        (answers.QUOTA_EXCEEDED, PushResult(PushOutcome.TRY_AGAIN, "quota_exceeded", 120)),
        (answers.INTERNAL, PushResult(PushOutcome.TRY_AGAIN, "internal")),
        (answers.UNAVAILABLE, PushResult(PushOutcome.TRY_AGAIN, "unavailable", 30)),
        (answers.GARBAGE, PushResult(PushOutcome.TRY_AGAIN, "unknown")),
        (answers.NAMELESS, PushResult(PushOutcome.TRY_AGAIN, "unknown")),
    ],
)
def test_each_answer_has_its_consequence_and_is_asked_for_once(
    fcm: FcmServer, firebase: FirebasePush, answer: answers.Answer, result: PushResult
) -> None:
    fcm.will_answer("phone-1", answer)
    assert firebase.send([message()]) == [result]
    # firebase-admin itself would repeat 500 and 503, and sleep for as long as Retry-After asks.
    assert fcm.requests == 1


def test_a_server_that_says_nothing_is_tried_again_later(fcm: FcmServer, tmp_path: Path) -> None:
    fcm.will_answer("phone-1", answers.TIME_OUT)
    push = FirebasePush(fcm.write_credentials(tmp_path), endpoint=fcm.url, timeout_seconds=0.2)
    assert push.send([message()]) == [PushResult(PushOutcome.TRY_AGAIN, "deadline_exceeded")]
    push.close()


def test_a_server_that_is_gone_is_tried_again_later(fcm: FcmServer, firebase: FirebasePush) -> None:
    assert firebase.send([message()])[0].outcome is PushOutcome.HANDED_OVER
    fcm.close()
    assert firebase.send([message()])[0].outcome is PushOutcome.TRY_AGAIN


def test_one_bad_answer_costs_no_other_message_of_the_batch(fcm: FcmServer, firebase: FirebasePush) -> None:
    fcm.will_answer("bad", answers.NAMELESS, answers.NAMELESS)
    fcm.will_answer("dead", answers.UNREGISTERED, answers.UNREGISTERED)
    results = firebase.send([message("good"), message("bad"), message("dead"), message("fine")])
    assert [result.outcome for result in results] == [
        PushOutcome.HANDED_OVER,
        PushOutcome.TRY_AGAIN,
        PushOutcome.TOKEN_DEAD,
        PushOutcome.HANDED_OVER,
    ]
    assert {sent["token"] for sent in fcm.received} == {"good", "fine"}


def test_a_message_that_cannot_be_written_costs_no_other(fcm: FcmServer, firebase: FirebasePush) -> None:
    results = firebase.send([message("good"), message("odd", data={"a": 1})])
    assert results == [
        PushResult(PushOutcome.HANDED_OVER),
        PushResult(PushOutcome.REFUSED, "message_not_encodable"),
    ]


def test_more_messages_than_one_batch_all_arrive_in_order(fcm: FcmServer, firebase: FirebasePush) -> None:
    fcm.will_answer("phone-57", answers.UNREGISTERED)
    results = firebase.send([message(f"phone-{number}") for number in range(60)])
    assert [place for place, result in enumerate(results) if result.outcome is PushOutcome.TOKEN_DEAD] == [57]
    assert len(fcm.received) == 59
    assert fcm.sign_ins == 1


def test_when_google_refuses_the_sign_in_all_wait(
    fcm: FcmServer, firebase: FirebasePush, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcm.refuse_sign_in = True
    results = firebase.send([message("phone-1"), message("phone-2")])
    assert results == [PushResult(PushOutcome.TRY_AGAIN, "sign_in_failed")] * 2
    assert fcm.requests == 0


@pytest.mark.parametrize("content", ["", "{}", '{"type": "authorized_user"}'])
def test_a_file_that_is_no_service_account_is_refused_at_the_start(tmp_path: Path, content: str) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r".+"):
        FirebasePush(path)


def test_without_firebase_the_log_names_no_text_and_no_token(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert LogPush().send([message("secret-token")]) == [PushResult(PushOutcome.NO_PUSH_SERVICE)]
    assert "alert-1" in caplog.text
    assert "secret-token" not in caplog.text
    assert "Open Soom" not in caplog.text


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_header_whatever_breaks_the_reading_of_retry_after(retry_after: str, date: str) -> None:
    seconds = push_module.seconds_of(retry_after, date)
    assert seconds is None or seconds >= 0


def test_retry_after_may_be_seconds_or_a_date() -> None:
    assert push_module.seconds_of("120", None) == 120
    assert push_module.seconds_of("Fri, 20 Nov 2026 12:01:30 GMT", "Fri, 20 Nov 2026 12:00:00 GMT") == 90
    assert push_module.seconds_of("Fri, 20 Nov 2026 11:00:00 GMT", "Fri, 20 Nov 2026 12:00:00 GMT") == 0
    assert push_module.seconds_of("soon", None) is None
