// Appends what a running build writes, and stays at the end while the reader is there.

import { Stream } from "./stream.js";

const KEPT = 5000;
const output = document.querySelector("#output");
const tail = document.querySelector("#tail");
const jump = document.querySelector("#to-end");

const isAtEnd = () => output.scrollHeight - output.scrollTop - output.clientHeight < 40;
const toEnd = () => (output.scrollTop = output.scrollHeight);

function say(word) {
  tail.className = `tail ${word}`;
  tail.textContent = { live: "live", lost: "connecting", ended: "ended" }[word];
}

function row({ kind, pieces }) {
  const row = document.createElement("div");
  row.className = `line ${kind}`;
  const text = row.appendChild(document.createElement("span"));
  for (const [style, part] of pieces) {
    if (!style) {
      text.append(part);
      continue;
    }
    const styled = text.appendChild(document.createElement("i"));
    styled.className = style;
    styled.textContent = part;
  }
  return row;
}

function append(lines) {
  const follows = isAtEnd();
  output.append(...lines.map(row));
  while (output.children.length > KEPT) output.firstElementChild.remove();
  if (follows) toEnd();
}

if (output?.dataset.follow) {
  toEnd();
  output.addEventListener("scroll", () => jump.toggleAttribute("hidden", isAtEnd()));
  jump.addEventListener("click", toEnd);
  const stream = new Stream(output.dataset.follow, {
    open: () => say("live"),
    error: () => say("lost"),
    lines: (event) => append(JSON.parse(event.data)),
    end: () => {
      stream.end();
      say("ended");
    },
  });
}
