"use strict";
/* The charts. Each takes its colours from the page's style, so that a change of theme draws them again. */
const Charts = (function() {
  const made = [];
  let data, points, load, loadName, loadUnit;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const fmt = (v, digits) => {
    if (v === null || v === undefined || !isFinite(v)) return "n/a";
    const a = Math.abs(v), d = digits !== undefined ? digits : a >= 100 ? 0 : a >= 10 ? 1 : a >= 0.1 || a === 0 ? 2 : 4;
    const text = v.toLocaleString("en-US", {minimumFractionDigits: 0, maximumFractionDigits: d});
    return text === "-0" ? "0" : text;
  };
  const alpha = (hex, a) => hex + Math.round(a * 255).toString(16).padStart(2, "0");
  const counts = (p) => p.verdict.status !== "invalid";

  /* Lines across the chart: {x} or {y}, with a label; a band is {y, lo, hi}. */
  const marks = {
    id: "marks",
    beforeDatasetsDraw(chart) {
      const list = chart.options.marks || [], area = chart.chartArea, ctx = chart.ctx;
      ctx.save();
      for (const m of list) {
        ctx.strokeStyle = ctx.fillStyle = m.color;
        ctx.lineWidth = 1.5;
        ctx.setLineDash(m.dash || []);
        if (m.lo !== undefined && m.lo !== null && m.hi !== null) {
          const top = chart.scales.y.getPixelForValue(m.hi), bottom = chart.scales.y.getPixelForValue(m.lo);
          ctx.globalAlpha = 0.14;
          ctx.fillRect(area.left, top, area.right - area.left, Math.max(1, bottom - top));
          ctx.globalAlpha = 1;
        }
        ctx.beginPath();
        if (m.y !== undefined) {
          const y = chart.scales.y.getPixelForValue(m.y);
          if (y < area.top - 1 || y > area.bottom + 1) continue;
          ctx.moveTo(area.left, y);
          ctx.lineTo(area.right, y);
        } else {
          const x = chart.scales.x.getPixelForValue(m.x);
          if (x < area.left - 1 || x > area.right + 1) continue;
          ctx.moveTo(x, area.top);
          ctx.lineTo(x, area.bottom);
        }
        ctx.stroke();
      }
      ctx.restore();
    },
    afterDatasetsDraw(chart) {
      const list = chart.options.marks || [], area = chart.chartArea, ctx = chart.ctx;
      ctx.save();
      ctx.font = "600 11.5px system-ui, sans-serif";
      ctx.textBaseline = "bottom";
      let row = 0;
      for (const m of list) {
        if (!m.label) continue;
        const width = ctx.measureText(m.label).width + 8;
        let x, y;
        if (m.y !== undefined) {
          x = m.right ? area.right - width : area.left + 6;
          y = chart.scales.y.getPixelForValue(m.y) - 3;
          if (y < area.top - 5 || y > area.bottom) continue;
          if (y - 14 < area.top) y += 20;
        } else {
          x = chart.scales.x.getPixelForValue(m.x) + 5;
          if (x > area.right || x < area.left) continue;
          if (x + width > area.right) x -= width + 6;
          y = area.bottom - 6 - 18 * row++;
        }
        ctx.fillStyle = css("--card");
        ctx.globalAlpha = 0.85;
        ctx.fillRect(x - 3, y - 14, width, 16);
        ctx.globalAlpha = 1;
        ctx.fillStyle = m.color;
        ctx.fillText(m.label, x, y);
      }
      ctx.restore();
    },
  };

  /* Intervals: a datum with lo and hi gets a whisker. */
  const whiskers = {
    id: "whiskers",
    beforeDatasetsDraw(chart) {
      const ctx = chart.ctx;
      chart.data.datasets.forEach((set, i) => {
        if (!set.whiskers || !chart.isDatasetVisible(i)) return;
        const area = chart.chartArea;
        ctx.save();
        ctx.beginPath();
        ctx.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
        ctx.clip();
        ctx.strokeStyle = set.borderColor;
        ctx.lineWidth = 1.25;
        chart.getDatasetMeta(i).data.forEach((e, k) => {
          const d = set.data[k];
          if (!d || d.lo === null || d.lo === undefined) return;
          const top = chart.scales.y.getPixelForValue(d.hi), bottom = chart.scales.y.getPixelForValue(d.lo);
          ctx.beginPath();
          ctx.moveTo(e.x, top);
          ctx.lineTo(e.x, bottom);
          for (const y of [top, bottom]) {
            ctx.moveTo(e.x - 4, y);
            ctx.lineTo(e.x + 4, y);
          }
          ctx.stroke();
        });
        ctx.restore();
      });
    },
  };

  function axis(title, extra) {
    return Object.assign(
      {
        title: {display: !!title, text: title, color: css("--soft"), font: {size: 12}},
        grid: {color: css("--grid"), borderColor: css("--line")},
        ticks: {color: css("--soft"), font: {size: 11.5}, maxRotation: 0, callback: (v) => fmt(v)},
      },
      extra);
  }

  /* A logarithmic axis with the ticks that people read: 1, 2, 5 and their tens. */
  function logAxis(title, values) {
    const good = values.filter((v) => v > 0);
    if (!good.length || Math.max(...good) / Math.min(...good) < 8)
      return axis(title, {type: "linear", beginAtZero: true});
    const most = Math.max(...good), least = Math.max(Math.min(...good), most / 1e4); /* one odd second does not flatten the rest */
    const a = axis(title, {type: "logarithmic", min: least * 0.8, max: most * 1.25});
    a.afterBuildTicks = (scale) => {
      scale.ticks = [];
      for (let e = Math.floor(Math.log10(scale.min)); e <= Math.log10(scale.max); e++)
        for (const m of scale.max / scale.min > 500 ? [1] : [1, 2, 5]) {
          const v = m * Math.pow(10, e);
          if (v >= scale.min && v <= scale.max) scale.ticks.push({value: v});
        }
    };
    return a;
  }

  function legends() {
    const labels = {color: css("--ink"), usePointStyle: true, boxWidth: 8, boxHeight: 8, font: {size: 12}, generateLabels: legend};
    return {position: "top", align: "end", labels};
  }

  function draw(id, config) {
    const canvas = document.getElementById(id);
    const o = config.options;
    Object.assign(o, {responsive: true, maintainAspectRatio: false, animation: false});
    o.plugins = Object.assign(
      {
        legend: legends(),
        tooltip: {backgroundColor: css("--ink"), titleColor: css("--card"), bodyColor: css("--card")},
      },
      o.plugins);
    config.plugins = [marks, whiskers];
    made.push(new Chart(canvas, config));
  }

  /* In the line's colour, whatever colours its points have. */
  function legend(chart) {
    return Chart.defaults.plugins.legend.labels.generateLabels(chart).map((l) => {
      const set = chart.data.datasets[l.datasetIndex];
      return Object.assign(l, {fillStyle: set.borderColor, strokeStyle: set.borderColor, lineWidth: 2});
    });
  }

  const line = (label, color, rows, extra) => Object.assign(
    {
      label,
      data: rows,
      borderColor: color,
      backgroundColor: color,
      borderWidth: 2,
      pointRadius: 3,
      pointHoverRadius: 5,
      tension: 0,
      spanGaps: false,
    },
    extra);

  const LAWS = {usl: "universal scalability", saturation: "saturation", capped: "a capped batch"};

  /* The fitted law between the least and the greatest load, evenly in log(load); formulas stand in fit.h. */
  function fitted(a, from, to) {
    const p = a.model_params.map((x) => x.value), laws = {
      usl: (n) => p[0] * n / (1 + p[1] * (n - 1) + p[2] * n * (n - 1)),
      saturation: (n) => p[0] * (n / p[1]) / Math.pow(1 + Math.pow(n / p[1], p[2]), 1 / p[2]),
      capped: (n) => Math.min(p[0] * n / (1 + p[1] * (n - 1)), p[2]),
    },
          law = laws[a.model], rows = [];
    if (!law || !(from > 0) || !(to > from)) return rows;
    for (let i = 0; i <= 80; i++) {
      const x = from * Math.pow(to / from, i / 80);
      rows.push({x, y: law(x)});
    }
    return rows;
  }

  function throughput() {
    const a = data.summary.answer, c1 = css("--c1");
    const at = (p) => ({
      x: load(p),
      y: p.output_tokens_per_s,
      lo: p.output_tokens_per_s_ci95 && p.output_tokens_per_s_ci95[0],
      hi: p.output_tokens_per_s_ci95 && p.output_tokens_per_s_ci95[1],
      p
    });
    const byLoad = (x, y) => x.x - y.x;
    const drawn = points.filter((p) => load(p) !== null);
    const good = drawn.filter(counts).map(at).sort(byLoad), bad = drawn.filter((p) => !counts(p)).map(at);
    const color = (d) => d.p.verdict.status === "suspect" ? css("--suspect") : c1;
    const sets = [line(
      "output token/s, 95 % interval", c1, good,
      {whiskers: true, pointRadius: 5, pointBackgroundColor: good.map(color), pointBorderColor: good.map(color)})];
    if (good.some(
          (d) => d.p.goodput_per_s !== null && d.p.requests_per_s > 0 && data.summary.plan && data.summary.plan.slo &&
            data.summary.plan.slo.request))
      sets.push(line(
        "of it within the per-request SLO", css("--c2"),
        good.map(
          (d) =>
            ({x: d.x, y: d.p.window.done ? d.y * Math.min(1, d.p.goodput_per_s / d.p.requests_per_s) : null, p: d.p})),
        {borderDash: [5, 4], pointRadius: 3}));
    const curve = a && a.model && good.length > 1 ? fitted(a, good[0].x, good[good.length - 1].x) : [];
    if (curve.length)
      sets.push(line(
        "fitted law: " + LAWS[a.model], css("--c5"), curve,
        {pointRadius: 0, pointHoverRadius: 0, borderWidth: 1.5, borderDash: [4, 4]}));
    if (bad.length)
      sets.push(line(
        "invalid: not part of the curve", css("--invalid"), bad,
        {showLine: false, pointStyle: "crossRot", pointRadius: 7, borderWidth: 2.5}));
    if (good.some((d) => d.p.verdict.status === "suspect")) sets.push(line("suspect", css("--suspect"), [], {}));
    const list = [];
    if (a && a.plateau_tokens_per_s !== null)
      list.push({
        y: a.plateau_tokens_per_s,
        lo: a.plateau_ci95 && a.plateau_ci95[0],
        hi: a.plateau_ci95 && a.plateau_ci95[1],
        color: css("--c3"),
        dash: [7, 4],
        label: (a.plateau_reached ? "plateau " : "at least ") + fmt(a.plateau_tokens_per_s) + " token/s"
      });
    if (a && a.knee_load !== null && a.plateau_reached)
      list.push({x: a.knee_load, color: css("--c3"), dash: [2, 3], label: "knee at " + fmt(a.knee_load)});
    if (a && a.slo_load !== null)
      list.push({
        x: a.slo_load,
        color: css("--c2"),
        dash: [7, 4],
        label: (a.slo_at_least       ? "within the SLO up to at least " :
                  a.slo_next_fails ? "within the SLO up to " :
                                     "most within the SLO at ") +
          fmt(a.slo_load)
      });
    draw("c-throughput", {
      type: "line",
      data: {datasets: sets},
      options: {
        marks: list,
        interaction: {mode: "nearest", intersect: false},
        scales: {x: logAxis(loadName, drawn.map(load)), y: axis("output token/s", {beginAtZero: true, grace: "8%"})},
        plugins: {
          tooltip: {
            callbacks: {
              title: (t) => t.length && t[0].raw.p ? "stage " + number(t[0].raw.p) + " · load " +
                  t[0].raw.p.requested.load + " · " + t[0].raw.p.verdict.status :
                                                     "",
              label: (t) => fmt(t.raw.y) + " token/s" +
                (t.raw.lo !== undefined && t.raw.lo !== null ? " (95 %: " + fmt(t.raw.lo) + "–" + fmt(t.raw.hi) + ")" :
                                                               "") +
                " at " + fmt(t.raw.x)
            }
          }
        },
      },
    });
  }

  const LINES = [["p50", "--c2"], ["p90", "--c1"], ["p99", "--c3"], ["p99_9", "--c4"]];
  const named = (q) => q === "p99_9" ? "p99.9" : q;

  /* Limits of the plan's gates on this metric, as lines. */
  function limits(metric) {
    const list = [];
    for (const g of data.summary.gates || []) {
      const m = /^(\w+)\.(\w+(?:\.\d+)?)\s*<=?\s*([\d.]+)\s*(us|ms|s)$/.exec(g.gate);
      if (m && m[1] === metric)
        list.push({
          y: m[3] * {us: 0.001, ms: 1, s: 1000}[m[4]],
          color: css("--soft"),
          dash: [3, 3],
          label: m[2] + " limit",
          right: true
        });
    }
    return list;
  }

  function latencyAgainst(id, metric) {
    const key = metric + "_ms",
          good = points.filter((p) => counts(p) && p.output_tokens_per_s !== null).sort((a, b) => load(a) - load(b));
    const sets = LINES.slice(0, 3).map(
      ([q, c]) => line(named(q), css(c), good.map((p) => ({x: p.output_tokens_per_s, y: p[key][q], p}))));
    const values = good.flatMap((p) => ["p50", "p90", "p99"].map((q) => p[key][q])).filter((v) => v !== null);
    draw(id, {
      type: "line",
      data: {datasets: sets},
      options: {
        marks: limits(metric),
        interaction: {mode: "nearest", intersect: false},
        scales: {x: axis("output token/s", {type: "linear", beginAtZero: true}), y: logAxis("", values)},
        plugins: {
          tooltip: {
            callbacks: {
              title: (t) => t.length ? "load " + t[0].raw.p.requested.load + " · " + fmt(t[0].raw.x) + " token/s" : "",
              label: (t) => t.dataset.label + ": " + fmt(t.raw.y) + " ms"
            }
          }
        },
      },
    });
  }

  function latencyByStage(id, metric) {
    const key = metric + "_ms";
    const sets = LINES.map(
      ([q, c]) => line(
        named(q), css(c), points.map((p) => {
          const ci = p[key].ci95[q];
          return {x: label(p), y: p[key][q], lo: ci && ci[0], hi: ci && ci[1], p};
        }),
        {
          whiskers: true,
          borderWidth: 1.5,
          pointStyle: points.map((p) => counts(p) ? "circle" : "crossRot"),
          pointRadius: points.map((p) => counts(p) ? 3 : 6),
          segment:
            {borderDash: (s) => counts(points[s.p0DataIndex]) && counts(points[s.p1DataIndex]) ? undefined : [2, 4]}
        }));
    const values = sets.flatMap((s) => s.data.flatMap((d) => [d.y, d.lo, d.hi])).filter((v) => v !== null && v !== undefined);
    draw(id, {
      type: "line",
      data: {labels: points.map(label), datasets: sets},
      options: {
        marks: limits(metric),
        interaction: {mode: "index", intersect: false},
        scales: {
          x: axis("load", {type: "category", ticks: {color: css("--soft"), autoSkip: true, maxRotation: 0}}),
          y: logAxis("", values)
        },
        plugins: {
          tooltip: {
            callbacks: {
              label: (t) => t.dataset.label + ": " + fmt(t.raw.y) + " ms" +
                (t.raw.lo !== null && t.raw.lo !== undefined ? " (95 %: " + fmt(t.raw.lo) + "–" + fmt(t.raw.hi) + ")" :
                                                               "")
            }
          }
        },
      },
    });
  }

  /* The distributions of all stages; the tail is stretched: x = 1 / (1 - q), so that 0.9, 0.99, 0.999 are evenly
   * spaced. */
  function distribution(metric) {
    const old = Chart.getChart("c-dist");
    if (old) {
      made.splice(made.indexOf(old), 1);
      old.destroy();
    }
    const n = points.length, sets = [], values = [];
    data.distributions.forEach((d, i) => {
      const rows = (d[metric] || []).filter((r) => r[0] < 0.99995).map((r) => ({x: 1 / (1 - r[0]), y: r[1]}));
      if (!rows.length) return;
      values.push(...rows.map((r) => r.y));
      const hue = 210 + (n > 1 ? 130 * i / (n - 1) : 0),
            light = document.documentElement.dataset.theme === "dark" ? 68 : 42;
      sets.push(line(
        label(points[i]), "hsl(" + hue + " 65% " + light + "%)", rows,
        {pointRadius: 0, borderWidth: 1.6, borderDash: counts(points[i]) ? [] : [3, 3]}));
    });
    const names = {1: "min", 2: "p50", 10: "p90", 100: "p99", 1000: "p99.9", 10000: "p99.99"};
    const most = Math.max(2, ...sets.map((s) => s.data[s.data.length - 1].x)),
          end = [10, 100, 1000, 10000].find((v) => v >= most * 0.999) || 10000;
    const x = axis("", {type: "logarithmic", min: 1, max: end});
    x.afterBuildTicks = (s) => {
      s.ticks = Object.keys(names).filter((v) => +v <= end).map((v) => ({value: +v}));
    };
    x.ticks.callback = (v) => names[v] || "";
    draw("c-dist", {
      type: "line",
      data: {datasets: sets},
      options: {
        interaction: {mode: "nearest", intersect: false},
        scales: {x, y: logAxis("ms", values)},
        plugins: {
          tooltip: {
            callbacks: {
              title: (t) =>
                t.length ? "load " + t[0].dataset.label + " · " + fmt(100 * (1 - 1 / t[0].raw.x), 3) + " %" : "",
              label: (t) => fmt(t.raw.y) + " ms"
            }
          }
        }
      },
    });
  }

  /* Rows of all stages on the run's time axis, with a gap between stages. */
  function timed(column) {
    const rows = [];
    data.series.forEach((s) => {
      s.rows.forEach((r) => rows.push({x: s.start_s + r[0] + r[1] / 2, y: r[column]}));
      rows.push({x: rows.length ? rows[rows.length - 1].x : 0, y: null});
    });
    return rows;
  }
  /* The server's own figures, on the same axis: column 1 running, 2 waiting, 3 KV cache use. */
  function told(column, scale) {
    const rows = [];
    data.series.forEach((s) => {
      const inside = s.server.filter((r) => s.rows.length && r[0] >= 0 && r[0] <= s.rows[s.rows.length - 1][0] + 1);
      inside.forEach((r) => rows.push({x: s.start_s + r[0], y: r[column] === null ? null : r[column] * (scale || 1)}));
      rows.push({x: rows.length ? rows[rows.length - 1].x : 0, y: null});
    });
    return rows;
  }
  const tells = (column) => data.series.some((s) => s.server.some((r) => r[column] !== null));

  function overTime(id, columns, log) {
    const sets = columns.map(([name, c, rows]) => line(name, css(c), Array.isArray(rows) ? rows : timed(rows),
                                                       {pointRadius: 0, borderWidth: 1.4, borderDash: name.startsWith("server") ? [4, 3] : []}));
    const values = sets.flatMap((s) => s.data.map((d) => d.y)).filter((v) => v !== null);
    const list = data.series.map((s, i) => ({x: s.start_s, color: alpha(css("--c5"), 0.45), dash: [2, 3], label: ""}));
    draw(id, {
      type: "line",
      data: {datasets: sets},
      options: {
        marks: list,
        interaction: {mode: "nearest", axis: "x", intersect: false},
        scales: {
          x: axis("seconds since the run began; dotted: a stage begins", {type: "linear", min: 0}),
          y: log ? logAxis("", values) : axis("", {beginAtZero: true})
        },
        plugins: {
          legend: Object.assign(legends(), {display: columns.length > 1}),
          tooltip: {
            callbacks: {
              title: (t) => t.length ? fmt(t[0].raw.x, 1) + " s" : "",
              label: (t) => t.dataset.label + ": " + fmt(t.raw.y)
            }
          }
        },
      },
    });
  }

  /* As people count: from 1, with the repeat behind it where there are several. */
  const several = () => points.some((p) => p.repeat > 0);
  function number(p) { return p.stage + 1 + (several() ? "." + (p.repeat + 1) : ""); }
  function label(p) {
    return p.requested.load + (p.repeat ? " #" + (p.repeat + 1) : "");
  }

  function all(metric) {
    made.splice(0).forEach((c) => c.destroy());
    if (points.length) {
      throughput();
      for (const m of ["ttft", "tpot", "e2e"]) latencyAgainst("c-" + m + "-x", m);
      for (const m of ["ttft", "tpot", "itl"]) latencyByStage("c-" + m + "-s", m);
      distribution(metric);
    }
    overTime("c-tokens", [["token events/s", "--c1", 2]]);
    const flight = [["in flight", "--c2", 3]];
    if (tells(1)) flight.push(["server: running", "--c1", told(1)]);
    if (tells(2)) flight.push(["server: waiting", "--c3", told(2)]);
    overTime("c-inflight", flight);
    if (tells(3)) overTime("c-kv", [["server: KV cache", "--c1", told(3, 100)]]);
    else if (document.getElementById("f-kv")) document.getElementById("f-kv").remove();
    overTime("c-itl-t", [["p50", "--c2", 6], ["p99", "--c3", 7]], true);
    overTime("c-ttft-t", [["p50", "--c2", 8], ["p99", "--c3", 9]], true);
  }

  function begin(d) {
    data = d;
    points = d.summary.points;
    const open = points.length && points.every((p) => p.requested.kind === "open");
    load = open ? (p) => p.achieved.arrivals_per_s : (p) => p.achieved.concurrency;
    loadUnit = open ? "arrivals/s" : "in flight";
    loadName = open ? "achieved arrivals/s" : "achieved concurrency: requests in flight, mean over the window";
  }

  return {begin, all, distribution, fmt, label, counts, number, loadUnit: () => loadUnit};
})();
