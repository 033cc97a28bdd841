// The log as it goes on: lines come by event, wait for the next frame or for as long as somebody pauses, and are found again.

import { Find } from "./log_find.js";
import { hour, MOST, Rows } from "./log_rows.js";
import { Stream } from "./stream.js";

// Time of a frame that making rows may take, so that scrolling stays smooth, and rows between two looks at the clock.
const FRAME_MS = 6;
const AT_ONCE = 100;

const by = (id) => document.getElementById(id);
const box = by("log-box");
const rows = new Rows(by("log-rows"));
const find = new Find(by("log-find"), box);
const number = (count) => count.toLocaleString();

for (const time of document.querySelectorAll(".line time")) time.textContent = hour(time.dateTime);
by("log-zone").textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
find.words = document.querySelector(".filters [name=q]").value;

class Follower {
  #waiting = [];
  #paused = false;
  #scheduled = false;
  #missed = 0;
  #unseen = 0;

  constructor() {
    this.atEnd = true;
    const pause = by("log-pause");
    pause.hidden = false;
    pause.addEventListener("click", () => this.#pause(!this.#paused));
    box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    by("log-jump").addEventListener("click", () => (box.scrollTop = 0));
  }

  take(entries) {
    for (const entry of entries) this.#waiting.push(entry);
    const over = this.#waiting.length - MOST;
    if (over > 0) this.#missed += this.#waiting.splice(0, over).length;
    this.#schedule();
  }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => this.#frame());
  }

  // Rows above somebody who reads stay, up to a bound; from there on lines wait.
  get #holds() {
    return this.#paused || (!this.atEnd && rows.count >= 2 * MOST);
  }

  #frame() {
    this.#scheduled = false;
    if (!this.#holds && this.#waiting.length) {
      this.#reveal();
      if (this.#missed) this.#begin();
      const until = performance.now() + FRAME_MS;
      while (this.#waiting.length && performance.now() < until) this.#show(this.#waiting.splice(0, AT_ONCE));
      if (this.atEnd) this.#trim();
      if (this.#waiting.length && !this.#holds) this.#schedule();
    }
    this.#tell();
  }

  #show(entries) {
    let lines = [];
    const put = () => {
      if (lines.length) find.add(rows.append(lines));
      lines = [];
    };
    for (const entry of entries) {
      if (entry.place) lines.push(entry);
      else put(), rows.say(entry.said);
    }
    put();
    if (!this.atEnd) this.#unseen += entries.length;
  }

  // More came than a page bears: it begins anew with the newest.
  #begin() {
    rows.trim(0);
    rows.say(`${number(this.#missed)} more lines came and were left out here: a page keeps the newest ${number(MOST)}.`);
    this.#missed = 0;
    find.forget();
  }

  #trim() {
    if (!rows.trim()) return;
    find.forget();
    const link = Object.assign(document.createElement("a"), { href: rows.first(), textContent: "Earlier lines" });
    const note = Object.assign(document.createElement("p"), { className: "aside" });
    note.append(`This page keeps the newest ${number(MOST)} lines. `, link);
    by("log-rows").prepend(note);
  }

  #reveal() {
    by("log-none")?.remove();
  }

  #pause(paused) {
    this.#paused = paused;
    by("log-pause").setAttribute("aria-pressed", paused);
    this.#schedule();
  }

  #scrolled() {
    const atEnd = box.scrollTop > -1;
    if (atEnd === this.atEnd) return;
    this.atEnd = atEnd;
    this.#unseen = 0;
    this.#schedule();
  }

  #tell() {
    const waiting = this.#waiting.length + this.#missed;
    const wait = waiting ? ` · ${number(waiting)} waiting` : "";
    by("log-pause").textContent = this.#paused ? `Resume${wait}` : "Pause";
    const jump = by("log-jump");
    const unseen = this.#unseen + (this.#paused ? 0 : waiting);
    jump.hidden = this.atEnd;
    jump.textContent = unseen ? `↓ ${number(unseen)} new` : "↓ To the end";
  }
}

function state(text, name = "") {
  by("log-state").textContent = text;
  by("log-state").className = `tail ${name}`;
}

// The browser itself comes again after a break, with the place of the last event; after a refusal we do.
function follow(address, follower) {
  const stream = new Stream(address, {
    open: () => state("Live", "live"),
    lines: (event) => follower.take(JSON.parse(event.data)),
    skipped: (event) => follower.take([{ said: `${event.data}: they came faster than they could be sent` }]),
    error: async () => {
      state("Reconnecting…", "lost");
      if (!stream.isRefused) return;
      const page = await fetch(location.href).catch(() => null);
      if (page?.redirected) return location.reload();
      if (page?.status === 404) return state("The app is gone", "lost");
      setTimeout(() => stream.open(), 3000);
    },
  });
}

const { tail } = by("log").dataset;
if (tail) follow(tail, new Follower());
