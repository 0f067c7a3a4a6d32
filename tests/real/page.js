// page.js AXE PAGE…: opens each page in Chromium as a desktop, a phone of 390 px, in the dark and for paper, and says what is wrong with it.
// A page that begins with http: is that of a run that is under way.
const child = require("child_process"), fs = require("fs"), path = require("path"), puppeteer = require("puppeteer-core");
const [axe, ...pages] = process.argv.slice(2);
const KINDS = [["desktop", 1300, 900, false, "light"], ["phone", 390, 844, true, "light"], ["dark", 1300, 900, false, "dark"], ["dark phone", 390, 844, true, "dark"]];
const PATIENCE = 600000; // ms. Of a wait for a busy machine: what is waited for ends it long before
let failed = 0;
const fail = (...words) => {
  console.log("FAILED:", ...words);
  failed = 1;
};

// What a page says of itself. Runs in the browser.
function look() {
  const drawn = [...document.querySelectorAll("canvas")].filter((c) => c.offsetParent), all = (s) => [...document.querySelectorAll(s)];
  const ids = all("[id]").map((e) => e.id), values = all("#tiles .value").map((e) => e.getBoundingClientRect()), rows = all("#tiles .tile").map((e) => e.getBoundingClientRect().top);
  return {
    charts: drawn.length,
    bare: drawn.filter((c) => !c.getAttribute("aria-label") || !c.closest("figure").querySelector(".caption").textContent).map((c) => c.id),
    twice: ids.filter((x, i) => ids.indexOf(x) !== i),
    unscoped: all("th").filter((t) => !t.scope).length,
    wide: document.documentElement.scrollWidth - innerWidth,
    word: document.querySelector("#outcome .word, #verdicts .badge").textContent,
    uneven: values.filter((v, i) => values.some((w, k) => rows[k] === rows[i] && w.top !== v.top)).length,
    hollow: all(".caption").map((e) => e.textContent).filter((t) => /: at most 0[ ,]/.test(t)),
    apart: all("#c-ttft_p50").filter((c) => !/^At the highest load that counts in/.test(c.closest("figure").querySelector(".caption").textContent)).length, // latencies of different loads beside each other
    injected: all("img, main b").length,
  };
}

// The three files that every chart offers: what the buttons would save. They are read in an empty page: ours forbids the style attributes of a picture
// that stands alone.
async function downloads(page, name) {
  const saved = await page.evaluate(() => {
    const kept = [], click = HTMLAnchorElement.prototype.click;
    HTMLAnchorElement.prototype.click = function() { kept.push([this.download, this.href]); };
    for (const b of document.querySelectorAll(".foot .more button")) if (b.offsetParent) b.click();
    HTMLAnchorElement.prototype.click = click;
    return kept.map(([file, href]) => [file, decodeURIComponent(href.slice(href.indexOf(",") + 1))]);
  }), empty = await page.browser().newPage();
  const files = await empty.evaluate((list) => list.map(([file, body]) => {
    const svg = file.endsWith(".svg") ? new DOMParser().parseFromString(body, "image/svg+xml") : null, count = (what) => svg ? svg.querySelectorAll(what).length : 0;
    return {file, bytes: body.length, broken: count("parsererror") > 0, lines: count("path"), words: count("text"), bad: /NaN|undefined/.test(body), head: file.endsWith(".csv") ? body.split("\r\n")[0].split(",") : []};
  }), saved);
  await empty.close();
  await page.bringToFront();
  if (!files.length && await page.$("#verdicts")) return; // a comparison: its figures are one table
  const charts = new Set(files.map((f) => f.file.replace(/\.\w+$/, "")));
  if (files.length !== 3 * charts.size || charts.size < 2) fail(name, "charts offer", files.length, "files for", charts.size, "charts");
  for (const f of files) {
    if (f.file.endsWith(".csv") ? f.head.length < 3 || f.bad : f.bytes < 20) fail(name, f.file, "is empty, or has no head:", JSON.stringify(f)); // also where a chart has no point
    if (f.head.some((h) => h.length < 2 || h.includes(";"))) fail(name, f.file, "has a column without a proper name:", f.head.join(" | "));
    if (f.file.endsWith(".svg") && (f.broken || f.bad || f.lines < 5 || f.words < 5)) fail(name, f.file, JSON.stringify(f));
  }
}

// A page of one kind, with all that it says kept in `said`. It may ask for what begins with `own`, and for nothing else.
async function open(browser, url, own, name, [kind, width, height, isMobile, scheme]) {
  const page = await browser.newPage(), said = [];
  page.setDefaultTimeout(PATIENCE);
  page.on("console", (m) => said.push(m.text()));
  page.on("pageerror", (e) => said.push(e.message));
  page.on("request", (r) => r.url().startsWith(own) || r.url().startsWith("data:") || fail(name, "the page asks for", r.url()));
  await page.setViewport({width, height, isMobile, hasTouch: isMobile});
  await page.emulateMediaFeatures([{name: "prefers-color-scheme", value: scheme}]);
  await page.goto(url, {waitUntil: "load"});
  return {page, name, kind, said};
}

