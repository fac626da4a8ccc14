// The console: three views; the URL's fragment selects one.

import { byId } from "./dom.js";
import { askForKey, currentKey } from "./key.js";
import { showReports } from "./reports.js";
import { showStore } from "./store.js";
import "./uploads.js";

// Uploads exist in this tab only: there is nothing to load.
const VIEWS = { reports: showReports, store: showStore, upload: () => {} };

/** Show the view that the fragment selects: #store/ID is the view "store" with "ID". */
function route() {
  const [, name, rest = ""] = /^#([a-z]*)\/?(.*)$/.exec(location.hash) ?? [];
  const shown = name in VIEWS ? name : "reports";
  for (const view of document.querySelectorAll(".view")) view.hidden = view.id !== `${shown}-view`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  VIEWS[shown](rest);
}

byId("key-button").addEventListener("click", async () => {
  const before = currentKey();
  if ((await askForKey()) && currentKey() !== before) route();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment selects a view, not a position on the page
  byId("main").focus();
});
addEventListener("hashchange", route);
route();
