// Each identity: what state its token is in, how long it lasts, what to do with it.

import { byId, el, keyed, say, set, sign } from "/dom.js";
import { actionButton, concluded, resultPlace } from "/actions.js";
import { clock, countdown, counted, day, duration, moment, sentence } from "/format.js";

const STATES = {
  fresh: "fresh",
  stale: "stale",
  expired: "expired",
  dead: "dead",
  none: "no token",
};

/** The code of a trouble for which a person has to log in again. */
const REFUSED = "reauthorize";

export function showProfiles(state) {
  const list = byId("profile-list");

  function make(first) {
    const card = new Card(first, state);
    card.node.card = card;
    return card.node;
  }

  state.on("profiles", (profiles) => {
    byId("no-profiles").hidden = profiles.length > 0;
    keyed(list, profiles, (each) => each.name, make, (node, each) => node.card.show(each));
  });
  return () => {
    for (const node of list.children) node.card.tick();
  };
}

class Card {
  constructor(first, state) {
    this.state = state;
    this.profile = first;
    const id = `profile-${first.name}`;
    this.badge = el("span", { class: "badge", text: "default" });
    this.pill = el("span", { class: "state" });
    this.left = el("p", { class: "left" });
    this.rest = el("i");
    this.stale = el("b");
    this.meter = el("div", {
      class: "meter", role: "meter", "aria-label": `time left of ${first.name}'s token`,
      "aria-valuemin": 0, "aria-valuemax": 100,
    }, this.rest, this.stale);
    this.moments = el("p", { class: "moments" });
    this.facts = el("dl", { class: "facts" });
    this.notices = el("div");
    this.result = resultPlace();
    const button = (action, words, kind = "") =>
      actionButton(action, words, kind, () => this.profile, this.result);
    this.buttons = {
      renew: button("renew", "Renew now"),
      login: button("login", "Log in"),
      revoke: button("revoke", "Revoke …", "harm"),
    };
    for (const [action, node] of Object.entries(this.buttons)) {
      node.setAttribute("aria-label", `${BUTTONS[action]} ${first.name}`);
    }
    this.node = el("article", { class: "card", "aria-labelledby": id },
      el("header", {}, el("h3", { id, text: first.name }), this.badge, this.pill),
      this.left, this.meter, this.moments, this.facts, this.notices,
      el("div", { class: "actions" }, ...Object.values(this.buttons), this.result));
  }

  show(profile) {
    this.profile = profile;
    concluded(this.result, profile.last, this.state.offset);
    this.badge.hidden = !profile.is_default;
    // Where there is nothing yet there is nothing to revoke.
    const bare = profile.state === "none" && !profile.can.login;
    for (const [action, node] of Object.entries(this.buttons)) {
      node.hidden = !profile.can[action] || (action === "revoke" && bare);
    }
    this.buttons.login.classList.toggle("first", profile.trouble?.code === REFUSED);
    this.tick();
    const told = JSON.stringify([profile.trouble, profile.notices]);
    if (told === this.told) return;
    this.told = told;
    const trouble = profile.trouble ? [profile.trouble] : [];
    this.notices.replaceChildren(
      ...trouble.map((each) => notice("notice bad", each)),
      ...profile.notices.map((each) => notice("notice", each)));
  }

  /** Show what the time changes. */
  tick() {
    const { profile } = this;
    const now = this.state.now();
    const kind = aged(profile, now);
    // No token, and none to be had: as bad as one that is refused.
    const look = isStuck(profile, kind) ? "dead" : kind;
    if (this.shown !== `${kind} ${look}`) {
      this.shown = `${kind} ${look}`;
      this.node.dataset.state = look;
      this.pill.replaceChildren(sign(look), STATES[kind] ?? kind);
    }
    const has = profile.expires_at !== null && kind !== "none";
    const left = has ? profile.expires_at - now : 0;
    say(this.left, leftWords(profile, kind, has, left));
    this.left.classList.toggle("none", !has || kind === "dead" || left <= 0);
    this.meter.hidden = !has && kind !== "none" && kind !== "dead";
    this.drawMeter(has && kind !== "dead", left);
    say(this.moments, momentWords(profile, kind, has, now));
    this.drawFacts(now);
  }

