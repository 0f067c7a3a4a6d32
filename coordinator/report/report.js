"use strict";
/* The page: tiles, tables and words. Everything that comes from the run is put in as text, never as markup. */
const Report = (function() {
let data, S, points;
const fmt = Charts.fmt;
const $ = (id) => document.getElementById(id);

function el(tag, cls, text) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  if (text !== undefined && text !== null) e.textContent = text;
  return e;
}
const badge = (word) => el("span", "badge " + word, {
  pass: "✓ pass",
  fail: "✗ fail",
  inconclusive: "? inconclusive",
  valid: "✓ valid",
  suspect: "! suspect",
  invalid: "✗ invalid"
}[word] || word);
const pair = (ci) => ci ? fmt(ci[0]) + "–" + fmt(ci[1]) : "";

/* head: rows of cells {text, span, cls}; body: rows of cells: a string, a node or {text, cls, small}; a row's `below` is a list of
 * sentences that stand under it, across the whole table. */
function table(where, head, body, rowClass) {
  const box = $(where) || where, t = el("table"), th = el("thead"), tb = el("tbody");
  for (const row of head) {
    const tr = el("tr");
    for (const c of row) {
      const cell = el(c.text ? "th" : "td", c.cls, c.text); /* an empty one heads nothing */
      if (c.text) cell.scope = c.span ? "colgroup" : "col";
      if (c.span) cell.colSpan = c.span;
      if (c.title) cell.title = c.title;
      tr.append(cell);
    }
    th.append(tr);
  }
  body.forEach((row, i) => {
    const tr = el("tr", rowClass ? rowClass(i) : "");
    row.forEach((c) => {
      const td = el("td", c && c.cls);
      if (c instanceof Node)
        td.append(c);
      else if (c && typeof c === "object") {
        if (c.node)
          td.append(c.node);
        else
          td.textContent = c.text;
        if (c.title) td.title = c.title;
        if (c.small) td.append(el("small", "", c.small));
      } else
        td.textContent = c === null || c === undefined ? "" : c;
      tr.append(td);
    });
    tb.append(tr);
    if (!row.below || !row.below.length) return;
    tr.classList.add("told");
    const note = el("tr", "below"), td = el("td");
    td.colSpan = row.length;
    for (const t of row.below) td.append(el("div", "", t));
    note.append(td);
    tb.append(note);
  });
  t.append(th, tb);
  box.append(t);
  box.tabIndex = 0; /* what scrolls can be scrolled by keys */
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", box.dataset.name || ((box.closest("section") || $("agents")).querySelector("h2") || $("title")).textContent);
}
/* A cell of one figure, greyed where the evidence against the point is against this figure: p.verdict_by_figure, and of
   one percentile p.verdict_by_percentile. */
const figure = (p, aspect, c, q) => {
  const cell = c && typeof c === "object" ? {...c} : {text: c},
        word = ((q && p.verdict_by_percentile || {})[aspect] || {})[q] || (p.verdict_by_figure || {})[aspect] || p.verdict.status;
  if (word === "valid") return cell;
  cell.cls = ((cell.cls || "") + " doubt-" + word).trim();
  cell.title = aspect + (q ? " " + q : "") + ": " + word;
  return cell;
};
const none = (p) => Object.values(p.verdict_by_figure || {x: p.verdict.status}).every((w) => w === "invalid");
const judged = (row, v) => Object.assign(row, {below: v.reasons});
const text = (t) => ({text: t === null || t === undefined ? "" : String(t), cls: "text"});

const CAUSES_SHOWN = 2;
function heading() {
  const r = S.run, plan = S.plan || {};
  $("title").textContent = r.name || "Run " + r.id;
  const target = plan.target || {},
        models = target.model === undefined ? "" :
    typeof target.model === "string"        ? target.model :
                                              (target.model || []).map((m) => m.name || m).join(", ");
  const agents = S.agents.length + (S.agents.length === 1 ? " agent" : " agents");
  $("subtitle").textContent = [
    models, target.url, r.started.replace("T", " ").replace("Z", " UTC"), agents, "run " + r.id
  ].filter(Boolean).join(" · ");
  const banner = $("banner"), say = (t, cls) => banner.append(el("div", cls, t));
  const o = S.outcome, word = el("strong", "word " + o.word.toLowerCase(), {PASS: "✓ PASS", DONE: "DONE", FAIL: "✗ FAIL", UNDECIDED: "? UNDECIDED", INVALID: "✗ INVALID"}[o.word]);
  if (Live.runs())
    $("outcome").append(el("strong", "word running", "▶ RUNNING"), el("span", "why", points.length ? "The report below is of the " + (points.length === 1 ? "one stage that has" : points.length + " stages that have") + " ended." : "No stage has ended yet."));
  else
    $("outcome").append(word, el("span", "why", stop(o.why)), el("span", "soft status", "exit status " + o.exit_status));
  const causes = o.causes.filter((c) => !c.quoted), words = (c) => (c.status === "valid" ? "note" : c.status) + ", " + stop(c.where + ": " + c.text);
  causes.slice(0, CAUSES_SHOWN).forEach((c) => say(words(c), c.status));
  if (causes.length > CAUSES_SHOWN) { /* so that the figures are on the first screen */
    const more = el("details");
    more.append(el("summary", "", "more reasons for doubt: " + (causes.length - CAUSES_SHOWN)), ...causes.slice(CAUSES_SHOWN).map((c) => el("div", c.status, words(c))));
    banner.append(more);
  }
  const failed = {};
  for (const p of points)
    for (const [label, n] of Object.entries(p.ledger.failed)) failed[label] = (failed[label] || 0) + n;
  const due = points.reduce((n, p) => n + p.ledger.due, 0), labels = Object.entries(failed).sort((x, y) => y[1] - x[1]);
  if (labels.length && !(S.answer && S.answer.text.includes("requests failed"))) /* once is enough */
    say(labels.map(([l, n]) => fmt(n) + " of " + fmt(due) + " requests failed: " + l + (data.counters[l] ? " (" + data.counters[l] + ")" : "")).join("; ") + ".", "suspect");
  if (o.exit_status !== 4 && S.agents.some((a) => a.lost))
    say("Agents were lost: " + S.agents.filter((a) => a.lost).map((a) => a.name).join(", ") + ".");
  if (points.some((p) => !p.ledger.balanced)) say("The loss ledger does not balance.");
  if (r.insecure) say("The control plane ran without authentication (--insecure).", "suspect");
  $("answer").textContent = S.answer && (points.length || !Live.runs()) ? S.answer.text : "";
  $("foot").textContent = "plateau " + S.version + " · plan " + S.run.plan_hash + " · seed " + S.run.seed +
    " · made from run.sqlite alone; `plateau report DIR` makes it again";
}

/* Sections that would be empty. */
function prune() {
  const empty = [];
  if (!points.some((p) => p.ttft_ms.count)) empty.push("picture", "stages", "asked");
  if (!points.length && Live.runs()) empty.push("result"); /* nothing has been judged or counted yet */
  if (!points.length) empty.push("picture", "curve", "asked", "time", "points", "ledger", "ends", "evidence");
  for (const id of empty) $(id).hidden = true;
}

function tiles() {
  const a = S.answer || {},
        best = points.filter(Charts.counts)
                 .reduce((b, p) => !b || p.output_tokens_per_s > b.output_tokens_per_s ? p : b, null);
  const p99 = (s) => s.p99 === null ? "too few samples for p99" : "p99\u00a0" + fmt(s.p99) + "\u00a0ms";
  const sum = (f) => points.reduce((n, p) => n + f(p), 0);
  const failed = sum((p) => Object.values(p.ledger.failed).reduce((x, y) => x + y, 0)), due = sum((p) => p.ledger.due);
  const ramp = (r, load) => r ? "mean of the ramp " + r : "at load " + load; /* no one load gave it */
  const list = [];
  if (a.plateau_tokens_per_s != null)
    list.push([
      a.plateau_reached ? "Plateau" : "Plateau: at least", fmt(a.plateau_tokens_per_s), "token/s",
      a.plateau_ramp ? ramp(a.plateau_ramp) : a.plateau_ci95 ? "95 %: " + pair(a.plateau_ci95) : "no interval"
    ]);
  else if (best)
    list.push(["Most throughput", fmt(best.output_tokens_per_s), "token/s", ramp(best.requested.rate_from !== best.requested.rate_to && best.requested.load, best.requested.load)]);
  if (a.knee_load != null && a.plateau_reached) 
    list.push(["Knee", fmt(Charts.knee()), Charts.loadUnit(), "the smallest load with 95 % of it"]);
  if (a.slo_tokens_per_s != null)
    list.push(["Within the SLO", fmt(a.slo_tokens_per_s), "token/s", ramp(a.slo_ramp, fmt(a.slo_load))]);
  else if (a.slo_point != null) /* answers without tokens */
    list.push(["Within the SLO", fmt(S.points[a.slo_point].requests_per_s), "requests/s", ramp(a.slo_ramp, fmt(a.slo_load))]);
  const cost = S.plan && S.plan.cost ? String(S.plan.cost.per_gpu_hour || "").replace(/[\d.\s]/g, "") : "";
  if (a.cost_per_mtok_plateau != null)
    list.push(["Cost at the plateau", fmt(a.cost_per_mtok_plateau, 3), cost, "per million output tokens"]);
  /* Where latency means something: at the knee, or where the SLO is kept; on a flat top it is a matter of chance. */
  const knee = S.points[a.knee_point], slo = S.points[a.slo_point], only = points.length === 1 && Charts.counts(points[0]) && points[0].ttft_ms.count ? points[0] : null;
  const where = knee ? "at the knee" : slo ? (a.slo_next_fails ? "at the SLO's limit" : "at the most within the SLO") : only ? "at load " + only.requested.load : "", q = knee || slo || only;
  if (q && q.ttft_ms.count) {
    list.push(["TTFT p50", fmt(q.ttft_ms.p50), "ms", where + "; " + p99(q.ttft_ms)]);
    list.push(["TPOT p50", fmt(q.tpot_ms.p50), "ms", where + "; " + p99(q.tpot_ms)]);
  }
  list.push([
    "Requests", fmt(due), "",
    failed ? fmt(failed) + " failed (" + fmt(100 * failed / Math.max(1, due), 2) + " %)" : "none failed"
  ]);
  if (a.worst_lag_ms != null && points.some((p) => Charts.counts(p) && p.lag_ms.count)) /* that of the points that count */
    list.push(["Worst loop lag, p99", fmt(a.worst_lag_ms), "ms", "the agents' own delay"]);
  for (const [name, value, unit, note] of list) {
    const t = el("div", "tile"), v = el("div", "value", value + " ");
    v.append(el("span", "unit", unit));
    t.append(el("div", "name", name), v, el("div", "note", note));
    $("tiles").append(t);
  }
}

/* Percentiles of answers alone are those of the faster requests, where others were cut off. */
function withCut(p, key, q) {
  const cut = p.with_cut && p.with_cut[key];
  if (!cut || cut.share < 0.01 || cut[q].low === null) return "";
  return (cut[q].value === null ? "at least " + fmt(cut[q].low) : "about " + fmt(cut[q].value)) + " with those cut off";
}

function pointTable() {
  const groups = [["TTFT, ms", "ttft_ms"], ["TPOT, ms", "tpot_ms"], ["ITL, ms", "itl_ms"], ["E2E, ms", "e2e_ms"]];
  /* Time of a slot in which no token comes any more: shown where it costs throughput. */
  if (points.some((p) => p.held_ms && p.held_ms.mean - p.e2e_ms.mean > 0.1 * p.held_ms.mean)) groups.push(["Slot taken, ms", "held_ms"], ["After the last token, ms", "tail_ms"]);
  const cost = points.some((p) => p.cost_per_mtok_out !== null),
        currency = S.plan && S.plan.cost ? String(S.plan.cost.per_gpu_hour || "").replace(/[\d.\s]/g, "") : "";
  const slo = !!(S.plan && S.plan.slo && S.plan.slo.request);
  const head = [
    [
      {text: ""}, {text: ""}, {text: "Load", span: 2, cls: "group"},
      {text: "Throughput", span: 2 + slo + cost, cls: "group"}
    ],
    [
      {text: "stage", cls: "text"}, {text: "verdict", cls: "text"}, {text: "asked", cls: "first"}, {text: "achieved"},
      {text: "output token/s", cls: "first"}, {text: "requests/s"}
    ]
  ];
  if (slo) head[1].push({text: "goodput/s", title: "ok requests within every per-request SLO"});
  if (cost) head[1].push({text: "cost / M output" + (currency ? ", " + currency : "")});
  for (const [name] of groups) {
    head[0].push({text: name, span: 2, cls: "group"});
    head[1].push({text: "p50", cls: "first"}, {text: "p99"});
  }
  const server = points.some((p) => p.server), drafts = points.some((p) => p.server && p.server.speculation);
  if (server) {
    head[0].push({text: "Server's own word", span: 5 + drafts, cls: "group"});
    head[1].push(
      {text: "running", cls: "first"}, {text: "waiting"}, {text: "queue, ms", title: "mean wait in the server's queue"},
      {text: "KV cache"}, {text: "prefix hits"});
    if (drafts) head[1].push({text: "drafts accepted", title: "speculative decoding: accepted tokens / tokens in drafts, and the tokens that a step with a draft made"});
  }
  head[0].push({text: "", span: 2, cls: "group"});
  head[1].push({text: "errors", cls: "first"}, {text: "steady", cls: "text"});
  table(
    "t-points", head, points.map((p) => {
      const row = [
        text(Charts.number(p)), {node: badge(p.verdict.status), cls: "text"},
        {text: p.requested.load, cls: "first"},
        figure(p, "load", {text: fmt(p.achieved.load),
                           small: p.window.expected === null ? "" : fmt(p.window.due) + " due, " + fmt(p.window.expected, 1) + " expected"}),
        figure(p, "throughput", {text: fmt(p.output_tokens_per_s), cls: "first", small: pair(p.output_tokens_per_s_ci95)}),
        figure(p, "throughput", fmt(p.requests_per_s))
      ];
      if (slo) row.push(figure(p, "throughput", fmt(p.goodput_per_s)));
      if (cost) row.push(fmt(p.cost_per_mtok_out, 3));
      for (const [, key] of groups)
        ["p50", "p99"].forEach(
          (q, i) => row.push(figure(p, key.replace("_ms", ""), {text: fmt(p[key][q]), cls: i ? "" : "first", small: withCut(p, key, q) || pair(p[key].ci95[q])}, q)));
      if (server) {
        const v = p.server || {}, percent = (x) => x === null || x === undefined ? "n/a" : fmt(100 * x, 1) + " %";
        const gauge = (g) => g ? {text: fmt(g.mean), small: g.max === null ? "" : "most " + fmt(g.max)} : "n/a";
        row.push(
          {...gauge(v.running), cls: "first", ...(v.several ? {small: "page of several servers"} : {})}, gauge(v.waiting),
          {text: fmt(v.queue_ms), small: v.queue_share_of_ttft > 0 ? percent(Math.min(1, v.queue_share_of_ttft)) + " of TTFT" : ""},
          percent(v.kv_use && v.kv_use.max), percent(v.prefix_hit_rate));
        const d = v.speculation || {};
        if (drafts) row.push({text: percent(d.acceptance_rate), small: d.acceptance_length > 0 ? fmt(d.acceptance_length) + " tokens a step" : ""});
      }
      row.push({text: p.error_rate === null ? "n/a" : fmt(100 * p.error_rate, 2) + " %", cls: "first"}, {
        text: p.steady === null ? "unknown" : p.steady,
        cls: "text",
        small: p.drift !== null ? "drift " + fmt(100 * p.drift, 1) + " %" : ""
      });
      return judged(row, p.verdict);
    }),
    (i) => none(points[i]) ? "off" : "");
}

/* A mix, by workload and by model, with all of it below. */
function mixTable() {
  const mixed = points.filter((p) => (p.by_workload || []).length || (p.by_model || []).length);
  if (!mixed.length) return void $("mix").remove();
  const keys = [["TTFT, ms", "ttft_ms"], ["TPOT, ms", "tpot_ms"], ["E2E, ms", "e2e_ms"]], percent = (x, n) => x === null ? "n/a" : fmt(100 * x, n) + " %";
  const row = (p, name, g, share) => [
    text(Charts.number(p)), {text: p.requested.load, cls: "first"}, text(name), {text: percent(share, 1), cls: "first"}, fmt(g.requests_per_s),
    fmt(g.output_tokens_per_s), ...keys.flatMap(([, k]) => ["p50", "p99"].map((q, i) => ({text: fmt(g[k][q]), cls: i ? "" : "first", small: pair(g[k].ci95[q])}))),
    {text: fmt(g.input_tokens.mean), cls: "first"}, fmt(g.output_tokens.mean), {text: percent(g.error_rate, 2), cls: "first"}
  ];
  const body = [], sums = new Set();
  for (const p of mixed) {
    for (const [by, list] of [["workload", p.by_workload], ["model", p.by_model]])
      for (const g of list) body.push(row(p, by + " " + g.name, g, g.share));
    sums.add(body.length);
    body.push(row(p, "together", p, p.window.ok ? 1 : null));
  }
  table(
    "t-mix", [
      [{text: "", span: 3}, {text: "Share and rate", span: 3, cls: "group"}, ...keys.map(([name]) => ({text: name, span: 2, cls: "group"})), {text: "Mean length", span: 2, cls: "group"}, {text: ""}],
      [
        {text: "stage", cls: "text"}, {text: "load", cls: "first"}, {text: "of", cls: "text"}, {text: "requests", cls: "first"}, {text: "requests/s"}, {text: "output token/s"},
        ...keys.flatMap(() => [{text: "p50", cls: "first"}, {text: "p99"}]), {text: "input", cls: "first"}, {text: "output"}, {text: "errors", cls: "first"}
      ]
    ],
    body, (i) => sums.has(i) ? "sum" : "");
}

/* In the gate's own unit. */
function inUnit(g, v) {
  if (v === null || v === undefined) return "n/a";
  return g.unit === "fraction" ? fmt(100 * v) + " %" : fmt(v) + (g.unit ? " " + g.unit : "");
}
function interval(g) {
  if (g.lo == null && g.hi == null) return "";
  return g.lo == null ? "at most " + inUnit(g, g.hi) : g.hi == null ? "at least " + inUnit(g, g.lo) : inUnit(g, g.lo) + " to " + inUnit(g, g.hi);
}
function gateTable() {
  const capacity = S.capacity ? [Object.assign({unit: "token/s"}, S.capacity, {gate: "capacity " + S.capacity.gate})] : [], all = S.gates.concat(capacity);
  if (!all.length) return void $("gates").remove();
  $("t-gates").dataset.name = "Gates";
  table(
    "t-gates", [[
      {text: "gate", cls: "text"}, {text: "result", cls: "text"}, {text: "value"}, {text: "95 % interval"},
      {text: "at load"}
    ]],
    all.map(
      (g) =>
        Object.assign(
          [{node: el("code", "", g.gate), cls: "text"}, {node: badge(g.result), cls: "text"}, (g.bound || "") + inUnit(g, g.value),
           interval(g), g.point !== undefined && S.points[g.point] ? S.points[g.point].requested.load : ""],
          {below: g.result !== "inconclusive" ? (g.failed ? [g.words.replace(/^[^;]*; /, "")] : []) : g.words ? [g.words.replace(/^.*(?=inconclusive)/, "")] : g.point === undefined && g.points ? ["not judged: no valid point was measured"] : []})));
  if (S.gates_rule) $("gates").append(el("p", "soft", "The rule: " + S.gates_rule + (S.points.some((p) => p.window.failed) ? "; " + S.gates_failed_rule : "") + "."));
}

/* The plan's curve in the figures of the rules. */
function standardTable() {
  if (!S.curve) return void $("standard").remove();
  for (const t of S.curve.not_to_the_rules) $("deviations").append(el("li", "", t));
  table(
    "t-standard", [[
      {text: "region", cls: "text"}, {text: "concurrency"}, {text: "system token/s"}, {text: "token/s of a slow user"},
      {text: "TTFT p90, ms"}, {text: "TPOT p90, ms"}, {text: "verdict", cls: "text"}
    ]],
    points.map((p) => [
      text(p.region), p.requested.load, figure(p, "throughput", fmt(p.output_tokens_per_s)), figure(p, "tpot", fmt(p.tps_per_user)),
      figure(p, "ttft", fmt(p.ttft_ms.p90)), figure(p, "tpot", fmt(p.tpot_suffix_ms.p90)),
      {node: badge(p.verdict.status), cls: "text"}
    ]));
}

/* What was said stands first, so that a phone shows it without scrolling; the count is of the whole run, what follows it is
 * of the first such request. */
function failureTable() {
  if (!S.failures.length) return void $("failures").remove();
  table(
    "t-failures", [
      [{text: ""}, {text: ""}, {text: "The first of them", span: 5, cls: "group"}],
      [
        {text: "label, and what was said", cls: "text"}, {text: "requests"}, {text: "status", cls: "first"}, {text: "address", cls: "text"},
        {text: "stage"}, {text: "load"}, {text: "s into the stage"}
      ]
    ],
    S.failures.map((f) => {
      const said = el("div"), hint = f.hint.replace(/^[\s:.]+/, "");
      said.append(el("code", "", f.label), document.createTextNode(" " + f.meaning));
      if (f.statuses) said.append(el("div", "", f.statuses));
      if (f.text) said.append(el("div", "said", f.text));
      return [
        {node: said, cls: "text wrap", small: hint && hint[0].toUpperCase() + hint.slice(1)}, fmt(f.requests),
        {text: f.status === null ? "none" : String(f.status), cls: "first"}, text(f.address), String(f.stage), f.load, fmt(f.time_s)
      ];
    }));
}

function ledgerTable() {
  const labels = [...new Set(points.flatMap((p) => Object.keys(p.ledger.failed)))];
  const columns = ["due", "ok", ...labels.map((l) => [l]), "cancelled", "aborted", "lost"];
  if (points.some((p) => p.retries)) columns.push("retries");
  const value = (l, c) => Array.isArray(c) ? l.failed[c[0]] || 0 : l[c];
  for (const p of points) p.ledger.retries = p.retries ? p.retries.sent : 0;
  const body = points.map(
    (p) =>
      [text(Charts.number(p)), p.requested.load,
       ...columns.map((c) => fmt(value(p.ledger, c))), {
         node: p.ledger.balanced ? el("span", "badge valid", "✓ yes") : el("span", "badge invalid", "✗ no"),
         cls: "text"
       }]);
  if (points.length > 1)
    body.push([text("all"), "", ...columns.map((c) => fmt(points.reduce((n, p) => n + value(p.ledger, c), 0))), ""]);
  table(
    "t-ledger", [[
      {text: "stage", cls: "text"}, {text: "load"},
      ...columns.map(
        (c) => Array.isArray(c) ? {text: "failed: " + c[0], title: data.counters[c[0]]} :
                                  {text: c, title: data.counters[c]}),
      {text: "balances", cls: "text"}
    ]],
    body, (i) => i === points.length ? "sum" : "");
  const said = new Map(points.flatMap((p) => p.retries ? Object.entries(p.retries.first) : []).reverse());
  for (const [label, words] of said) $("ledger").append(el("p", "soft", "Sent again: the first that failed by " + label + ": " + words));
}

function endTable() {
  const reasons = [...new Set(points.flatMap((p) => Object.keys(p.finish)))];
  if (!reasons.some((r) => r !== "none")) return void $("ends").remove();
  table(
    "t-ends",
    [[
      {text: "stage", cls: "text"}, {text: "load"},
      ...reasons.map((r) => ({text: r, title: data.counters["finish_" + r]}))
    ]],
    points.map((p) => [text(Charts.number(p)), p.requested.load, ...reasons.map((r) => fmt(p.finish[r] || 0))]));
}

function evidenceTable() {
  table(
    "t-evidence", [[
      {text: "stage", cls: "text"}, {text: "load"}, {text: "lateness p99, ms"}, {text: "of it the agent's p99, ms", title: "from when the request was due and a slot was free until it was sent"},
      {text: "lag p50, ms"}, {text: "lag p99, ms"}, {text: "lag max, ms"}, {text: "busiest worker"},
      {text: "waited for a CPU, s"}, {text: "throttled"}, {text: "unstamped reads"}, {text: "stamps", cls: "text"},
      {text: "events per read"}, {text: "dropped"}, {text: "N = X·R"}
    ]],
    points.map((p) => {
      const e = p.evidence || {}, busy = p.window_s ? e.cpu_max_s / Math.max(p.requested.duration_s, p.window_s) : null;
      return [
        text(Charts.number(p)), p.requested.load, fmt(p.lateness_ms.p99), fmt(p.dispatch_ms.p99), fmt(p.lag_ms.p50),
        fmt(p.lag_ms.p99), fmt(p.lag_ms.max), busy === null ? "n/a" : fmt(100 * busy, 0) + " %", fmt(e.run_queue_s),
        fmt(e.throttled), e.reads ? fmt(100 * e.unstamped / e.reads, 2) + " %" : "n/a", text(e.stamps),
        fmt(e.events_per_read), fmt(e.dropped), fmt(p.littles_law, 3)
      ];
    }));
}

function agentTables() {
  table(
    "t-agents", [[
      {text: "agent", cls: "text"}, {text: "name", cls: "text"}, {text: "host", cls: "text"},
      {text: "version", cls: "text"}, {text: "cores"}, {text: "CPU quota"}, {text: "weight"},
      {text: "stamps", cls: "text"}, {text: "target addresses", cls: "text"}, {text: "clock offset, ms"},
      {text: "± ms"}, {text: "lost", cls: "text"}
    ]],
    S.agents.map(
      (a) =>
        [text(a.agent), text(a.name), text(a.host), text(a.version), fmt(a.cores),
         a.quota === null ? "none" : fmt(a.quota), fmt(a.weight), text(a.stamps), {text: a.addresses, cls: "text wrap"},
         fmt(a.clock_offset_ms, 3), fmt(a.clock_bound_ms, 3), a.lost ? el("span", "badge invalid", "✗ lost") : text("no")]));
  const box = el("details");
  box.append(el("summary", "", "each agent's part of each stage"));
  const inner = el("div", "scroll");
  inner.dataset.name = "each agent's part of each stage";
  box.append(inner);
  table(
    inner, [[
      {text: "stage", cls: "text"}, {text: "load"}, {text: "agent", cls: "text"}, {text: "slots"}, {text: "due"},
      {text: "ok"}, {text: "failed"}, {text: "lost"}, {text: "output token/s"}, {text: "start skew, ms"},
      {text: "snapshots"}, {text: "verdict", cls: "text"}
    ]],
    points.flatMap(
      (p) => (p.agents || [])
               .map(
                 (a) => judged(
                   [text(Charts.number(p)), p.requested.load, text(a.name), fmt(a.slots), fmt(a.due), fmt(a.ok), fmt(a.failed),
                    fmt(a.lost), fmt(a.output_tokens_per_s), fmt(a.start_skew_ms, 3), fmt(a.snapshots),
                    {node: badge(a.verdict.status), cls: "text"}],
                   a.verdict))));
  $("t-parts").append(box);
}

/* Requests by address of the target, where there was more than one. */
function addressTable() {
  const names = [...new Set(points.flatMap((p) => (p.addresses || []).map((a) => a.address)))].sort();
  if (names.length < 2) return void $("t-addresses").remove();
  const cell = (p, name) => {
    const a = (p.addresses || []).find((x) => x.address === name);
    return a ? {text: fmt(a.requests), small: a.failed ? fmt(a.failed) + " failed" : ""} : "";
  };
  table(
    "t-addresses", [[{text: "stage", cls: "text"}, {text: "load"}, ...names.map((n) => ({text: "requests to " + n}))]],
    points.map((p) => [text(Charts.number(p)), p.requested.load, ...names.map((n) => cell(p, n))]));
}

function words() {
  const list = [
    [
      "output token/s",
      "output tokens that arrived inside the window, from all agents / length of the window. The window reaches from the end of the warm-up to the end of the stage; the drain lies outside."
    ],
    [
      "achieved load",
      "requests in flight, as their mean over the window weighted by time; arrivals per second in an open loop. Of a stage that ended with its count of requests, what was asked for: its window runs on to the last answer"
    ],
    [
      "latencies",
      "of requests that became due inside the window and ended ok. Failed requests are in no latency; they stand in the ledger and count against every SLO."
    ],
    [
      "percentiles",
      "from the merged histogram of all agents: value within 0.1 %, rank exact. n/a where the sample cannot carry it (p99 needs 299 samples, p99.9 2,995). In small print: 95 % interval by order statistics."
    ],
    [
      "steady",
      "throughput over the window drifted by less than 5 %, or its slope's 95 % interval covers 0; in an open loop the requests in flight do not keep growing"
    ],
    [
      "verdict",
      "valid: the number is the server's. suspect: read the reason. invalid: the client was measured; the point is drawn apart and is no part of the curve. Each figure has a word of its own: struck out, the evidence is against it; dotted, it is in doubt; plain, it holds whatever the point is called."
    ],
    ["N = X·R", "Little's law: rate × time in flight / requests in flight; 1 when all is consistent"]
  ];
  const dl = el("dl");
  for (const [t, d] of list) dl.append(el("dt", "", t), el("dd", "", d));
  $("t-words").append(dl);
  table(
    "t-definitions", [[
      {text: "metric", cls: "text"}, {text: "unit", cls: "text"}, {text: "formula", cls: "text"},
      {text: "one sample per", cls: "text"}, {text: "of", cls: "text"}
    ]],
    data.definitions.map(
      (d) =>
        [{node: el("code", "", d.name), cls: "text"}, text(d.unit), {text: d.formula, cls: "text wrap"}, text(d.per),
         text(d.window ? "the window" : "the whole stage")]));
}

function rest() {
  if (!S.events.length)
    $("events").remove();
  else
    table(
      "t-events", [[{text: "time", cls: "text"}, {text: "kind", cls: "text"}, {text: "what happened", cls: "text"}]],
      S.events.map((e) => [text(e.time), text(e.kind), {text: e.text, cls: "text wrap"}]));
  $("plan-text").textContent = data.plan_text;
  $("plan-json").textContent = JSON.stringify(S.plan, null, 2);
  for (const s of document.querySelectorAll("section:not([hidden]):not(#live)")) {
    const a = el("a", "", s.dataset.nav || s.querySelector("h2").textContent);
    a.href = "#" + s.id;
    $("nav").append(a);
  }
}

let metric = "ttft";
function choices() {
  for (const m of ["ttft", "tpot", "itl", "e2e"]) {
    const b = el("button", "", m.toUpperCase());
    b.type = "button";
    b.setAttribute("aria-pressed", String(m === metric));
    b.onclick = () => {
      metric = m;
      for (const o of $("dist-metric").children) o.setAttribute("aria-pressed", String(o === b));
      Charts.distribution(m);
    };
    $("dist-metric").append(b);
  }
}

const dark = matchMedia("(prefers-color-scheme: dark)"), root = document.documentElement;
function theme(word) {
  root.dataset.theme = word;
  if (!data) return;
  Charts.all(metric);
  Live.draw();
}

/* The frame as it was before anything was put in, so that a live page can be filled again. What a person has opened, where
 * it is scrolled to and what has the focus stay as they are. */
const frame = $("page").cloneNode(true);
const named = (e) => [(e.closest("section") || $("page")).id, e.tagName, e.id, e.getAttribute("aria-label"), e.closest("figure") && e.closest("figure").querySelector("canvas").id, e.children.length ? "" : e.textContent].join();
function renew() {
  const page = $("page"), top = scrollY, focused = page.contains(document.activeElement) && !$("live").contains(document.activeElement) ? named(document.activeElement) : null;
  const open = new Set([...page.querySelectorAll("details")].filter((d) => d.open).map((d) => named(d.querySelector("summary")))), live = $("live");
  page.replaceChildren(...[...frame.cloneNode(true).children].map((e) => e.id === "live" ? live : e));
  return () => {
    for (const d of page.querySelectorAll("details"))
      if (open.has(named(d.querySelector("summary")))) d.open = true;
    scrollTo({top, behavior: "instant"});
    const again = focused && [...page.querySelectorAll("button, a, summary, [tabindex]")].find((e) => named(e) === focused);
    if (again) again.focus({preventScroll: true});
  };
}

function show(d) {
  const restore = data ? renew() : () => {};
  data = d;
  S = data.summary;
  points = Charts.sorted(S.points.slice());
  $("page").hidden = false;
  Charts.begin(data);
  heading();
  prune();
  tiles();
  pointTable();
  gateTable();
  standardTable();
  failureTable();
  mixTable();
  ledgerTable();
  endTable();
  evidenceTable();
  agentTables();
  addressTable();
  words();
  rest();
  choices();
  Charts.all(metric);
  $("theme").onclick = () => theme(root.dataset.theme === "dark" ? "light" : "dark");
  Live.draw();
  restore();
}

root.dataset.theme = dark.matches ? "dark" : "light";
/* Paper is white, whatever the screen is. */
let screen_theme = null;
addEventListener("beforeprint", () => {
  screen_theme = root.dataset.theme;
  if (screen_theme !== "light") theme("light");
  for (const d of document.querySelectorAll("#banner details")) d.open = true;
  Charts.toPaper();
});
addEventListener("afterprint", () => theme(screen_theme));
dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
return {show};
})();
if (Live.token) Live.begin();
else Report.show(JSON.parse(document.getElementById("data").textContent));
