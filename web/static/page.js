// What pages do beyond being read: everything works without this.

import { Stream } from "./stream.js";

const show = (element) => element.removeAttribute("hidden");

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  show(button);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}

function search(field) {
  const wanted = field.value.trim().toLowerCase();
  let found = 0;
  for (const row of document.querySelectorAll(field.dataset.search)) {
    row.hidden = !row.dataset.name.includes(wanted);
    found += !row.hidden;
  }
  document.querySelector("#nothing-found")?.toggleAttribute("hidden", found > 0);
}

const field = document.querySelector("[data-search]");
if (field) {
  show(field);
  field.addEventListener("input", () => search(field));
}

// Somebody who is typing, or has a control in hand, is not disturbed.
const isInUse = (region) =>
  region.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");

const controls = (region) => [...region.querySelectorAll("a, button, input, select, textarea, summary")];
const nameOf = (control) => control.getAttribute("href") ?? control.getAttribute("aria-label") ?? control.textContent;

// Puts a new region in the place of an old one; the focus stays where it was.
function replace(region, next) {
  const held = region.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  region.replaceWith(next);
  if (held !== null) {
    controls(next).find((control) => nameOf(control) === held)?.focus({ preventScroll: true });
  }
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (answer.redirected) return location.reload();
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const regions = [...document.querySelectorAll("[data-region]")];
  const ids = (page) => [...page.querySelectorAll("[data-region]")].map((region) => region.id).join();
  // What appeared or went as a whole needs the page as a whole.
  if (ids(document) !== ids(fresh)) return location.reload();
  for (const region of regions) {
    const next = fresh.getElementById(region.id);
    // What was unfolded stays so.
    for (const open of region.querySelectorAll("details[id][open]")) next.querySelector(`#${open.id}`)?.setAttribute("open", "");
    if (region.isEqualNode(next) || isInUse(region)) continue;
    replace(region, document.importNode(next, true));
  }
  if (field) search(field);
}

if (document.querySelector("[data-live]")) {
  let busy = false;
  let again = false;
  const changed = async () => {
    if (busy || document.hidden) return void (again = true);
    busy = true;
    do {
      again = false;
      await refresh().catch(() => {});
    } while (again);
    busy = false;
  };
  new Stream("/dashboard/live", { change: changed });
  // What happened meanwhile nobody told.
  document.addEventListener("visibilitychange", () => document.hidden || changed());
}
