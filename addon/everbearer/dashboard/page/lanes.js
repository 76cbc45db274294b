// The timeline as numbers: what is where, in pixels. Pure, and drawn by timeline.js.

import { clock, countdown, counted } from "/format.js";

/** What each kind of mark is called. */
export const KINDS = {
  renewed: "renewed",
  login: "logged in",
  rejected: "answered 401",
  replayed: "sent once more",
  failed: "renewal failed",
  revoked: "revoked",
};

const ENDS = {
  replaced: "replaced by another",
  revoked: "revoked",
  rejected: "refused with a 401",
};

/** The share of the width that is yet to come. */
const AHEAD = 0.12;
const STEPS = [60, 120, 300, 600, 1800, 3600, 7200, 10800];
const BETWEEN_LABELS = 84;
/** Pixels: marks that are nearer to each other are one with a number. */
const TOGETHER = 16;
/** Pixels that a mark needs, and each digit of a number beside it. */
const BESIDE = 13;
const DIGIT = 6.5;

/** Return a scale for the last `range` seconds before `now`, between two pixels. */
export function scaleOf(now, range, from, to) {
  const begin = now - range;
  const end = now + (range * AHEAD) / (1 - AHEAD);
  const perSecond = (to - from) / (end - begin);
  return { begin, end, from, to, perSecond, now, x: (at) => from + (at - begin) * perSecond };
}

/** Return the instants that the axis names: round ones of the local time. */
export function ticks({ begin, end, perSecond }) {
  const step = STEPS.find((each) => each * perSecond >= BETWEEN_LABELS) ?? STEPS.at(-1);
  const zone = new Date(begin * 1000).getTimezoneOffset() * 60;
  const found = [];
  for (let at = Math.ceil((begin - zone) / step) * step + zone; at <= end; at += step) {
    found.push(at);
  }
  return found;
}

/** Return what is to be seen of each token's life of one profile. */
export function livesOf(profile, lives, scale) {
  const clamp = (x) => Math.min(scale.to, Math.max(scale.from, x));
  return lives
    .filter((life) => life.profile === profile)
    .map((life) => {
      const last = life.ended_at ?? life.expires_at;
      const begun = life.issued_at ?? scale.begin;
      const staleAt = Math.min(last, Math.max(begun, life.stale_at));
      return {
        key: `life ${profile} ${life.token}`, token: life.token, at: begun, last, end: life.end,
        x: clamp(scale.x(begun)), stale: clamp(scale.x(staleAt)), to: clamp(scale.x(last)),
        ends: life.end !== "" && last >= scale.begin && last <= scale.end,
        words: lifeWords(life, begun, last, scale.now),
      };
    })
    .filter((life) => life.last > scale.begin && life.at < scale.end)
    .sort((one, other) => one.at - other.at);
}

function lifeWords(life, begun, last, now) {
  const words = [`token ${life.token}`];
  if (life.issued_at !== null) words.push(`issued ${clock(begun)}`);
  if (life.end) words.push(`${ENDS[life.end] ?? life.end} ${clock(last)}`);
  else if (last > now) words.push(`ends ${clock(last)}, ${countdown(last - now)} left`);
  else words.push(`ended ${clock(last)}`);
  return words.join(", ");
}

/**
 * Return the marks of one profile; those of a kind that lie together are one.
 *
 * They are put together by the time they have, not by where they are: what moves
 * on with the picture stays what it is.
 */
export function marksOf(profile, marks, scale) {
  const bin = TOGETHER / scale.perSecond;
  const groups = new Map();
  for (const mark of marks) {
    if (mark.profile !== profile || mark.at < scale.begin || mark.at > scale.end) continue;
    const key = `${mark.kind} ${profile} ${Math.floor(mark.at / bin)}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(mark);
  }
  return apart([...groups].map(([key, each]) => {
    each.sort((one, other) => one.at - other.at);
    const last = each.at(-1);
    return {
      key, kind: last.kind, count: each.length, at: last.at, x: scale.x(last.at),
      request: last.request ?? "", words: markWords(each),
    };
  }).sort((one, other) => one.at - other.at));
}

/** Put marks beside each other, not upon each other: the older ones give way. */
function apart(marks) {
  let free = Infinity;
  for (const mark of [...marks].reverse()) {
    const number = mark.count > 1 ? 3 + DIGIT * String(mark.count).length : 0;
    mark.x = Math.min(mark.x, free - number);
    free = mark.x - BESIDE;
  }
  return marks;
}

function markWords(marks) {
  const last = marks.at(-1);
  const kind = KINDS[last.kind] ?? last.kind;
  const told = last.words.startsWith(kind) ? last.words : `${kind}: ${last.words}`;
  if (marks.length === 1) return `${clock(last.at)} ${told}`;
  const from = clock(marks[0].at);
  return `${counted(marks.length, "time")} from ${from} to ${clock(last.at)}; the last: ${told}`;
}
