"""The machine Soom runs on, as app.py is given it."""

from dataclasses import dataclass, field

from mobile_app.device.absent import NobodyToAsk, NoLinks, OwnFolder
from mobile_app.device.ports import Alarms, Clock, KeyStore, Links, Notifier, Owner, Reliability, Shelf, Telephone


@dataclass(frozen=True, slots=True)
class Device:
    """The machine behind its ports. ``maker``: the manufacturer in lower case, whose settings differ. Without
    ``alarms`` Soom rings by itself while it runs."""

    clock: Clock
    keys: KeyStore
    telephone: Telephone
    reliability: Reliability
    platform: str
    name: str
    owner: Owner = field(default_factory=NobodyToAsk)
    links: Links = field(default_factory=NoLinks)
    maker: str = ""
    shelf: Shelf = field(default_factory=OwnFolder)
    alarms: Alarms | None = None
    notifier: Notifier | None = None
