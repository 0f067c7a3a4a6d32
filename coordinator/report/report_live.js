"use strict";
/* The page of a run that is under way: its server sends the report of the stages so far after each of them, and what
 * happens now once a second. A page that was made for a file has no token, and nothing here runs. */
const Live = (function() {
const own = JSON.parse(document.getElementById("live-data").textContent), $ = (id) => document.getElementById(id);
let runs = !!own, now = null, source = null, asked = 0, armed = 0, lost = false, rows = [];
const fmt = (v) => human(v);
const STATES = {
  gather: "Waiting for agents", probe: "One request is sent first, to see what the target answers", arm: "Agents are given the next load", load: "Load",
  drain: "Waiting for open answers", pause: "Between two loads", close: "Agents are let go", over: "The load has ended; the report is made"
};
function el(tag, text, cls) {
  const e = document.createElement(tag);
  e.textContent = text;
  if (cls) e.className = cls;
  return e;
}
function duration(s) {
  const m = Math.round(s / 60);
  return s < 90 ? Math.round(s) + " s" : m < 90 ? m + " min" : (s / 3600).toFixed(1) + " h";
}

function stage() {
  const s = now.stage, runs = s && (now.state === "load" || now.state === "drain");
  const words = [STATES[now.state] || now.state];
  if (now.state === "gather") words[0] += ": " + fmt(now.agents_ready) + " of " + fmt(now.agents_wanted);
  if (runs) words[0] = (now.state === "drain" ? "Waiting for open answers of load " : "Load ") + s.load + (s.repeat > 1 ? " #" + s.repeat : "") + (s.tries ? ", attempt " + (s.tries + 1) : "");
  if (now.step) words.push("stage " + now.step + (now.steps ? " of " + now.steps : " of a search"));
  if (runs && s.duration_s > 0) words.push(fmt(Math.min(Math.max(0, Math.floor(s.elapsed_s)), s.duration_s)) + " of " + fmt(s.duration_s) + " s" + (s.elapsed_s < s.warmup_s ? ", warm-up" : ""));
  if (now.stopping) words.push("stopping");
  $("live-stage").textContent = words.join(" · ");
  const part = runs && s.duration_s > 0 ? Math.min(1, Math.max(0, s.elapsed_s / s.duration_s)) : 0, bar = $("live-bar");
  bar.value = now.whole_s && now.left_s !== null ? 1 - now.left_s / now.whole_s : now.steps ? Math.min(1, (Math.max(0, now.step - 1) + part) / now.steps) : part;
  bar.setAttribute("aria-label", now.steps ? "the run" : "the stage");
  $("live-left").textContent = now.left_s === null ? "" : "About " + duration(now.left_s) + " left, if answers that are open at a stage's end come at once.";
}

function tiles() {
  const s = now.stage, ms = (v) => v === null ? ["n/a", ""] : [fmt(v), "ms"], early = s && s.elapsed_s < s.warmup_s ? "not in the warm-up" : "no answer yet";
  const list = s ? [["Output", fmt(s.tokens_per_s), "token/s", "in the last full second"], ["In flight", fmt(s.in_flight), "requests", s.waiting ? fmt(s.waiting) + " due and not sent" : "none waits to be sent"],
    ["TTFT p50", ...ms(s.ttft_p50_ms), s.ttft_n >= 299 ? "p99 " + fmt(s.ttft_p99_ms) + " ms" : s.ttft_n ? "of " + fmt(s.ttft_n) + " requests" : early], ["ITL p50", ...ms(s.itl_p50_ms), s.itl_p99_ms === null ? early : "p99 " + fmt(s.itl_p99_ms) + " ms"],
    ["Ended ok", fmt(s.ok), "requests", s.failed ? fmt(s.failed) + " failed" : "none failed"], ["Agents", fmt(now.agents), "", now.agents_ready < now.agents ? fmt(now.agents_ready) + " ready" : "all ready"]] : [];
  $("live-tiles").replaceChildren(...list.map(([name, value, unit, note]) => {
    const t = el("div", "", "tile"), v = el("div", value + " ", "value");
    v.append(el("span", unit, "unit"));
    t.append(el("div", name, "name"), v, el("div", note, "note"));
    return t;
  }));
}

function chart(id, column, what, unit) {
  const kit = Charts.kit, list = rows.filter((r) => r[column] !== null).map((r) => ({x: r[0], y: r[column]})), last = list[list.length - 1];
  $(id).closest("figure").hidden = !last;
  if (!last) return;
  kit.draw(id, {
    caption: what + ": " + fmt(last.y) + " " + unit + " after " + fmt(last.x) + " s.",
    type: "line",
    data: {datasets: [kit.line(what, kit.css("--c1"), list, {borderWidth: 1.6, pointRadius: list.length < 2 ? 3 : 0})]},
    options: {
      scales: {x: kit.axis("seconds into the stage", {type: "linear", min: list[0].x > 60 ? undefined : 0, ticks: {includeBounds: false, maxRotation: 0, color: kit.css("--soft"), callback: (v) => fmt(v)}}), y: kit.axis(unit, {beginAtZero: true, grace: "10%"})},
      plugins: {legend: {display: false}, tooltip: {callbacks: {title: () => "", label: (t) => fmt(t.raw.y) + " " + unit + " after " + fmt(t.raw.x) + " s"}}}
    }
  });
}

function agents() {
  const s = now.stage, list = s ? s.agents : [], by = {};
  for (const a of list) (by[a.state] = by[a.state] || []).push(a.name);
  $("live-agents").replaceChildren(...(list.length ? [el("p", "Agents of this stage: " + Object.entries(by).map(([state, names]) => names.length + " " + state + " (" + names.slice(0, 6).join(", ") + (names.length > 6 ? ", …" : "") + ")").join("; ") +
    (s.agents_in_all > list.length ? "; and " + (s.agents_in_all - list.length) + " more" : "") + ".", "soft")] : []));
  $("live-events").replaceChildren(...now.events.slice().reverse().map((e) => el("li", e.time.slice(11, 19) + " " + e.kind.replace(/_/g, " ") + ": " + e.text)));
}

function draw() {
  if (!now || !runs) return;
  stage();
  tiles();
  agents();
  if (now.rows.length) rows = now.rows; /* those of the stage before stay until there is something to see */
  chart("c-live-tokens", 1, "Output", "token/s");
  chart("c-live-ttft", 3, "TTFT p50", "ms");
}

/* Two presses: one alone must not end a run of hours. */
function button() {
  const b = $("stop");
  b.textContent = !armed ? (asked ? "End at once" : "Stop the run") : asked ? "Really end at once" : "Really stop";
  $("stop-note").textContent = armed ? (asked ? "Open requests count as lost." : "Open requests end first; then comes the report.") : asked ? "Asked: no new requests are sent." : "";
}
async function press() {
  clearTimeout(armed);
  if (!armed) {
    armed = setTimeout(() => {
      armed = 0;
      button();
    }, 6000);
    return button();
  }
  armed = 0;
  const r = await fetch("stop", {method: "POST", headers: {"X-Plateau-Token": own.token}}).catch(() => null);
  if (r && r.ok) asked++;
  button();
  if (!r || !r.ok) $("stop-note").textContent = r ? await r.text() : "plateau cannot be reached.";
}

function word(text, good) {
  $("live-word").textContent = text;
  $("live-word").className = good ? "good" : "";
}

/* The frame that is under way stays; everything else of it goes when the run is over. */
function over(o) {
  runs = false;
  source.close();
  for (const e of [...$("live").children])
    if (e.id !== "live-word") e.hidden = true;
  word("The run is over, with exit status " + o.status + ". This page shows all of it, and stays as long as it is open. The same report is the file " + o.dir + "/report.html.", true);
}

function begin() {
  let last = null;
  source = new EventSource("events" + location.search);
  source.addEventListener("report", (e) => {
    last = JSON.parse(e.data);
    $("live").hidden = false;
    Report.show(last);
  });
  source.addEventListener("now", (e) => {
    now = JSON.parse(e.data);
    if (last) draw();
  });
  source.addEventListener("over", (e) => {
    over(JSON.parse(e.data));
    if (last) Report.show(last);
  });
  source.onopen = () => {
    if (lost) word("");
    lost = false;
  };
  source.onerror = () => {
    if (!runs) return;
    lost = true;
    word("plateau cannot be reached: it has ended, or the network is broken. What was measured is in the run's folder: plateau report DIR shows it.");
  };
  $("stop").onclick = press;
}
return {token: own && own.token, runs: () => runs, begin, draw};
})();
