// Drop recordings onto the page of asd serve, and choose them: node drop.mjs ADDRESS GOOD WRONG [FOLDER]
// GOOD is scored, WRONG is refused; screenshots go to FOLDER. Prints what is wrong, a line each; exits with 1 then.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";
import { chromium } from "playwright-core";

const [address, good, bad, screenshots] = process.argv.slice(2);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const executable = process.env.CHROMIUM ?? (await (await import("@sparticuz/chromium")).default.executablePath());
const browser = await chromium.launch({ executablePath: executable, args: ["--no-sandbox", "--disable-gpu"], headless: true });
let wrong = 0;

async function look(width, scheme) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
  const check = (right, what) => right || (wrong += 1, console.log(`${width} px, ${scheme}: ${what}`));
  const refused = /status of 4(13|15|22)/; // which browsers note, too
  page.on("console", (note) => check(!["error", "warning"].includes(note.type()) || refused.test(note.text()), note.text()));
  page.on("pageerror", (error) => check(false, error.message));
  page.on("request", (request) => check(/^(data:|blob:)/.test(request.url()) || request.url().startsWith(address), request.url()));
  await page.goto(address);
  const status = page.locator("#score [role=status]"), rows = page.locator("#score tbody tr");
  const settled = async (count) => {
    await page.waitForFunction((n) => document.querySelectorAll("#score tbody tr").length === n, count);
    return rows.first().locator("th, td").allTextContents();
  };

  await page.locator("#score select").selectOption({ index: 1 });
  await page.getByLabel("choose them").setInputFiles(good);
  const [name, decision, score, threshold, machine] = await settled(1);
  check(name === basename(good) && machine.length > 1 && [score, threshold].every((text) => isFinite(text)), `row ${name} ${score}`);
  check(["anomalous", "normal"].includes(decision), `decision ${decision}`);
  check((await status.textContent()).includes(`is called ${decision}: score ${score}`), await status.textContent());

  const content = readFileSync(bad).toString("base64");
  const transfer = await page.evaluateHandle(([text, file]) => {
    const transfer = new DataTransfer(), bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    transfer.items.add(new File([bytes], file));
    return transfer;
  }, [content, basename(bad)]);
  await page.dispatchEvent("#clips", "dragover", { dataTransfer: transfer });
  check(await page.locator("html.over").count() === 1, "nothing shows where files are dropped");
  await page.dispatchEvent("#clips", "drop", { dataTransfer: transfer }); // anywhere on the page
  const [file, says] = await settled(2);
  check(file === basename(bad) && says.startsWith(`not scored: ${file} `), `row ${file}: ${says}`);
  check((await status.textContent()).startsWith("Not scored: "), await status.textContent());
  check(await page.locator("html.over").count() === 0, "it still shows after the drop");

  await page.locator("#filter select[name=machine]").selectOption({ index: 1 }); // the report's own script runs
  check((await page.locator("#filter output").textContent()).includes("clips shown"), "the report's script does not run");
  const seconds = await page.locator("article.clip:visible audio").first().evaluate(async (one) => {
    one.muted = true; // else a browser wants a click first
    await one.play();
    return one.duration;
  });
  check(seconds > 0.1, `plays ${seconds} s`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  check(wide <= width, `the page is ${wide} px wide`);
  await page.evaluate(() => scrollTo(0, 0));
  if (screenshots) await page.screenshot({ path: `${screenshots}/drop_${width}_${scheme}.png` });
  await page.evaluate(AXE); // by the debugger, which the page's policy does not bind
  const { violations } = await page.evaluate(() => window.axe.run(document));
  for (const one of violations) check(false, `axe ${one.id}: ${one.nodes[0].html.slice(0, 200)} ${one.nodes[0].failureSummary}`);
  await page.close();
}

for (const width of [360, 1440]) for (const scheme of ["light", "dark"]) await look(width, scheme);
await browser.close();
process.exit(wrong ? 1 : 0);
