// What a tool needs to come by this proxy, to be copied.

import { byId, el } from "/dom.js";
import { copyable } from "/copying.js";

export function showSetup(state) {
  let told = "";
  state.on("setup", (parts) => {
    if (JSON.stringify(parts) === told) return;
    told = JSON.stringify(parts);
    byId("setup-list").replaceChildren(...parts.map((part) => el("article", {},
      el("h3", { text: part.title }),
      part.text ? el("p", { text: part.text }) : null,
      ...part.lines.map((line, place) => copyable(line, called(part, place))))));
  });
}

/** What the line is called where only its button is read out. */
function called({ title, lines }, place) {
  return lines.length > 1 ? `line ${place + 1} of ${title}` : `line of ${title}`;
}

/** Return a line to try at first: the first that asks something by curl. */
export function firstTry(parts) {
  const lines = parts.flatMap((part) => part.lines);
  return lines.find((line) => /^curl .*https?:/.test(line)) ?? lines.at(-1) ?? "";
}
