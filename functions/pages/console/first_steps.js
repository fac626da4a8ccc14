// What the overview shows while there is no report: three steps to the first one.

import { actionButton } from "./action_button.js";
import { ask } from "./api.js";
import { element, problemText } from "./dom.js";

export function firstSteps() {
  const problem = problemText();
  const make = async () => {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    await ask("POST", "trigger_report", { body: { formats: ["csv", "html"] }, headers });
    location.hash = "reports";
  };
  return element(
    "div",
    {},
    element("p", { class: "lead" }, "How long was each store up during its business hours? Three steps to the first report:"),
    element(
      "ol",
      { class: "steps" },
      element("li", {}, element("h2", {}, "Upload polls"), element("p", {}, "A CSV file: which store was online, and when. ", element("a", { href: "#uploads" }, "Uploads"), " has an example.")),
      element("li", {}, element("h2", {}, "Upload hours and zones"), element("p", {}, "Without them, a store counts as open around the clock, in Chicago. Attributes, special hours and exclusions can follow.")),
      element("li", {}, element("h2", {}, "Make a report"), element("p", {}, actionButton("Make the first report", problem, make))),
    ),
    problem,
  );
}
