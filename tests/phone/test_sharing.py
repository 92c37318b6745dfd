"""Consents, links and carers below the screens: what is kept, what is told, what is said."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mobile_app.data.consents import Consents
from mobile_app.data.server import ServerRefused, ServerUnreachable
from mobile_app.data.sharing import Sharing, SharingPapers
from mobile_app.state.consents import ConsentPage
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.research_uses import ResearchUses
from mobile_app.state.sharing import Carers, Links, Then, WhoSaw
from tests.fakes.soom_server import SoomServerFake
from tests.phone.conftest import Phone, papers

Clinic = tuple[SoomServerFake, str]


@pytest.fixture
def enrolled(phone: Phone, server: Clinic) -> Phone:
    server[0].now = phone.clock.now
    phone.enrol(server[1])
    return phone


def asked_at_once(phone: Phone) -> object:
    """What app.py does in the background, done in place."""

    def ask(question: object, then: Then) -> None:
        try:
            question(Sharing(phone.database, phone.server))  # type: ignore[operator]
        except Exception as error:  # as in app.py
            then(error)
        else:
            then(None)

    return ask


def test_a_withdrawal_made_offline_holds_at_once_and_is_told_later(enrolled: Phone, server: Clinic) -> None:
    fake, _ = server
    enrolled.synchroniser.run()
    fake.lose_answers = 1
    Consents(enrolled.database).decide("care", False, enrolled.clock.now())
    enrolled.journal.record("note", {"text": "private"}, OpenDiary.moment(_open(enrolled)))
    assert enrolled.synchroniser.run().problem == "unreachable"
    assert enrolled.synchroniser.run().problem == "not_agreed"
    assert not fake.consents["care"]["given"]
    assert fake.versions == {}


def _open(phone: Phone) -> OpenDiary:
    from mobile_app.locales import Wording

    return OpenDiary(phone.database, phone.clock, Wording("en"))


def test_a_decision_that_the_server_does_not_know_yet_is_not_overwritten(phone: Phone) -> None:
    consents = Consents(phone.database)
    consents.decide("research", True, phone.clock.now())
    consents.absorb([{"purpose": "research", "given": False, "since": None}])
    assert next(one.given for one in consents.all() if one.purpose == "research")
    [untold] = consents.untold()
    consents.decide("research", False, phone.clock.now())
    consents.told(untold)
    assert consents.untold() != [], "the newer decision is still to be told"


def test_a_second_phone_learns_that_the_diary_may_not_be_sent(enrolled: Phone, server: Clinic, tmp_path: Path) -> None:
    fake, address = server
    other = Phone(tmp_path / "other", clock=enrolled.clock)
    other.enrol(address)
    Consents(enrolled.database).decide("care", False, enrolled.clock.now())
    enrolled.synchroniser.run()
    other.journal.record("note", {"text": "private"}, OpenDiary.moment(_open(other)))
    assert other.synchroniser.run().problem == "not_agreed"
    assert not Consents(other.database).may_send
    assert fake.versions == {}
    other.close()


def test_a_consent_is_said_with_its_day_and_whether_the_clinic_knows(diary: OpenDiary) -> None:
    page = ConsentPage(diary, lambda: None)
    page.decide("forecasting", True)
    line = next(one for one in page.lines if one.purpose == "forecasting")
    assert line.standing == "Given: Today\nYour clinic learns of it when this phone is online."
    assert page.is_given("forecasting")
    assert page.may_send, "one purpose changes no other"


def test_who_saw_is_kept_for_days_without_a_network(enrolled: Phone, server: Clinic) -> None:
    fake, _ = server
    enrolled.clinic.absorb(papers())
    fake.accesses = [{"on": "2026-03-02", "role": "clinician", "name": "Dr. Kim", "times": 1}]
    page = WhoSaw(_open(enrolled), asked_at_once(enrolled))  # type: ignore[arg-type]
    assert page.days is None
    page.refresh()
    fake.lose_answers = 1
    page.refresh()
    assert page.problem == "The clinic cannot be reached now. What you see is the last answer."
    assert page.days == [("Today", ["Dr. Kim, of your clinic · once"])]


def test_a_use_is_said_with_its_days_its_title_and_the_consent_that_it_had(enrolled: Phone, server: Clinic) -> None:
    fake, _ = server
    use = {"purpose": "research", "first_on": "2026-02-27", "last_on": "2026-03-02", "times": 1, "text": "In words."}
    fake.research_uses = [
        {**use, "kind": "study", "title": "Peak flow", "first_on": "2026-03-02"},
        {**use, "kind": "training_round", "title": "", "purpose": "federated_learning", "times": 4},
        {**use, "kind": "of_a_later_soom", "title": "Sleep"},
    ]
    page = ResearchUses(_open(enrolled), asked_at_once(enrolled))  # type: ignore[arg-type]
    assert page.lines is None
    page.refresh()
    assert page.lines is not None
    study, learned, unknown = page.lines
    assert study.when == "Monday 2 March 2026"
    assert study.what == "The study “Peak flow” used your diary, without your name."
    assert study.agreed == "You had agreed to research."
    assert learned.when == "Friday 27 February 2026 to Monday 2 March 2026 · 4 times"
    assert learned.what.endswith("What it was for: without a title.")
    assert (unknown.what, unknown.agreed) == ("In words.", "")


def test_what_may_follow_is_by_the_consents_of_this_phone(diary: OpenDiary) -> None:
    page = ResearchUses(diary, lambda *_: None)
    Consents(diary.database).decide("federated_learning", True, diary.clock.now())
    assert page.from_now_on == [
        "You do not agree to research: no later study uses your diary.",
        "You agree that hospitals learn together: later rounds may use your diary.",
    ]


def test_a_link_ends_by_itself_and_its_address_stays_on_the_phone_that_made_it(
    enrolled: Phone, server: Clinic, tmp_path: Path
) -> None:
    _, address = server
    links = Links(_open(enrolled), asked_at_once(enrolled))  # type: ignore[arg-type]
    links.choose_days(1)
    made: list[str] = []
    links.make(made.append)
    link = links.find(made[0])
    assert link is not None
    assert link.address is not None
    assert links.describe(link)[0] == "Without a name"
    other = Phone(tmp_path / "other", clock=enrolled.clock)
    other.enrol(address)
    there = Links(_open(other), asked_at_once(other))  # type: ignore[arg-type]
    there.refresh()
    assert [one.address for one in there.open] == [None]
    enrolled.clock.walk(days=1)
    assert links.open == []
    other.close()


def test_a_carers_entry_goes_out_and_a_correction_comes_back_refused(
    enrolled: Phone, server: Clinic, tmp_path: Path
) -> None:
    _, address = server
    carers = Carers(_open(enrolled), asked_at_once(enrolled))  # type: ignore[arg-type]
    carers.make_code()
    assert carers.code is not None
    helper = Phone(tmp_path / "helper", clock=enrolled.clock)
    helper.server.enrol(address, carers.code.code, helper.journal.device_id, "Halmoni's phone", "desktop")
    assert helper.credentials.is_carer
    note = helper.journal.record("note", {"text": "coughed"}, OpenDiary.moment(_open(helper)))
    assert helper.synchroniser.run().sent == 1
    helper.journal.revise(note, {"text": "did not"})
    assert helper.synchroniser.run().refused == 1
    [refused] = helper.journal.refused()
    assert refused.refusal is not None
    assert refused.refusal.code == "carer_may_not_correct"
    with pytest.raises(ServerRefused, match="carer_not_allowed"):
        Sharing(helper.database, helper.server).fetch_accesses()
    Consents(helper.database).decide("care", True, helper.clock.now())
    assert helper.synchroniser.run().problem is None, "a carer's own consent is for this phone alone"
    carers.refresh()
    [phone] = carers.carers
    assert phone.name == "Halmoni's phone"
    assert carers.describe(phone) == "Last contact: Today"
    carers.remove(phone.id)
    assert carers.carers == []
    helper.close()


def test_an_answer_that_is_not_sooms_changes_nothing(enrolled: Phone) -> None:
    class Hotel:
        def ask(self, *_: object) -> dict[str, object]:
            return {"welcome": "sign in"}

    with pytest.raises(ServerUnreachable, match="without accesses"):
        Sharing(enrolled.database, Hotel()).fetch_accesses()  # type: ignore[arg-type]
    assert SharingPapers(enrolled.database).accesses() is None
    assert SharingPapers(enrolled.database).links(enrolled.clock.now() + timedelta(0)) == []
    assert isinstance(enrolled.clock.now(), datetime)
