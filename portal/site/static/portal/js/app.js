// What pages do by themselves: keys, toasts, dialogs before dangerous buttons, copying, drafts, ages of times.
// No page needs it: every form and link works without.

const typing = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

// Keys -----------------------------------------------------------------------

const KEYS_OFF = "shiproom-keys-off";
const keysOff = () => localStorage.getItem(KEYS_OFF) === "1";
let waitingForPlace = 0;

const linkOf = (row) => [...row.querySelectorAll("a[href], button.as-link")].find((link) => link.offsetParent !== null);

function step(direction) {
  const column = document.activeElement.closest(".board .col") ?? document.querySelector("main .board .col:has(.card)");
  const rows = [...(column ?? document).querySelectorAll(column ? ".card" : "main tbody tr, main .items > li")].filter(linkOf);
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.min(Math.max(here + direction, 0), rows.length - 1)];
  if (next) linkOf(next).focus();
}

// To the card at the same height in the next column that has one.
function across(direction) {
  const columns = [...document.querySelectorAll("main .board .col")].filter((column) => linkOf(column));
  const here = columns.findIndex((column) => column.contains(document.activeElement));
  const next = columns[Math.min(Math.max(here + direction, 0), columns.length - 1)];
  if (!next) return;
  const height = here < 0 ? 0 : [...columns[here].querySelectorAll(".card")].findIndex((card) => card.contains(document.activeElement));
  const cards = next.querySelectorAll(".card");
  linkOf(cards[Math.min(Math.max(height, 0), cards.length - 1)]).focus();
}

function moveCard() {
  const ways = document.activeElement.closest(".card")?.querySelector("details");
  if (!ways) return;
  ways.open = true;
  ways.querySelector("a").focus();
}

const SINGLE = {
  "/": () => document.querySelector("[data-search]")?.focus(),
  "?": () => document.getElementById("shortcuts")?.showModal(),
  g: () => { waitingForPlace = Date.now(); },
  j: () => step(1),
  k: () => step(-1),
};
const BOARD = { ArrowLeft: () => across(-1), ArrowRight: () => across(1), m: moveCard };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || keysOff()) return;
  if (document.querySelector("dialog[open]")) return;
  const going = Date.now() - waitingForPlace < 1500;
  waitingForPlace = 0;
  const name = CSS.escape(event.key);
  const place = document.querySelector(going ? `[data-go="${name}"]` : `[data-key="${name}"]`);
  const act = SINGLE[event.key] ?? (document.querySelector("main .board") && BOARD[event.key]);
  if (place) {
    event.preventDefault();
    location.href = place.href;
  } else if (act) {
    event.preventDefault();
    act();
  }
});

const keysSwitch = document.querySelector("[data-keys-off]");
if (keysSwitch) {
  keysSwitch.checked = keysOff();
  keysSwitch.addEventListener("change", () => localStorage.setItem(KEYS_OFF, keysSwitch.checked ? "1" : "0"));
}

// Toasts -----------------------------------------------------------------------

const TOAST_MILLISECONDS = 8000;

function letPass(toast) {
  let timer = setTimeout(() => toast.remove(), TOAST_MILLISECONDS);
  for (const stay of ["pointerenter", "focusin"]) toast.addEventListener(stay, () => clearTimeout(timer));
  for (const go of ["pointerleave", "focusout"]) {
    toast.addEventListener(go, () => {
      clearTimeout(timer);
      timer = setTimeout(() => toast.remove(), TOAST_MILLISECONDS);
    });
  }
}
document.querySelectorAll(".toast[data-passing]").forEach(letPass);

// Buttons ----------------------------------------------------------------------

const sure = new WeakSet();

function confirmFirst(event, button) {
  if (sure.delete(button)) return;
  const dialog = document.getElementById("confirm");
  if (!dialog) return;
  event.preventDefault();
  dialog.querySelector("#confirm-title").textContent = button.textContent.trim();
  dialog.querySelector("[data-confirm-text]").textContent = button.dataset.confirm;
  dialog.querySelector("[data-confirm-yes]").textContent = button.textContent.trim();
  dialog.returnValue = "";
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes") {
      sure.add(button);
      button.click();
    } else {
      button.focus();
    }
  }, { once: true });
  dialog.showModal();
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const text = source ? source.textContent.trim() : button.dataset.copyText;
  const label = button.lastChild;
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(text);
    label.textContent = "Copied";
  } catch {
    label.textContent = "Copy it by hand";
    if (source) getSelection().selectAllChildren(source);
  }
  setTimeout(() => { label.textContent = before; }, 2000);
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.matches("[data-send-keys]")) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("dismiss" in button.dataset) button.closest(".toast").remove();
  else if ("confirm" in button.dataset) confirmFirst(event, button);
  else if ("copy" in button.dataset || "copyText" in button.dataset) copy(button);
  else if ("reload" in button.dataset) location.reload();
});

// Drafts: text that was sent and not accepted comes back ---------------------------

const DRAFTED = "textarea, input[type=text][data-draft]";
const SENT = "drafts-sent";
// By where the form leads, not by where it is shown: a refused one comes back under another address.
const draftKey = (field) =>
  `draft:${field.form?.getAttribute("action") || location.pathname}:${field.form?.id ?? ""}:${field.name}`;
const refused = document.querySelector("[data-error-page], [aria-invalid=true], [role=alert]");

// A form that was accepted leads to a page without an error; its drafts have done their work then.
if (!refused) for (const key of JSON.parse(sessionStorage.getItem(SENT) ?? "[]")) sessionStorage.removeItem(key);
if (!document.querySelector("[data-error-page]")) sessionStorage.removeItem(SENT);

for (const field of document.querySelectorAll(DRAFTED)) {
  const kept = sessionStorage.getItem(draftKey(field));
  if (kept && !field.value) field.value = kept;
}
document.addEventListener("input", (event) => {
  if (event.target.matches(DRAFTED)) sessionStorage.setItem(draftKey(event.target), event.target.value);
});
document.addEventListener("submit", (event) => {
  const keys = [...event.target.querySelectorAll(DRAFTED)].map(draftKey);
  if (keys.length) sessionStorage.setItem(SENT, JSON.stringify(keys));
});

// Times stay true while a page is open -------------------------------------------

function spell(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

function age(time) {
  const seconds = Math.trunc((Date.now() - Date.parse(time.dateTime)) / 1000);
  const gap = Math.abs(seconds);
  if (Number.isNaN(gap) || gap > 2592000) return;
  const words = gap < 5 ? "now" : spell(gap);
  const whole = words === "now" || time.dataset.when === "short" ? words : seconds > 0 ? `${words} ago` : `in ${words}`;
  if (time.textContent !== whole) time.textContent = whole;
}
setInterval(() => document.querySelectorAll("time[data-when]").forEach(age), 10000);

// Focus goes to the first field that was refused.
document.querySelector("main [aria-invalid=true]")?.focus();
