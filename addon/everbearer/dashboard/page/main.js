// The page, put together: what is known (state), where it comes from (feed), who shows it.

import { byId, el, say } from "/dom.js";
import { copyable, quoted } from "/copying.js";
import { explaining } from "/explanation.js";
import { follow } from "/feed.js";
import { day, moment } from "/format.js";
import { showProfiles } from "/profiles.js";
import { showRequests } from "/requests.js";
import { showSetup } from "/setup.js";
import { State } from "/state.js";
import { showTimeline } from "/timeline.js";
import { showTroubles } from "/troubles.js";

const SECOND = 1000;
/** How often what the time changes is drawn; the picture moves by a pixel in seconds. */
const PICTURE = 5 * SECOND;

const state = new State();
const explain = explaining(state);
const ticking = [showTroubles(state), showProfiles(state)];
const drawPicture = showTimeline(state, explain);
showRequests(state, explain);
showSetup(state);

state.on("instance", ({ version, source, started, workers, not_the_real_box: unreal }) => {
  const all = workers > 1 ? `, ${workers} workers` : "";
  say(byId("instance"),
    `everbearer ${version}, since ${day(started)}, ${moment(started, started)}${all} · ${source}`);
  byId("unreal").hidden = !unreal;
  say(byId("unreal"), unreal);
});

const connect = follow(state, (link) => {
  byId("link").dataset.link = link;
  document.body.dataset.link = link;
  say(byId("link"), LINKS[link]);
  const lost = byId("lost");
  lost.hidden = link === "live";
  if (lost.dataset.link === link) return;
  lost.dataset.link = link;
  lost.replaceChildren(...(LOST[link]?.() ?? []));
});

const LINKS = { live: "live", lost: "connection lost", ended: "session ended" };
const LOST = {
  lost: () => [el("p", {
    text: "The connection to everbearer is lost: what you see is how it was. It is tried again"
      + " by itself; see whether everbearer still runs.",
  })],
  ended: () => [
    el("p", { text: "This session has ended: what you see is how it was. To go on, run:" }),
    copyable(opening()),
    el("button", { type: "button", text: "Try again", on: { click: () => connect() } }),
  ],
};

/** The command that opens another session, of this very instance where it is known. */
function opening() {
  const { instance } = state.parts;
  return instance ? `everbearer dashboard -c ${quoted(instance.source)}` : "everbearer dashboard";
}

setInterval(() => {
  if (!document.hidden) for (const tick of ticking) tick();
}, SECOND);
setInterval(() => {
  if (!document.hidden) drawPicture();
}, PICTURE);
