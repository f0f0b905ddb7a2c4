import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { KeyService } from '../../src/keys/service.ts';
import { launchChromium } from '../support/browser.ts';
import { startCollector } from '../support/collector.ts';
import type { Collector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';

export async function openBrowser(): Promise<Browser> {
  return launchChromium(process.env['KEYGATE_TEST_CHROMIUM'] ?? '/usr/bin/chromium');
}

export const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 360, height: 740 } } as const;
export type Size = keyof typeof SIZES;

const OUTPUT = join(import.meta.dirname, 'output');
const ACTOR = { name: 'cli:alice' };

export interface Stage {
  readonly gateway: Gateway;
  readonly collector: Collector;
  readonly keys: KeyService;
  readonly url: string;
  readonly page: Page;
  /** Errors in the page, and what its policy forbade; there must be none at the end. */
  readonly faults: string[];
  /** A service token with these roles. */
  tokenFor(...roles: string[]): Promise<string>;
  /** Signs in, by the form, and waits for the first page. */
  signIn(...roles: string[]): Promise<void>;
  /** To a page of the console, such as keys/new. */
  open(place: string): Promise<void>;
  /** Sends as a sender does, from this address of the machine; the status of the answer. */
  send(key: string, headers?: Record<string, string>, from?: string): Promise<number>;
  /** Kept as the test's output. */
  picture(name: string): Promise<void>;
}

type Config = Parameters<typeof startGateway>[1];

/** A real gateway with a collector behind it, and a browser that has never been there. */
export async function openStage(
  t: TestContext,
  browser: Browser,
  {
    config = {},
    context: options = {},
    size = 'desktop',
  }: { config?: Config; context?: BrowserContextOptions; size?: Size } = {},
): Promise<Stage> {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, {
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
    usage: { interval: '1s' },
    replica: { name: 'gateway-1' },
    ...config,
  });
  const context = await browser.newContext({ viewport: SIZES[size], ...options });
  t.after(() => context.close());
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    // The browser itself notes every answer that is no success; the console shows what the API says of it.
    const isNoted = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isNoted) faults.push(message.text());
  });
  t.after(() => assert.deepEqual(faults, [], 'errors in the page, or something that its policy forbids'));
  const url = `http://127.0.0.1:${gateway.addresses.admin.port}`;
  let tokens = 0;

  const stage: Stage = {
    gateway,
    collector,
    keys: gateway.app.keys,
    url,
    page,
    faults,
    async tokenFor(...roles) {
      tokens += 1;
      const name = tokens === 1 ? 'alice' : `alice-${tokens}`;
      return (await gateway.app.keys.create({ kind: 'service', name, roles }, ACTOR)).text;
    },
    async signIn(...roles) {
      await page.goto(`${url}/console/`);
      await page.getByLabel('Service token').fill(await stage.tokenFor(...roles));
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('button', { name: 'Sign out' }).waitFor();
    },
    async open(place) {
      await page.goto(`${url}/console/#/${place}`);
      await page.locator('main h1').first().waitFor();
    },
    async send(key, headers = {}, from = '127.0.0.1') {
      const sent = request(`${gateway.httpUrl}/v1/traces`, {
        method: 'POST',
        localAddress: from,
        headers: { 'x-api-key': key, 'content-type': 'application/json', 'user-agent': 'otelcol/0.159', ...headers },
      });
      sent.end('{}');
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      await response.resume().toArray();
      return response.statusCode ?? 0;
    },
    async picture(name) {
      mkdirSync(OUTPUT, { recursive: true });
      await page.screenshot({ path: join(OUTPUT, `${name}.png`), fullPage: true });
    },
  };
  return stage;
}
