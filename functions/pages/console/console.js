// The console: the URL's fragment selects a view, whose modules are loaded when it is first shown.

import { answered, reconnecting } from "./connection.js";
import { byId } from "./dom.js";
import { changed } from "./settings.js";

// Each module exports `show(rest, signal)`: `rest` is what follows the view's name in the fragment,
// and `signal` is aborted when the view is left.
const VIEWS = {
  overview: () => import("./overview.js"),
  stores: () => import("./stores.js"),
  store: () => import("./store.js"),
  reports: () => import("./reports.js"),
  uploads: () => import("./uploads.js"),
};

let current = "";
let leaving = new AbortController();

/** Show the view that the fragment selects: #store/ID is the view "store" with "ID". */
async function route() {
  const [, name, rest = ""] = /^#([a-z]*)\/?(.*)$/.exec(location.hash) ?? [];
  const shown = name in VIEWS ? name : "overview";
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  reveal(shown);
  const { show } = await loaded(shown);
  byId(`${shown}-view`).ariaBusy = "false";
  if (!signal.aborted) await show(rest, signal);
}

function reveal(shown) {
  for (const view of document.querySelectorAll(".view")) view.hidden = view.id !== `${shown}-view`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (current && current !== shown) {
    scrollTo(0, 0);
    // The focus was on a link in the previous view, which is hidden now.
    if (!document.activeElement?.checkVisibility() || document.activeElement === document.body) byId("main").focus();
  }
  document.title = `${byId(`${shown}-title`).textContent} · Store monitoring`;
  current = shown;
}

/** Load the module of a view; try again while there is no connection. */
async function loaded(view) {
  for (let failures = 0; ; failures += 1) {
    try {
      const module = await VIEWS[view]();
      answered();
      return module;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // a module that cannot be loaded is a TypeError
      await reconnecting(failures);
    }
  }
}

byId("settings-button").addEventListener("click", async () => {
  if (await changed()) location.reload(); // everything shown may depend on them; drafts are kept
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment selects a view, not a position on the page
  byId("main").focus();
});
addEventListener("hashchange", route);
await route();
// Load the other views in advance, so that they open at once, even without a connection.
for (const view of Object.keys(VIEWS)) await loaded(view);
