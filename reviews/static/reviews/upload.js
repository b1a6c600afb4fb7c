// The upload form: a file that is too long is said at once and never travels; a preview that fails says so.

const form = document.getElementById("new-review");
const file = form?.querySelector("input[type=file]");
const most = Number(file?.dataset.mostBytes || 0);

const isTooLong = () => most > 0 && (file.files[0]?.size ?? 0) > most;

function said() {
  return document.getElementById("file-too-long");
}

function look() {
  said()?.remove();
  file.removeAttribute("aria-invalid");
  if (!isTooLong()) return;
  const words = document.createElement("p");
  words.id = "file-too-long";
  words.className = "error";
  words.setAttribute("role", "alert");
  const [allowed, has] = [most, file.files[0].size].map((number) => number.toLocaleString("en"));
  words.textContent = `At most ${allowed} bytes (this file has ${has}). Nothing was sent; choose a shorter one.`;
  file.setAttribute("aria-invalid", "true");
  file.after(words);
}

function hold(event) {
  if (!isTooLong()) return;
  event.preventDefault();
  look();
  file.focus();
}

function failed(event) {
  if (event.detail.target?.id !== "preview") return;
  const note = document.createElement("div");
  note.className = "note";
  note.dataset.tone = "bad";
  note.setAttribute("role", "alert");
  const words = document.createElement("p");
  words.textContent = "There is no preview: the portal did not answer. What you typed is still here; try again.";
  note.append(words);
  document.getElementById("preview").replaceChildren(note);
}

if (file) {
  file.addEventListener("change", look);
  form.addEventListener("submit", hold);
  form.addEventListener("htmx:beforeRequest", hold);
  for (const type of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.addEventListener(type, failed);
}
