// Look at a report as a person would, in each width and colour scheme: node look.mjs PAGE [WIDTHS [FOLDER]]
// WIDTHS: 360,768,1440; screenshots go to FOLDER. Prints what is wrong, a line each; exits with 1 where anything is.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, widths = "360,768,1440", screenshots] = process.argv.slice(2);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const page_url = pathToFileURL(file).href, folder = dirname(page_url);
const executable = process.env.CHROMIUM ?? (await (await import("@sparticuz/chromium")).default.executablePath());
const flags = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"];
const browser = await chromium.launch({ executablePath: executable, args: flags, headless: true });
let wrong = 0;

async function look(width, scheme) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, offline: true });
  const page = await context.newPage();
  const check = (right, what) => right || (wrong += 1, console.log(`${width} px, ${scheme}: ${what}`));
  page.on("console", (message) => check(!["error", "warning"].includes(message.type()), message.text()));
  page.on("pageerror", (error) => check(false, error.message));
  page.on("request", (request) => check(request.url().startsWith(`${folder}/`), `asks for ${request.url()}`));
  page.on("requestfailed", (request) => check(request.url().endsWith(".mp3"), `lacks ${request.url()}`)); // or stopped
  await page.goto(page_url);
  const shot = (name) => screenshots && page.screenshot({ path: `${screenshots}/${name}_${width}_${scheme}.png` });

  await fits(page, check);
  await shot("top");
  if (await page.locator("#results").count()) await sorts(page, check);
  await filters(page, check);
  await page.locator("#clips").scrollIntoViewIfNeeded();
  await page.evaluate(() => document.getElementById("clips").scrollIntoView());
  await shot("clips");
  await moves(page, check);
  await opens(page, check);
  await shot("clip");
  await plays(page, check);
  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
  await fits(page, check);
  if (screenshots) await whole(page, `${screenshots}/whole_${width}_${scheme}`);
  await axe(page, check);
  await context.close();
}

async function fits(page, check) {
  const [content, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  check(content <= seen, `the page is ${content} px wide`);
}

async function sorts(page, check) {
  const table = page.locator("#results table").first(), heading = table.locator("thead th").nth(1);
  const values = async () => (await table.locator("tbody tr > :nth-child(2)").allTextContents()).map(parseFloat);
  await heading.locator("button").click();
  const down = await values(), order = await heading.getAttribute("aria-sort");
  check(order === "descending" && down.every((v, i) => !i || v <= down[i - 1]), `sorted ${order}: ${down}`);
  await heading.locator("button").press("Enter");
  const up = await values();
  check(await heading.getAttribute("aria-sort") === "ascending", "Enter does not sort");
  check(up.every((v, i) => !i || v >= up[i - 1]), `sorted ascending: ${up}`);
  const names = table.locator("tbody th");
  await table.locator("thead th button").first().click();
  const texts = await names.allTextContents();
  check(`${texts}` === `${[...texts].sort((a, b) => a.localeCompare(b, "en", { numeric: true }))}`, `by name: ${texts}`);
}

async function filters(page, check) {
  const shown = () => page.locator("article.clip:visible").count();
  await page.getByRole("button", { name: "Show all" }).click();
  const every = await page.locator("article.clip").count();
  await page.waitForFunction((n) => document.querySelector("#filter output").textContent.startsWith(`${n} of`), every);
  check(await shown() === every, `${await shown()} of ${every} clips after Show all`);
  for (const name of ["machine", "domain", "attribute", "decision"]) {
    const select = page.locator(`#filter select[name=${name}]`);
    const values = (await select.locator("option").allTextContents()).slice(1);
    if (!values.length) continue;
    await select.selectOption({ index: values.length });
    const own = await page.locator("article.clip:visible").evaluateAll((clips, key) => clips.map((c) => c.dataset[key]), name);
    check(own.length && own.every((one) => one.split("\n").includes(values.at(-1))), `${name} ${values.at(-1)}: ${own}`);
    check((await page.locator("#filter output").textContent()).startsWith(`${own.length} of ${every}`), "the count");
    await page.getByRole("button", { name: "Show all" }).click();
  }
}

async function moves(page, check) {
  const panel = page.locator(".threshold:visible").first(), range = panel.locator("input"), said = panel.locator("output");
  const numbers = async () => [...(await said.textContent()).matchAll(/(\d+) of (\d+)/g)].map((m) => [+m[1], +m[2]]);
  const before = await said.textContent();
  await range.press("Home");
  const low = await numbers();
  await range.press("End");
  const high = await numbers();
  if (low.length === 2) { // false alarms and misses
    check(low[0][0] === low[0][1] && low[1][0] === 0, `at the left end: ${low}`);
    check(high[0][0] === 0 && high[1][0] === high[1][1], `at the right end: ${high}`);
  } else check(low[0][0] === low[0][1] && high[0][0] === 0, `at the ends: ${low}, ${high}`);
  await range.press("ArrowLeft");
  check(JSON.stringify(await numbers()) !== JSON.stringify(high), "an arrow moves nothing");
  await panel.getByRole("button", { name: "As decided" }).click();
  check(await said.textContent() === before, "As decided does not come back");
}

async function opens(page, check) {
  const link = page.locator(".map a").first(), href = await link.getAttribute("href");
  await page.locator("#filter select[name=domain]").evaluate((select) => { // hides what the link leads to
    select.append(new Option("no such domain"));
    select.value = "no such domain";
    select.dispatchEvent(new Event("change", { bubbles: true }));
  });
  check(await page.locator("article.clip:visible").count() === 0, "a domain that no clip has");
  check((await link.locator("title").textContent()).length > 5, "no hover text");
  await link.dispatchEvent("click");
  const clip = page.locator(`[id="${href.slice(1)}"]`);
  check(await clip.isVisible(), `${href} stays hidden`);
  const [top, focused] = await clip.evaluate((one) => [one.getBoundingClientRect().top, document.activeElement === one]);
  check(top > -2 && top < 900 && focused, `${href} is not in view (${top}) or focused (${focused})`);
}

async function plays(page, check) {
  const audio = page.locator("article.clip:visible audio").first();
  check(await audio.evaluate((one) => one.preload) === "none", "audio is fetched before it is played");
  const heard = await audio.evaluate(async (one) => {
    await one.play();
    for (let i = 0; i < 60 && !one.currentTime && !one.ended; i++) await new Promise((next) => setTimeout(next, 50));
    return one.currentTime > 0 ? one.duration : 0;
  });
  check(heard > 0.1 && heard < 10.2, `plays ${heard} s`);
}

async function axe(page, check) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  for (const one of violations) check(false, `axe ${one.id} x ${one.nodes.length}: ${one.nodes[0].html.slice(0, 200)} ${one.nodes[0].failureSummary.replaceAll("\n", " ")}`);
}

async function whole(page, path) {
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  for (let top = 0, i = 0; top < height; top += 2400, i++) {
    await page.setViewportSize({ width: page.viewportSize().width, height: 2400 });
    await page.evaluate((y) => scrollTo(0, y), top);
    await page.waitForTimeout(150);
    await page.screenshot({ path: `${path}_${String(i).padStart(2, "0")}.png` });
  }
}

for (const width of widths.split(",").map(Number)) for (const scheme of ["light", "dark"]) await look(width, scheme);
await browser.close();
process.exit(wrong ? 1 : 0);
