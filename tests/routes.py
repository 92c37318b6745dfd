"""Every route of the application, also those of included routers, which FastAPI keeps nested."""

from collections.abc import Iterable, Iterator

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute


def all_routes(app: FastAPI) -> list[APIRoute]:
    found = list(_flattened(app.routes))
    assert found, "no route was found: the way FastAPI nests routers has changed"
    return found


def _flattened(routes: Iterable[BaseRoute]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from _flattened(included.routes)
