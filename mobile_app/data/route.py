"""Whether there is a way to the server at all, told without sending anything."""

import socket
from typing import Any
from urllib.parse import urlsplit


def has_route(address: str) -> bool:
    """Whether the system knows a way to the host of an address: false in flight mode, true with a dead server.

    A datagram socket that connects sends nothing; it only asks the routing table.
    """
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    return any(_connects(family, place) for family, _, _, _, place in found)


def _connects(family: socket.AddressFamily, place: tuple[Any, ...]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect(place)
    except OSError:
        return False
    return True
