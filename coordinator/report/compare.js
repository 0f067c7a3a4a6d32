"use strict";
/* The page of a comparison. Everything that comes from a run is put in as text, never as markup. */
(function () {
  const data = JSON.parse(document.getElementById("data").textContent), $ = (id) => document.getElementById(id);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colors = ["--c1", "--c4", "--c2", "--c3", "--c5"], made = [];

  function el(tag, cls, text) {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    if (text !== undefined) e.textContent = text;
    return e;
  }
  const fmt = (v) => human(v);
  const pct = (v) => (v > 0 ? "+" : "") + human(100 * v);
  const share = (v) => human(100 * v) + " %";
  const things = (n, thing) => human(n) + " " + thing + (n === 1 ? "" : "s");
  const tone = (say) => say === "better" ? "valid" : say === "worse" ? "invalid" : "";

  for (const r of data.runs)
    $("runs").append(el("p", "soft", r.label + " = " + r.dir + ": " + (r.name || "unnamed") + ", run " + r.run + ", plan " + r.plan_hash.slice(0, 12) + ", " + things(r.points.length, "point") + (r.found ? ". Its search found " + r.found : "")));

  for (const c of data.comparisons) {
    const line = el("p");
    line.append(el("span", "badge " + (tone(c.say) || (c.say === "no difference seen" ? "same" : "suspect")), c.say), document.createTextNode(" " + c.b + " against " + c.a));
    if (c.overrun) line.append(document.createTextNode("; " + c.overrun));
    if (c.missing && c.loads.length) line.append(document.createTextNode("; latencies are compared at " + c.loads.length + " of " + things(c.loads.length + c.missing, "load") + " that both tried"));
    if (c.errors_rose) line.append(document.createTextNode("; failed requests rose from " + share(c.errors_a) + " to " + share(c.errors_b)));
    if (c.beside) line.append(document.createTextNode("; worse beside it: " + c.beside));
    $("verdicts").append(line);
    if (c.errors_a !== null || c.errors_b !== null)
      $("verdicts").append(el("p", "", "Failed requests: " + c.a + " " + c.failures_a + "; " + c.b + " " + c.failures_b + (c.only_a + c.only_b ? ", at loads that both tried" : "") + "."));
    for (const [run, n, why] of [[c.a, c.suspect_a, c.doubt_a], [c.b, c.suspect_b, c.doubt_b]])
      if (n) $("verdicts").append(el("p", "", "Suspect in " + run + ": " + things(n, "point") + (why ? (n > 1 ? ", the first since " : ", since ") + why : "") + "."));
    if (!c.repeated && !c.question) $("verdicts").append(el("p", "soft", "Neither run has repeats that count: runs of one system are assumed to differ by " + 100 * c.run_noise + " % (sd), which is not measured; load.repeats: 3 would measure it."));
    const told = [c.one_run ? "Both folders hold the same run, so there is nothing to compare." : "", c.question ? "Not the same question, so there is no verdict: " + c.question + "." : "",
      c.state_a ? "Of " + c.a + ": " + c.state_a + "." : "", c.state_b ? "Of " + c.b + ": " + c.state_b + "." : ""].filter((x) => x);
    if (told.length) {
      const banner = el("div", "banner");
      for (const words of told) banner.append(el("div", "suspect", words));
      $("verdicts").append(banner);
    }
    if (c.measured) $("verdicts").append(el("p", "", "Between " + c.a + " and " + c.b + ": " + c.measured + "."));
    if (c.plan_differences) {
      const box = el("details"), text = el("pre", "", c.plan_differences);
      text.tabIndex = 0; /* what scrolls can be scrolled by keys */
      text.setAttribute("role", "region");
      text.setAttribute("aria-label", "how the plans of " + c.a + " and " + c.b + " differ");
      box.append(el("summary", "", "The plans differ in " + things(c.plan_differences.trim().split("\n").length, "line")), text);
      $("verdicts").append(box);
    }
    const aside = [[c.only_a + c.only_b, c.only_a + " of " + c.a + " and " + c.only_b + " of " + c.b + " have no point of the other to compare with"],
      [c.left_out_a + c.left_out_b, c.left_out_a + " of " + c.a + " and " + c.left_out_b + " of " + c.b + " are invalid or not steady"]].filter((x) => x[0]);
    if (aside.length) $("verdicts").append(el("p", "soft", "Points that take no part: " + aside.map((x) => x[1]).join("; ") + "."));
    const table = el("table"), head = el("tr"), shown = data.measures, th = el("th", "text", "load");
    th.scope = "col";
    head.append(th);
    for (const m of shown) {
      const th = el("th", "", m.name);
      th.scope = "col";
      th.append(el("br"), m.unit);
      head.append(th);
    }
    table.append(head);
    const row = (name, changes, whole) => {
      const tr = el("tr");
      tr.append(el("td", "text", name));
      for (const m of shown) {
        const v = changes[m.name], td = el("td");
        if (!whole) td.append(document.createTextNode(fmt(v.a) + " → " + fmt(v.b)), el("br"));
        td.append(el("span", tone(v.say) ? "badge " + tone(v.say) : "", v.rel === null ? "n/a" : pct(v.rel) + " %"));
        if (v.rel !== null) td.append(el("small", "", v.lo === null ? "too few samples" : pct(v.lo) + " … " + pct(v.hi)));
        tr.append(td);
      }
      table.append(tr);
    };
    const cut = (l) => l.cut_a || l.cut_b ? " (" + [l.cut_a ? c.a : "", l.cut_b ? c.b : ""].filter((x) => x).join(" and ") + " cut short)" : "";
    for (const l of c.loads) row(l.load + cut(l), l.change, false);
    row("all loads", c.change, true);
    const box = el("div", "scroll");
    box.tabIndex = 0; /* what scrolls can be scrolled by keys */
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", c.b + " against " + c.a);
    box.append(table);
    $("changes").append(el("h3", "", c.b + " against " + c.a), box);
  }

  function legend(chart) { /* in the line's colour: a hollow first point is no key to it */
    return Chart.defaults.plugins.legend.labels.generateLabels(chart).map((l) => ({ ...l, fillStyle: chart.data.datasets[l.datasetIndex].borderColor }));
  }

  /* What a chart shows of each run, as a sentence: the most throughput, or the latency at the highest load that counts in all
   * of them. Where there is none, at each one's own. */
  function caption(key) {
    const near = (r, load) => r.points.find((p) => p.counts && p[key] !== null && p.load !== null && Math.abs(p.load / load - 1) < 0.03);
    const shared = key === "output" ? [] : data.runs[0].points.filter((p) => p.load > 0 && data.runs.every((r) => near(r, p.load))).map((p) => p.load).sort((a, b) => b - a);
    if (shared.length) return "At the highest load that counts in " + (data.runs.length === 2 ? "both, " : "all, ") + fmt(shared[0]) + (data.open_loop ? " arrivals per second: " : " in flight: ") + data.runs.map((r) => r.label + " " + fmt(near(r, shared[0])[key]) + " ms").join(", ") + ".";
    const said = data.runs.map((r) => {
      const good = r.points.filter((p) => p.counts && p[key] !== null && p.load !== null), most = key === "output";
      const p = good.reduce((a, b) => !a || (most ? b.output > a.output : b.load > a.load) ? b : a, null);
      return r.label + ": " + (p ? (most ? "at most " : "") + fmt(p[key]) + (most ? " token/s" : " ms") + " at " + fmt(p.load) : "no point that counts has it");
    });
    return said.join("; ") + (data.open_loop ? " arrivals per second." : " in flight.");
  }
  function explain(key) {
    const canvas = $("c-" + key), figure = canvas.closest("figure"), words = caption(key);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", figure.querySelector("figcaption").textContent + ". " + words);
    if (!figure.querySelector(".caption")) {
      const foot = el("div", "foot");
      foot.append(el("p", "caption", words));
      figure.append(foot);
    }
  }

  function draw() {
    for (const c of made.splice(0)) c.destroy();
    for (const key of ["output", "ttft_p50", "ttft_p99", "tpot_p50"]) {
      const sets = data.runs.map((r, i) => {
        const color = css(colors[i % colors.length]);
        const points = r.points.filter((p) => p[key] !== null && p.load !== null).sort((a, b) => a.load - b.load);
        return { label: r.label + " " + r.dir.replace(/\/+$/, "").split("/").pop(), data: points.map((p) => ({ x: p.load, y: p[key] })), showLine: true, segment: { borderColor: (s) => points[s.p0DataIndex].counts && points[s.p1DataIndex].counts ? undefined : "transparent" }, borderColor: color, backgroundColor: color, borderWidth: 2, borderDash: i ? [6, 4] : [], order: -i, pointRadius: i ? 3 : 5, /* dashes lie on the first run's line: both are seen where they agree */
          pointBorderColor: color, pointBackgroundColor: points.map((p) => p.counts ? color : css("--card")) };
      });
      const loads = sets.flatMap((s) => s.data.map((d) => d.x)).filter((x) => x > 0);
      const axis = (text, log) => ({ ...(log && loads.length ? { min: Math.min(...loads) * 0.85, max: Math.max(...loads) * 1.15 } : {}),
        ...(log ? { afterBuildTicks: (s) => { s.ticks = [-2, -1, 0, 1, 2, 3, 4, 5].flatMap((e) => [1, 2, 5].map((k) => ({ value: k * 10 ** e }))).filter((t) => t.value >= s.min && t.value <= s.max); } } : {}),
        type: log ? "logarithmic" : "linear", beginAtZero: !log, title: { display: true, text, color: css("--soft") }, grid: { color: css("--grid") }, ticks: { color: css("--soft"), maxRotation: 0, ...(log ? { callback: (v) => fmt(v) } : {}) } });
      explain(key);
      made.push(new Chart($("c-" + key), { type: "scatter", data: { datasets: sets },
        options: { animation: false, maintainAspectRatio: false, plugins: { legend: { align: "end", reverse: true, labels: { color: css("--ink"), usePointStyle: true, boxWidth: 8, boxHeight: 8, generateLabels: legend } } },
          scales: { x: axis(data.open_loop ? "arrivals per second" : "requests in flight", true), y: axis(key === "output" ? "output token/s" : "ms", false) } } }));
    }
  }
  const dark = matchMedia("(prefers-color-scheme: dark)"), root = document.documentElement;
  function theme(word) {
    root.dataset.theme = word;
    draw();
  }
  $("theme").onclick = () => theme(root.dataset.theme === "dark" ? "light" : "dark");
  dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
  /* Paper is white, whatever the screen is. */
  let screen_theme = null;
  addEventListener("beforeprint", () => {
    screen_theme = root.dataset.theme;
    theme("light");
    for (const c of made) c.resize(476, 190);
  });
  addEventListener("afterprint", () => theme(screen_theme));
  theme(dark.matches ? "dark" : "light");
})();