// What holds of every page, as it is and with all of it open.
async function judge({page, name, kind, said}) {
  const least = +(process.env.CHARTS || 2), seen = await page.evaluate(look);
  if (seen.charts < least || seen.bare.length || seen.twice.length || seen.unscoped || seen.wide > 0 || !seen.word || seen.injected || seen.uneven || seen.apart || seen.hollow.length) fail(name, JSON.stringify(seen));
  if (kind === "desktop") await downloads(page, name);
  await page.evaluate(() => {
    for (const b of document.querySelectorAll("button[aria-pressed]")) if (b.offsetParent) b.click();
    for (const d of document.querySelectorAll("details")) d.open = true;
  });
  const after = await page.evaluate(look);
  if (after.wide > 0) fail(name, "with all open it is", after.wide, "px too wide");
  if (said.length) fail(name, "the console says", [...new Set(said)].slice(0, 3).join(" | "));
  /* The rows of a chart's own table are made alike: ten of them tell axe-core as much as two hundred, which take it a minute. */
  await page.evaluate(() => document.querySelectorAll(".foot table tr:nth-child(n + 12)").forEach((e) => e.remove()));
  await page.evaluate(fs.readFileSync(axe, "utf8"));
  const r = await page.evaluate(() => axe.run({resultTypes: ["violations"]}));
  for (const v of r.violations) fail(name, "axe:", v.id, v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(", "));
  console.log(name, seen.charts + " charts,", seen.word + ",", r.passes.length + " rules of axe-core kept");
  return seen;
}

// No sheet ends with a heading whose table or picture is on the next, and none holds the footer alone.
async function paper(view, name, pdf) {
  const r = child.spawnSync("pdftotext", ["-layout", "-", "-"], {input: pdf, encoding: "utf8", maxBuffer: 1 << 26});
  if (r.error) return console.log(name, "no pdftotext: sheets are not read");
  const heads = await view.page.evaluate(() => [...document.querySelectorAll("h2, section > p")].map((e) => e.textContent.trim().replace(/\s+/g, " ")));
  const sheets = r.stdout.split("\f").map((s) => s.split("\n").map((l) => l.trim().replace(/\s+/g, " ")).filter(Boolean)).filter((s) => s.length);
  for (const [i, s] of sheets.entries()) {
    const last = s[s.length - 1];
    if (i + 1 < sheets.length && heads.some((h) => h === last || (last.length > 30 && h.endsWith(last)))) fail(name, "sheet", i + 1, "ends with", last);
    if (s[0].startsWith("plateau ") && s.length < 4) fail(name, "sheet", i + 1, "has nothing but", s[0]);
  }
}

// A run that is under way, watched in all kinds of browser at once: once with a stage that has ended, and when the page's button has ended the run.
async function watch(browser, url) {
  const views = await Promise.all(KINDS.map((k) => open(browser, url, new URL(url).origin + "/", "live (" + k[0] + "):", k)));
  const patient = {polling: 500}; // by time: a page in the background is not drawn
  for (const v of views) { // what is not known yet is not shown as if it were judged or counted
    const early = await v.page.evaluate(() => document.querySelector("#live") && !document.querySelector("#live").hidden && !document.querySelector("#t-points tbody tr") ? {gates: !!document.querySelector("#t-gates table") && !document.querySelector("#result").hidden} : null);
    if (early && early.gates) fail(v.name, "before a stage has ended, gates are judged");
  }
  for (const v of views) {
    await v.page.bringToFront();
    await v.page.waitForFunction(() => document.querySelectorAll("#t-points tbody tr:not(.below)").length > 0 && document.querySelector("#live-tiles .tile"), patient);
    const word = (await judge(v)).word;
    if (!word.includes("RUNNING")) fail(v.name, "while the run is under way the page says", word);
    if (process.env.SHOTS) await v.page.screenshot({path: process.env.SHOTS + "/live-" + v.kind.replace(" ", "-") + ".png", fullPage: true});
  }
  // The button ends the run, with two presses.
  await views[0].page.bringToFront();
  for (const words of ["Really stop", "End at once"]) {
    await views[0].page.click("#stop");
    await views[0].page.waitForFunction((w) => document.querySelector("#stop").textContent === w, patient, words);
  }
  for (const v of views) {
    await v.page.bringToFront();
    await v.page.waitForFunction(() => /is over/.test(document.querySelector("#live-word").textContent), patient);
    const open = await v.page.evaluate(() => [...document.querySelectorAll("#page details")].filter((d) => d.open).length), word = (await judge(v)).word;
    if (open < 3) fail(v.name, "what was open is closed: only", open, "are open");
    if (word.includes("RUNNING")) fail(v.name, "the run is over, and the page says", word);
    if (process.env.SHOTS) await v.page.screenshot({path: process.env.SHOTS + "/over-" + v.kind.replace(" ", "-") + ".png", fullPage: true});
    await v.page.close();
  }
}

(async () => {
  const browser = await puppeteer.launch({executablePath: process.env.CHROMIUM || "/usr/bin/chromium", headless: true, timeout: PATIENCE, protocolTimeout: PATIENCE, args: ["--no-sandbox", "--disable-gpu"]});
  for (const file of pages) {
    if (file.startsWith("http:")) {
      await watch(browser, file);
      continue;
    }
    for (const kind of KINDS) {
      const name = path.basename(path.dirname(file)) + " (" + kind[0] + "):", url = "file://" + path.resolve(file), view = await open(browser, url, "file:", name, kind);
      if (kind[0] === "dark") { // paper is made of the page as it opens, and is white
        const pdf = await view.page.pdf({preferCSSPageSize: true, printBackground: true});
        if (pdf.length < 20000) fail(name, "paper:", pdf.length, "bytes");
        await paper(view, name, pdf);
        await view.page.reload({waitUntil: "load"});
      }
      await judge(view);
      await view.page.close();
    }
  }
  await browser.close();
  process.exit(failed);
})();
