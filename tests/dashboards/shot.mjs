// Writes a picture of each dashboard: node shot.mjs PROMETHEUS_URL SECONDS STEP RATE_INTERVAL FOLDER
// The page must be built (`npm run build`).

import { createServer } from 'node:http';
import { readFile, readdir } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const [prometheus, seconds, step, rate, folder] = process.argv.slice(2);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const dashboards = here('../../deploy/grafana/dashboards');
const kinds = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json' };

const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url, 'http://localhost').pathname);
  const file = path.startsWith('/dashboards/')
    ? join(dashboards, path.slice('/dashboards/'.length))
    : join(here('node_modules/.page'), path === '/' ? 'index.html' : path);
  try {
    const body = await readFile(file);
    response.writeHead(200, { 'content-type': kinds[extname(file)] ?? 'application/octet-stream' }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
});
const problems = [];
try {
  const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
  page.on('pageerror', (problem) => problems.push(`${page.url()}: ${problem.message}`));
  const to = Math.floor(Date.now() / 1000);
  for (const file of (await readdir(dashboards)).filter((file) => file.endsWith('.json')).sort()) {
    const board = file.replace(/\.json$/, '');
    const asked = new URLSearchParams({ board, prometheus, from: `${to - Number(seconds)}`, to: `${to}`, step, rate });
    await page.goto(`http://127.0.0.1:${server.address().port}/?${asked}`);
    await page.waitForFunction(
      () => document.querySelectorAll('[data-panel]').length > 0 && !document.querySelector('[data-state=waiting]'),
      undefined,
      { timeout: 60_000 }
    );
    // Fonts and canvases are there two frames later.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    const empty = await page.$$eval('[data-state=empty]', (panels) => panels.map((panel) => panel.dataset.panel));
    problems.push(...empty.map((title) => `${board}: ${title} is empty`));
    await page.locator('#board').screenshot({ path: join(folder, `${board}.png`) });
    console.log(`${board}.png`);
  }
} finally {
  await browser.close();
  server.close();
}
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
}
