// What a person can have done: renew, log in, revoke; and what came of it.

import { byId, el } from "/dom.js";
import { hinted } from "/copying.js";

const PERSON = "After that nobody can use them, and a person has to log in again.";
const BY_ITSELF = "After that nobody can use them. The next request obtains a new token:"
  + " to end that too, remove the profile from the configuration.";

/** Return a button for that action; `profileNow()` is the profile as it is known. */
export function actionButton(action, words, kind, profileNow, result) {
  const button = el("button", { type: "button", class: kind, text: words });
  button.addEventListener("click", async () => {
    // Not `disabled`: a button that is loses the focus.
    if (button.getAttribute("aria-disabled") === "true") return;
    const profile = profileNow();
    if (action === "revoke" && !(await agreed(profile))) return;
    button.setAttribute("aria-disabled", "true");
    result.dataset.ok = "";
    result.replaceChildren(el("span", { class: "soft", text: "one moment …" }));
    show(result, await asked(profile.name, action));
    button.removeAttribute("aria-disabled");
  });
  return button;
}

async function asked(name, action) {
  try {
    const answer = await fetch(`/api/profiles/${encodeURIComponent(name)}/${action}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Everbearer-Dashboard": "1" },
      body: "{}",
    });
    if (answer.status === 403) {
      return { ok: false, words: "this session has ended", hint: "run: everbearer dashboard" };
    }
    if (answer.status === 404) return { ok: false, words: "there is no such profile any more" };
    return await answer.json();
  } catch {
    return { ok: false, words: "everbearer did not answer", hint: "see whether it runs" };
  }
}

function show(result, { ok, words, hint, url }) {
  result.dataset.ok = String(ok);
  result.replaceChildren(el("p", { text: `${ok ? "✓" : "✗"} ${words}` }));
  delete result.dataset.waits;
  if (ok && isAddress(url)) {
    result.dataset.waits = String(Date.now() / 1000);
    // The page that is opened learns nothing of this one.
    window.open(url, "_blank", "noopener,noreferrer");
    result.append(el("a", {
      href: url, target: "_blank", rel: "noopener noreferrer",
      text: "If no page opened, open it here",
    }));
  }
  if (!ok && hint) result.append(hinted(hint));
}

/** Where a login was begun: tell what came of it, once that is known. */
export function concluded(result, last, offset) {
  const begun = Number(result.dataset.waits);
  if (!begun || !last || last.cause !== "login" || last.at < begun + offset) return;
  show(result, { ok: last.outcome === "renewed", words: last.words });
}

function isAddress(url) {
  return URL.canParse(url ?? "") && ["https:", "http:"].includes(new URL(url).protocol);
}

function agreed(profile) {
  const dialog = byId("asking");
  const close = (answer) => () => dialog.close(answer);
  dialog.replaceChildren(
    el("h2", { id: "asking-title", text: `Revoke the tokens of ${profile.name}?` }),
    el("p", { text: "The server ends them, and they are deleted here." }),
    el("p", { text: profile.can.login ? PERSON : BY_ITSELF }),
    el("div", { class: "actions" },
      el("button", { type: "button", text: "Keep them", on: { click: close("") } }),
      el("button", {
        type: "button", class: "harm first", text: "Revoke", on: { click: close("yes") },
      })),
  );
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
  });
}

/** Return the place where the result of an action is told. */
export const resultPlace = () => el("div", { class: "result", role: "status" });
