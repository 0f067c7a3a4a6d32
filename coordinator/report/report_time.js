"use strict";
/* The charts over time: what each second was like, which load ran then, and what went wrong when. */
const Times = (function() {
  const kit = Charts.kit, css = kit.css, fmt = Charts.fmt;
  const S = () => kit.data().summary, series = () => kit.data().series;

  /* Where the load of a stage ended, in seconds from its start: what comes after is the drain, no fall of the server's. */
  function end(i) {
    const p = S().points[i];
    return p && p.window_s !== null ? p.requested.warmup_s + p.window_s : Infinity;
  }
  const within = (i, from, span) => from >= -0.01 && from + span <= end(i) + 0.05;

  /* A column of all stages on the run's time axis, with a gap between stages. */
  function timed(column) {
    const rows = [];
    series().forEach((s, i) => {
      const whole = Math.max(...s.rows.map((r) => r[1]), 0); /* a second that is cut short is no fall */
      s.rows.filter((r) => within(i, r[0], r[1]) && r[1] > 0.6 * whole).forEach((r) => rows.push({x: s.start_s + r[0] + r[1] / 2, y: r[column]}));
      rows.push({x: rows.length ? rows[rows.length - 1].x : 0, y: null});
    });
    return rows;
  }
  /* The server's own figures, on the same axis: column 1 running, 2 waiting, 3 KV cache use. */
  function told(column, scale) {
    const rows = [];
    series().forEach((s, i) => {
      const inside = s.server.filter((r) => s.rows.length && within(i, r[0], 0));
      inside.forEach((r) => rows.push({x: s.start_s + r[0], y: r[column] === null ? null : r[column] * (scale || 1)}));
      rows.push({x: rows.length ? rows[rows.length - 1].x : 0, y: null});
    });
    return rows;
  }
  const tells = (column) => series().some((s) => s.server.some((r) => r[column] !== null));

  const FAULTS = {agent_lost: "agent lost", agent_failed: "agent failed", stage_retry: "stage again", clock_jump: "clock jumped", coordinator_away: "coordinator away",
                  metrics_failed: "no server metrics", gate_failed: "gate failed", signal: "stopped by a signal", resumed: "resumed"};
  /* When which load ran, and what went wrong: {x, …} as marks. Of each kind the first has its name. */
  function marks() {
    const list = series().map((s, i) => ({x: s.start_s, color: css("--c5"), dash: [2, 3], above: S().points[i] ? S().points[i].requested.load : ""}));
    const named = new Set(), began = Date.parse(S().run.started);
    const fault = (x, label) => {
      list.push({x, color: css("--invalid"), label: named.has(label) ? "" : label});
      named.add(label);
    };
    for (const e of S().events)
      if (FAULTS[e.kind]) fault((Date.parse(e.time) - began) / 1000, FAULTS[e.kind]);
    S().points.forEach((p, i) => {
      for (const f of p.first_failures || [])
        if (!named.has("first " + f.label) && series()[i] && named.size < 8) fault(series()[i].start_s + f.time_s, "first " + f.label);
    });
    return list;
  }

  const xAxis = () => kit.axis("seconds since the run began; dotted: a stage begins, with its load", {type: "linear", min: 0, max: xEnd(), ticks: {includeBounds: false, maxRotation: 0, color: css("--soft"), callback: (v) => fmt(v)}});
  function xEnd() {
    const most = Math.max(1, ...series().map((s, i) => s.start_s + Math.min(end(i), s.rows.length ? s.rows[s.rows.length - 1][0] + s.rows[s.rows.length - 1][1] : 0)));
    return most * 1.005;
  }

  function overTime(id, what, columns, log, percent) {
    const sets = columns.map(([name, c, rows]) => kit.line(name, css(c), Array.isArray(rows) ? rows : timed(rows),
                                                           {borderWidth: 1.4, borderDash: name.startsWith("server") ? [4, 3] : []}));
    for (const s of sets) /* a second that stands alone has no line */
      s.pointRadius = s.data.map((d, i) => [i - 1, i + 1].some((k) => s.data[k] && s.data[k].y !== null) ? 0 : 1.6);
    const values = sets.flatMap((s) => s.data.map((d) => d.y)).filter((v) => v !== null), most = values.length ? Math.max(...values) : null;
    const y = log ? kit.logAxis("", values) : kit.axis("", {beginAtZero: true});
    if (y.type === "logarithmic") y.max *= 1.6; /* room for the names of the loads */
    else y.suggestedMax = most === null ? 1 : most * 1.16;
    if (percent) Object.assign(y, {max: 116, ticks: {stepSize: 20, color: css("--soft"), callback: (v) => v <= 100 ? fmt(v) : ""}});
    const top = most === null ? null : sets.flatMap((s) => s.data.map((d) => ({x: d.x, y: d.y, of: s.label}))).reduce((a, b) => b.y !== null && b.y > a.y ? b : a, {y: -1});
    kit.draw(id, {
      caption: most === null ? "Nothing was recorded." :
        most === 0 ? what + ": none in any second." : what + ": at most " + fmt(most) + (columns.length > 1 ? " (" + top.of + ")" : "") + ", " + fmt(top.x) + " s into the run. Gaps lie between the stages; warm-up is shown, the drain is not.",
      type: "line",
      data: {datasets: sets},
      options: {
        marks: marks(),
        interaction: {mode: "nearest", axis: "x", intersect: false},
        scales: {x: xAxis(), y},
        plugins: {
          legend: Object.assign(kit.legends(), {display: columns.length > 1}),
          tooltip: {callbacks: {title: (t) => t.length ? fmt(t[0].raw.x, 1) + " s" : "", label: (t) => t.dataset.label + ": " + fmt(t.raw.y)}}
        },
      },
    });
  }

  /* The heat map. A cell's colour is the share of its column's samples: what most requests of that second saw is dark. */
  const heat = {
    id: "heat",
    beforeDatasetsDraw(chart) {
      const ctx = chart.ctx, x = chart.scales.x, y = chart.scales.y, area = chart.chartArea;
      ctx.save();
      ctx.beginPath();
      ctx.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
      ctx.clip();
      ctx.fillStyle = css("--c1");
      for (const c of chart.options.heat) {
        ctx.globalAlpha = 0.08 + 0.92 * Math.sqrt(c.share);
        const left = x.getPixelForValue(c.from), top = y.getPixelForValue(c.high);
        ctx.fillRect(left, top, Math.max(1, x.getPixelForValue(c.to) - left), Math.max(1, y.getPixelForValue(c.low) - top));
      }
      ctx.restore();
    }
  };
  let metric = "ttft";
  function cells() {
    const list = [];
    series().forEach((s) => (s.heat[metric] || []).forEach(([t, span, first, ...n]) => {
      const all = n.reduce((a, b) => a + b, 0);
      n.forEach((count, k) => count && list.push({from: s.start_s + t, to: s.start_s + t + span, low: Math.pow(10, (first + k) / 10), high: Math.pow(10, (first + k + 1) / 10), n: count, share: count / all}));
    }));
    return list;
  }
  function heatMap() {
    const list = cells(), low = Math.min(...list.map((c) => c.low)), high = Math.max(...list.map((c) => c.high)), y = kit.logAxis("ms", list.length ? [low, Math.max(high, 10 * low)] : []);
    if (list.length) Object.assign(y, {min: low * 0.9, max: Math.max(high, 10 * low) * 1.7});
    const samples = list.reduce((a, c) => a + c.n, 0), slow = list.reduce((a, c) => !a || c.high > a.high ? c : a, null);
    document.getElementById("heat-title").textContent = metric.toUpperCase() + " of every " + (metric === "itl" ? "token" : "request") + " over time, ms";
    kit.draw("c-heat", {
      caption: !list.length ? "Nothing was recorded." : fmt(samples) + " samples of the windows; the slowest lie between " + fmt(slow.low) + " and " + fmt(slow.high) + " ms, " + fmt(slow.from) +
        " s into the run. The darker a cell, the larger its share of that moment's samples; two dark bands are two kinds of request.",
      extra: heat,
      rows: () => [["from s", "to s", "above ms", "up to ms", "samples"], ...list.map((c) => [c.from, c.to, c.low, c.high, c.n])],
      type: "scatter",
      data: {datasets: [{label: "", data: []}]},
      options: {marks: marks(), heat: list, scales: {x: xAxis(), y}, plugins: {legend: {display: false}}},
    });
  }
  function choose() {
    const box = document.getElementById("heat-metric");
    if (!box.children.length)
      for (const m of ["ttft", "itl"]) {
        const b = document.createElement("button");
        b.type = "button";
        b.textContent = m.toUpperCase();
        b.dataset.value = m;
        b.onclick = () => {
          metric = m;
          choose();
          heatMap();
        };
        box.append(b);
      }
    for (const b of box.children) b.setAttribute("aria-pressed", String(b.dataset.value === metric));
  }

  function show() {
    if (!series().length) return;
    overTime("c-tokens", "Token events per second", [["token events/s", "--c1", 2]]);
    const ends = [["due", "--c5", 10], ["ended ok", "--c2", 4]];
    if (series().some((s) => s.rows.some((r) => r[5] > 0))) ends.push(["failed", "--c4", 5]);
    overTime("c-requests", "Requests per second", ends);
    const flight = [["in flight", "--c2", 3]];
    if (tells(1)) flight.push(["server: running", "--c1", told(1)]);
    if (tells(2)) flight.push(["server: waiting", "--c3", told(2)]);
    overTime("c-inflight", "Requests", flight);
    if (tells(3)) overTime("c-kv", "KV cache in use, %", [["server: KV cache", "--c1", told(3, 100)]], false, true);
    else if (document.getElementById("f-kv")) document.getElementById("f-kv").remove();
    overTime("c-itl-t", "ITL, ms", [["p50", "--c2", 6], ["p99", "--c3", 7]], true);
    overTime("c-ttft-t", "TTFT, ms", [["p50", "--c2", 8], ["p99", "--c3", 9]], true);
    choose();
    heatMap();
  }
  return {show};
})();
