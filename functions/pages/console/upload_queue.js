// The chosen files, until they are sent.

import { messageOf } from "./api.js";
import { byId, element, problemText, showMessage } from "./dom.js";
import { KINDS, kindOf } from "./csv_kinds.js";
import { send } from "./send_file.js";
import { count, percent, size } from "./texts.js";

const AT_ONCE = 3;

const list = byId("queue");
const button = byId("send-all");
const files = new Set(); // those that are not sent yet
let sending = 0;

/** A chosen file: its kind, which is guessed, and the progress of sending it. */
class QueuedFile {
  isSending = false;
  #file;
  #kind;
  #bar;
  #text = element("p", { class: "hint" });
  #problem = problemText();

  constructor(file) {
    this.#file = file;
    this.#kind = element(
      "select",
      { "aria-label": `Contents of ${file.name}` },
      element("option", { value: "" }, "Select its contents"),
      ...Object.entries(KINDS).map(([value, { name }]) => element("option", { value }, name)),
    );
    this.#bar = element("progress", { "aria-label": `Upload of ${file.name}`, max: 1, value: 0, hidden: true });
    const remove = element("button", { type: "button", class: "quiet", "aria-label": `Remove ${file.name}`, click: () => this.#remove() }, "Remove");
    this.controls = element("div", { class: "buttons" }, this.#kind, remove);
    this.item = element(
      "li",
      {},
      element("div", { class: "head" }, element("h3", { class: "id" }, file.name), element("span", { class: "hint" }, size(file.size))),
      this.controls,
      this.#problem,
      this.#bar,
      this.#text,
    );
    kindOf(file).then((kind) => (this.#kind.value ||= kind ?? ""));
  }

  /** Whether the file can be sent; if not, say beside the field why. */
  isReady() {
    const problem = this.#kind.value ? "" : "Select what the file contains.";
    this.#kind.setAttribute("aria-invalid", String(problem !== ""));
    showMessage(this.#problem, problem);
    return !problem;
  }

  /** Send the file; return the upload as GET /uploads lists it, null if it could not be sent. */
  async send() {
    this.isSending = true;
    this.controls.hidden = true;
    this.#bar.hidden = false;
    this.#text.textContent = "Waiting";
    try {
      const uploadId = await send(this.#file, this.#kind.value, (share) => this.#progress(share));
      this.#leave();
      return {
        upload_id: uploadId,
        kind: this.#kind.value,
        filename: this.#file.name,
        created_at: new Date().toISOString(),
        status: "Pending",
      };
    } catch (error) {
      this.controls.hidden = false;
      this.#bar.hidden = true;
      this.#text.textContent = "";
      showMessage(this.#problem, messageOf(error));
      return null;
    } finally {
      this.isSending = false;
    }
  }

  #progress(share) {
    this.#bar.value = share;
    this.#text.textContent = `Sending: ${percent(100 * share)}`;
  }

  /** Move the focus to the next file, or to the previous one, or to the field for choosing files. */
  #remove() {
    const near = this.item.nextElementSibling ?? this.item.previousElementSibling;
    this.#leave();
    (near?.querySelector(".buttons:not([hidden]) button") ?? byId("files")).focus();
  }

  #leave() {
    files.delete(this);
    this.item.remove();
    showButton();
  }
}

/** Add files to the queue. */
export function enqueue(chosen) {
  for (const each of chosen) {
    const file = new QueuedFile(each);
    files.add(file);
    list.append(file.item);
  }
  showButton();
}

/**
 * Send all files of the queue, some at a time.
 *
 * @param {(upload: object) => void} onSent called with each upload, as GET /uploads lists it
 */
export async function sendAll(onSent) {
  const waiting = [...files].filter((file) => !file.isSending && file.isReady());
  const worker = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      sending += 1;
      const upload = await file.send();
      sending -= 1;
      if (upload) onSent(upload);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function showButton() {
  if (!files.size && document.activeElement === button) byId("files").focus(); // not lost with the button
  button.hidden = files.size === 0;
  button.textContent = `Upload ${count(files.size, "file")}`;
}

addEventListener("beforeunload", (event) => {
  if (sending) event.preventDefault(); // the browser asks whether to leave
});
