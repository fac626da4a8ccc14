// Tooltips of the charts: by pointer, by touch, and by the arrow keys.

const tip = document.getElementById("tip");
const MARGIN = 8;

function enliven(chart) {
  const bars = [...chart.querySelectorAll(".bar")].map((bar) => {
    const title = bar.querySelector("title");
    title.remove(); // else the browser shows it too
    return { rect: bar.querySelector("rect"), text: title.textContent };
  });
  let shown = -1;

  function show(index) {
    hide();
    shown = index;
    const { rect, text } = bars[index];
    rect.classList.add("shown");
    tip.textContent = text;
    tip.hidden = false;
    const box = rect.getBoundingClientRect();
    const left = box.left + (box.width - tip.offsetWidth) / 2;
    const greatest = document.documentElement.clientWidth - tip.offsetWidth - MARGIN;
    tip.style.left = `${Math.max(MARGIN, Math.min(left, greatest))}px`;
    tip.style.top = `${Math.max(MARGIN, box.top - tip.offsetHeight - 3 * MARGIN)}px`;
  }

  function hide() {
    bars[shown]?.rect.classList.remove("shown");
    shown = -1;
    tip.hidden = true;
  }

  function nearest(x) {
    const away = bars.map(({ rect }) => {
      const box = rect.getBoundingClientRect();
      return Math.abs(box.left + box.width / 2 - x);
    });
    return away.indexOf(Math.min(...away));
  }

  const steps = {
    ArrowRight: () => Math.min(shown + 1, bars.length - 1),
    ArrowLeft: () => Math.max(shown - 1, 0),
    Home: () => 0,
    End: () => bars.length - 1,
  };

  chart.setAttribute("tabindex", "0");
  chart.addEventListener("pointermove", (event) => show(nearest(event.clientX)));
  chart.addEventListener("pointerdown", (event) => show(nearest(event.clientX)));
  chart.addEventListener("pointerleave", hide);
  chart.addEventListener("blur", hide);
  chart.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    if (!(event.key in steps)) return;
    event.preventDefault();
    show(steps[event.key]());
  });
  addEventListener("scroll", hide, { passive: true });
}

document.querySelectorAll("svg.chart").forEach(enliven);
