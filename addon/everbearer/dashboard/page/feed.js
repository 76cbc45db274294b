// The events of the server, followed; what was missed comes anew with the state.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 8000;
/** Milliseconds between two attempts to connect. */

/**
 * Follow the feed into `state` for ever; tell("live" | "lost" | "ended").
 *
 * "ended": the session is over, and only a person can open another. Whether one has
 * is asked when the page is looked at again, and by the function that is returned.
 */
export function follow(state, tell) {
  let source = null;
  let pause = FIRST_PAUSE;
  let timer = 0;
  let over = false;

  function connect() {
    clearTimeout(timer);
    source?.close();
    over = false;
    const mine = new EventSource("/api/events");
    source = mine;
    const on = (name, take) =>
      mine.addEventListener(name, (event) => take(JSON.parse(event.data)));
    on("state", (document) => {
      pause = FIRST_PAUSE;
      state.begin(document);
      tell("live");
    });
    for (const part of ["profiles", "troubles", "lives"]) {
      on(part, (value) => state.take(part, value));
    }
    on("requests", (rows) => state.add(rows));
    // The browser's own attempts do not tell a session that ended from a server
    // that is not there.
    mine.addEventListener("error", () => {
      mine.close();
      if (mine === source) ask();
    });
  }

  async function ask() {
    const status = await fetch("/api/state", { cache: "no-store" })
      .then((answer) => answer.status, () => 0);
    over = status === 403;
    tell(over ? "ended" : "lost");
    if (over) return;
    timer = setTimeout(connect, pause);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && over) connect();
  });
  connect();
  return connect;
}