  drawMeter(has, left) {
    const { issued_at: issued, stale_at: stale, expires_at: ends } = this.profile;
    const whole = issued === null ? 0 : ends - issued;
    const share = has && whole > 0 ? Math.min(1, Math.max(0, left / whole)) : 0;
    this.rest.style.setProperty("width", `${(100 * share).toFixed(2)}%`);
    this.stale.hidden = !has || stale === null || whole <= 0;
    if (!this.stale.hidden) {
      const at = Math.min(1, Math.max(0, (ends - stale) / whole));
      this.stale.style.setProperty("left", `${(100 * at).toFixed(2)}%`);
    }
    set(this.meter, {
      "aria-valuenow": Math.round(100 * share), "aria-valuetext": this.left.textContent,
    });
  }

  drawFacts(now) {
    const rows = facts(this.profile, now);
    keyed(this.facts, rows.flatMap(([name, words, bad]) => [
      { tag: "dt", key: `dt ${name}`, words: name },
      { tag: "dd", key: `dd ${name}`, words, bad },
    ]), (each) => each.key, (each) => el(each.tag), (node, each) => {
      say(node, each.words);
      node.classList.toggle("bad", Boolean(each.bad));
      node.classList.toggle("mono", ["dd grant", "dd token"].includes(each.key));
    });
  }
}

const BUTTONS = { renew: "Renew now:", login: "Log in:", revoke: "Revoke the tokens of" };

/** The state as it has become since the server told it. */
function aged(profile, now) {
  if (profile.state === "fresh" && profile.stale_at !== null && now >= profile.stale_at) {
    return aged({ ...profile, state: "stale" }, now);
  }
  if (profile.state === "stale" && profile.expired_at !== null && now >= profile.expired_at) {
    return "expired";
  }
  return profile.state;
}

/** Whether requests of it are refused until something is mended. */
function isStuck({ trouble }, kind) {
  return Boolean(trouble) && ["none", "expired", "dead"].includes(kind);
}

function leftWords(profile, kind, has, left) {
  if (kind === "dead") return "The server refuses this token";
  if (kind === "none") return profile.trouble ? "No token" : "No token yet";
  if (!has) return "Nobody knows when it ends";
  return left > 0 ? `${countdown(left)} left` : "It has ended";
}

function momentWords(profile, kind, has, now) {
  if (isStuck(profile, kind)) return "What mends it stands at the top of the page.";
  if (kind === "none") return "The first request that needs one obtains it.";
  if (kind === "dead" && profile.can.renew) return "The next request renews it before it is sent.";
  if (!profile.can.renew && !has) return "Nobody renews it: another one comes by hand.";
  if (!has || kind === "dead") return "";
  if (kind === "expired") return "The next request renews it before it is sent.";
  const renewed = profile.stale_at !== null && now < profile.stale_at && profile.can.renew;
  return [
    renewed ? `renewed from ${clock(profile.stale_at)}` : "",
    kind === "stale" && profile.can.renew ? "to be renewed now" : "",
    `ends at ${moment(profile.expires_at, now)}`,
  ].filter(Boolean).join(" · ");
}

function facts(profile, now) {
  const rows = [["grant", profile.grant]];
  if (profile.subject) rows.push(["acts for", profile.subject]);
  if (profile.token) rows.push(["token", profile.token]);
  if (profile.refresh_ends_at !== null) {
    const left = profile.refresh_ends_at - now;
    const ends = day(profile.refresh_ends_at);
    const isRefused = profile.trouble?.code === REFUSED;
    const open = left > 0 ? `until ${ends}, ${duration(left)} more` : `ended ${ends}`;
    const isBad = isRefused || Boolean(profile.refresh_hint) || left <= 0;
    rows.push(["refresh token", isRefused ? "refused by the server" : open, isBad]);
  }
  const { last } = profile;
  if (last) {
    const ago = duration(now - last.at);
    const isTold = last.outcome === "failed" && profile.trouble;
    const words = isTold ? "failed" : last.words || last.outcome;
    rows.push(["last renewal", `${ago} ago: ${words}`, last.outcome === "failed"]);
  } else if (profile.renewed_at !== null) {
    rows.push(["last renewal", `${duration(now - profile.renewed_at)} ago`]);
  }
  rows.push(["served", counted(profile.served, "request")]);
  return rows;
}

/** What it is; what to do about it is told at the top, once. */
function notice(kind, { message }) {
  return el("p", { class: kind, text: sentence(message) });
}
