"use strict";
// Renews the parts marked data-live in place, and searches as one types. All of it works
// without this script, by following links and sending the form.
(() => {
  // A button beside each command copies it.
  function showCopyButtons() {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll("button.copy")) button.hidden = false;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });

  showCopyButtons();
  const every = Number(document.documentElement.dataset.every) * 1000;
  if (!every) return;
  const pause = document.getElementById("pause");
  const stale = document.getElementById("stale");
  const form = document.querySelector("form.search");
  const input = document.getElementById("q");
  let paused = false;
  let running = null;
  let timer = 0;
  let last = "";

  // Makes `old` equal to `fresh` with as few changes as possible: the focus and the selection
  // stay, and nothing jumps.
  function renew(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    const before = [...old.childNodes];
    const after = [...fresh.childNodes];
    const alike = before.length === after.length && before.every((node, n) =>
      node.nodeName === after[n].nodeName && node.id === after[n].id);
    if (!alike) {
      const held = old.contains(document.activeElement) ? document.activeElement.id : "";
      old.replaceChildren(...after.map((node) => document.importNode(node, true)));
      if (held) document.getElementById(held)?.focus({ preventScroll: true });
    } else {
      before.forEach((node, n) => {
        if (node.nodeType === Node.ELEMENT_NODE) renew(node, after[n]);
        else if (node.nodeValue !== after[n].nodeValue) node.nodeValue = after[n].nodeValue;
      });
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  }

  function show(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (other) renew(part, other);
    }
    showCopyButtons();
    document.title = fresh.title;
  }

  async function refresh() {
    clearTimeout(timer);
    running?.abort();
    const mine = running = new AbortController();
    try {
      const answer = await fetch(location.href, { signal: mine.signal, cache: "no-cache" });
      if (!answer.ok) throw new Error(`it says ${answer.status}`);
      // If nothing changed, the service answers 304, and the browser gives the same text again.
      const text = await answer.text();
      if (text !== last) show(text);
      last = text;
      say("");
    } catch (error) {
      if (error.name === "AbortError") return;
      say("The service doesn’t answer; this page is out of date.");
    }
    if (running === mine) {
      running = null;
      later();
    }
  }

  function say(words) {
    if (stale.textContent !== words) stale.textContent = words;
  }

  function later() {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(refresh, every);
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else if (!paused) refresh();
  });

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    if (paused) clearTimeout(timer);
    else refresh();
  });

  if (form && input) {
    let typing = 0;
    const search = () => {
      const address = new URL(location.href);
      address.searchParams.delete("page");
      if (input.value.trim()) address.searchParams.set("q", input.value);
      else address.searchParams.delete("q");
      if (address.href === location.href) return;
      history.replaceState(null, "", address);
      refresh();
    };
    input.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(search, 150);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(typing);
      search();
    });
  }

  later();
})();
