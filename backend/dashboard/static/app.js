"use strict";

// The session's CSRF token goes with each request that htmx sends; the server checks it on every one that writes.
document.addEventListener("htmx:configRequest", (event) => {
  const meta = document.querySelector('meta[name="csrf-token"]');
  event.detail.headers[meta.dataset.header] = meta.content;
});

// htmx swaps nothing in for an error: its sentence is said in the notice instead, and read out.
function say(text) {
  const notice = document.getElementById("notice");
  notice.textContent = text;
  window.clearTimeout(say.timer);
  say.timer = window.setTimeout(() => { notice.textContent = ""; }, 12000);
}
document.addEventListener("htmx:responseError", (event) => {
  const { status, responseText } = event.detail.xhr;
  if (status !== 401) say(responseText);
});
document.addEventListener("htmx:sendError", () => say(document.getElementById("notice").dataset.unreachable));

// Fields with problems come back as a page part with status 422, which htmx would throw away.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.getResponseHeader("X-Form-Problems")) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

// The account menu closes with Escape and with a click elsewhere.
document.addEventListener("keydown", (event) => {
  const menu = document.querySelector(".account[open]");
  if (event.key === "Escape" && menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  const menu = document.querySelector(".account[open]");
  if (menu && !menu.contains(event.target)) menu.open = false;
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});
