// Commands that can be copied, and hints that hold them.

import { byId, el, say } from "/dom.js";
import { sentence } from "/format.js";

const SHOWN = 2000;
/** Milliseconds that "copied" stands on the button. */

/** Return the lines with a button that copies them. */
export function copyable(text, what = "the command") {
  const code = el("code", { text });
  const button = el("button", { type: "button", text: "Copy", "aria-label": `Copy ${what}` });
  button.addEventListener("click", async () => {
    const done = await copy(text, code);
    say(button, done ? "Copied" : "Selected");
    say(byId("said"), done ? `copied ${what}` : "selected: copy it by the keyboard");
    setTimeout(() => say(button, "Copy"), SHOWN);
  });
  return el("div", { class: "copyable" }, code, button);
}

async function copy(text, code) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return false;
  }
}

const COMMAND = /\brun: (.+?)(?=,? (?:and|or|then|if|by|within) |,? before |; |, |\)|$)/g;

/** Return the argument as a shell takes it, whatever is in it. */
export function quoted(argument) {
  if (/^[\w@%+=:,./-]+$/.test(argument)) return argument;
  return `'${argument.replaceAll("'", `'"'"'`)}'`;
}

/**
 * Return what a hint says, each of its commands to be copied where it stands.
 *
 * A hint that is nothing but a command is told by the words `alone`.
 */
export function hinted(hint, alone = "Run this:") {
  if (!hint) return null;
  const parts = [];
  let told = 0;
  for (const found of hint.matchAll(COMMAND)) {
    const start = found.index + found[0].length - found[1].length;
    const before = hint.slice(told, start).trim();
    told = start + found[1].length;
    const words = before === "run:" && parts.length === 0 ? alone : sentence(before);
    parts.push(el("p", { text: words }), copyable(found[1]));
  }
  const rest = hint.slice(told).replace(/^[,;.\s]+/, "");
  if (rest) parts.push(el("p", { text: sentence(rest) }));
  const whole = parts.length === 2 && parts[0].textContent === alone;
  return el("div", { class: whole ? "hint command" : "hint" }, ...parts);
}
