"""What can be wrong with what another system sends."""

from backend.core.errors import SoomError


class NotUnderstood(Exception):
    """A resource that can't be taken: why, and the path of the element at fault."""

    def __init__(self, why: str, path: str) -> None:
        super().__init__(why)
        self.why = why
        self.path = path


class SearchRefused(SoomError):
    code = "search_refused"
    message = "This search is not understood."


class ImportRefused(SoomError):
    status = 422
    code = "import_refused"
    message = "Nothing was imported."
