// The rows of a log: made from what the server sends, in parts that the browser lays out only when they are seen, and not
// more than it bears.

const TOGETHER = 100;
export const MOST = 10000;

const two = (number) => String(number).padStart(2, "0");

// In the time zone of who looks; of an earlier day, that day too.
export function hour(at, now = new Date()) {
  const time = new Date(at);
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  if (time.toDateString() === now.toDateString()) return `${clock}.${String(time.getMilliseconds()).padStart(3, "0")}`;
  return `${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock}`;
}

function blank() {
  const row = document.createElement("div");
  const link = document.createElement("a");
  link.append(document.createElement("time"));
  row.append(link, " ", document.createElement("b"), " ", document.createElement("span"));
  return row;
}

function filled(row, line, now) {
  const [link, from, text] = row.children;
  const time = link.firstChild;
  row.className = `line ${line.source}`;
  link.href = `?at=${line.place}#at`;
  time.dateTime = line.at;
  time.title = `${line.at.slice(0, -1).replace("T", " ")} UTC`;
  time.textContent = hour(line.at, now);
  from.textContent = line.from;
  from.title = line.origin;
  for (const [style, words] of line.pieces) {
    if (!style) text.append(words);
    else text.appendChild(document.createElement("i")).append(words);
    if (style) text.lastChild.className = style;
  }
  return row;
}

export class Rows {
  #place;
  #blank = blank();

  constructor(place) {
    this.#place = place;
    this.count = place.querySelectorAll(".line").length;
  }

  // Returns the rows that were added.
  append(lines) {
    const now = new Date();
    const added = lines.map((line) => filled(this.#blank.cloneNode(true), line, now));
    let part = this.#place.lastElementChild;
    for (let at = 0; at < added.length; ) {
      if (!part?.matches(".part") || part.childElementCount >= TOGETHER) {
        part = this.#place.appendChild(document.createElement("div"));
        part.className = "part";
      }
      const some = added.slice(at, at + TOGETHER - part.childElementCount);
      part.append(...some);
      at += some.length;
    }
    this.count += added.length;
    return added;
  }

  // Says something between the rows.
  say(text) {
    const said = this.#place.appendChild(document.createElement("p"));
    said.className = "aside";
    said.textContent = text;
  }

  // Takes the oldest rows away and returns whether there were too many.
  trim(most = MOST) {
    const first = () => this.#place.querySelector(".part");
    let trimmed = false;
    for (let part = first(); part && this.count - part.childElementCount >= most; part = first()) {
      this.count -= part.childElementCount;
      while (this.#place.firstElementChild !== part) this.#place.firstElementChild.remove();
      part.remove();
      trimmed = true;
    }
    return trimmed;
  }

  // Returns the address of the oldest row.
  first() {
    return this.#place.querySelector(".line > a")?.getAttribute("href");
  }
}
