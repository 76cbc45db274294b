// Why one request went as it did: the decision, the 401, the renewal, the replay.

import { byId, el } from "/dom.js";
import { hinted } from "/copying.js";
import { clock, moment, sentence, took } from "/format.js";

const VERDICTS = {
  inject: (row) => `It was sent with a token of ${row.profile}`,
  pass: () => "It was sent as it came, without a token",
  refuse: () => "It was refused and not sent",
};

const outcome = (status) => (status >= 200 && status < 400 ? "good" : "bad");

/** Return `open(id)`, which shows the explanation of a request in a dialog. */
export function explaining(state) {
  const dialog = byId("explanation");
  let asked = "";
  dialog.addEventListener("click", (event) => {
    // What is beside it is it as well: only where it lies tells them apart.
    const beside = event.clientX < dialog.getBoundingClientRect().left;
    if (event.target === dialog && beside) dialog.close();
  });

  return async (id) => {
    asked = id;
    const row = state.parts.requests.find((each) => each.id === id);
    fill(dialog, head(row, state.now()), el("p", { class: "soft", text: "one moment …" }));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    const [story, trouble] = await fetched(id);
    // A person may have asked for another one meanwhile.
    if (asked !== id || !dialog.open) return;
    if (trouble) fill(dialog, head(row, state.now()), ...trouble);
    else fill(dialog, head(story.request, state.now()), ...told(story));
  };
}

async function fetched(id) {
  try {
    const answer = await fetch(`/api/requests/${encodeURIComponent(id)}`, { cache: "no-store" });
    if (answer.ok) return [await answer.json(), null];
    if (answer.status === 403) {
      const over = el("p", { text: "This session has ended." });
      return [null, [over, hinted("run: everbearer dashboard")]];
    }
    return [null, [el("p", {
      text: "This request is not kept any more: the last 1,000 are. The audit log has all of them.",
    })]];
  } catch {
    return [null, [el("p", { text: "everbearer did not answer. See whether it runs." })]];
  }
}

function fill(dialog, header, ...content) {
  const had = dialog.contains(document.activeElement);
  dialog.replaceChildren(header, el("div", { class: "body" }, ...content));
  if (had) dialog.querySelector("button").focus();
}

function head(row, now) {
  const close = el("button", { type: "button", text: "Close" });
  close.addEventListener("click", () => byId("explanation").close());
  const words = row
    ? [el("h2", { id: "explanation-title" },
      el("span", { class: "mono", text: `${row.method} ${row.host}${row.path}` })),
    el("p", { text: [
      moment(row.at, now), row.user ? `${row.user} at ${row.client}` : row.client, took(row.ms),
    ].filter(Boolean).join(" · ") })]
    : [el("h2", { id: "explanation-title", text: "A request" })];
  return el("header", {}, el("div", {}, ...words), close);
}

function told(story) {
  const { request: row, steps, hint, note } = story;
  const verdict = VERDICTS[row.verdict]?.(row) ?? row.verdict;
  const parts = [el("p", { class: "summary" },
    el("strong", { text: `${verdict}: ` }), `${row.reason || row.code}.`)];
  if (row.rule) {
    const rule = el("strong", { text: row.rule });
    parts.push(el("p", { class: "soft" }, "The rule that matched: ", rule));
  }
  if (note) parts.push(el("p", { class: "soft", text: sentence(note) }));
  if (hint) parts.push(el("h3", { text: "What to do" }), hinted(hint));
  parts.push(el("h3", { text: "What happened" }), list(happened(story)));
  if (steps.length) {
    parts.push(el("h3", { text: "The decision, step by step" }),
      list(steps.map((step) => [sentence(step.stage), step.words, step.last ? "last" : ""])));
  }
  return parts;
}

/** The story after the decision: [what, in words, kind, more] each. */
function happened({ request: row, challenge, rejected, renewal, failure, replay }) {
  const found = [];
  const begun = row.at - row.ms / 1000 - 1;
  const isFirst = renewal && renewal.cause !== "rejected" && renewal.at >= begun;
  if (isFirst) found.push(renewed(renewal));
  else if (row.token && !rejected) found.push(carried(row, renewal));
  if (rejected || challenge) {
    found.push([`401 for token ${rejected || "?"}`,
      challenge || "the server did not say what is wrong", "bad"]);
  }
  if (rejected && renewal && !isFirst) found.push(renewed(renewal));
  if (failure) {
    found.push([`${clock(failure.at)} No new token`, `${failure.message} (${failure.code})`, "bad",
      hinted(failure.hint)]);
  }
  if (replay) {
    const why = replay.learned ? "with what the server had told" : "with the new token";
    found.push([`Sent once more, ${why}`,
      `answered ${replay.status || "nothing"} in ${took(replay.ms)}`, outcome(replay.status)]);
  }
  const got = row.status ? `got ${row.status}` : "got no answer: the connection was closed";
  const how = row.replayed ? ", the answer to the second attempt" : "";
  const whole = `${got}${how}, after ${took(row.ms)}`;
  found.push(["The client", whole, `last ${outcome(row.status)}`]);
  return found;
}

function carried({ token, profile }, renewal) {
  const since = renewal ? `, obtained ${clock(renewal.at)}: ${renewal.words}` : "";
  return [`It carried a token of ${profile}`, `${token}${since}`];
}

function renewed({ at, ms, token, words }) {
  return [`${clock(at)} Renewed in ${took(ms)}`, `token ${token}: ${words}`, "good"];
}

function list(items) {
  return el("ol", { class: "story" }, ...items.map(([what, words, kind, more]) =>
    el("li", { class: kind || null }, el("span", { class: "stage", text: what }), words, more)));
}
