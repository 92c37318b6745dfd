"""``soom:`` links on Android: the phone's camera reads a QR code and Android opens Soom with it."""

from typing import Any

from mobile_app.device.android import activity


class AndroidLinks:
    """Keeps the link of the last intent until it was asked for. One is made when the app starts."""

    def __init__(self) -> None:
        from android import activity as events  # type: ignore[import-not-found]

        self._link: str | None = _link_of(activity().getIntent())
        events.bind(on_new_intent=self._opened)

    def opened(self) -> str | None:
        """The link, once."""
        link, self._link = self._link, None
        return link

    def _opened(self, intent: Any) -> None:
        self._link = _link_of(intent) or self._link


def _link_of(intent: Any) -> str | None:
    link = intent.getDataString()
    return None if link is None else str(link)
