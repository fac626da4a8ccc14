// Tooltips of the charts: by pointer, by touch, and by the arrow keys.

const tip = document.getElementById("tip");
const MARGIN = 8;
let anchor = null; // the bar whose tip is shown

function show(bar) {
  hide();
  anchor = bar.rect;
  anchor.classList.add("shown");
  tip.textContent = bar.text;
  tip.hidden = false;
  place();
}

function place() {
  const box = anchor.getBoundingClientRect();
  const left = box.left + (box.width - tip.offsetWidth) / 2;
  const greatest = document.documentElement.clientWidth - tip.offsetWidth - MARGIN;
  tip.style.left = `${Math.max(MARGIN, Math.min(left, greatest))}px`;
  tip.style.top = `${Math.max(MARGIN, box.top - tip.offsetHeight - 3 * MARGIN)}px`;
}

function hide() {
  anchor?.classList.remove("shown");
  anchor = null;
  tip.hidden = true;
}

function addTooltips(chart) {
  const bars = [...chart.querySelectorAll(".bar")].map((bar) => {
    const title = bar.querySelector("title");
    title.remove(); // otherwise the browser shows it, too
    return { rect: bar.querySelector("rect"), text: title.textContent };
  });
  const last = bars.length - 1;
  let current = -1;

  function showAt(index) {
    current = index;
    show(bars[current]);
  }

  function nearest({ clientX }) {
    const away = bars.map(({ rect }) => {
      const box = rect.getBoundingClientRect();
      return Math.abs(box.left + box.width / 2 - clientX);
    });
    return away.indexOf(Math.min(...away));
  }

  const steps = {
    ArrowRight: () => Math.min(current + 1, last),
    ArrowLeft: () => Math.max(current - 1, 0),
    Home: () => 0,
    End: () => last,
  };

  chart.setAttribute("tabindex", "0");
  chart.addEventListener("pointermove", (event) => showAt(nearest(event)));
  chart.addEventListener("pointerdown", (event) => showAt(nearest(event)));
  chart.addEventListener("pointerleave", ({ pointerType }) => {
    if (pointerType !== "touch") hide(); // a finger that is lifted has left, too
  });
  chart.addEventListener("blur", hide);
  chart.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    if (!(event.key in steps)) return;
    event.preventDefault();
    showAt(steps[event.key]());
  });
}

document.querySelectorAll("svg.chart").forEach(addTooltips);
addEventListener("pointerdown", ({ target }) => target.closest("svg.chart, #tip") || hide(), { capture: true });
addEventListener("scroll", () => anchor && place(), { passive: true });
