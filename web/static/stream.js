// Events of the server while somebody looks. A browser has six connections to a server for all its tabs, and waits when
// they are in use: a page that nobody sees gives its own back, and goes on after the last event when it is seen again.

export class Stream {
  #url;
  #listeners;
  #source = null;
  #ended = false;

  constructor(address, listeners) {
    this.#url = new URL(address, location.href);
    this.#listeners = listeners;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.open()));
    if (!document.hidden) this.open();
  }

  // Connects unless it is connected, or connects itself again.
  open() {
    if (this.#ended || document.hidden || this.#source?.readyState < EventSource.CLOSED) return;
    this.#source = new EventSource(this.#url);
    for (const [name, listener] of Object.entries(this.#listeners)) {
      this.#source.addEventListener(name, (event) => {
        if (event.lastEventId) this.#url.searchParams.set("after", event.lastEventId);
        listener(event);
      });
    }
  }

  // Tells whether the server refused, so that the browser does not come again by itself.
  get isRefused() {
    return this.#source?.readyState === EventSource.CLOSED;
  }

  // There is no more to come.
  end() {
    this.#ended = true;
    this.#close();
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }
}
