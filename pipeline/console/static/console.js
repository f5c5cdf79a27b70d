// What the pages do beyond HTML: times in the reader's zone, renewal while they look, copying.
// Without it everything is there, in UTC and as of loading.
"use strict";
(() => {
  const forms = {
    minute: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
    clock: { hour: "2-digit", minute: "2-digit" },
    second: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
    full: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" },
  };
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  const zoned = Object.fromEntries(
    Object.entries(forms).map(([name, form]) => [
      name, new Intl.DateTimeFormat(undefined, { ...form, hourCycle: "h23" }),
    ]),
  );

  function localise(root) {
    for (const time of root.querySelectorAll("time[data-form]")) {
      const at = new Date(time.dateTime);
      const form = zoned[time.dataset.form];
      if (form && !Number.isNaN(at.getTime())) {
        time.textContent = form.format(at);
        time.title = full.format(at);
      }
    }
  }

  function offerCopies(root) {
    for (const button of root.querySelectorAll("button[data-copies]")) {
      button.hidden = !navigator.clipboard;
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copies]");
    if (!button) return;
    await navigator.clipboard.writeText(
      document.getElementById(button.dataset.copies).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });

  // A part is renewed as a whole; whoever stands on a link in it stays there, and whoever is
  // typing in it is left alone until they are done.
  function renew(part, html) {
    const at = document.activeElement;
    const within = part.contains(at);
    if (within && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName)) return;
    const mark = within && (at.getAttribute("href") || at.id);
    const open = [...part.querySelectorAll("details")].map((one) => one.open);
    part.innerHTML = html;
    localise(part);
    offerCopies(part);
    part.querySelectorAll("details").forEach((one, n) => { one.open = Boolean(open[n]); });
    if (mark) {
      const again = [...part.querySelectorAll("a[href], [id]")]
        .find((one) => one.getAttribute("href") === mark || one.id === mark);
      if (again) again.focus({ preventScroll: true });
    }
  }

  // Parts come and go: the first touchpoint brings the matrix with it.
  function arrange(order, changed) {
    const main = document.getElementById("main");
    for (const part of main.querySelectorAll(":scope > section")) {
      if (!order.includes(part.id)) part.remove();
    }
    let before = main.querySelector(":scope > h1");
    for (const id of order) {
      let part = document.getElementById(id);
      if (!part) {
        part = document.createElement("section");
        part.id = id;
        before.after(part);
      }
      if (id in changed) renew(part, changed[id]);
      before = part;
    }
  }

  const SILENCE_MAX = 40000; // milliseconds; a beat comes every 15 s
  const AGAIN = 3000;

  function follow() {
    const seq = document.body.dataset.live;
    if (seq === undefined || !window.EventSource) return;
    const connection = document.getElementById("connection");
    const page = encodeURIComponent(location.pathname + location.search);
    let stream, heard;
    const live = () => {
      heard = Date.now();
      if (connection.className === "live") return;
      connection.textContent = "Live";
      connection.className = "live";
    };
    const lost = () => {
      connection.textContent = "Not live: no connection to the console. Trying again.";
      connection.className = "lost";
    };
    // A browser tries again by itself where a stream breaks off, but not where it is refused.
    const again = async () => {
      try {
        const answer = await fetch(location.href, { method: "HEAD", redirect: "manual" });
        if (answer.type === "opaqueredirect") return location.reload(); // to the log-in
      } catch { /* nobody there: that is what the next try finds out */ }
      connect();
    };
    const connect = () => {
      heard = Date.now();
      stream = new EventSource(`/live?seq=${seq}&page=${page}`);
      stream.addEventListener("open", live);
      stream.addEventListener("beat", live);
      stream.addEventListener("error", () => {
        lost();
        if (stream.readyState === EventSource.CLOSED) setTimeout(again, AGAIN);
      });
      stream.addEventListener("sections", (event) => {
        live();
        const { order, changed } = JSON.parse(event.data);
        arrange(order, changed);
      });
    };
    // A console that hangs, or is gone with its machine, closes nothing: it is just not heard.
    setInterval(() => {
      if (stream.readyState !== EventSource.OPEN || Date.now() - heard < SILENCE_MAX) return;
      stream.close();
      lost();
      setTimeout(again, AGAIN);
    }, 1000);
    addEventListener("pagehide", () => stream.close());
    connect();
  }

  localise(document);
  offerCopies(document);
  follow();
})();
