// What the overview shows while there is no report: three steps to the first one.

import { actionButton } from "./action_button.js";
import { element, problemText } from "./dom.js";
import { makeReport } from "./make_report.js";
import { sampleOffer } from "./sample.js";

/** @param {() => Promise<void>} onReport called when the first report has ended */
export function firstSteps(onReport) {
  const problem = problemText();
  const make = async (request = {}) => {
    await makeReport({ formats: ["csv", "html"], ...request });
    await onReport();
  };
  const place = element(
    "div",
    {},
    element("p", { class: "lead" }, "How long was each store up during its business hours? Three steps to the first report:"),
    element(
      "ol",
      { class: "steps" },
      step("Upload polls", "A CSV file: which store was online, and when. ", element("a", { href: "#uploads" }, "Uploads"), " has an example."),
      step("Upload hours and zones", "Without them, a store counts as open around the clock, in Chicago. Attributes, special hours and exclusions can follow."),
      step("Make a report", actionButton("Make the first report", problem, () => make())),
    ),
    problem,
  );
  sampleOffer(problem, make).then((offer) => offer && place.append(element("p", {}, "Or try it first, with invented restaurants:"), offer));
  return place;
}

const step = (title, ...content) => element("li", {}, element("h2", {}, title), element("p", {}, ...content));
