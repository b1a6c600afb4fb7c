// One live element: reads its content again, or appends output to it, without disturbing who works in it.

const COALESCE_MS = 80;
const FETCH_LIMIT_MS = 15_000;
const FAILED_MS = 4_000;
const AT_END_PX = 32;
const MOST_LINES = 2000;
const HELD_FRAMES = 1000;

export function tell(type, detail = {}) {
  document.dispatchEvent(new CustomEvent("shiproom:live", { detail: { type, ...detail } }));
}

export function later(milliseconds) {
  return milliseconds / 2 + (Math.random() * milliseconds) / 2;
}

function parseCursor(text) {
  const at = text.lastIndexOf(":");
  return { epoch: text.slice(0, at), number: Number(text.slice(at + 1)) };
}

// Whether a page rendered at `mine` lacks something that was already heard of up to `known`.
export function isBehind(mine, known) {
  if (!mine) return true;
  const [a, b] = [parseCursor(mine), parseCursor(known)];
  return a.epoch !== b.epoch || a.number < b.number;
}

export class Region {
  // `leave` is called when the session is over, `scan` when there may be other live elements.
  constructor(element, { leave, scan }) {
    this.element = element;
    this.leave = leave;
    this.scan = scan;
    this.over = false;
    this.held = null; // output that came while the whole was read again
    this.names = element.dataset.live.split(/\s+/).filter(Boolean);
    this.isOutput = "liveOutput" in element.dataset;
    this.timer = 0;
    this.pace = Number(element.dataset.livePace) || 0;
    this.readAt = 0;
    this.request = null;
    this.again = false;
    this.waiting = false;
    this.readCursors(element);
    if (this.isOutput) this.lines = countLines(element.textContent);
  }

  readCursors(from) {
    const cursors = (from.dataset.liveCursor || "").split(/\s+/);
    this.cursors = new Map(this.names.map((name, place) => [name, cursors[place] || ""]));
  }

  get url() {
    return this.element.dataset.liveUrl || "";
  }

  // Read again soon; many reasons at once are one reading.
  refresh() {
    if (!this.url || this.over) return;
    if (this.isOutput) this.held ||= [];
    if (this.request) {
      this.again = true;
    } else if (!this.timer) {
      const rest = this.readAt + this.pace - Date.now();
      this.timer = setTimeout(() => this.fetch(), Math.max(later(COALESCE_MS), rest));
    }
  }

  forget() {
    this.over = true;
    clearTimeout(this.timer);
    this.request?.abort();
  }

  async fetch() {
    this.timer = 0;
    if (isBeingEdited(this.element)) {
      this.wait();
      return;
    }
    this.request = new AbortController();
    const limit = setTimeout(() => this.request?.abort(), FETCH_LIMIT_MS);
    let answered = false;
    try {
      const response = await fetch(this.url, {
        credentials: "same-origin",
        headers: { "HX-Request": "true", "X-Live": "1", Accept: "text/html" },
        signal: this.request.signal,
      });
      const text = await response.text();
      answered = response.status < 500 && response.status !== 429;
      if (this.element.isConnected) this.accept(response, text);
    } catch {
      // No answer in time, or none at all: asked again below.
    } finally {
      clearTimeout(limit);
      this.request = null;
      this.readAt = Date.now();
      if (!answered && !this.over) {
        this.again = false;
        this.timer = setTimeout(() => this.fetch(), later(FAILED_MS));
      } else if (this.again) {
        this.again = false;
        this.refresh();
      } else {
        this.release();
      }
    }
  }

  accept(response, text) {
    if (response.status === 401 || response.redirected) {
      this.leave(response.headers.get("HX-Redirect"));
    } else if (response.status === 403 || response.status === 404 || response.status === 410) {
      this.vanish();
    } else if (response.ok) {
      if (isBeingEdited(this.element)) this.wait();
      else this.swap(text);
    }
  }

  // The person is writing inside: what they see may be old, what they wrote must stay.
  wait() {
    this.waiting = true;
    this.element.dataset.liveWaiting = "";
    tell("waiting", { element: this.element });
  }

  goOn() {
    if (!this.waiting || isBeingEdited(this.element)) return;
    this.waiting = false;
    delete this.element.dataset.liveWaiting;
    this.refresh();
  }

  swap(text) {
    const place = rememberPlace(this.element);
    const made = document.createElement("template");
    made.innerHTML = text;
    // Not by ":scope >": in a fragment it finds nothing.
    const whole = this.element.id ? [...made.content.children].find((child) => child.id === this.element.id) : null;
    this.element.replaceChildren(...(whole || made.content).childNodes);
    if (whole?.dataset.liveCursor) this.readCursors(whole);
    if (this.isOutput) {
      this.lines = countLines(this.element.textContent);
      scrollToEnd(this.element);
    }
    window.htmx?.process(this.element);
    place();
    this.scan();
    tell("swap", { element: this.element });
  }

