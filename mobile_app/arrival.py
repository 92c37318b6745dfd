"""The way in: welcome, consents, the clinic's code, first steps, and then Today."""

from collections.abc import Callable

from mobile_app.data.consents import Consents
from mobile_app.data.credentials import Credentials, Invitation
from mobile_app.data.database import PhoneDatabase
from mobile_app.device.machine import Device
from mobile_app.locales import Wording
from mobile_app.screens.enrol import EnrolScreen
from mobile_app.screens.first_steps import FirstStepsScreen
from mobile_app.screens.frame import Frame
from mobile_app.screens.reminding import Reminding
from mobile_app.screens.welcome import ConsentScreen, IntendedUseScreen, WelcomeScreen
from mobile_app.state.enrolment import Enrolment
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.preferences import Preferences
from mobile_app.widgets.surface import Page

InBackground = Callable[[Callable[[], None], Callable[[Exception | None], None]], None]


class Arrival:
    """Leads a person, or the next diary, to Today.

    ``enrol(address, code)`` blocks and runs where ``in_background(work, then)`` puts it.
    """

    def __init__(
        self,
        device: Device,
        phone: PhoneDatabase,
        wording: Wording,
        reminding: Reminding,
        *,
        diary: Callable[[], OpenDiary],
        frame: Callable[[], Frame | None],
        enrol: Callable[[str, str], None],
        in_background: InBackground,
        request_sync: Callable[[], None],
    ) -> None:
        self._device = device
        self._phone = phone
        self._wording = wording
        self._reminding = reminding
        self._diary = diary
        self._frame = frame
        self._enrol = enrol
        self._in_background = in_background
        self._request_sync = request_sync

    @property
    def first_page(self) -> str:
        """Where the app begins."""
        welcomed = self._phone.setting("welcomed", False) or self._is_enrolled
        return "today" if welcomed else "welcome"

    def pages(
        self, choose_language: Callable[[str], None], choose_size: Callable[[float], None]
    ) -> dict[str, Callable[..., Page]]:
        """The pages on the way by name."""
        wording = self._wording
        return {
            "welcome": lambda: WelcomeScreen(wording, self._shown_frame, choose_language, choose_size),
            "intended_use": lambda: IntendedUseScreen(wording, lambda: self._shown_frame.go("consent")),
            "consent": lambda: ConsentScreen(wording, self._consented),
            "enrol": lambda enrolment=None: EnrolScreen(enrolment or self._enrolment(), wording, self._skip_enrolment),
            "first_steps": lambda: FirstStepsScreen(
                Preferences(self._phone, self._diary(), lambda: None),
                self._device.reliability,
                wording,
                self._shown_frame,
                self._set_up,
            ),
        }

    def accept(self, invitation: Invitation) -> None:
        """Enrols with the code that the app was started with."""

        def answered(error: Exception | None) -> None:
            self._phone.keep_setting("set_up", True)
            frame = self._frame()
            if error is None:
                self._enrolled()
            elif frame is not None:
                frame.toast(self._wording.say("enrol.unreachable") + f" ({error})")

        self._in_background(lambda: self._enrol(invitation.address, invitation.code), answered)

    def follow_link(self) -> None:
        """Fills in the code that the phone's camera read, if one brought us here. Connecting stays a touch."""
        link, frame = self._device.links.opened(), self._frame()
        if link is None or frame is None or frame.page_name == "lock":
            return
        if self._is_enrolled:
            # The diary that is open has its clinic; the code is for somebody else's, under People.
            return
        enrolment = self._enrolment()
        if enrolment.read_qr(link):
            frame.go("enrol", enrolment=enrolment)

    @property
    def _is_enrolled(self) -> bool:
        return Credentials(self._diary().database).tokens is not None

    @property
    def _shown_frame(self) -> Frame:
        frame = self._frame()
        if frame is None:
            raise RuntimeError("a page was asked for before the frame was built")
        return frame

    def _enrolment(self) -> Enrolment:
        return Enrolment(self._wording, self._enrol, self._in_background, self._enrolled)

    def _consented(self, chosen: set[str]) -> None:
        consents = Consents(self._diary().database)
        for purpose in sorted(chosen):
            consents.decide(purpose, True, self._device.clock.now())
        if "care" in chosen:
            self._shown_frame.go("enrol")
        else:
            self._skip_enrolment()

    def _skip_enrolment(self) -> None:
        self._phone.keep_setting("welcomed", True)
        self._begin()

    def _enrolled(self) -> None:
        self._phone.keep_setting("welcomed", True)
        consents = Consents(self._diary().database)
        if not consents.may_send:
            # Withdrawn before, and connected again by the person's own hand.
            consents.decide("care", True, self._device.clock.now())
        self._request_sync()
        self._begin()

    def _set_up(self) -> None:
        self._phone.keep_setting("set_up", True)
        self._begin()

    def _begin(self) -> None:
        frame = self._frame()
        if frame is not None:
            frame.start_at("today" if self._phone.setting("set_up") else "first_steps")
            self._reminding.first_run()
