"use strict";
/* The charts. Each takes its colours from the page's style, so that a change of theme draws them again. */
const Charts = (function() {
  const made = [];
  let data, points, load, loadName, loadUnit;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const fmt = human;
  const alpha = (hex, a) => hex + Math.round(a * 255).toString(16).padStart(2, "0");
  const counts = (p) => p.verdict.status !== "invalid";
  const asked = (p) => p.requested.kind === "open" ? p.requested.rate_to : p.requested.concurrency;
  /* In order of load, closed loops first, repeats beside each other; `index` is the place in order of execution. */
  const sorted = (list) => list.map((p, i) => Object.assign(p, {index: i})).sort((a, b) =>
    a.requested.kind !== b.requested.kind ? (a.requested.kind === "closed" ? -1 : 1) :
                                            asked(a) - asked(b) || a.stage - b.stage || a.repeat - b.repeat);
  /* Rows for a line that must not cross a point which does not count, nor lead from closed to open loop: a gap stands there. */
  const gap = {x: NaN, y: NaN};
  const unbroken = (rows) => rows.flatMap((r, i) => r.p && !counts(r.p) ? [gap] : i && r.p && rows[i - 1].p && r.p.requested.kind !== rows[i - 1].p.requested.kind ? [gap, r] : [r]);
  const shape = (p) => !counts(p) ? "crossRot" : p.requested.kind === "open" ? "triangle" : "circle";

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
          const top = Math.max(area.top, chart.scales.y.getPixelForValue(m.hi)), bottom = Math.min(area.bottom, chart.scales.y.getPixelForValue(m.lo));
          ctx.globalAlpha = 0.14;
          ctx.fillRect(area.left, top, area.right - area.left, Math.max(1, bottom - top));
          ctx.globalAlpha = 1;
        }
        if (m.beyond) {
          const y = Math.max(area.top, Math.min(area.bottom, chart.scales.y.getPixelForValue(m.y)));
          ctx.globalAlpha = 0.08;
          ctx.fillStyle = css("--invalid");
          ctx.fillRect(area.left, area.top, area.right - area.left, y - area.top);
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
      ctx.textAlign = "left";
      let row = 0, free = -Infinity; /* the right end of the last name above: those that find no room are left out */
      for (const m of list) {
        const left = m.above ? chart.scales.x.getPixelForValue(m.x) + 4 : 0, wide = m.above ? ctx.measureText(m.above).width : 0;
        if (m.above && left > free && left + wide < Math.min(area.right + 14, chart.width - 2)) {
          free = left + wide + 6;
          ctx.lineWidth = 3;
          ctx.strokeStyle = css("--card");
          ctx.strokeText(m.above, left, area.top + 14);
          ctx.fillStyle = css("--soft");
          ctx.fillText(m.above, left, area.top + 14);
        }
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
        m.box = [x - 3, y - 14, x - 3 + width, y + 2];
        ctx.lineWidth = 3;
        ctx.setLineDash([]);
        ctx.strokeStyle = css("--card");
        ctx.strokeText(m.label, x, y);
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

  /* A datum with a label gets it beside its point, where it hides least: never on a point or another label, on a line only where
   * nothing else is free. One with a ring is encircled. */
  const PLACES = [[0, -17], [0, 17], [1, 0], [-1, 0], [1, -14], [-1, -14], [1, 14], [-1, 14], [1, -28], [-1, 28], [0, -31], [0, 31]];
  const crosses = (b, p, q) => { /* does the line from p to q touch the box? cut off what lies outside, side by side */
    let t0 = 0, t1 = 1;
    const d = [q.x - p.x, q.y - p.y];
    for (const [s, room] of [[-d[0], p.x - b[0]], [d[0], b[2] - p.x], [-d[1], p.y - b[1]], [d[1], b[3] - p.y]]) {
      if (s === 0 && room < 0) return false;
      if (s < 0) t0 = Math.max(t0, room / s);
      if (s > 0) t1 = Math.min(t1, room / s);
    }
    return t0 <= t1;
  };
  const apart = (a, b) => a[0] >= b[2] || a[2] <= b[0] || a[1] >= b[3] || a[3] <= b[1];
  function drawn(chart) { /* points and lines of all sets, in pixels */
    const spots = [], lines = [];
    chart.data.datasets.forEach((set, i) => {
      if (!chart.isDatasetVisible(i)) return;
      const meta = chart.getDatasetMeta(i).data;
      meta.forEach((e, k) => {
        const before = meta[k - 1], d = set.data[k];
        if (!d || d.y === null || !isFinite(e.x) || !isFinite(e.y)) return;
        if (set.pointRadius !== 0) spots.push([e.x - 5, e.y - 5, e.x + 5, e.y + 5]);
        if (set.showLine !== false && before && isFinite(before.x) && isFinite(before.y))
          lines.push(...(set.stepped ? [[before, {x: before.x, y: e.y}], [{x: before.x, y: e.y}, e]] : [[before, e]]));
        if (set.whiskers && d && d.lo !== null && d.lo !== undefined)
          lines.push([{x: e.x, y: chart.scales.y.getPixelForValue(d.lo)}, {x: e.x, y: chart.scales.y.getPixelForValue(d.hi)}]);
      });
    });
    return {spots, lines};
  }
  const labels = {
    id: "labels",
    afterDatasetsDraw(chart) {
      const ctx = chart.ctx, area = chart.chartArea, taken = (chart.options.marks || []).map((m) => m.box).filter(Boolean), {spots, lines} = drawn(chart);
      ctx.save();
      ctx.font = "600 11.5px system-ui, sans-serif";
      ctx.textBaseline = "middle";
      ctx.textAlign = "left";
      chart.data.datasets.forEach((set, i) => {
        if (!chart.isDatasetVisible(i)) return;
        chart.getDatasetMeta(i).data.forEach((e, k) => {
          const d = set.data[k];
          if (!d || d.y === null || !isFinite(e.x) || !isFinite(e.y)) return;
          if (d.ring) {
            ctx.strokeStyle = d.ring;
            ctx.lineWidth = 2.5;
            ctx.beginPath();
            ctx.arc(e.x, e.y, 10, 0, 7);
            ctx.stroke();
          }
          if (!d.label) return;
          const w = ctx.measureText(d.label).width, own = d.ring ? 14 : 10;
          let best = null, least = 9;
          for (const [side, dy] of PLACES) {
            const x = side > 0 ? e.x + own : side < 0 ? e.x - own - w : e.x - w / 2, y = e.y + dy, b = [x - 2, y - 7, x + w + 2, y + 7];
            if (b[0] < area.left || b[2] > area.right + 14 || b[1] < area.top - 12 || b[3] > area.bottom) continue;
            if (![...taken, ...spots].every((t) => apart(t, b))) continue;
            const cost = lines.filter(([p, q]) => crosses(b, p, q)).length;
            if (cost < least) [best, least] = [{x, y, b}, cost];
          }
          if (!best) return;
          taken.push(best.b);
          ctx.lineWidth = 3;
          ctx.strokeStyle = css("--card"); /* a line does not run through the figures */
          ctx.strokeText(d.label, best.x, best.y);
          ctx.fillStyle = d.ring || css("--ink");
          ctx.fillText(d.label, best.x, best.y);
        });
      });
      ctx.restore();
    },
  };

  /* A chart without a point says so where its points would be, as its caption does. */
  const bare = (chart) => chart.data.datasets.every((set) => set.data.every((d) => !d || d.y === null || d.y !== d.y)) && !(chart.options.heat || []).length;
  const words = {
    id: "words",
    afterDatasetsDraw(chart) {
      if (!bare(chart)) return;
      const ctx = chart.ctx, area = chart.chartArea, text = chart.options.none || "Nothing was recorded.", wide = area.right - area.left - 16, lines = [""];
      ctx.save();
      ctx.font = "600 13px system-ui, sans-serif";
      for (const w of text.split(" ")) {
        const longer = (lines[lines.length - 1] + " " + w).trim();
        if (lines[lines.length - 1] && ctx.measureText(longer).width > wide)
          lines.push(w);
        else
          lines[lines.length - 1] = longer;
      }
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.lineWidth = 4;
      ctx.strokeStyle = css("--card");
      ctx.fillStyle = css("--soft");
      lines.forEach((l, i) => {
        const x = (area.left + area.right) / 2, y = (area.top + area.bottom) / 2 + 18 * (i - (lines.length - 1) / 2);
        ctx.strokeText(l, x, y);
        ctx.fillText(l, x, y);
      });
      ctx.restore();
    }
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
      return axis(title, {type: "linear", beginAtZero: true, suggestedMax: good.length ? Math.max(...good) * 1.05 : 1});
    const most = Math.max(...good), least = Math.max(Math.min(...good), most / 1e4); /* one odd second does not flatten the rest */
    const a = axis(title, {type: "logarithmic", min: least * 0.8, max: most * Math.max(1.25, Math.pow(most / least, 0.08))}); /* the top point has room */
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
    o.none = config.caption;
    config.plugins = [marks, whiskers, labels, words].concat(config.extra || []);
    const old = Chart.getChart(canvas);
    if (old) {
      made.splice(made.indexOf(old), 1);
      old.destroy();
    }
    const chart = new Chart(canvas, config);
    Object.assign(chart, {ownRows: config.rows, ownRange: config.range});
    made.push(chart);
    explain(canvas, chart, config.caption || "");
  }

  const element = (tag, text, cls) => {
    const e = document.createElement(tag);
    e.textContent = text;
    if (cls) e.className = cls;
    return e;
  };
  function save(name, href) {
    const a = element("a", "");
    a.href = href;
    a.download = name;
    a.click();
  }
  /* What a chart shows, as rows: for the table behind it and for its CSV. */
  function rowsOf(chart) {
    if (chart.ownRows) return chart.ownRows();
    const of = ownText(chart.canvas.closest("figure").querySelector("figcaption")), title = (a) => (chart.options.scales[a].title.text || (a === "y" && of) || a).split(";")[0], rows = [["series", title("x"), title("y"), ...(chart.ownRange || ["95 % low", "95 % high"]), "load", "verdict"]];
    for (const set of chart.data.datasets)
      for (const d of set.data)
        if (d && d.y !== null && d.y === d.y)
          rows.push([set.label, d.x, d.y, d.lo, d.hi, d.p ? d.p.requested.load : "", d.p ? d.p.verdict.status : ""]);
    const used = rows[0].map((_, c) => c < 3 || rows.slice(1).some((r) => r[c] !== undefined && r[c] !== null && r[c] !== ""));
    return rows.map((r) => r.filter((_, c) => used[c]));
  }
  const cell = (v) => v === null || v === undefined ? "" : typeof v === "number" ? String(+v.toPrecision(9)) : String(v);
  function csv(chart) {
    const quoted = (v) => {
      const t = cell(v);
      return /[",\n]/.test(t) ? '"' + t.replace(/"/g, '""') + '"' : t;
    };
    return rowsOf(chart).map((r) => r.map(quoted).join(",") + "\r\n").join("");
  }
  /* What a picture says when it stands alone: its title, and whose it is. */
  const titleOf = (canvas) => (data.summary.run.name || "run " + data.summary.run.id) + ": " + ownText(canvas.closest("figure").querySelector("figcaption"));
  const ownText = (e) => [...e.childNodes].filter((c) => c.nodeType === 3).map((c) => c.textContent.trim()).join(" ").trim();
  const sourceOf = () => "plateau " + data.summary.version + " · run " + data.summary.run.id + " · " + data.summary.run.started.slice(0, 10) + " · plan " + data.summary.run.plan_hash.slice(0, 12);
  /* On the page's own ground, and not transparent. */
  function png(canvas) {
    const chart = Chart.getChart(canvas), r = chart.currentDevicePixelRatio, copy = document.createElement("canvas");
    copy.width = canvas.width;
    copy.height = canvas.height + 52 * r;
    const ctx = copy.getContext("2d");
    ctx.fillStyle = css("--card");
    ctx.fillRect(0, 0, copy.width, copy.height);
    ctx.drawImage(canvas, 0, 30 * r);
    ctx.scale(r, r);
    ctx.fillStyle = css("--ink");
    ctx.font = "600 14px system-ui, sans-serif";
    ctx.fillText(titleOf(canvas), 12, 20);
    ctx.fillStyle = css("--soft");
    ctx.font = "11px system-ui, sans-serif";
    ctx.fillText(sourceOf(), 12, copy.height / r - 8);
    return copy.toDataURL("image/png");
  }
  const svg = (canvas) => Svg.of(Chart.getChart(canvas), css("--card"), css("--ink"), css("--soft"), titleOf(canvas), sourceOf());
  const TABLE_ROWS = 200;
  function fill(box, chart) {
    const [head, ...rows] = rowsOf(chart), t = element("table", ""), tr = element("tr", "");
    for (const h of head) Object.assign(tr.appendChild(element("th", h)), {scope: "col"});
    t.append(tr);
    for (const r of rows.slice(0, TABLE_ROWS)) {
      const line = element("tr", "");
      r.forEach((v) => line.append(element("td", typeof v === "number" ? fmt(v) : cell(v))));
      t.append(line);
    }
    box.replaceChildren(t);
    if (rows.length > TABLE_ROWS) box.append(element("p", "and " + (rows.length - TABLE_ROWS) + " more rows in the CSV", "soft"));
  }
  /* Below each chart: a sentence on what it shows for this run, its table, its downloads. */
  function explain(canvas, chart, caption) {
    const figure = canvas.closest("figure"), name = canvas.id.replace(/^c-/, "");
    let foot = figure.querySelector(".foot");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", caption || figure.querySelector("figcaption").textContent);
    if (!foot) {
      foot = element("div", "", "foot");
      const details = element("details", ""), box = element("div", "", "scroll"), of = ownText(figure.querySelector("figcaption")) || name, more = element("span", "", "more");
      for (const [word, act] of [["CSV", () => save(name + ".csv", "data:text/csv;charset=utf-8," + encodeURIComponent(csv(Chart.getChart(canvas))))], ["PNG", () => save(name + ".png", png(canvas))],
                                 ["SVG", () => save(name + ".svg", "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svg(canvas)))]]) {
        const b = element("button", word);
        b.type = "button";
        b.setAttribute("aria-label", "download " + of + " as " + word);
        b.onclick = act;
        more.append(b);
      }
      box.tabIndex = 0; /* what scrolls can be scrolled by keys */
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", "table of " + of);
      details.append(element("summary", "table"), box);
      details.ontoggle = () => details.open && Chart.getChart(canvas) && fill(box, Chart.getChart(canvas)); /* its chart may be gone before the event comes */
      foot.append(element("p", "", "caption"), details, more);
      figure.append(foot);
    }
    foot.querySelector(".caption").textContent = caption;
    const details = foot.querySelector("details");
    if (details.open) fill(details.querySelector(".scroll"), chart);
  }

  /* In the line's colour, whatever colours its points have. */
  function legend(chart) {
    return Chart.defaults.plugins.legend.labels.generateLabels(chart).map((l) => {
      const set = chart.data.datasets[l.datasetIndex];
      const shape = set.pointRadius === 0 || Array.isArray(set.pointRadius) ? "line" : typeof set.pointStyle === "string" ? set.pointStyle : "circle";
      return Object.assign(l, {fillStyle: set.borderColor, strokeStyle: set.borderColor, lineWidth: 2, pointStyle: shape, lineDash: set.borderDash || []});
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

  /* The fitted law between the smallest and the largest load, evenly in log(load); formulas stand in fit.h. */
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

  /* "that was tried", unless a greater one was, whose point is invalid. */
  function among(p) {
    const above = points.filter((q) => !counts(q) && asked(q) > asked(p)).length; /* by what was asked: an invalid point may have achieved nothing */
    return above ? "whose point counts (" + above + " above it " + (above === 1 ? "is" : "are") + " invalid)" : "that was tried";
  }
  /* Why no point has what a chart shows. */
  function nothing(what) {
    const good = points.filter(counts).length, n = points.length;
    if (!good) return n === 1 ? "The one point is invalid: it does not count." : "No point counts: all " + n + " are invalid.";
    return (n === 1 ? "The one point has no " : "No point has a ") + what + ": " + (points.some((p) => counts(p) && p.ttft_ms.count) ? "the samples are too small." : "no request ended ok.");
  }
  /* One point is no curve. */
  const alone = (list) => list.length === 1 ? " One point: there is no curve." : "";
  function rise(good) {
    const top = good.reduce((m, d) => d.y > m.y ? d : m), first = good[0];
    const at = (d) => fmt(d.y) + " token/s at load " + d.p.requested.load;
    return top === first ? "Throughput is " + (good.length > 1 ? "at most " : "") + at(first) : "Throughput rises from " + at(first) + " to " + at(top);
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
    const byLoad = (x, y) => x.x - y.x || 0;
    const drawn = points.filter((p) => load(p) !== null);
    const good = drawn.filter(counts).map(at).sort(byLoad), bad = drawn.filter((p) => !counts(p)).map(at);
    const color = (d) => d.p.verdict.status === "suspect" ? css("--suspect") : c1;
    const law = a && a.model && good.length > 1 ? fitted(a, good[0].x, good[good.length - 1].x) : [];
    const gaps = unbroken(drawn.map(at).sort((x, y) => (x.p.requested.kind > y.p.requested.kind) - (x.p.requested.kind < y.p.requested.kind) || byLoad(x, y))), shown = law.length ? good : gaps;
    const sets = [line(
      "output token/s, 95 % interval", c1, shown, {
        whiskers: true,
        showLine: !law.length,
        pointRadius: 5.5,
        pointStyle: shown.map((d) => d.p ? shape(d.p) : "circle"),
        pointBackgroundColor: shown.map((d) => d.p ? color(d) : c1),
        pointBorderColor: shown.map((d) => d.p ? color(d) : c1)
      })];
    if (good.some(
          (d) => d.p.goodput_per_s !== null && d.p.requests_per_s > 0 && data.summary.plan && data.summary.plan.slo &&
            data.summary.plan.slo.request))
      sets.push(line(
        "of it within the per-request SLO", css("--c2"),
        good.map(
          (d) =>
            ({x: d.x, y: d.p.window.done ? d.y * Math.min(1, d.p.goodput_per_s / d.p.requests_per_s) : null, p: d.p})),
        {showLine: false, pointRadius: 3.5}));
    if (law.length)
      sets.push(line(
        "fitted law: " + LAWS[a.model], c1, law, {pointRadius: 0, pointHoverRadius: 0, borderWidth: 1.8}));
    if (bad.length)
      sets.push(line(
        "invalid: not part of the curve", css("--invalid"), bad,
        {showLine: false, pointStyle: "crossRot", pointRadius: 7, borderWidth: 2.5}));
    if (good.some((d) => d.p.verdict.status === "suspect")) sets.push(line("suspect", css("--suspect"), [], {}));
    if (!good.length) sets.shift(); /* its name alone would stand in the legend */
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
      list.push({x: a.knee_load, color: css("--c3"), dash: [2, 3], label: "knee at " + fmt(knee())});
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
    const last = good[good.length - 1];
    draw("c-throughput", {
      caption: !good.length ? nothing("throughput") :
        rise(good) + (good.length > 1 ? "; the highest load " + among(last.p) + ", " + last.p.requested.load + ", gives " + fmt(last.y) : "") + "." +
          (law.length ? " The line is the law fitted to the points; the marks are what was measured." : good.length > 1 ? " The line joins neighbouring points and stops at invalid ones." : alone(good)) +
          (loops() && loops() + "; both by requests in flight."),
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
          label: m[2] + " limit " + m[3] + " " + m[4]
        });
    }
    return list;
  }

  function latencyByStage(id, metric) {
    const key = metric + "_ms";
    const sets = LINES.map(
      ([q, c]) => line(
        named(q), css(c), points.map((p) => {
          const ci = p[key].ci95[q], ok = counts(p);
          return {x: label(p), y: ok ? p[key][q] : null, lo: ok && ci ? ci[0] : null, hi: ok && ci ? ci[1] : null, p};
        }),
        {
          whiskers: true,
          borderWidth: 1.5,
          segment: {borderColor: (s) => points[s.p0DataIndex].requested.kind === points[s.p1DataIndex].requested.kind ? undefined : "transparent"}, /* closed loop and open are two curves */
          pointStyle: points.map(shape)
        }));
    const values = sets.flatMap((s) => s.data.flatMap((d) => [d.y, d.lo, d.hi])).filter((v) => v !== null && v !== undefined);
    /* From its lowest load to its highest, of each loop. */
    const ends = ["closed", "open"].map((kind) => points.filter((p) => p.requested.kind === kind && counts(p) && p[key].p50 !== null)).filter((l) => l.length);
    const at = (p) => fmt(p[key].p50) + " ms at load " + p.requested.load;
    draw(id, {
      caption: !ends.length ? nothing(metric.toUpperCase() + " p50") : metric.toUpperCase() + " p50: " + ends.map((l) => at(l[0]) + (l.length > 1 ? ", " + at(l[l.length - 1]) : "")).join("; in the open loop ") + ". A percentile is left out where the sample does not carry it.",
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
    const n = points.length, sets = [], values = [];
    points.forEach((p, i) => {
      const rows = (data.distributions[p.index][metric] || []).filter((r) => r[0] < 0.99995).map(([q, y]) => ({x: 1 / (1 - q), y, q, p}));
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
      rows: () => [["load", "verdict", "percentile", metric.toUpperCase() + ", ms"], ...sets.flatMap((s) => s.data.map((d) => [s.label, d.p.verdict.status, 100 * d.q, d.y]))],
      caption: "Each line is a load, from its fastest request at the left to its slowest at the right; a steep end is a long tail.",
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

  /* As the answer says it: of requests in flight the first whole number. */
  const knee = () => data.summary.answer.axis === "arrivals_per_s" ? data.summary.answer.knee_load : Math.ceil(data.summary.answer.knee_load);
  /* Circles and triangles stand side by side only where both loops ran. */
  const loops = () => points.some((p) => p.requested.kind === "open") && points.some((p) => p.requested.kind === "closed") ? " Circles: closed loop; triangles: open loop" : "";

  /* As people count: from 1, with the repeat behind it where there are several. */
  const several = () => points.some((p) => p.repeat > 1);
  function number(p) { return p.stage + (several() ? "." + p.repeat : ""); }
  function label(p) {
    return p.requested.load + (p.repeat > 1 ? " #" + p.repeat : "");
  }

  function all(metric) {
    made.splice(0).forEach((c) => c.destroy());
    if (points.length) {
      Picture.show();
      throughput();
      for (const m of ["ttft", "tpot", "itl"]) latencyByStage("c-" + m + "-s", m);
      distribution(metric);
    }
    Times.show();
    Asked.show();
  }

  /* The browser lays out the page for paper without telling the charts. */
  function toPaper() {
    for (const c of made) c.resize(...(c.canvas.closest(".wide") ? [1000, c.canvas.closest(".tall") ? 320 : 190] : [c.canvas.closest(".two") ? 476 : 304, 190]));
  }

  function begin(d) {
    data = d;
    points = sorted(d.summary.points.slice());
    const open = d.summary.answer.axis === "arrivals_per_s";
    load = (p) => p.achieved.load;
    loadUnit = open ? "arrivals/s" : "in flight";
    loadName = open ? "achieved arrivals/s" : "achieved concurrency: requests in flight, mean over the window";
  }

  return {begin, all, toPaper, sorted, asked, kit: {css, line, axis, logAxis, draw, legends, limits, unbroken, shape, load: (p) => load(p), among, nothing, alone, loops, points: () => points, data: () => data}, distribution, fmt, label, counts, number, knee, loadUnit: () => loadUnit};
})();
