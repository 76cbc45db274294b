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

/** Return the commands that a hint tells to run. */
export function commands(hint) {
  return [...hint.matchAll(COMMAND)].map((found) => found[1]);
}

/** Return what a hint says, `alone` before a mere command; each command can be copied. */
export function hinted(hint, alone = "Run this:") {
  if (!hint) return null;
  const found = commands(hint);
  const whole = found.length === 1 && hint === `run: ${found[0]}`;
  return el("div", { class: whole ? "hint command" : "hint" },
    el("p", { text: whole ? alone : sentence(hint) }),
    ...found.map((command) => copyable(command)));
}
