// Look up a store: the form, the URL's fragment, and the element that shows the week.

import { ask } from "./api.js";
import { busy, byId, showMessage } from "./dom.js";
import { trimmed, utc } from "./report_request.js";
import { storeWeek } from "./store_week.js";

const form = byId("look-up");
const place = byId("store-week");
let shown = "";

/** Show the store that the fragment names: ID, or ID?as_of=…&poll_filter=… */
export async function showStore(address) {
  if (!address || address === shown) return;
  const [id, query = ""] = address.split("?");
  await busy(form.querySelector("button"), () => show(decoded(id), query, address));
}

function decoded(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id; // typed by hand, with a literal percent sign
  }
}

async function show(id, query, address) {
  const parameters = new URLSearchParams(query);
  fillIn(id, parameters);
  parameters.set("store_id", id); // not in the path: browsers resolve ".." there
  showMessage(byId("store-problem"));
  place.replaceChildren();
  try {
    const timeline = await ask("GET", `timeline?${parameters}`);
    place.replaceChildren(...storeWeek(timeline));
    shown = address;
  } catch (error) {
    shown = "";
    showMessage(byId("store-problem"), error.message);
  }
}

function fillIn(id, query) {
  form.elements.store_id.value = id;
  form.elements.as_of.value = query.get("as_of")?.replace("Z", "") ?? "";
  form.elements.poll_filter.value = query.get("poll_filter") ?? "all";
}

function lookUp(event) {
  event.preventDefault();
  const fields = new FormData(form);
  const id = trimmed(fields.get("store_id"));
  if (!id) return showMessage(byId("store-problem"), "Enter the id of a store.");
  const query = new URLSearchParams({ poll_filter: fields.get("poll_filter") });
  if (fields.get("as_of")) query.set("as_of", utc(fields.get("as_of")));
  const address = `${encodeURIComponent(id)}?${query}`;
  if (location.hash === `#store/${address}`) {
    shown = ""; // request it again: it may have changed
    return showStore(address);
  }
  location.hash = `store/${address}`;
}

form.addEventListener("submit", lookUp);
