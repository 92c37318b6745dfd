"""My data: take it along, or delete it."""

from collections.abc import Callable
from pathlib import Path

from mobile_app.data.credentials import Credentials
from mobile_app.device.ports import Shelf
from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.export import Export
from mobile_app.state.open_diary import OpenDiary
from mobile_app.widgets.press import PushButton, RowLink
from mobile_app.widgets.surface import Card, Notice, Page
from mobile_app.widgets.text import Words

_KINDS = {".pdf": "application/pdf", ".csv": "text/csv"}
_WAYS = (
    ("consents", "handshake-outline"),
    ("research_uses", "flask-outline"),
    ("who_saw", "eye-outline"),
    ("links", "link-variant"),
    ("carers", "account-heart-outline"),
)
_WAYS_OF_CARER = (("watch", "bell-ring-outline"),)


class MyDataScreen(Page):
    """Writes the files and says where they are; deletes after a second question."""

    def __init__(
        self,
        export: Export,
        shelf: Shelf,
        diary: OpenDiary,
        delete_everything: Callable[[], None],
        wording: Wording,
        frame: Frame,
    ) -> None:
        super().__init__(title=wording.say("my_data.title"))
        self._export = export
        self._shelf = shelf
        self._delete_everything = delete_everything
        self.wording = wording
        self.frame = frame
        say = wording.say
        take = Card()
        take.add_widget(Words(text=say("my_data.take"), role="strong"))
        for icon, key, make in (
            ("file-pdf-box", "my_data.pdf", self._write_report),
            ("file-delimited-outline", "my_data.csv", export.write_table),
        ):
            button = PushButton(kind="soft", icon=icon, label=say(key))
            button.bind(on_release=lambda _, make=make: self._written(make()))
            take.add_widget(button)
        self._where = Words(text="", role="label", tone="primary")
        take.add_widget(self._where)
        self.add_widget(take)
        self._others(diary)
        self._delete = Card()
        self.add_widget(self._delete)
        self._ask_once()

    def _others(self, diary: OpenDiary) -> None:
        """Who may see the diary: decided on the patient's own phone, once it is connected."""
        say = self.wording.say
        if Credentials(diary.database).tokens is None:
            connect = PushButton(kind="soft", icon="hospital-building", label=say("my_data.connect"))
            connect.bind(on_release=lambda _: self.frame.go("consent"))
            self.add_widget(connect)
        elif diary.is_carers:
            text = say("carers.this_phone", name=diary.patient_name)
            self.add_widget(Notice(text=text, tone="primary", icon="account-heart-outline"))
            self._lead_to(_WAYS_OF_CARER)
        else:
            self._lead_to(_WAYS)

    def _lead_to(self, ways: tuple[tuple[str, str], ...]) -> None:
        card = Card(spacing="4dp", padding=("14dp", "8dp"))
        for name, icon in ways:
            link = RowLink(icon=icon, label=self.wording.say(f"{name}.title"))
            link.bind(on_release=lambda _, name=name: self.frame.go(name))
            card.add_widget(link)
        self.add_widget(card)

    def _write_report(self) -> Path:
        # Pillow's drawing is loaded when a report is wanted, not with the app.
        from mobile_app.widgets.report_page import write_report

        file = self._export.report_file()
        write_report(self._export.report(), file, self.wording.say("my_data.footnote"))
        return file

    def _written(self, file: Path) -> None:
        place = self._shelf.put(file, _KINDS[file.suffix])
        self._where.text = self.wording.say("my_data.written", file=place)

    def _ask_once(self) -> None:
        self._delete.clear_widgets()
        say = self.wording.say
        self._delete.add_widget(Words(text=say("my_data.delete_title"), role="strong"))
        self._delete.add_widget(Words(text=say("my_data.delete_why"), tone="soft", role="label"))
        button = PushButton(kind="danger_soft", icon="trash-can-outline", label=say("my_data.delete"))
        button.bind(on_release=lambda _: self._ask_twice())
        self._delete.add_widget(button)

    def _ask_twice(self) -> None:
        self._delete.clear_widgets()
        say = self.wording.say
        self._delete.add_widget(Words(text=say("my_data.delete_sure"), role="strong"))
        sure = PushButton(kind="danger", label=say("my_data.delete_yes"))
        sure.bind(on_release=lambda _: self._delete_everything())
        keep = PushButton(kind="soft", label=say("common.cancel"))
        keep.bind(on_release=lambda _: self._ask_once())
        self._delete.add_widget(keep)
        self._delete.add_widget(sure)
