// The last requests, newest first: drawn once each, found by what is typed.

import { byId, el, say } from "/dom.js";
import { copyable } from "/copying.js";
import { clock, counted, took } from "/format.js";
import { firstTry } from "/setup.js";
import { MOST } from "/state.js";

const COLUMNS = [
  ["time", "Time"], ["client", "Client"], ["method", "Method"], ["where", "Host and path"],
  ["profile", "Profile"], ["verdict", "Verdict and reason"], ["status", "Status"],
  ["replay", "Replay"], ["ms", "Took"],
];

/** Rows that PageUp and PageDown go at once. */
const PAGE = 15;

/** Show the requests; `open(id)` is called with the one that is chosen. */
export function showRequests(state, open) {
  const body = el("tbody", { role: "rowgroup" });
  const table = el("table", { class: "requests", role: "table", "aria-labelledby": "requests-title" },
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" },
      ...COLUMNS.map(([name, words]) =>
        el("th", { role: "columnheader", scope: "col", class: name, text: words })))),
    body);
  const scroller = el("div", { class: "scroller" }, table);
  const none = el("div", { class: "empty", hidden: true });
  byId("request-list").append(scroller, none);
  const filter = byId("filter");
  let wanted = [];

  state.on("requests", (rows, added) => {
    if (added) body.prepend(...added.map(makeRow));
    else body.replaceChildren(...rows.map(makeRow));
    while (body.childElementCount > MOST) body.lastElementChild.remove();
    count();
  });
  state.on("setup", count);

  filter.addEventListener("input", () => {
    wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of body.children) row.hidden = !matches(row);
    count();
  });

  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    // Who marks text does not ask for an explanation.
    if (!row || !getSelection().isCollapsed) return;
    rest(row);
    row.opener.focus();
    open(row.dataset.id);
  });
  body.addEventListener("focusin", (event) => rest(event.target.closest("tr")));
  body.addEventListener("keydown", (event) => {
    const shown = [...body.querySelectorAll("tr:not([hidden])")];
    const place = shown.indexOf(event.target.closest("tr"));
    const to = {
      ArrowDown: place + 1, ArrowUp: place - 1, PageDown: place + PAGE, PageUp: place - PAGE,
      Home: 0, End: shown.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    shown[Math.min(shown.length - 1, Math.max(0, to))]?.opener.focus();
  });

  const matches = (row) => wanted.every((word) => row.words.includes(word));

  function makeRow(row) {
    const node = drawn(row);
    node.hidden = !matches(node);
    return node;
  }

  /** Tab stops at one row; the arrow keys go on from there. */
  function rest(row) {
    for (const other of body.querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
    if (row) row.opener.tabIndex = 0;
  }

  function count() {
    const all = body.childElementCount;
    const shown = wanted.length ? body.querySelectorAll("tr:not([hidden])").length : all;
    say(byId("count"), wanted.length ? `${shown} of ${counted(all, "request")}`
      : all ? counted(all, "request") : "");
    if (!body.querySelector("tr:not([hidden]) [tabindex='0']")) {
      rest(body.querySelector("tr:not([hidden])"));
    }
    scroller.hidden = shown === 0;
    none.hidden = shown > 0;
    if (shown === 0) none.replaceChildren(...nothing(all, state.parts.setup));
  }
}

function nothing(all, setup) {
  if (all) {
    return [el("p", { text: "No request of the last ones has all these words. Every column"
      + " is searched: try a status, a profile, a part of a path." })];
  }
  const line = firstTry(setup);
  return [
    el("p", { text: line ? "No request yet. Try this one:"
      : "No request yet. The first that comes by the proxy is shown here at once." }),
    line ? copyable(line, "the request to try") : null,
  ].filter(Boolean);
}

function drawn(row) {
  const path = el("span", { class: "path", text: row.path });
  const opener = el("button", { type: "button", class: "open", tabindex: -1 },
    el("span", { class: "unseen", text: `Explain ${row.method} ` }),
    el("span", { class: "host", text: row.host }), path);
  const cells = {
    time: [clock(row.at)],
    client: [row.user ? `${row.user} ${row.client}` : row.client],
    method: [row.method],
    where: [opener],
    profile: [row.profile || "–"],
    verdict: [el("span", { class: "word", text: row.verdict }),
      el("span", { class: "reason", text: row.reason || row.code })],
    status: [row.status ? String(row.status) : "closed"],
    replay: [row.replayed ? "replayed" : ""],
    ms: [took(row.ms)],
  };
  const node = el("tr", {
    role: "row",
    data: { id: row.id, verdict: row.verdict, status: String(row.status).slice(0, 1) },
  }, ...COLUMNS.map(([name]) => el("td", { role: "cell", class: name }, ...cells[name])));
  node.opener = opener;
  node.words = [...COLUMNS.map(([name]) => cells[name]), row.code, row.rule, row.token]
    .flat().map((part) => part?.textContent ?? part).join(" ").toLowerCase();
  return node;
}
