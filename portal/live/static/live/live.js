// Keeps elements with data-live up to date over one socket, and by polling where there is none.
//
//   data-live="ticket:MC-1 project:3"   the streams that the element shows
//   data-live-cursor="3f2a:12 9c01:4"   where they were when the page was rendered
//   data-live-url="/..."                answers with the element's content; read again on every event
//   data-live-output                    text of output frames is appended instead; data-live-lines bounds it
//   data-live-pace="1000"               milliseconds between two readings at least, for what changes all the time
//   [data-live-badge]                   says Live, Delayed or Offline
//
// Contract: what an element shows is at least as new as its cursor, and every later event of its
// streams makes it be read again. Frames that are lost do no harm: after a reconnect each stream
// goes on at its last cursor, and where the server cannot go on from there it says so (resync).

import { Region, hasChanges, isBehind, later, markCut, tell } from "./region.js";

const DELAYED_AFTER_MS = 10_000;
const OFFLINE_AFTER_MS = 30_000;
const POLL_AFTER_MS = 5_000;
const POLL_EVERY_MS = 5_000;
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 5_000;
const RESTARTS = 1012;
const SIGNED_OUT = 4403;

const streams = new Map(); // name -> {cursor, state: "new" | "asked" | "following" | "refused"}
const elements = new Map(); // element -> Region
let socket = null;
let beatAt = 0;
let delayedSince = 0;
let closedAt = Date.now();
let failures = 0;
let retryTimer = 0;
let scanAsked = false;
let signedOut = false;

// The session is over. Nobody loses what they were writing over it.
function leave(address) {
  if (signedOut) return;
  signedOut = true;
  for (const region of elements.values()) region.forget();
  showBadge();
  tell("signed-out");
  if (hasChanges(document)) return;
  if (address) location.assign(address);
  else location.reload();
}

// Streams ----------------------------------------------------------------

// Learn which elements there are now, and follow what they show.
function scan() {
  const present = new Set(document.querySelectorAll("[data-live]"));
  for (const [element, region] of elements) {
    if (!present.has(element)) {
      region.forget();
      elements.delete(element);
    }
  }
  for (const element of present) if (!elements.has(element)) welcome(element);
  const wanted = new Set([...elements.values()].flatMap((region) => region.names));
  for (const name of [...streams.keys()]) {
    if (!wanted.has(name)) {
      if (isOpen() && streams.get(name).state !== "new") say({ type: "unfollow", stream: name });
      streams.delete(name);
    }
  }
  follow();
}

function welcome(element) {
  const region = new Region(element, { leave, scan });
  elements.set(element, region);
  for (const name of region.names) {
    const known = streams.get(name);
    const mine = region.cursors.get(name);
    if (!known) {
      streams.set(name, { cursor: mine, state: "new" });
    } else if (known.state === "new" && mine && (!known.cursor || isBehind(mine, known.cursor))) {
      // Rendered before its neighbour: begin where the oldest of them is.
      known.cursor = mine;
    } else if (known.cursor && isBehind(mine, known.cursor)) {
      // Its text was rendered before an event that this page has already heard.
      region.refresh();
    }
  }
}

function follow() {
  if (!isOpen()) return;
  for (const [name, stream] of streams) {
    if (stream.state !== "new") continue;
    stream.state = "asked";
    say({ type: "follow", stream: name, cursor: stream.cursor || null });
  }
}

function showing(name) {
  return [...elements.values()].filter((region) => region.names.includes(name));
}

const hear = {
  beat() {
    beatAt = Date.now();
    delayedSince = 0;
    failures = 0;
    showBadge();
  },
  delayed() {
    delayedSince ||= Date.now();
    showBadge();
  },
  following(frame, stream) {
    // Without a cursor of the page's, what happened since it was rendered is unknown.
    const unknown = !stream.cursor;
    stream.state = "following";
    stream.cursor = frame.cursor;
    for (const region of showing(frame.stream)) {
      if (unknown) region.refresh();
    }
  },
  event(frame, stream) {
    stream.cursor = frame.cursor;
    for (const region of showing(frame.stream)) {
      const mine = region.cursors.get(frame.stream);
      if (isBehind(mine, frame.cursor)) region.refresh();
    }
  },
  output(frame, stream) {
    stream.cursor = frame.cursor;
    for (const region of showing(frame.stream)) {
      if (region.isOutput) region.output(frame);
      else if (isBehind(region.cursors.get(frame.stream), frame.cursor)) region.refresh();
    }
  },
  resync(frame, stream) {
    stream.state = "following";
    stream.cursor = frame.cursor;
    for (const region of showing(frame.stream)) {
      region.cursors.set(frame.stream, frame.cursor);
      if (region.url) region.refresh();
      else if (region.isOutput) markCut(region.element, "Some output is missing here. Open the page again to see it.");
    }
  },
  gone(frame, stream) {
    stream.state = "refused";
    showing(frame.stream).forEach((region) => region.refresh());
  },
  error(frame, stream) {
    if (!stream) return;
    stream.state = "refused";
    if (frame.code === "not_found") showing(frame.stream).forEach((region) => region.refresh());
  },
};

