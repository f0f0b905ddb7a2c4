import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launchChromium } from '../../support/browser.ts';
import { debianProgram } from '../../conformance/toolchain.ts';
import { inSeconds, startPrometheus } from '../../prometheus/prometheus.ts';
import { Cleanups } from '../../support/scope.ts';
import { bundlePage } from './bundle.ts';
import { openIncident } from './incident.ts';
import { openSite } from './site.ts';

/**
 * `npm run pictures:dashboard`: two real gateways get into trouble, a real Prometheus looks on, and config/grafana/keygate.json is drawn
 * of what Prometheus has then, for docs/pictures. There is no Grafana to be had from a package registry, so what draws is Grafana's own
 * components (@grafana/ui), which page/ puts together as Grafana does. With `-- --all` also every other row, into test output.
 */
const ROOT = join(import.meta.dirname, '../../..');
const PICTURES = join(ROOT, 'docs/pictures');
const OUTPUT = join(import.meta.dirname, '../../console/output');
const WIDTH = 1_440;

interface Picture {
  readonly file: string;
  /** The rows that are open, by their titles. */
  readonly rows: readonly string[];
  /** Only these, without the others' titles and what stands above them. */
  readonly isDetail?: boolean;
}

const prometheusProgram = debianProgram('prometheus');
const chromiumProgram = debianProgram('chromium');
const takesAll = process.argv.includes('--all');

const scope = new Cleanups();
try {
  const bundle = bundlePage();
  const incident = await openIncident(scope);
  const targets = Object.values(incident.gateways);
  const prometheus = await startPrometheus(scope, {
    program: prometheusProgram,
    rules: inSeconds(readFileSync(join(ROOT, 'config/prometheus/keygate.rules.yaml'), 'utf8')),
    jobs: { keygate: targets },
    names: Object.fromEntries(Object.entries(incident.gateways).map(([name, target]) => [target, name])),
  });
  const site = await openSite(scope, bundle, prometheus.url, ['keygate']);
  const browser = await launchChromium(chromiumProgram);
  scope.after(() => browser.close());
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 800 }, colorScheme: 'dark' });
  page.setDefaultTimeout(120_000);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));

  async function take(folder: string, fromMs: number, { file, rows, isDetail = false }: Picture): Promise<void> {
    const query = new URLSearchParams({ from: String(fromMs), to: String(Date.now()), detail: String(isDetail) });
    for (const row of rows) query.append('row', row);
    await page.goto(`${site}/?${query}`);
    await page.locator('[data-drawn]').waitFor();
    mkdirSync(folder, { recursive: true });
    await page.locator('#dashboard').screenshot({ path: join(folder, `${file}.png`) });
    console.log(`${file}: ${rows.join(', ')}`);
  }

  await incident.quiet();
  const beganMs = Date.now() - 45_000;
  await incident.spike();
  await take(PICTURES, beganMs, { file: 'dashboard', rows: ['Is telemetry being lost, and whose?', 'Requests'] });
  await incident.outages();
  await take(PICTURES, beganMs, { file: 'dashboard-outage', rows: ['Keys and their store'], isDetail: true });
  if (takesAll) await takeRest(beganMs);
  if (faults.length > 0) throw new Error(`errors in the page: ${faults.join('\n')}`);

  async function takeRest(fromMs: number): Promise<void> {
    const titles = await page.evaluate<string[]>(
      "fetch('/dashboard.json').then((answer) => answer.json()).then(({ panels }) => panels.filter(({ type }) => type === 'row').map(({ title }) => title))",
    );
    for (const [index, row] of titles.entries()) {
      await take(OUTPUT, fromMs, { file: `dashboard-${index}`, rows: [row], isDetail: true });
    }
  }
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await scope.run();
}
