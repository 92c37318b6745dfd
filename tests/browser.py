"""A real server in a thread and Debian's Chromium, for journeys through the dashboard."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

CHROMIUM = "/usr/bin/chromium"
# Chromium asks its maker for updates and experiments unless told not to; the tests reach loopback only.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]

# What a reader gets who has set the browser's text size to 200 %.
AT_DOUBLE_TEXT = "--blink-settings=defaultFontSize=32"

REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI} at ${event.sourceFile}`);
});
"""


class ServerDidNotStart(Exception):
    pass


@contextmanager
def serving(app: FastAPI, port: int = 0) -> Iterator[str]:
    """The address of `app`, served by uvicorn on `port`, or a free one, of loopback until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    tick = threading.Event()
    for _ in range(1000):
        if server.started:
            break
        if not thread.is_alive():
            raise ServerDidNotStart
        tick.wait(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


def launch(playwright: Playwright, *more: str) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *more])


@dataclass
class Watched:
    """A page whose console errors, violations of the Content-Security-Policy and failed requests are kept."""

    page: Page
    problems: list[str] = field(default_factory=list)


def watched(context: BrowserContext) -> Watched:
    context.add_init_script(REPORT_VIOLATIONS)
    made = Watched(context.new_page())

    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            made.problems.append(message.text)

    made.page.on("console", on_console)
    made.page.on("pageerror", lambda error: made.problems.append(f"page error: {error}"))
    made.page.on("requestfailed", lambda request: made.problems.append(f"failed: {request.url} {request.failure}"))
    return made
