// Draws the charts, each when it is about to be seen, and lets a reader point at one team in all of them.
"use strict";

const OPTIONS = {
  ast: true,  // expressions are read by the interpreter: our content policy forbids eval
  expr: vegaInterpreter.expressionInterpreter,
  actions: false,
  defaultStyle: false,  // our own sheet has what is needed; an inline one would break the policy
  renderer: "svg",
  tooltip: { disableDefaultStyle: true, theme: "custom" },
};
const PHONE_STEP = 40;  // px; a chart is drawn anew when its place has changed by as much

const views = new Map();  // place -> {view, width}
const select = document.getElementById("highlight");

async function draw(place) {
  const width = Math.floor(place.clientWidth);
  const before = views.get(place);
  if (before && Math.abs(before.width - width) < PHONE_STEP) return;
  views.set(place, { width, view: before?.view });
  try {
    const answer = await fetch(`${place.dataset.chart}?width=${Math.max(100, width)}`);
    if (!answer.ok) throw new Error((await answer.json()).message);
    const sheet = document.createElement("div");
    const drawn = await vegaEmbed(sheet, await answer.json(), OPTIONS);
    before?.view?.finalize();
    place.replaceChildren(sheet);
    place.classList.remove("failed");
    place.dataset.drawn = "yes";
    views.set(place, { width, view: drawn.view });
    drawn.view.addEventListener("click", (event, item) => pointAt(item?.datum?.team));
    point(drawn.view);
  } catch (error) {
    place.classList.add("failed");
    place.textContent = `The chart could not be drawn (${error.message}). Its numbers are in the table.`;
  }
}

// A click on a team points at it; another one on the same, or beside everything, lets go.
function pointAt(team) {
  const known = [...select.options].some((option) => option.value === team);
  select.value = known && select.value !== team ? team : "";
  for (const { view } of views.values()) if (view) point(view);
}

function point(view) {
  view.signal("highlight", select.value).runAsync();
}

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
}, { rootMargin: "400px" });
for (const place of document.querySelectorAll("[data-chart]")) seen.observe(place);

let waiting = 0;
addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => { for (const place of views.keys()) draw(place); }, 200);
});

select.parentElement.hidden = false;
select.addEventListener("change", () => { for (const { view } of views.values()) if (view) point(view); });
