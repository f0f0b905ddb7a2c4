import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { furnish } from './furnish.ts';
import { openBrowser, openStage } from './stage.ts';

/** `npm run test:console -- --pictures`: takes the pictures of docs/console.md anew, of a real gateway with some life in it. */

const PICTURES = join(import.meta.dirname, '../../docs/pictures');
const LIVE_SECONDS = 40;

let browser: Browser;
before(async () => void (browser = await openBrowser()));
after(() => browser.close());

test('pictures for the documentation', async (t) => {
  const stage = await openStage(t, browser, {
    context: { colorScheme: 'light', viewport: { width: 1120, height: 700 } },
  });
  const { page, signIn, open, keys, send } = stage;
  const take = async (name: string, fullPage = false): Promise<void> => {
    mkdirSync(PICTURES, { recursive: true });
    await page.mouse.move(0, 0); // nothing is pointed at
    await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage });
  };
  const places = new Map((await furnish(stage)).map(([name, place]) => [name, place]));
  await signIn('admin');
  await open(places.get('keys') ?? '');
  await page.getByText('checkout-us').waitFor();
  await take('console-keys');

  await open(places.get('key') ?? '');
  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('button', { name: 'Cut them off' }).waitFor();
  await take('console-revoke');
  await page.keyboard.press('Escape');

  await open('keys/new');
  await page.getByLabel('Name', { exact: true }).fill('payments');
  await page.getByRole('button', { name: 'Create the key' }).click();
  await page.getByRole('tab', { name: 'Collector' }).waitFor();
  await page.getByLabel('Address of the gateway').fill('keygate.example.com');
  await take('console-created', true);

  const { text: good } = await keys.create({ kind: 'ingestion', name: 'edge' }, { name: 'cli:alice' });
  const { text: cut, record } = await keys.create({ kind: 'ingestion', name: 'orders' }, { name: 'cli:alice' });
  const orders = { 'user-agent': 'OTel-OTLP-Exporter-Java/1.58.0' };
  await send(cut, orders, '127.0.0.51');
  await open('live');
  for (let second = 0; second < LIVE_SECONDS; second++) {
    if (second === LIVE_SECONDS / 2) await keys.disable('ingestion', record.id, { name: 'cli:alice' });
    const wave = 20 + Math.round(8 * Math.sin(second / 4));
    for (let i = 0; i < wave; i++) await (i % 4 === 0 ? send(cut, orders, '127.0.0.51') : send(good, {}, '127.0.0.52'));
    if (second % 5 === 0) await send('iapikeyok-from-another-place', { 'user-agent': 'curl/8.14' }, '127.0.0.66');
    await delay(1_000);
  }
  await take('console-live', true);

  await page.emulateMedia({ colorScheme: 'dark' });
  await page.setViewportSize({ width: 360, height: 740 });
  await open(places.get('keys') ?? '');
  await page.getByText('checkout-us').waitFor();
  await take('console-phone');
});
