// One stop of the Tab key for many things: arrow keys walk among them.

/**
 * Walks among the marks and lives of a picture's lanes.
 *
 * `point(node)` is called for what has the focus or lies under the pointer, with
 * null for nothing; `enter(node)` when it is chosen.
 */
export class Walk {
  constructor(picture, point, enter) {
    this.picture = picture;
    const item = (event) => event.target.closest?.(".life, .mark") ?? null;
    picture.addEventListener("pointerover", (event) => point(item(event)));
    picture.addEventListener("pointerleave", () => point(null));
    picture.addEventListener("focusin", (event) => {
      const node = item(event);
      this.rest(node);
      point(node);
    });
    picture.addEventListener("focusout", () => point(null));
    picture.addEventListener("click", (event) => {
      const node = item(event);
      if (!node) return;
      node.focus();
      enter(node);
    });
    picture.addEventListener("keydown", (event) => {
      const node = item(event);
      if (!node) return;
      if (event.key === "Escape") point(null);
      else if (event.key === "Enter" || event.key === " ") enter(node);
      else if (!this.go(node, event.key)) return;
      event.preventDefault();
    });
  }

  /** Make that node the one where Tab stops. */
  rest(node) {
    for (const other of this.picture.querySelectorAll("[tabindex='0']")) {
      if (other !== node) other.setAttribute("tabindex", "-1");
    }
    node?.setAttribute("tabindex", "0");
  }

  /** After things came and went: see that Tab stops somewhere, at the newest. */
  settle() {
    if (this.picture.querySelector("[tabindex='0']")) return;
    this.rest([...this.picture.querySelectorAll(".life, .mark")].at(-1) ?? null);
  }

  go(node, key) {
    const lanes = [...this.picture.querySelectorAll("[role='group']")]
      .map((lane) => [...lane.querySelectorAll(".life, .mark")]
        .sort((one, other) => one.item.at - other.item.at))
      .filter((lane) => lane.length > 0);
    const here = lanes.findIndex((lane) => lane.includes(node));
    const lane = lanes[here];
    const place = lane.indexOf(node);
    const nearest = (other) => other?.reduce((one, each) =>
      Math.abs(each.item.at - node.item.at) < Math.abs(one.item.at - node.item.at) ? each : one);
    const next = {
      ArrowLeft: () => lane[place - 1],
      ArrowRight: () => lane[place + 1],
      ArrowUp: () => nearest(lanes[here - 1]),
      ArrowDown: () => nearest(lanes[here + 1]),
      Home: () => lane[0],
      End: () => lane.at(-1),
    }[key];
    if (!next) return false;
    next()?.focus();
    return true;
  }
}
