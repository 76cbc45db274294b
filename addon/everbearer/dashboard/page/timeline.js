// The lives of tokens as a picture that can be pointed at, walked by keys, and read.

import { byId, el, keyed, say, set, svg } from "/dom.js";
import { hourAndMinute } from "/format.js";
import { KINDS, livesOf, marksOf, scaleOf, ticks } from "/lanes.js";
import { Walk } from "/walk.js";

const AXIS = 26;
const LANE = 64;
const BAR = { top: 12, height: 18 };
const MARK = 46;
/** Pixels: below this width a lane has its name above it. */
const NARROW = 560;
const GUTTER = 116;
/** Lines of the list that tells the same in words. */
const MOST = 300;

const SHAPES = {
  renewed: "M0-5a5 5 0 1 1 0 10A5 5 0 0 1 0-5Z",
  login: "M0-6.500 6.500 5h-13Z",
  rejected: "M0-7 7 0 0 7-7 0Z",
  replayed: "M0-6a6 6 0 1 1 0 12A6 6 0 0 1 0-6ZM0-3a3 3 0 1 0 0 6A3 3 0 0 0 0-3Z",
  failed: "M-6-3.500-3.500-6 0-2.500 3.500-6 6-3.500 2.500 0 6 3.500 3.500 6 0 2.500-3.500 6-6 3.500-2.500 0Z",
  revoked: "M-5-5H5V5H-5Z",
};

/** Draw the timeline; `open(id)` is called with the request of a mark. */
export function showTimeline(state, open) {
  const place = byId("picture");
  const tip = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const empty = el("div", { class: "empty", hidden: true },
    el("p", { text: "No token has been issued in this time. The life of each one is drawn here,"
      + " with every 401, replay and renewal." }));
  const axis = svg("g", { class: "axis", "aria-hidden": "true" });
  const lanes = svg("g");
  const nowLine = svg("line", { class: "now", "aria-hidden": "true" });
  const picture = svg("svg", {
    role: "group", "aria-labelledby": "timeline-title", "aria-describedby": "timeline-help",
  }, hatch(), axis, lanes, nowLine);
  place.append(picture, tip, empty);
  const walk = new Walk(picture, (node) => (node ? point(node) : unpoint()), (node) => {
    if (node.item.request) open(node.item.request);
  });
  let range = Number(byId("ranges").querySelector(":checked").value);
  legend();

  byId("ranges").addEventListener("change", (event) => {
    range = Number(event.target.value);
    draw();
  });
  byId("told").addEventListener("toggle", () => tell());
  new ResizeObserver(() => draw()).observe(place);
  state.on("instance", once(({ started }) => {
    // Of an instance that has just begun an hour would be an empty picture.
    const [shortest] = byId("ranges").querySelectorAll("input");
    if (state.now() - started < Number(shortest.value)) shortest.click();
  }));
  state.on("lives", draw);
  state.on("profiles", draw);

  function draw() {
    const { lives: { lives, marks }, profiles } = state.parts;
    const width = place.clientWidth;
    if (!width) return;
    const narrow = width < NARROW;
    const head = narrow ? 22 : 0;
    const scale = scaleOf(state.now(), range, narrow ? 4 : GUTTER, width - 8);
    const names = namesOf(profiles, lives, marks);
    const height = AXIS + names.length * (LANE + head);
    const rows = names.map((name, index) => ({
      name, top: AXIS + index * (LANE + head), head, scale,
      lives: livesOf(name, lives, scale), marks: marksOf(name, marks, scale),
    }));
    const shown = rows.reduce((sum, row) => sum + row.lives.length + row.marks.length, 0);
    empty.hidden = shown > 0;
    set(picture, { viewBox: `0 0 ${width} ${height}`, height, hidden: shown === 0 });
    keyed(axis, ticks(scale), String, tick, (node, at) => {
      set(node, { transform: `translate(${scale.x(at).toFixed(1)} 0)` });
      set(node.lastChild, { y2: height });
    });
    keyed(lanes, rows, (row) => row.name, makeLane, (node, row) => drawLane(node, row, width));
    const x = scale.x(scale.now).toFixed(1);
    set(nowLine, { x1: x, x2: x, y1: AXIS - 6, y2: height });
    walk.settle();
    tell(rows);
  }

  function makeLane(row) {
    return svg("g", { role: "group", "aria-label": row.name },
      svg("line", { class: "lane", "aria-hidden": "true" }),
      svg("text", { class: "name", "aria-hidden": "true", text: row.name }),
      svg("g"), svg("rect", { class: "ahead", "aria-hidden": "true" }), svg("g"));
  }

  function drawLane(node, row, width) {
    const [line, name, lives, ahead, marks] = node.children;
    const x = row.scale.x(row.scale.now);
    set(node, { transform: `translate(0 ${row.top})` });
    set(line, { x1: 0, x2: width, y1: 0, y2: 0 });
    set(name, { x: row.head ? 4 : 0, y: row.head ? 18 : BAR.top + 13 });
    set(ahead, { x, y: row.head + 1, width: Math.max(0, width - x), height: LANE - 2 });
    clip(name, row.name, row.head ? width - 8 : GUTTER - 12);
    const context = { row, top: row.head };
    keyed(lives, row.lives, (life) => life.key, makeLife, (g, life) => drawLife(g, life, context));
    keyed(marks, row.marks, (mark) => mark.key, makeMark, (g, mark) => drawMark(g, mark, context));
  }

  function point(node) {
    const { item, lane } = node;
    tip.replaceChildren(el("strong", { text: lane }), ` ${item.words}`);
    tip.hidden = false;
    const frame = place.getBoundingClientRect();
    const at = node.getBoundingClientRect();
    const middle = Math.max(at.left, frame.left) + Math.min(at.width, frame.width) / 2 - frame.left;
    const left = Math.min(Math.max(0, middle - tip.offsetWidth / 2), frame.width - tip.offsetWidth);
    tip.style.setProperty("left", `${Math.max(0, left)}px`);
    tip.style.setProperty("top", `${at.bottom - frame.top + 6}px`);
  }

  function unpoint() {
    tip.hidden = true;
  }

  function tell(rows = null) {
    if (!byId("told").open) return;
    if (!rows) {
      draw();
      return;
    }
    const found = rows.flatMap((row) => [
      ...row.lives.map((life) => ({ ...life, lane: row.name })),
      ...row.marks.map((mark) => ({ ...mark, lane: row.name })),
    ]).sort((one, other) => other.at - one.at).slice(0, MOST);
    keyed(byId("told-list"), found, (item) => item.key,
      () => el("p", {}, el("strong"), el("span")),
      (node, item) => {
        say(node.firstChild, item.lane);
        say(node.lastChild, ` ${item.words}`);
      });
    byId("told-list").dataset.empty = String(found.length === 0);
  }

  return draw;
}