  vanish() {
    const note = document.createElement("p");
    note.className = "sub small";
    note.textContent = "This is no longer here for you.";
    this.element.replaceChildren(note);
    this.element.removeAttribute("data-live");
    this.scan();
    tell("vanished", { element: this.element });
  }

  // A frame of output. What the element shows already, by its cursor, is not shown twice.
  output(frame) {
    if (this.held && this.held.length < HELD_FRAMES) {
      this.held.push(frame);
    } else if (isBehind(this.cursors.get(frame.stream), frame.cursor)) {
      this.append(frame.text);
    }
  }

  release() {
    const held = this.held || [];
    this.held = null;
    held.forEach((frame) => this.output(frame));
  }

  append(text) {
    const { element } = this;
    const scroller = scrollerOf(element);
    const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < AT_END_PX;
    element.append(document.createTextNode(text));
    this.lines += countLines(text);
    this.cut(Number(element.dataset.liveLines) || MOST_LINES);
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
  }

  // Keep the last lines, and say that there were others.
  cut(most) {
    while (this.lines > most) {
      const oldest = [...this.element.childNodes].find((node) => !isCutMark(node));
      if (!oldest) return;
      const text = oldest.textContent;
      const lines = countLines(text);
      const excess = this.lines - most;
      if (lines > excess && oldest.nodeType === Node.TEXT_NODE) {
        oldest.data = text.split("\n").slice(excess).join("\n");
        this.lines -= excess;
      } else {
        oldest.remove();
        this.lines -= lines;
        if (!lines) continue;
      }
      markCut(this.element, "Earlier output was cut here.");
    }
  }
}

function countLines(text) {
  return text.split("\n").length - 1;
}

function isCutMark(node) {
  return node.nodeType === Node.ELEMENT_NODE && "liveCut" in node.dataset;
}

export function markCut(element, words) {
  let mark = [...element.children].find(isCutMark);
  if (!mark) {
    mark = document.createElement("span");
    mark.dataset.liveCut = "";
    mark.className = "sub";
    mark.append(document.createElement("br"));
  }
  if (mark.firstChild.nodeType === Node.TEXT_NODE) mark.firstChild.data = words;
  else mark.prepend(document.createTextNode(words));
  if (element.firstChild !== mark) element.prepend(mark);
}

function scrollerOf(element) {
  for (let at = element; at; at = at.parentElement) {
    if (/auto|scroll/.test(getComputedStyle(at).overflowY)) return at;
  }
  return document.scrollingElement;
}

function scrollToEnd(element) {
  const scroller = scrollerOf(element);
  if (scroller !== document.scrollingElement) scroller.scrollTop = scroller.scrollHeight;
}

function isControl(node) {
  return node?.matches?.("input:not([type=button], [type=submit], [type=hidden]), textarea, select, [contenteditable]");
}

function isChanged(control) {
  if (control.type === "checkbox" || control.type === "radio") return control.checked !== control.defaultChecked;
  // A select shows its first option although none is selected by default: only the person's own choice counts.
  if (control.tagName === "SELECT") return "liveTouched" in control.dataset;
  return control.value !== control.defaultValue;
}

function isBeingEdited(element) {
  const active = document.activeElement;
  if (element.contains(active) && isControl(active)) return true;
  return hasChanges(element);
}

export function hasChanges(root) {
  return [...root.querySelectorAll("input:not([type=hidden]), textarea, select")].some(isChanged);
}

// Answers with a function that puts focus, caret, open folds and scroll positions back.
function rememberPlace(element) {
  const active = element.contains(document.activeElement) ? document.activeElement : null;
  const focused = active?.id;
  const open = [...element.querySelectorAll("details[id]")].map((fold) => [fold.id, fold.open]);
  const scrolled = [element, ...element.querySelectorAll("[id]")]
    .filter((node) => node.scrollTop || node.scrollLeft)
    .map((node) => [node === element ? "" : node.id, node.scrollTop, node.scrollLeft]);
  const page = [window.scrollX, window.scrollY];
  return () => {
    for (const [id, was] of open) {
      const fold = document.getElementById(id);
      if (fold) fold.open = was;
    }
    for (const [id, top, left] of scrolled) (id ? document.getElementById(id) : element)?.scrollTo(left, top);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    window.scrollTo(...page);
  };
}
