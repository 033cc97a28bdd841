// Finds words in the rows that are shown, marks them, and goes from one to the next.

const marks = globalThis.CSS?.highlights && typeof Highlight === "function" ? CSS.highlights : null;

// A place in a row's text as the text nodes have it: colours split a text into several.
function range(row, start, end) {
  const walk = document.createTreeWalker(row.lastElementChild, NodeFilter.SHOW_TEXT);
  let passed = 0;
  const found = {};
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const next = passed + node.length;
    if (!found.startContainer && start < next) Object.assign(found, { startContainer: node, startOffset: start - passed });
    if (end <= next) return new StaticRange({ ...found, endContainer: node, endOffset: end - passed });
    passed = next;
  }
}

export class Find {
  #box;
  #field;
  #count;
  #wanted = null;
  #hits = [];
  #here = -1;

  constructor(panel, box) {
    this.#box = box;
    this.#field = panel.querySelector("input");
    this.#count = panel.querySelector("output");
    panel.hidden = false;
    this.#field.addEventListener("input", () => requestAnimationFrame(() => this.search(true)));
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    for (const button of panel.querySelectorAll("[data-step]")) {
      button.addEventListener("click", () => this.step(Number(button.dataset.step)));
    }
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.matches("input, select, textarea")) return;
      event.preventDefault();
      this.#field.select();
    });
  }

  set words(words) {
    this.#field.value = words;
    this.search(false);
  }

  search(goes) {
    for (const { row } of this.#hits) row.classList.remove("hit", "here");
    marks?.clear();
    this.#hits = [];
    this.#here = -1;
    const words = this.#field.value;
    this.#wanted = words && new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
    this.add(this.#box.querySelectorAll(".line"));
    if (goes && this.#hits.length) this.#go(this.#hits.length - 1);
  }

  // Looks through rows that came.
  add(rows) {
    if (!this.#wanted) return this.#tell();
    const ranges = [];
    for (const row of rows) {
      for (const match of row.lastElementChild.textContent.matchAll(this.#wanted)) {
        const found = range(row, match.index, match.index + match[0].length);
        this.#hits.push({ row, found });
        ranges.push(found);
      }
      if (this.#hits.at(-1)?.row === row) row.classList.add("hit");
    }
    if (marks?.has("found")) for (const found of ranges) marks.get("found").add(found);
    else marks?.set("found", new Highlight(...ranges.slice(0, 50000)));
    this.#tell();
  }

  // Forgets rows that were taken away.
  forget() {
    const gone = this.#hits.findIndex(({ row }) => row.isConnected);
    const some = this.#hits.splice(0, gone < 0 ? this.#hits.length : gone);
    for (const { found } of some) marks?.get("found")?.delete(found);
    this.#here = Math.max(-1, this.#here - some.length);
    this.#tell();
  }

  step(by) {
    const all = this.#hits.length;
    if (all) this.#go(this.#here < 0 ? all - 1 : (this.#here + by + all) % all);
  }

  #go(to) {
    this.#hits[this.#here]?.row.classList.remove("here");
    this.#here = to;
    const { row, found } = this.#hits[to];
    row.classList.add("here");
    marks?.set("here", Object.assign(new Highlight(found), { priority: 1 }));
    row.scrollIntoView({ block: "center" });
    this.#tell();
  }

  #key(event) {
    if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      this.words = "";
      this.#box.focus();
    } else return;
    event.preventDefault();
  }

  #tell() {
    const all = this.#hits.length.toLocaleString();
    const here = this.#here < 0 ? "" : `${(this.#here + 1).toLocaleString()} of `;
    this.#count.textContent = this.#wanted ? `${here}${all}` : "";
  }
}
