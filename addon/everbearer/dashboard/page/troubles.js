// What is dead or failing, and what mends it.

import { byId, el, keyed, say, sign } from "/dom.js";
import { actionButton, resultPlace } from "/actions.js";
import { hinted } from "/copying.js";
import { counted, duration, moment, sentence } from "/format.js";

const WORDS = { login: "Log in", renew: "Renew now" };

export function showTroubles(state) {
  const list = byId("trouble-list");
  const title = byId("troubles-title");
  const profile = (name) => state.parts.profiles.find((each) => each.name === name)
    ?? { name, can: {} };

  function make(trouble) {
    const node = el("li", { class: "trouble" });
    node.append(
      sign(trouble.level),
      el("h3", { text: titled(trouble) }),
    );
    const since = trouble.since ? el("p", { class: "since" }) : null;
    if (since) node.append(since);
    const mend = el("div", { class: "mend" });
    const result = resultPlace();
    const button = WORDS[trouble.action];
    if (button) {
      mend.append(actionButton(
        trouble.action, button, "first", () => profile(trouble.profile), result));
    }
    const hint = hinted(trouble.hint, button ? "or run" : "run");
    if (hint) mend.append(hint);
    if (mend.childElementCount) node.append(mend);
    node.append(result);
    node.tick = () => {
      if (!since) return;
      const now = state.now();
      say(since, `since ${moment(trouble.since, now)}, for ${duration(now - trouble.since)}`);
    };
    return node;
  }

  let known = null;

  /** Read out what has gone wrong since the page was opened. */
  function announce(troubles) {
    const titles = troubles.map(titled);
    const [first] = titles.filter((title) => known && !known.includes(title));
    if (first) say(byId("said"), `something is wrong: ${first}`);
    known = titles;
  }

  function draw() {
    const { troubles, profiles } = state.parts;
    const wrong = troubles.length > 0;
    say(title, wrong ? "Something is wrong" : "Nothing is wrong");
    title.classList.toggle("unseen", !wrong);
    document.title = wrong ? `(${troubles.length}) everbearer` : "everbearer";
    const shown = wrong ? troubles : [null];
    keyed(list, shown, (each) => JSON.stringify({ ...each, since: 0 }),
      (each) => (each ? make(each) : el("li", { class: "well" })),
      (node, each) => {
        node.dataset.level = each?.level ?? "";
        if (!each) {
          const serving = profiles.length
            ? `: ${counted(profiles.length, "profile")}, nothing to do` : "";
          node.replaceChildren(sign("fresh"), el("span", { text: `Nothing is wrong${serving}` }));
        }
      });
    tick();
  }

  function tick() {
    for (const node of list.children) node.tick?.();
  }

  state.on("troubles", (troubles) => {
    announce(troubles);
    draw();
  });
  state.on("profiles", draw);
  return tick;
}

function titled({ profile, text }) {
  if (!profile) return sentence(text);
  return text.startsWith(`${profile}:`) ? text : `${profile}: ${text}`;
}
