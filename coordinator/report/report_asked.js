"use strict";
/* What was asked for beside what came of it: lengths, moments, and the path of a search. */
const Asked = (function() {
  const kit = Charts.kit, css = kit.css, fmt = Charts.fmt;
  const $ = (id) => document.getElementById(id);
  const byLoad = (extra) => Object.assign({x: kit.axis("load", {type: "category", ticks: {color: css("--soft"), autoSkip: true, maxRotation: 0}})}, extra);

  function lengths() {
    const points = kit.points(), a = kit.data().summary.answer, sets = [], marks = [], said = [];
    for (const [key, name, c, of] of [["output_tokens", "output tokens", "--c1", a.output_tokens], ["input_tokens", "input tokens", "--c2", a.input_tokens]]) {
      const rows = points.map((p) => ({x: Charts.label(p), y: p[key].mean, lo: p[key].count ? p[key].min : null, hi: p[key].count ? p[key].max : null, p}));
      if (!rows.some((r) => r.y !== null)) continue;
      sets.push(kit.line(name + " got: mean, least to most", css(c), rows, {whiskers: true, borderWidth: 1.5, pointStyle: points.map(kit.shape)}));
      if (of.asked !== null) marks.push({y: of.asked, color: css(c), dash: [6, 4], label: name + " asked: " + fmt(of.asked), right: true});
      if (of.got !== null) said.push(fmt(of.got) + " " + name + (of.asked !== null ? " for " + fmt(of.asked) + " asked" : ""));
    }
    const values = sets.flatMap((s) => s.data.flatMap((d) => [d.y, d.hi])).concat(marks.map((m) => m.y)).filter((v) => v !== null);
    const y = kit.logAxis("tokens per request", values);
    if (y.type === "linear" && values.length) y.suggestedMax = Math.max(...values) * 1.15;
    kit.draw("c-lengths", {
      caption: said.length ? "Mean per request: " + said.join(", ") + "." : "No request ended with a length.",
      range: ["least", "most"],
      type: "line",
      data: {labels: points.map(Charts.label), datasets: sets},
      options: {marks, interaction: {mode: "index", intersect: false}, scales: byLoad({y}), plugins: {tooltip: {callbacks: {label: (t) => t.dataset.label.replace(/:.*/, "") + ": mean " + fmt(t.raw.y)}}}},
    });
  }

  /* The highest percentile that at least half of the points carry. */
  function carried(points, key) {
    const good = points.filter(Charts.counts);
    return ["p99", "p95", "p90", "p50"].find((q) => 2 * good.filter((p) => p[key][q] !== null).length >= good.length) || "p50";
  }
  function due() {
    const points = kit.points(), q = carried(points, "ttft_due_ms");
    const most = (key) => Math.max(0, ...points.filter(Charts.counts).map((p) => p[key][q] || 0)), late = most("lateness_ms"), far = late < most("ttft_due_ms") / 1000; /* far below the others: said, not drawn */
    const sets = [["TTFT from when due", "ttft_due_ms", "--c3"], ["TTFT from when sent", "ttft_ms", "--c1"], ...(far ? [] : [["sent late by", "lateness_ms", "--c4"]])].map(
      ([name, key, c]) => kit.line(name, css(c), points.map((p) => ({x: Charts.label(p), y: Charts.counts(p) && p[key][q] > 0 ? p[key][q] : null, p})),
                                  Object.assign({borderWidth: 1.5, pointStyle: points.map(kit.shape)}, key === "ttft_due_ms" ? {borderWidth: 4, pointRadius: 5.5, order: 1} : {}))); /* below, so that both are seen where they agree */
    const both = points.filter((p) => Charts.counts(p) && p.ttft_ms[q] !== null && p.ttft_due_ms[q] !== null);
    const worst = both.reduce((a, p) => !a || p.ttft_due_ms[q] - p.ttft_ms[q] > a.ttft_due_ms[q] - a.ttft_ms[q] ? p : a, null);
    $("due-title").textContent = "TTFT " + q + " from when due and from when sent, ms";
    kit.draw("c-due", {
      caption: !worst ? "No point has a " + q + "." : (worst.ttft_due_ms[q] < 1.01 * worst.ttft_ms[q] ? "The two agree: they are nowhere 1 % apart." :
        "The two differ most at load " + worst.requested.load + ": " + fmt(worst.ttft_due_ms[q]) + " ms from when due, " + fmt(worst.ttft_ms[q]) + " ms from when sent. A client that measures from when it sends hides that wait.") +
        (far ? " Requests left at most " + fmt(late) + " ms late (" + q + ")." : ""),
      type: "line",
      data: {labels: points.map(Charts.label), datasets: sets},
      options: {interaction: {mode: "index", intersect: false}, scales: byLoad({y: kit.logAxis("ms", sets.flatMap((s) => s.data.map((d) => d.y)))}), plugins: {tooltip: {callbacks: {label: (t) => t.dataset.label + ": " + fmt(t.raw.y) + " ms"}}}},
    });
  }

  /* The loads of a search in the order in which it tried them. */
  function path() {
    const a = kit.data().summary.answer, search = a.search;
    if (!search) return void ($("f-path") && $("f-path").remove());
    const tried = kit.data().summary.points, rows = tried.map((p, i) => ({x: i + 1, y: Charts.asked(p), label: fmt(p.output_tokens_per_s), ring: Charts.asked(p) === search.load ? css("--c2") : null, p}));
    /* Within limits a search asks of each load: are the gates kept? */
    const judged = (p) => {
      const all = kit.data().summary.gates.map((g) => (g.points.find((o) => o.point === p.index) || {}).result);
      return !all.length || !Charts.counts(p) ? null : all.includes("fail") ? "broken" : all.every((r) => r === "pass") ? "kept" : "undecided";
    };
    const COLOR = {kept: "--c2", broken: "--c4", undecided: "--suspect"}, SHAPE = {kept: "circle", broken: "rectRot", undecided: "triangle"};
    const color = (p) => css(!Charts.counts(p) ? "--invalid" : COLOR[judged(p)] || (p.verdict.status === "suspect" ? "--suspect" : "--c1")), shape = (p) => SHAPE[judged(p)] || kit.shape(p);
    const said = ["kept", "broken", "undecided"].filter((w) => tried.some((p) => judged(p) === w)).map((w) => ({kept: "circles: the limits are kept", broken: "diamonds: broken", undecided: "triangles: this run alone does not decide"}[w])).join("; ");
    const y = kit.logAxis(tried.length && tried[0].requested.kind === "open" ? "requests per second asked" : "requests in flight asked", rows.map((r) => r.y));
    kit.draw("c-path", {
      caption: "The search tried " + search.loads + (search.loads === 1 ? " load" : " loads") + " in " + search.runs + (search.runs === 1 ? " run" : " runs") + "; beside each stands its output token/s." + (said && " " + said[0].toUpperCase() + said.slice(1) + ".") +
        (search.load !== null ? " Ringed: the load that it found, " + fmt(search.load) + "." : ""),
      type: "line",
      data: {datasets: [kit.line("load", css("--c5"), rows, {borderWidth: 1.2, pointRadius: 5, pointStyle: rows.map((r) => shape(r.p)), pointBackgroundColor: rows.map((r) => color(r.p)), pointBorderColor: rows.map((r) => color(r.p))})]},
      options: {
        interaction: {mode: "nearest", intersect: false},
        scales: {x: kit.axis("order of trying", {type: "linear", min: 0, max: rows.length + 1, ticks: {precision: 0, color: css("--soft"), callback: (v) => v > 0 && v <= rows.length ? v : ""}}), y},
        plugins: {legend: {display: false}, tooltip: {callbacks: {title: () => "", label: (t) => "load " + t.raw.p.requested.load + ": " + fmt(t.raw.p.output_tokens_per_s) + " token/s, " + (judged(t.raw.p) ? "limits " + judged(t.raw.p) : t.raw.p.verdict.status)}}}
      },
    });
  }

  function show() {
    if (!kit.points().length) return;
    path();
    lengths();
    due();
  }
  return {show};
})();