function once(listen) {
  let done = false;
  return (value) => {
    if (!done) listen(value);
    done = true;
  };
}

function namesOf(profiles, lives, marks) {
  const names = profiles.map((profile) => profile.name);
  for (const { profile } of [...lives, ...marks]) {
    if (profile && !names.includes(profile)) names.push(profile);
  }
  return names;
}

function hatch() {
  return svg("defs", {}, svg("pattern", {
    id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse",
    patternTransform: "rotate(45)",
  }, svg("rect", { width: 6, height: 6, class: "hatch-ground" }),
  svg("rect", { width: 2.5, height: 6, class: "hatch-line" })));
}

function tick(at) {
  return svg("g", {},
    svg("text", { y: 14, "text-anchor": "middle", text: hourAndMinute(at) }),
    svg("line", { y1: 20 }));
}

function clip(node, whole, width) {
  say(node, whole);
  for (let kept = whole.length - 1; kept > 0 && node.getComputedTextLength() > width; kept -= 1) {
    node.textContent = `${whole.slice(0, kept)}…`;
  }
}

function makeLife() {
  return svg("g", { class: "life", role: "img", tabindex: -1 },
    svg("rect", { class: "fresh" }), svg("rect", { class: "stale", fill: "url(#hatch)" }),
    svg("rect", { class: "frame" }), svg("path", { class: "end" }));
}

function drawLife(node, life, { row, top }) {
  const y = top + BAR.top;
  const whole = Math.max(2, life.to - life.x - 1.5);
  const [fresh, stale, frame, end] = node.children;
  node.item = life;
  node.lane = row.name;
  const part = (from, to) =>
    ({ x: from.toFixed(1), width: Math.max(0, to - from).toFixed(1), y, height: BAR.height });
  set(node, { "aria-label": `${row.name}, ${life.words}` });
  set(fresh, part(life.x, Math.min(life.stale, life.x + whole)));
  set(stale, part(life.stale, life.x + whole));
  set(frame, { ...part(life.x, life.x + whole), rx: 3 });
  const x = life.x + whole;
  set(end, {
    d: life.ends ? `M${x.toFixed(1)} ${y - 4}v${BAR.height + 8}` : null, "data-end": life.end,
  });
}

function makeMark(mark) {
  return svg("g", { class: "mark", tabindex: -1, "data-kind": mark.kind },
    svg("rect", { class: "reach", x: -12, y: -12, width: 24, height: 24 }),
    svg("path", { d: SHAPES[mark.kind] ?? SHAPES.renewed, "fill-rule": "evenodd" }),
    svg("text", { x: 8, y: 4 }));
}

function drawMark(node, mark, { row, top }) {
  node.item = mark;
  node.lane = row.name;
  set(node, {
    transform: `translate(${mark.x.toFixed(1)} ${top + MARK})`,
    role: mark.request ? "button" : "img", "aria-label": `${row.name}, ${mark.words}`,
  });
  say(node.lastChild, mark.count > 1 ? String(mark.count) : "");
}

function legend() {
  const swatch = (...parts) =>
    svg("svg", { width: 20, height: 16, viewBox: "-10 -8 20 16", "aria-hidden": "true" }, ...parts);
  const box = (given) => svg("rect", { x: -9, y: -6, width: 18, height: 12, ...given });
  byId("legend").append(
    el("li", {}, swatch(box({ class: "fresh" })), "fresh"),
    el("li", {}, swatch(box({ fill: "url(#hatch)" })), "stale: to be renewed"),
    ...Object.entries(KINDS).map(([kind, words]) => el("li", {},
      swatch(svg("g", { class: "mark", "data-kind": kind },
        svg("path", { d: SHAPES[kind], "fill-rule": "evenodd" }))), words)));
}
