// A courtesy: every page works without it. Copy buttons, clocks, upload progress, live state.
"use strict";

function clockText(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60];
  if (parts[0]) return `${parts[0]} h ${String(parts[1]).padStart(2, "0")} min`;
  return parts[1] ? `${parts[1]} min ${String(parts[2]).padStart(2, "0")} s` : `${parts[2]} s`;
}

function sizeText(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  for (; bytes >= 1000 && step < units.length - 1; step += 1) bytes /= 1000;
  return `${step && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[step]}`;
}

function addCopyButtons() {
  for (const block of document.querySelectorAll(".copy")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy this text");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(block.querySelector("code").textContent);
        button.textContent = "Copied";
      } catch {
        // No clipboard on plain http: select it, so that one key press copies it.
        getSelection().selectAllChildren(block.querySelector("code"));
        button.textContent = "Press Ctrl+C";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    block.append(button);
  }
}

// <span data-since="ISO time"> counts up, against the server's clock.
const skew = Date.now() - Date.parse(document.documentElement.dataset.now || new Date().toISOString());
function tick() {
  for (const clock of document.querySelectorAll("[data-since]")) {
    clock.textContent = clockText((Date.now() - skew - Date.parse(clock.dataset.since)) / 1000);
  }
}

// Live parts come rendered from the server, by the same templates as the page: {"id of an element": html}.
function watch(area) {
  const source = new EventSource(area.dataset.events);
  source.addEventListener("parts", (event) => {
    for (const [id, html] of Object.entries(JSON.parse(event.data))) replace(id, html);
    tick();
  });
  source.addEventListener("reload", () => location.reload());
  source.addEventListener("end", () => source.close());
  addEventListener("pagehide", () => source.close());
}

const shown = new Map();
function replace(id, html) {
  const old = document.getElementById(id);
  if (!old || shown.get(id) === html) return;
  const open = [...old.querySelectorAll("details[open]")].map((part) => part.id);
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.innerHTML = html;
  shown.set(id, html);
  for (const part of open) if (part) document.getElementById(part)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus();
}

function uploadWithProgress(form) {
  const bar = form.querySelector("progress");
  const text = form.querySelector("[data-progress]");
  const panel = form.querySelector(".upload");
  const cancel = form.querySelector("[data-cancel]");
  const problem = document.getElementById("problem");
  const limit = Number(form.dataset.limit);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const file = form.querySelector("input[type=file]").files[0];
    if (limit && file.size > limit) {
      say(`The archive has ${sizeText(file.size)}; at most ${sizeText(limit)} are allowed.`);
      return;
    }
    const request = new XMLHttpRequest();
    const started = Date.now();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (state) => {
      const rate = state.loaded / Math.max(0.5, (Date.now() - started) / 1000);
      bar.max = state.total;
      bar.value = state.loaded;
      text.textContent = state.loaded === state.total
        ? "All bytes are sent. The server is finishing the file…"
        : `${sizeText(state.loaded)} of ${sizeText(state.total)} · ${sizeText(rate)}/s · ${clockText((state.total - state.loaded) / rate)} left`;
    });
    request.addEventListener("load", () => {
      if (request.status === 201) {
        location.assign(request.getResponseHeader("Location"));
        return;
      }
      let answer = null;
      try { answer = JSON.parse(request.responseText); } catch { /* a proxy's own page */ }
      finish(answer ? answer.message : `The server answered ${request.status}. Try again in a moment.`);
    });
    request.addEventListener("error", () => finish("The connection was closed before the upload ended. Reload the page: it says whether the upload is allowed now."));
    request.addEventListener("abort", () => finish("The upload was stopped. Nothing was kept and no try was used."));
    cancel.onclick = () => request.abort();
    problem.hidden = true;
    panel.hidden = false;
    const body = new FormData(form);  // before its fields are disabled: those would be left out
    busy(true);
    request.send(body);
  });
  function busy(on) {
    for (const element of form.querySelectorAll("[type=submit], input[type=file]")) element.disabled = on;
    cancel.hidden = !on;
  }
  function finish(message) {
    panel.hidden = true;
    busy(false);
    say(message);
  }
  function say(message) {
    problem.textContent = message;
    problem.hidden = false;
    problem.focus();
  }
}

addCopyButtons();
tick();
setInterval(tick, 1000);
for (const area of document.querySelectorAll("[data-events]")) watch(area);
for (const form of document.querySelectorAll("form[data-upload]")) uploadWithProgress(form);
for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => { if (!confirm(form.dataset.confirm)) event.preventDefault(); });
}
