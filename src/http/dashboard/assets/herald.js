// Makes pages live: swaps the parts that changed, asks the API for what buttons say, filters the fleet.
// Pages are whole without it.
"use strict";
document.documentElement.classList.add("scripted");
(() => {
  const page = document.body.dataset;
  const csrf = document.querySelector('meta[name="csrf-token"]');
  const byId = (id) => document.getElementById(id);

  // Times: "3 min ago" is true for a while only.
  const rough = (seconds) =>
    seconds < 60 ? `${seconds} s` : seconds < 3600 ? `${Math.floor(seconds / 60)} min`
      : seconds < 86400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
  const tell = (time) => {
    const seconds = Math.round((Date.now() - Date.parse(time.dateTime)) / 1000);
    const text = Math.abs(seconds) < 5 ? (seconds < 0 ? "now" : "just now") : seconds > 0 ? `${rough(seconds)} ago` : `in ${rough(-seconds)}`;
    if (time.textContent !== text) time.textContent = text;
  };
  const times = () => document.querySelectorAll("time").forEach(tell);
  setInterval(times, 15000);
  // The server's text is right; the exact time is shown when somebody points at it.
  document.addEventListener("pointerover", (event) => {
    const time = event.target.closest && event.target.closest("time");
    if (time && !time.title) time.title = time.dateTime.replace("T", " ").replace("Z", " UTC");
  });

  const toast = (title, detail, bad) => {
    const box = document.createElement("div");
    box.className = bad ? "toast bad" : "toast";
    const strong = document.createElement("strong");
    strong.textContent = title;
    box.append(strong);
    if (detail) box.append(detail);
    byId("toasts").append(box);
    setTimeout(() => box.remove(), bad ? 12000 : 5000);
  };

  // Reading anew: the same page again, of which the parts that differ are swapped.
  const focusedIn = (part) => {
    const active = document.activeElement;
    if (!part.contains(active)) return null;
    const same = [...part.querySelectorAll(active.tagName)];
    return { tag: active.tagName, text: active.textContent, index: same.indexOf(active) };
  };
  const swap = (old, fresh) => {
    if (old.outerHTML === fresh.outerHTML) return;
    const focused = focusedIn(old);
    const open = [...old.querySelectorAll("details")].map((one) => one.open);
    old.replaceWith(fresh);
    fresh.querySelectorAll("details").forEach((one, index) => { one.open = open[index] === true; });
    if (fresh.tagName === "TR") fresh.classList.add("fresh");
    if (focused) {
      const same = [...fresh.querySelectorAll(focused.tag)];
      const next = same.find((one) => one.textContent === focused.text) || same[focused.index];
      if (next) next.focus({ preventScroll: true });
    }
  };
  let asking = false, again = false;
  const names = new Set();
  let all = false;
  const refresh = async () => {
    if (asking) { again = true; return; }
    asking = true;
    const url = new URL(location.href);
    const some = page.shows === "fleet" && !all && names.size <= 40;
    if (some) url.search = `?only=${[...names].join(",")}`;
    else if (page.shows === "fleet") url.search = "";
    names.clear();
    all = false;
    try {
      const answer = await fetch(url, { headers: { Accept: "text/html" } });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        const old = new Map([...document.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
        const main = byId("main");
        for (const part of [...fresh.querySelectorAll("[data-part]")]) {
          const here = old.get(part.dataset.part);
          if (here) { part.classList.remove("fresh"); here.classList.remove("fresh"); swap(here, part); continue; }
          const body = main.querySelector(".fleet tbody");
          if (part.tagName === "TR" && body) body.prepend(part);
          else if (page.shows !== "fleet") { location.reload(); return; }
        }
        document.title = fresh.title;
        if (page.shows === "fleet") filter();
      }
    } catch { /* The next event, or the stream's return, asks again. */ }
    asking = false;
    if (again) { again = false; later(); }
  };
  let timer = 0;
  const later = () => { if (!timer) timer = setTimeout(() => { timer = 0; refresh(); }, 400); };

  const live = byId("live");
  const concerns = (event) => page.shows === "fleet" || event.activation === page.activation || event.name === page.activation;
  const count = (number) => number.toLocaleString("en-US");
  if (page.shows && "EventSource" in window) {
    const events = new EventSource("/v1/events?progress=true");
    let lost = false;
    events.onopen = () => {
      live.textContent = "Live"; live.className = "live on";
      if (lost) { lost = false; all = true; later(); }
    };
    events.onerror = () => { lost = true; live.textContent = "Not live, trying again"; live.className = "live off"; };
    const changed = (message) => {
      const event = JSON.parse(message.data);
      if (!concerns(event)) return;
      names.add(event.activation || event.name);
      later();
    };
    events.addEventListener("publish", changed);
    events.addEventListener("activation", changed);
    events.addEventListener("resync", () => { all = true; later(); });
    events.addEventListener("progress", (message) => {
      const event = JSON.parse(message.data);
      const box = document.querySelector("[data-progress]");
      if (!box || event.publish !== page.publish) return;
      box.querySelector("[data-phase]").textContent = event.phase;
      box.querySelector("[data-done]").textContent = count(event.done) + (event.total ? ` of ${count(event.total)}` : "");
      const bar = box.querySelector("progress");
      if (event.total) { bar.max = event.total; bar.value = event.done; } else bar.removeAttribute("value");
    });
    addEventListener("pagehide", () => events.close());
  }

  // Asking the API.
  const send = async (method, url, body, done) => {
    const headers = {};
    if (csrf) headers["X-CSRF-Token"] = csrf.content;
    if (body) headers["Content-Type"] = "application/json";
    try {
      const answer = await fetch(url, { method, headers, body: body || undefined });
      if (answer.ok) { toast(done); all = page.shows !== "fleet"; names.add(page.activation); later(); return true; }
      const problem = await answer.json().catch(() => ({}));
      const more = (problem.errors || []).slice(0, 3).map((one) => (typeof one === "string" ? one : one.message || one.detail || "")).join(" ");
      toast(problem.detail || problem.title || `The service answered ${answer.status}`, [more, problem.remedy].filter(Boolean).join(" "), true);
    } catch { toast("The service can't be reached", "Check that it runs, then try again.", true); }
    return false;
  };
  const ask = (title, text, go) => {
    const dialog = byId("confirm");
    byId("confirm-title").textContent = title;
    byId("confirm-text").textContent = text;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") go(); }, { once: true });
    dialog.showModal();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.opens) { openDelete(); return; }
    if (!("act" in button.dataset)) return;
    const { method, url, body, done, ask: question } = button.dataset;
    const go = async () => {
      button.setAttribute("aria-busy", "true");
      await send(method, url, body, done);
      button.removeAttribute("aria-busy");
    };
    if (question) ask(button.textContent, question, go); else go();
  });

  // Deleting: what it takes back is shown first, and the name is typed.
  const dialog = byId("delete");
  const chosen = () => dialog.querySelector('input[name="data"]:checked').value;
  const plan = async () => {
    const box = byId("plan"), data = chosen();
    box.textContent = "Looking at what it would take back…";
    try {
      const answer = await fetch(`${dialog.dataset.plan}?data=${data}`);
      if (!answer.ok) throw new Error();
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (data === chosen()) box.replaceChildren(...fresh.body.childNodes);
    } catch { box.textContent = "What it would take back can't be said now."; }
  };
  const openDelete = () => {
    byId("typed").value = "";
    byId("delete-go").disabled = true;
    dialog.returnValue = "";
    plan();
    dialog.showModal();
  };
  if (dialog) {
    dialog.addEventListener("change", (event) => { if (event.target.name === "data") plan(); });
    byId("typed").addEventListener("input", (event) => { byId("delete-go").disabled = event.target.value !== dialog.dataset.name; });
    // Enter in the field is no way past the button.
    byId("typed").addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); if (!byId("delete-go").disabled) dialog.close("yes"); }
    });
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "yes" && byId("typed").value === dialog.dataset.name) send("DELETE", `${dialog.dataset.url}?data=${chosen()}`, "", "The teardown has begun");
    });
  }

  // The fleet's filter, without asking the server.
  const form = byId("filter");
  const troubled = ["failing", "late", "rejecting"];
  function filter() {
    const text = form.q.value.trim().toLowerCase(), state = form.elements.state.value;
    let shown = 0, known = 0;
    for (const row of document.querySelectorAll(".fleet tbody tr")) {
      const health = row.dataset.h;
      const named = row.firstElementChild.textContent.toLowerCase().includes(text);
      const wanted = named && (!state || state === health || (state === "problems" && troubled.includes(health)));
      row.hidden = !wanted;
      known += 1;
      if (wanted) shown += 1;
    }
    byId("shown").textContent = `${count(shown)} of ${count(known)}`;
    byId("none").hidden = shown > 0;
    const query = new URLSearchParams();
    if (text) query.set("q", text);
    if (state) query.set("state", state);
    history.replaceState(null, "", query.size ? `/?${query}` : "/");
  }
  if (form && form.matches("#filter") && document.querySelector(".fleet")) {
    // Rows that the address left out are needed once the filter changes.
    const whole = !location.search;
    const changed = () => { if (whole) filter(); else form.submit(); };
    form.addEventListener("submit", (event) => { if (whole) { event.preventDefault(); filter(); } });
    form.q.addEventListener("input", () => { if (whole) filter(); });
    form.elements.state.addEventListener("change", changed);
  }
})();