function onFrame(text) {
  const frame = JSON.parse(text);
  const stream = frame.stream === undefined ? null : streams.get(frame.stream);
  // A frame of a stream that was unfollowed meanwhile.
  if (stream === undefined || !Object.hasOwn(hear, frame.type)) return;
  hear[frame.type](frame, stream);
  tell("frame", { frame });
}

// The socket -------------------------------------------------------------

function isOpen() {
  return socket?.readyState === WebSocket.OPEN;
}

function say(frame) {
  socket.send(JSON.stringify(frame));
}

function connect() {
  clearTimeout(retryTimer);
  retryTimer = 0;
  if (signedOut || (socket && socket.readyState <= WebSocket.OPEN) || !elements.size) return;
  const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live/`);
  socket = mine;
  mine.addEventListener("open", () => {
    beatAt = Date.now();
    delayedSince = 0;
    follow();
    showBadge();
    tell("open");
  });
  mine.addEventListener("message", (message) => mine === socket && onFrame(message.data));
  mine.addEventListener("close", (event) => mine === socket && lost(event.code));
}

function lost(code) {
  if (closedAt <= beatAt) closedAt = Date.now();
  socket = null;
  for (const stream of streams.values()) stream.state = "new";
  tell("close", { code });
  if (code === SIGNED_OUT) {
    leave("");
    return;
  }
  const pause = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** failures);
  // One process goes and another is there: at once, but not all pages in the same moment.
  const soon = code === RESTARTS && !failures;
  failures = Math.min(failures + 1, 10);
  retryTimer = setTimeout(connect, soon ? Math.random() * RETRY_FIRST_MS : Math.max(RETRY_FIRST_MS, later(pause)));
  showBadge();
}

function reconnectNow() {
  if (document.visibilityState !== "visible") return;
  if (isOpen() && Date.now() - beatAt > DELAYED_AFTER_MS) {
    // After a sleep the socket may be open in name only.
    const stale = socket;
    socket = null;
    for (const stream of streams.values()) stream.state = "new";
    stale.close();
  }
  failures = 0;
  connect();
}

function poll() {
  if (isOpen() || document.visibilityState !== "visible" || Date.now() - closedAt < POLL_AFTER_MS) return;
  for (const region of elements.values()) region.refresh();
}

// The badge --------------------------------------------------------------

function condition() {
  const age = Date.now() - beatAt;
  if (signedOut) return ["Signed out", "bad", "Sign in again to go on"];
  const since = beatAt ? `shows the state of ${new Date(beatAt).toLocaleTimeString()}` : "no connection yet";
  if (!isOpen() || age >= OFFLINE_AFTER_MS) return ["Offline", "bad", `Offline: reconnecting, ${since}`];
  if (age >= DELAYED_AFTER_MS || delayedSince) return ["Delayed", "warn", `Delayed: last sign of life ${Math.round(age / 1000)} s ago`];
  return ["Live", "good", "Live: changes appear by themselves"];
}

function showBadge() {
  const [word, tone, title] = condition();
  for (const badge of document.querySelectorAll("[data-live-badge]")) {
    if (badge.dataset.tone !== tone || badge.firstChild?.data !== word) {
      badge.dataset.tone = tone;
      badge.setAttribute("role", "status");
      badge.replaceChildren(document.createTextNode(word), document.createElement("span"));
      // The seconds are for the eye; read out every second they would be noise.
      badge.lastChild.setAttribute("aria-hidden", "true");
      tell("badge", { word });
    }
    badge.title = title;
    badge.lastChild.textContent = tone === "warn" ? ` ${Math.round((Date.now() - beatAt) / 1000)} s` : "";
  }
}

// Start ------------------------------------------------------------------

function scanSoon() {
  if (scanAsked) return;
  scanAsked = true;
  queueMicrotask(() => {
    scanAsked = false;
    scan();
    if (!isOpen() && !retryTimer) connect();
  });
}

function goOnWaiting() {
  setTimeout(() => elements.forEach((region) => region.goOn()), 0);
}

new MutationObserver(scanSoon).observe(document.documentElement, {
  subtree: true,
  childList: true,
  attributes: true,
  attributeFilter: ["data-live"],
});
document.addEventListener("change", (event) => {
  if (event.target.tagName === "SELECT") event.target.dataset.liveTouched = "";
});
for (const type of ["focusout", "reset", "change"]) document.addEventListener(type, goOnWaiting);
document.addEventListener("visibilitychange", reconnectNow);
window.addEventListener("online", reconnectNow);
window.addEventListener("pageshow", (event) => event.persisted && reconnectNow());
setInterval(showBadge, 1000);
setInterval(poll, POLL_EVERY_MS);
scan();
connect();
