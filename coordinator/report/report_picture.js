"use strict";
/* The central picture: latency against throughput with the load at each point, or, by button, the industry's picture:
 * system throughput against the speed that a user sees, as a step curve (MLPerf Endpoints: token/s a user is 1,000 / TPOT
 * p90 in ms; nothing between the points is drawn as if it had been measured). */
const Picture = (function() {
  const choice = {view: null, metric: "ttft", quantile: "p50"};
  const BUTTONS = {
    view: [["latency", "latency against throughput"], ["user", "throughput against speed per user"]],
    metric: [["ttft", "TTFT"], ["tpot", "TPOT"], ["e2e", "E2E"]],
    quantile: [["p50", "p50"], ["p90", "p90"], ["p99", "p99"]],
  };
  const $ = (id) => document.getElementById(id);

  /* It opens on the latency that the plan limits, so that the limit is in the picture. */
  function open(kit) {
    if (choice.view) return;
    choice.view = "latency";
    for (const g of kit.data().summary.gates) {
      const m = /^(ttft|tpot|e2e)\.(p50|p90|p99) *</.exec(g.gate);
      if (!m || !kit.points().some((p) => Charts.counts(p) && p[m[1] + "_ms"][m[2]] !== null)) continue;
      [choice.metric, choice.quantile] = [m[1], m[2]];
      return;
    }
  }

  function buttons() {
    for (const [kind, words] of Object.entries(BUTTONS)) {
      const box = $("picture-" + kind);
      if (box.children.length) continue;
      for (const [value, word] of words) {
        const b = document.createElement("button");
        b.type = "button";
        b.textContent = word;
        b.dataset.value = value;
        b.onclick = () => {
          choice[kind] = value;
          show();
        };
        box.append(b);
      }
    }
    for (const kind of Object.keys(BUTTONS)) {
      for (const b of $("picture-" + kind).children) b.setAttribute("aria-pressed", String(b.dataset.value === choice[kind]));
      $("picture-" + kind).hidden = choice.view === "user" && kind !== "view";
    }
  }

  /* The points that the answer names get a ring. */
  function ringed(kit, p) {
    const a = kit.data().summary.answer;
    if (a.slo_point === p.index) return kit.css("--c2");
    return a.knee_point === p.index ? kit.css("--c3") : null;
  }
  /* A limit only where a greater load is known to fail. */
  const sloName = (a) => a.slo_next_fails ? "SLO's limit" : "most within the SLO";
  /* Its load, and what the answer calls it. Of a load that ran again and again the first has it, or the one that is ringed. */
  function called(kit, p) {
    const of = kit.points().filter((o) => o.requested.load === p.requested.load && Charts.counts(o));
    if (p !== (of.find((o) => ringed(kit, o)) || of[0] || p)) return "";
    const a = kit.data().summary.answer, is = [a.knee_point === p.index && "knee", a.slo_point === p.index && sloName(a)].filter(Boolean);
    return p.requested.load + (is.length ? " · " + is.join(", ") : "");
  }

  function latency(kit) {
    const fmt = Charts.fmt, key = choice.metric + "_ms", q = choice.quantile, a = kit.data().summary.answer;
    const points = kit.points().filter((p) => p.output_tokens_per_s !== null);
    const rows = kit.unbroken(points.map((p) => ({
      x: p.output_tokens_per_s,
      y: p[key][q],
      lo: p[key].ci95[q] ? p[key].ci95[q][0] : null,
      hi: p[key].ci95[q] ? p[key].ci95[q][1] : null,
      label: called(kit, p),
      ring: ringed(kit, p),
      p
    })));
    const good = rows.filter((r) => r.p && r.y !== null), marks = kit.limits(choice.metric).filter((m) => m.label.startsWith(q + " "));
    for (const m of marks) m.beyond = true;
    const name = choice.metric.toUpperCase() + " " + q, missing = points.filter((p) => Charts.counts(p) && p[key][q] === null).length;
    const at = (i) => kit.data().summary.points[i], knee = at(a.knee_point), slo = at(a.slo_point);
    const say = (p) => p && p[key][q] !== null ? fmt(p[key][q]) + " ms at " + fmt(p.output_tokens_per_s) + " token/s (load " + p.requested.load + ")" : null;
    const last = good.reduce((m, r) => !m || kit.load(r.p) > kit.load(m.p) ? r : m, null);
    $("picture-title").textContent = name + " against output token/s; beside each point stands its load";
    kit.draw("c-picture", {
      caption: (!good.length ? kit.nothing(name) :
                  [say(knee) && "At the knee: " + say(knee), slo && slo !== knee && say(slo) && "at the " + sloName(a) + ": " + say(slo),
                   last && last.p !== knee && last.p !== slo && "at the highest load " + kit.among(last.p) + ": " + say(last.p)].filter(Boolean).join("; ").replace(/^a/, "A") + "." + kit.alone(good)) +
        (missing && good.length ? " " + missing + (missing === 1 ? " point has" : " points have") + " too few requests for " + q + "." : "") +
        (marks.length ? " Shaded: beyond the limit." : "") + (good.some((r) => r.ring) ? " Ringed: " + (knee === slo ? "the knee, which is the " + sloName(a) + " too" : [knee && "the knee (violet)", slo && "the " + sloName(a) + " (green)"].filter(Boolean).join(", ")) + "." : "") + (kit.loops() && kit.loops() + "."),
      type: "line",
      data: {
        datasets: [kit.line(name, kit.css("--c1"), rows, {
          whiskers: true,
          pointRadius: 5.5,
          pointStyle: rows.map((r) => r.p ? kit.shape(r.p) : "circle"),
          pointBackgroundColor: rows.map((r) => kit.css(r.p && r.p.verdict.status === "suspect" ? "--suspect" : "--c1")),
          pointBorderColor: rows.map((r) => kit.css(r.p && r.p.verdict.status === "suspect" ? "--suspect" : "--c1"))
        })]
      },
      options: {
        marks,
        interaction: {mode: "nearest", intersect: false},
        scales: {
          x: kit.axis("output token/s", {type: "linear", beginAtZero: true, grace: "6%"}),
          y: kit.logAxis(name + ", ms", good.flatMap((r) => [r.y, r.lo, r.hi]).concat(marks.map((m) => m.y)))
        },
        plugins: {
          legend: {display: false},
          tooltip: {
            callbacks: {
              title: (t) => t.length ? "load " + t[0].raw.p.requested.load + " · " + t[0].raw.p.verdict.status : "",
              label: (t) => fmt(t.raw.y) + " ms at " + fmt(t.raw.x) + " token/s"
            }
          }
        }
      }
    });
  }

  /* The points that no other beats in both: fastest users first. */
  function front(rows) {
    let most = -Infinity;
    return rows.slice().sort((a, b) => b.x - a.x || b.y - a.y).filter((r) => r.y > most && (most = r.y, true)).reverse();
  }

  function user(kit) {
    const fmt = Charts.fmt, plan = kit.data().summary.plan || {}, gpus = plan.cost && plan.cost.gpus ? +plan.cost.gpus : 0;
    const rows = kit.points().filter((p) => Charts.counts(p) && p.tpot_ms.p90 > 0 && p.output_tokens_per_s !== null).map((p) => ({
      x: 1000 / p.tpot_ms.p90,
      y: p.output_tokens_per_s / (gpus || 1),
      label: called(kit, p),
      ring: ringed(kit, p),
      p
    }));
    const best = front(rows), unit = "output token/s" + (gpus ? " per GPU (" + gpus + ")" : "");
    const slow = Math.min(...rows.map((r) => r.x)), fast = Math.max(...rows.map((r) => r.x)), from = slow > 0.4 * fast ? Math.floor(0.9 * slow / 10) * 10 : 0;
    const step = best.length ? [{x: from, y: best[0].y}, ...best.map((r) => ({x: r.x, y: r.y})), {x: best[best.length - 1].x, y: 0}] : [];
    $("picture-title").textContent = unit + " against token/s per user; beside each point stands its load";
    kit.draw("c-picture", {
      caption: !rows.length ? kit.nothing("TPOT p90") :
        "All but the slowest tenth of users see " + fmt(best[best.length - 1].x) + " token/s or more at load " + best[best.length - 1].p.requested.load + ", which gives " + fmt(best[best.length - 1].y) + " " + unit +
          (best.length > 1 ? "; " + fmt(best[0].x) + " or more at load " + best[0].p.requested.load + ", which gives " + fmt(best[0].y) : "") + ". Speed per user is 1,000 / TPOT p90. The steps join the points that no other beats in both; nothing is interpolated." + kit.alone(rows),
      type: "line",
      data: {
        datasets: [
          kit.line("Pareto front", kit.css("--c3"), step, {stepped: "after", pointRadius: 0, borderWidth: 2, borderDash: [6, 3]}),
          kit.line("a load", kit.css("--c1"), rows, {showLine: false, pointRadius: 5.5, pointStyle: rows.map((r) => kit.shape(r.p))})
        ]
      },
      options: {
        interaction: {mode: "nearest", intersect: false},
        scales: {
          x: kit.axis("token/s per user: 1,000 / TPOT p90", {type: "linear", min: from, suggestedMax: fast * 1.04}),
          y: kit.axis(unit, {type: "linear", beginAtZero: true, grace: "8%"})
        },
        plugins: {
          tooltip: {
            callbacks: {
              title: (t) => t.length && t[0].raw.p ? "load " + t[0].raw.p.requested.load : "",
              label: (t) => fmt(t.raw.y) + " " + unit + " at " + fmt(t.raw.x) + " token/s per user"
            }
          }
        }
      }
    });
  }

  function show() {
    open(Charts.kit);
    buttons();
    (choice.view === "user" ? user : latency)(Charts.kit);
  }
  return {show};
})();
