// A paged list of the API, newest first, that keeps itself up to date while it is shown.

import { callApi, messageOf } from "./api.js";
import { busy, byId, focusOn, pause, showMessage } from "./dom.js";

const PAGE = 10;
const REFRESH_EVERY_MS = 5000;

export class LiveList {
  #name;
  #idOf;
  #newRow;
  #rows = new Map(); // by id
  #addedHere = new Set(); // items; a list that was requested before may lack them
  #list;
  #problem;
  #empty;
  #more;
  #nextPage = null;
  #signal = AbortSignal.abort();

  /**
   * @param {string} name of the call and of the list in its response; its elements are #NAME-list,
   *   #NAME-problem, #no-NAME and #more-NAME
   * @param {(entry: object) => string} idOf
   * @param {(entry: object) => {item: Element, update: Function, follow: Function}} newRow
   */
  constructor(name, idOf, newRow) {
    this.#name = name;
    this.#idOf = idOf;
    this.#newRow = newRow;
    this.#list = byId(`${name}-list`);
    this.#problem = byId(`${name}-problem`);
    this.#empty = byId(`no-${name}`);
    this.#more = byId(`more-${name}`);
    this.#more.addEventListener("click", () => busy(this.#more, () => this.#showOlder()));
  }

  /** Show the first page and refresh it, until the signal is aborted. */
  async show(signal) {
    this.#signal = signal;
    for (const row of this.#rows.values()) row.follow(signal);
    while (!signal.aborted) {
      if (!document.hidden) await this.refresh();
      await pause(REFRESH_EVERY_MS, signal);
    }
  }

  /** Update the first page. Rows that are shown stay where they are; new ones go above the next older one. */
  async refresh() {
    const page = await this.#page("");
    if (!page) return;
    let older = [...this.#list.children].find((item) => !this.#addedHere.has(item)) ?? null;
    for (const entry of page[this.#name].toReversed()) {
      const id = this.#idOf(entry);
      if (this.#rows.has(id)) this.#rows.get(id).update(entry);
      else this.#add(entry, (item) => this.#list.insertBefore(item, older));
      older = this.#rows.get(id).item;
    }
    if (this.#rows.size <= PAGE) this.#setNextPage(page);
    this.#empty.hidden = this.#rows.size > 0;
  }

  /** Put an entry that was made here on top. */
  prepend(entry) {
    this.#add(entry, (item) => {
      this.#addedHere.add(item);
      this.#list.prepend(item);
      item.scrollIntoView({ block: "nearest" }); // on a phone, it is below the form
    });
    this.#empty.hidden = true;
  }

  async #showOlder() {
    const page = await this.#page(`&page_token=${encodeURIComponent(this.#nextPage)}`);
    if (!page) return;
    const last = this.#list.lastElementChild;
    const hadFocus = document.activeElement === this.#more;
    for (const entry of page[this.#name]) {
      if (!this.#rows.has(this.#idOf(entry))) this.#add(entry, (item) => this.#list.append(item));
    }
    this.#setNextPage(page);
    if (hadFocus && this.#more.hidden) focusOn(last.nextElementSibling ?? last);
  }

  /** A page; null if it cannot be had, or if the list is no longer shown. */
  async #page(query) {
    const signal = this.#signal;
    try {
      const page = await callApi("GET", `${this.#name}?limit=${PAGE}${query}`, { signal });
      showMessage(this.#problem);
      return page;
    } catch (error) {
      if (!signal.aborted) showMessage(this.#problem, messageOf(error));
      return null;
    }
  }

  #add(entry, insert) {
    const row = this.#newRow(entry);
    this.#rows.set(this.#idOf(entry), row);
    insert(row.item);
    row.follow(this.#signal);
  }

  #setNextPage(page) {
    this.#nextPage = page.next_page_token ?? null;
    this.#more.hidden = !this.#nextPage;
  }
}
