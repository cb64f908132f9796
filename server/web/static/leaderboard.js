// Sorts the leaderboard without asking the server; without this file its headings are plain links that ask.
"use strict";

function valueOf(row, column) {
  const text = row.cells[column].dataset.value;
  if (text === undefined || text === "") return null;
  const number = Number(text);
  return Number.isNaN(number) || column === 1 ? text : number;
}

function compare(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : Number(String(a) > String(b));
}

function sortBy(table, heading) {
  const column = heading.cellIndex;
  const way = heading.getAttribute("aria-sort");
  const order = way ? (way === "descending" ? "asc" : "desc") : heading.dataset.first;
  const sign = order === "asc" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, place: table.places.get(row), value: valueOf(row, column) }));
  // What is undefined comes last either way; equal ones keep the order in which the page came.
  rows.sort((a, b) =>
    (a.value === null) - (b.value === null)
    || (a.value === null ? 0 : sign * compare(a.value, b.value))
    || a.place - b.place);
  body.append(...rows.map((one) => one.row));
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order === "asc" ? "ascending" : "descending");
  const address = new URL(location.href);
  address.searchParams.set("sort", heading.querySelector("a").dataset.key);
  address.searchParams.set("order", order);
  history.replaceState(null, "", address);
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  table.places = new Map([...table.tBodies[0].rows].map((row, place) => [row, place]));
  for (const heading of table.tHead.rows[0].cells) {
    heading.querySelector("a")?.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;  // a new tab or window asks the server
      event.preventDefault();
      sortBy(table, heading);
    });
  }
}
