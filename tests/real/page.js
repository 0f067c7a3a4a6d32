// page.js AXE PAGE…: opens each page in Chromium as a desktop, a phone of 390 px, in the dark and for paper, and says what is wrong with it.
const fs = require("fs"), path = require("path"), puppeteer = require("puppeteer-core");
const [axe, ...pages] = process.argv.slice(2);
const KINDS = [["desktop", 1300, 900, false, "light"], ["phone", 390, 844, true, "light"], ["dark", 1300, 900, false, "dark"], ["dark phone", 390, 844, true, "dark"]];
let failed = 0;
const fail = (...words) => {
  console.log("FAILED:", ...words);
  failed = 1;
};

// What a page says of itself. Runs in the browser.
function look() {
  const drawn = [...document.querySelectorAll("canvas")].filter((c) => c.offsetParent), all = (s) => [...document.querySelectorAll(s)];
  const ids = all("[id]").map((e) => e.id);
  return {
    charts: drawn.length,
    bare: drawn.filter((c) => !c.getAttribute("aria-label") || !c.closest("figure").querySelector(".caption").textContent).map((c) => c.id),
    twice: ids.filter((x, i) => ids.indexOf(x) !== i),
    unscoped: all("th").filter((t) => !t.scope).length,
    wide: document.documentElement.scrollWidth - innerWidth,
    word: document.querySelector("#outcome .word").textContent,
    injected: all("img, main b").length,
  };
}

// The three files that every chart offers: what the buttons would save.
async function downloads(page, name) {
  const files = await page.evaluate(async () => {
    const kept = [], click = HTMLAnchorElement.prototype.click;
    HTMLAnchorElement.prototype.click = function() { kept.push([this.download, this.href]); };
    for (const b of document.querySelectorAll(".foot .more button")) if (b.offsetParent) b.click();
    HTMLAnchorElement.prototype.click = click;
    const out = [];
    for (const [file, href] of kept) {
      const body = decodeURIComponent(href.slice(href.indexOf(",") + 1)), svg = file.endsWith(".svg") ? new DOMParser().parseFromString(body, "image/svg+xml") : null;
      out.push({file, bytes: body.length, broken: svg ? svg.querySelector("parsererror") !== null : false, lines: svg ? svg.querySelectorAll("path").length : 0, words: svg ? svg.querySelectorAll("text").length : 0, bad: /NaN|undefined/.test(body)});
    }
    return out;
  });
  const charts = new Set(files.map((f) => f.file.replace(/\.\w+$/, "")));
  if (files.length !== 3 * charts.size || charts.size < 2) fail(name, "charts offer", files.length, "files for", charts.size, "charts");
  for (const f of files) {
    if (f.bytes < 20) fail(name, f.file, "is empty");
    if (f.file.endsWith(".svg") && (f.broken || f.bad || f.lines < 5 || f.words < 5)) fail(name, f.file, JSON.stringify(f));
  }
}

(async () => {
  const browser = await puppeteer.launch({executablePath: process.env.CHROMIUM || "/usr/bin/chromium", headless: true, args: ["--no-sandbox", "--disable-gpu"]});
  for (const file of pages)
    for (const [kind, width, height, isMobile, scheme] of KINDS) {
      const page = await browser.newPage(), name = path.basename(path.dirname(file)) + " (" + kind + "):", said = [];
      page.on("console", (m) => said.push(m.text()));
      page.on("pageerror", (e) => said.push(e.message));
      page.on("request", (r) => /^(file|data):/.test(r.url()) || fail(name, "the page asks for", r.url()));
      await page.setViewport({width, height, isMobile, hasTouch: isMobile});
      await page.emulateMediaFeatures([{name: "prefers-color-scheme", value: scheme}]);
      await page.goto("file://" + path.resolve(file), {waitUntil: "load"});
      const least = +(process.env.CHARTS || 2), seen = await page.evaluate(look);
      if (seen.charts < least || seen.bare.length || seen.twice.length || seen.unscoped || seen.wide > 0 || !seen.word || seen.injected) fail(name, JSON.stringify(seen));
      if (kind === "desktop") await downloads(page, name);
      for (const b of await page.$$("button[aria-pressed]")) await b.evaluate((e) => e.offsetParent && e.click());
      for (const d of await page.$$("details")) await d.evaluate((e) => { e.open = true; });
      const after = await page.evaluate(look);
      if (after.wide > 0) fail(name, "with all open it is", after.wide, "px too wide");
      if (said.length) fail(name, "the console says", said.join(" | "));
      await page.evaluate(fs.readFileSync(axe, "utf8"));
      const r = await page.evaluate(() => axe.run());
      for (const v of r.violations) fail(name, "axe:", v.id, v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(", "));
      console.log(name, seen.charts + " charts,", seen.word + ",", r.passes.length + " rules of axe-core kept");
      if (kind === "desktop") {
        const pdf = await page.pdf({preferCSSPageSize: true, printBackground: true});
        if (pdf.length < 20000) fail(name, "paper:", pdf.length, "bytes");
      }
      await page.close();
    }
  await browser.close();
  process.exit(failed);
})();
