// Audits a page with Lighthouse on a phone or a desk, and prints the figures as JSON; the address is the first argument,
// then "mobile" or "desktop", the throttling method, and the path of the browser.
import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";
import desktop from "lighthouse/core/config/desktop-config.js";

const [address, form, throttlingMethod, chromePath] = process.argv.slice(2);
const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const chrome = await launch({ chromePath, chromeFlags: ["--headless=new", ...root], logLevel: "silent" });
try {
  const flags = { port: chrome.port, throttlingMethod, onlyCategories: ["performance", "accessibility", "best-practices"] };
  const { lhr } = await lighthouse(address, flags, form === "desktop" ? desktop : undefined);
  if (lhr.runtimeError) throw new Error(lhr.runtimeError.message);
  const score = (name) => Math.round(100 * lhr.categories[name].score);
  const milliseconds = (name) => Math.round(lhr.audits[name].numericValue);
  const counts = new Set(
    Object.values(lhr.categories).flatMap(({ auditRefs }) => auditRefs.filter(({ weight }) => weight > 0).map(({ id }) => id)),
  );
  const problems = Object.values(lhr.audits).filter(({ id, score }) => counts.has(id) && score !== null && score < 0.9);
  console.log(
    JSON.stringify({
      performance: score("performance"),
      accessibility: score("accessibility"),
      practices: score("best-practices"),
      lcp: milliseconds("largest-contentful-paint"),
      fcp: milliseconds("first-contentful-paint"),
      blocked: milliseconds("total-blocking-time"),
      shift: lhr.audits["cumulative-layout-shift"].numericValue,
      largest: lhr.audits["lcp-breakdown-insight"]?.details?.items?.find(({ type }) => type === "node")?.snippet ?? "",
      problems: problems.map(({ title }) => title),
    }),
  );
} finally {
  await chrome.kill();
}
