import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { debianProgram } from '../../conformance/toolchain.ts';
import { launchChromium } from '../../support/browser.ts';
import { listenOnLoopback } from '../../support/collector.ts';
import type { Scope } from '../../support/scope.ts';
import type { Neighbour, Site } from '../neighbour.ts';
import { installNpm, pinned } from '../sdks/build.ts';
import { BATCH_DELAY_MS, limitOf, sending } from '../sdks/order.ts';
import type { Order, Send } from '../sdks/order.ts';
import type { Manner, Sdk } from '../sdks/situations.ts';
import { tryOut } from '../sdks/table.ts';

const OVER_ITS_TIME = 'it tries six times, in at most 10 s';
const MANNER: Manner = { tellsWhy: false, loses: { away60: OVER_ITS_TIME } };

/** What page.js has put there. */
interface Window {
  send(order: Order & { readonly batchDelayMs: number }): Promise<void>;
}

/** A site whose only page can send. Its origin. */
async function servePage(scope: Scope, script: string): Promise<string> {
  const html = `<!doctype html><title>a page that sends</title><script>${script}</script>`;
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html);
  });
  const port = await listenOnLoopback(server);
  scope.after(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });
  return `http://127.0.0.1:${port}`;
}

/** A tab of a profile of its own. */
const sendFrom =
  (browser: Browser, origin: string): Send =>
  (scope, order) =>
    sending(async (begin) => {
      // The authority of the gateway's certificate is not one that this browser knows.
      const context = await browser.newContext({ ignoreHTTPSErrors: true });
      scope.after(() => context.close());
      const page = await context.newPage();
      let said = '';
      const hear = (text: string): void => {
        said += `${text}\n`;
        if (text === 'begun') begin();
      };
      page.on('console', (message) => hear(message.text()));
      page.on('pageerror', (error) => hear(String(error)));
      await page.goto(origin);
      const sent = page.evaluate((order) => (globalThis as unknown as Window).send(order), {
        ...order,
        batchDelayMs: BATCH_DELAY_MS,
      });
      const tooLong = delay(limitOf(order), undefined, { ref: false }).then(() => {
        throw new Error(`the page did not end: ${said.slice(-500)}`);
      });
      await Promise.race([sent, tooLong]);
      return said;
    });

async function openSite(site: Site): Promise<Sdk> {
  const program = debianProgram('chromium');
  const folder = installNpm(site, import.meta.dirname, [
    'esbuild',
    'page.js',
    '--bundle',
    '--format=iife',
    '--outfile=bundle.js',
  ]);
  const origin = await servePage(site.scope, readFileSync(join(folder, 'bundle.js'), 'utf8'));
  const browser = await launchChromium(program);
  site.scope.after(() => browser.close());
  return {
    send: sendFrom(browser, origin),
    key: { type: 'rum', origins: [origin] },
    config: { cors: { origins: [origin] } },
    manners: { 'http/protobuf': MANNER, 'http/json': MANNER },
  };
}

export const neighbour: Neighbour = {
  title: 'OpenTelemetry SDK for JavaScript, in a browser',
  about: `
Debian's Chromium opens a page of another origin than the gateway's, which sends with a key of type \`rum\` that is good for this origin alone. A
page has no variables: address and header are in its code.`,
  run: (site) =>
    tryOut(site, {
      versions: { 'sdk-trace': pinned(join(import.meta.dirname, 'package.json'), /sdk-trace": "(.+?)"/) },
      protocols: ['http/protobuf', 'http/json'],
      make: () => openSite(site),
    }),
};
