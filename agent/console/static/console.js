"use strict";
// Fetches the tables again at each tick, but never under the fingers of somebody who fills in a form.
const tables = document.getElementById("tables");
let busy = false;
async function refresh() {
  if (busy || tables.contains(document.activeElement)) return;
  busy = true;
  try {
    const answer = await fetch("/tables");
    if (answer.ok) tables.innerHTML = await answer.text();
    document.body.classList.remove("stale");
  } catch {
    document.body.classList.add("stale");
  } finally {
    busy = false;
  }
}
new EventSource("/events").addEventListener("tick", refresh);
