"use strict";
/* A chart as SVG. The chart draws itself once more while the calls on its canvas's context are noted; the context goes on
 * drawing, so that colours, fonts and transforms are read from it. What a browser keeps as Path2D cannot be read back:
 * the page does without it, and this file comes before the charts'. */
window.Path2D = undefined;
const Svg = (function() {
  const n = (v) => String(+v.toFixed(2)), text = (s) => String(s).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
  /* The baseline of SVG is the alphabetic one; readers differ on the others. As parts of the font's size. */
  const BASE = {top: 0.8, hanging: 0.8, middle: 0.35, alphabetic: 0, ideographic: -0.2, bottom: -0.2};
  const ANCHOR = {left: "start", start: "start", center: "middle", right: "end", end: "end"};

  function notes(ctx, ratio) {
    const out = [], saved = [], box = (x, y, w, h) => [["M", x, y], ["L", x + w, y], ["L", x + w, y + h], ["L", x, y + h], ["Z"]];
    let path = [], clip = "", clips = 0;
    const at = () => {
      const m = ctx.getTransform();
      return (x, y) => n((m.a * x + m.c * y + m.e) / ratio) + " " + n((m.b * x + m.d * y + m.f) / ratio);
    };
    const written = (steps) => {
      const to = at();
      return steps.map(([c, ...v]) => c + v.reduce((s, x, i) => i % 2 ? s : s + (i ? " " : "") + to(x, v[i + 1]), "")).join("");
    };
    const add = (...step) => path.push(written([step]));
    const inside = () => clip ? ` clip-path="url(#${clip})"` : "";
    const put = (d, paint) => d && out.push(`<path d="${d}"${paint}${ctx.globalAlpha < 1 ? ` opacity="${n(ctx.globalAlpha)}"` : ""}${inside()}/>`);
    const stroke = () => {
      const dash = ctx.getLineDash();
      return ` fill="none" stroke="${text(ctx.strokeStyle)}" stroke-width="${n(ctx.lineWidth)}" stroke-linejoin="round"` + (dash.length ? ` stroke-dasharray="${dash.join(" ")}"` : "");
    };
    const fill = () => ` fill="${text(ctx.fillStyle)}"`;
    function arc(x, y, r, from, to, back) {
      let turn = back ? from - to : to - from;
      turn = turn >= 2 * Math.PI ? 2 * Math.PI - 1e-4 : (turn % (2 * Math.PI) + 2 * Math.PI) % (2 * Math.PI);
      const steps = Math.max(2, Math.ceil(turn / 0.2)); /* short lines: no reader of SVG draws them wrong */
      for (let i = 0; i <= steps; i++) {
        const a = from + (back ? -1 : 1) * turn * i / steps;
        add(i || path.length ? "L" : "M", x + r * Math.cos(a), y + r * Math.sin(a));
      }
    }
    function writeText(s, x, y, paint) {
      const m = ctx.getTransform(), size = parseFloat((/([\d.]+)px/.exec(ctx.font) || [0, 12])[1]);
      const place = [m.a, m.b, m.c, m.d, m.e, m.f].map((v) => n(v / ratio)).join(" ");
      const words = `<text x="${n(x)}" y="${n(y + size * (BASE[ctx.textBaseline] || 0))}" transform="matrix(${place})" text-anchor="${ANCHOR[ctx.textAlign] || "start"}" style="font:${text(ctx.font)}"${paint}${ctx.globalAlpha < 1 ? ` opacity="${n(ctx.globalAlpha)}"` : ""}>${text(s)}</text>`;
      out.push(clip ? `<g${inside()}>${words}</g>` : words); /* around the text: its own transform would move the clip */
    }
    const calls = {
      beginPath: () => { path = []; },
      moveTo: (x, y) => add("M", x, y),
      lineTo: (x, y) => add(path.length ? "L" : "M", x, y),
      bezierCurveTo: (...v) => add("C", ...v),
      quadraticCurveTo: (...v) => add("Q", ...v),
      closePath: () => path.length && path.push("Z"),
      rect: (...v) => path.push(written(box(...v))),
      arc,
      fill: () => put(path.join(""), fill()),
      stroke: () => put(path.join(""), stroke()),
      fillRect: (...v) => put(written(box(...v)), fill()),
      strokeRect: (...v) => put(written(box(...v)), stroke()),
      clip: () => {
        const id = "c" + ++clips;
        out.push(`<clipPath id="${id}"${inside()}><path d="${path.join("")}"/></clipPath>`);
        clip = id;
      },
      save: () => saved.push(clip),
      restore: () => { clip = saved.pop() || ""; },
      fillText: (s, x, y) => writeText(s, x, y, fill()),
      strokeText: (s, x, y) => writeText(s, x, y, stroke()),
    };
    return {out, calls};
  }

  /* width x height, with `above` and `below` the drawing for its title and its source. */
  function of(chart, ground, ink, soft, title, source) {
    const ctx = chart.ctx, {out, calls} = notes(ctx, chart.currentDevicePixelRatio), above = 30, below = 22, h = chart.height + above + below;
    for (const [name, note] of Object.entries(calls)) {
      const real = ctx[name].bind(ctx);
      ctx[name] = (...v) => {
        if (v.every((x) => typeof x !== "number" || isFinite(x))) note(...v); /* a canvas draws nothing where a figure is none */
        return real(...v);
      };
    }
    chart.draw();
    for (const name of Object.keys(calls)) delete ctx[name]; /* the prototype's are there again */
    const line = (y, size, weight, color, s) => `<text x="12" y="${y}" style="font:${weight} ${size}px system-ui, sans-serif" fill="${color}">${text(s)}</text>`;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${chart.width}" height="${h}" viewBox="0 0 ${chart.width} ${h}" role="img"><title>${text(title)}</title>` +
      `<rect width="100%" height="100%" fill="${ground}"/>${line(20, 14, 600, ink, title)}<g transform="translate(0 ${above})">${out.join("")}</g>${line(h - 8, 11, 400, soft, source)}</svg>\n`;
  }
  return {of};
})();
