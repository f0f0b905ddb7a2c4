import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { until } from '../support/wait.ts';
import { openBrowser, openStage } from './stage.ts';

let browser: Browser;
before(async () => void (browser = await openBrowser()));
after(() => browser.close());

const ACTOR = { name: 'cli:bob' };
const DAY_MS = 86_400_000;

const namesOn = (page: Page): Promise<string[]> => page.locator('.results tbody th a').allTextContents();

/** Presses Tab until this has the focus. */
async function tabTo(page: Page, text: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(
      '(document.activeElement?.labels?.[0] ?? document.activeElement)?.textContent ?? ""',
    );
    if (String(focused).startsWith(text)) return;
  }
  throw new Error(`Tab does not lead to ${text}`);
}

test('ten thousand keys are sorted, filtered and paged', async (t) => {
  const { page, signIn, keys, picture } = await openStage(t, browser);
  const lines = Array.from({ length: 10_000 }, (_, index) => ({
    name: `key-${String(index).padStart(5, '0')}`,
    digest: `sha256:${index.toString(16).padStart(64, '0')}`,
  }));
  for (let from = 0; from < lines.length; from += 1_000) {
    await keys.import({ lines: lines.slice(from, from + 1_000), dryRun: false, refusal: () => undefined }, ACTOR);
  }
  await keys.create(
    { kind: 'ingestion', name: 'aaa', type: 'sensor', expiresAt: Date.now() + 3 * DAY_MS },
    { name: 'cli:zoe' },
  );
  await signIn('admin');
  await page.getByText('1 to 50, and more').waitFor();
  assert.deepEqual((await namesOn(page)).slice(0, 2), ['aaa', 'key-00000']);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByText('51 to 100, and more').waitFor();
  assert.equal((await namesOn(page))[0], 'key-00049');
  await page.goBack();
  await page.getByText('1 to 50, and more').waitFor();

  await page.getByRole('button', { name: 'Name' }).click();
  await page.locator('th[aria-sort=descending]').waitFor();
  assert.equal((await namesOn(page))[0], 'key-09999');
  for (const [column, first] of [
    ['Type', 'aaa'],
    ['Expiration', 'aaa'],
  ] as const) {
    await page.getByRole('button', { name: column }).click();
    await page.locator('th[aria-sort=ascending]', { hasText: column }).waitFor();
    assert.equal((await namesOn(page))[0], first, column);
  }
  for (const column of ['Creator', 'Created']) {
    await page.getByRole('button', { name: column }).last().click();
    await page.locator('th[aria-sort=ascending]', { hasText: new RegExp(`^${column}`) }).waitFor();
    await page.getByRole('button', { name: column }).last().click();
    await page.locator('th[aria-sort=descending]', { hasText: new RegExp(`^${column}`) }).waitFor();
    assert.equal((await namesOn(page))[0], 'aaa', column);
  }
  await page.getByLabel('Filter').fill('key-?9999');
  await page.getByText('1 shown, no more.').waitFor();
  assert.deepEqual(await namesOn(page), ['key-09999']);
  assert.match(page.url(), /name=key-%3F9999/);
  await page.getByLabel('Filter').fill('nobody');
  await page.getByText('No keys match this filter.').waitFor();
  await picture('keys-no-match');
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await page.getByText('1 to 50, and more').waitFor();
});

test('a key is made with the keyboard alone, shown once, and its snippets are taken', async (t) => {
  const { page, signIn, gateway, collector, picture } = await openStage(t, browser, {
    context: { permissions: ['clipboard-read', 'clipboard-write'] },
  });
  await signIn('key-manager');
  await page.getByText('There are no ingestion keys yet.').waitFor();
  await picture('keys-empty');
  await tabTo(page, 'Create a key');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Create an ingestion key' }).waitFor();
  await tabTo(page, 'Name');
  await page.keyboard.type('checkout-eu');
  await tabTo(page, 'Description');
  await page.keyboard.type('the shop');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Copy the ingestion key checkout-eu now' }).waitFor();
  const key = (await page.locator('.secret-text').textContent()) ?? '';
  assert.match(key, /^iapikeyok-[0-9A-Za-z]{38}$/);
  await tabTo(page, 'Copy the ingestion key');
  await page.keyboard.press('Enter');
  await page.getByText('Copied the ingestion key.').waitFor();
  assert.equal(await page.evaluate('navigator.clipboard.readText()'), key);

  const { port } = gateway.addresses.http;
  const texts: Record<string, string> = {};
  for (const name of ['Collector', 'SDK', 'Agent', 'curl']) {
    await page.getByRole('tab', { name }).click();
    texts[name] = (await page.getByRole('tabpanel').locator('pre').textContent()) ?? '';
    assert.ok(texts[name].includes(key), name);
  }
  await picture('key-created');
  assert.match(texts['Collector'] ?? '', /endpoint: 127\.0\.0\.1:4317\n {4}headers:\n {6}x-api-key: iapikeyok-/);
  assert.match(texts['SDK'] ?? '', /OTEL_EXPORTER_OTLP_ENDPOINT=http:\/\/127\.0\.0\.1:4318\n/);
  const curl = (texts['curl'] ?? '').replace(':4318', `:${port}`);
  // Not the synchronous one: the gateway is in this process.
  const { stdout } = await promisify(execFile)('sh', ['-c', curl.replace('curl -i', 'curl -s -i')]);
  assert.match(stdout, /^HTTP\/1\.1 200 /);
  assert.equal(collector.arrivals.length, 1);
  // Arrows go around among the tabs, as everywhere.
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.getByRole('tab', { selected: true }).textContent(), 'Collector');
  await page.getByLabel('Address of the gateway').fill('bad host"; rm');
  await page.getByText('A host name or an IP address').waitFor();
  assert.ok(!(await page.getByRole('tabpanel').textContent())?.includes('rm'));

  await page.getByRole('link', { name: 'I have stored it' }).click();
  await page.getByRole('heading', { name: 'checkout-eu active' }).waitFor();
  assert.ok(!(await page.content()).includes(key));
  await page.goBack();
  await page.getByRole('heading', { name: 'Create an ingestion key' }).waitFor();
  assert.ok(!(await page.content()).includes(key));
});

test('what is wrong with a new key is said, and what was typed stays', async (t) => {
  const { page, signIn, open, keys, picture } = await openStage(t, browser);
  await keys.create({ kind: 'ingestion', name: 'shop' }, ACTOR);
  await signIn('admin');
  await open('keys/new');
  await page.getByLabel('Name', { exact: true }).fill('shop');
  await page.getByText('Limit what it may send').click();
  await page.getByLabel('Networks').fill('10.0.0.1/8');
  await page.getByRole('button', { name: 'Create the key' }).click();
  await page.getByRole('alert').getByText('must be a whole network: write 10.0.0.0/8').waitFor();
  await picture('key-refused');
  await page.getByLabel('Networks').fill('10.0.0.0/8');
  await page.getByRole('button', { name: 'Create the key' }).click();
  await page.getByRole('alert').getByText('There already is a live ingestion API key named "shop"').waitFor();
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'shop');
});

test('a key is rotated with an overlap: both work, and the old one says until when', async (t) => {
  const { page, signIn, open, keys, send, picture } = await openStage(t, browser);
  const { record, text } = await keys.create({ kind: 'ingestion', name: 'shop', type: 'sensor' }, ACTOR);
  assert.equal(await send(text), 200);
  await signIn('admin');
  await open(`keys/${record.id}`);
  await page.getByRole('button', { name: 'Rotate' }).click();
  await page.getByLabel('The old one goes on working for').selectOption('a week');
  await picture('rotate');
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
  await page.getByRole('heading', { name: 'Copy the ingestion key shop now' }).waitFor();
  const successor = (await page.locator('.secret-text').textContent()) ?? '';
  await page.getByText('The old one works until').waitFor();
  assert.deepEqual([await send(text), await send(successor)], [200, 200]);
  await page.reload();
  await page.getByRole('heading', { name: 'shop retiring' }).waitFor();
  assert.ok(!(await page.content()).includes(successor));
  await page.getByText('Works until').waitFor();
  const { retireAt = 0 } = await keys.get('ingestion', record.id);
  assert.ok(Math.abs(retireAt - Date.now() - 7 * DAY_MS) < 60_000);
});

test('the description and the expiry of a key are changed, and what was typed before Cancel is forgotten', async (t) => {
  const { page, signIn, open, keys } = await openStage(t, browser);
  const { record } = await keys.create({ kind: 'ingestion', name: 'shop', expiresAt: Date.now() + 3 * DAY_MS }, ACTOR);
  await signIn('admin');
  await open(`keys/${record.id}`);
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Description').fill('no');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Edit' }).click();
  assert.equal(await page.getByLabel('Description').inputValue(), '');
  await page.getByLabel('Description').fill('the shop');
  await page.getByLabel('Expiration').fill('2099-12-31');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('2099-12-31').waitFor();
  const { description, expiresAt } = await keys.get('ingestion', record.id);
  assert.deepEqual([description, expiresAt], ['the shop', Date.parse('2099-12-31T00:00:00Z')]);
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Expiration').fill('');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal((await keys.get('ingestion', record.id)).expiresAt, undefined);
});

test('a key is disabled and enabled', async (t) => {
  const { page, signIn, open, keys, send } = await openStage(t, browser);
  const { record, text } = await keys.create({ kind: 'ingestion', name: 'shop' }, ACTOR);
  await signIn('admin');
  await open(`keys/${record.id}`);
  await page.getByRole('button', { name: 'Disable' }).click();
  await page.keyboard.press('Escape');
  assert.equal(await page.getByRole('dialog').count(), 0);
  assert.equal((await keys.get('ingestion', record.id)).state, 'active');
  await page.getByRole('button', { name: 'Disable' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
  await page.getByText('shop is disabled. The gateway has applied it.').waitFor();
  assert.equal(await send(text), 403);
  await page.getByRole('button', { name: 'Enable' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Enable' }).click();
  await page.getByText('shop is enabled. The gateway has applied it.').waitFor();
  assert.equal(await send(text), 200);
});

test('a key in use is revoked with the keyboard alone, but not without a warning of who uses it', async (t) => {
  const { page, signIn, open, keys, send, picture } = await openStage(t, browser);
  const { record, text } = await keys.create({ kind: 'ingestion', name: 'shop' }, ACTOR);
  assert.equal(await send(text), 200);
  await until('the use is written', async () => (await keys.usage([record.id])).size === 1);
  await signIn('admin');
  await open(`keys/${record.id}`);
  await tabTo(page, 'Revoke');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Revoke shop?' });
  await dialog.getByText(/It is in use: last used .* by 1 address \(127\.0\.0\.1\)/).waitFor();
  assert.equal(await page.evaluate('document.activeElement.textContent'), 'Cancel');
  await tabTo(page, 'Revoke');
  await page.keyboard.press('Enter');
  await dialog
    .getByRole('alert')
    .getByText(/was used .* ago by 1 source/)
    .waitFor();
  assert.equal((await keys.get('ingestion', record.id)).state, 'active');
  await picture('revoke-in-use');
  await tabTo(page, 'Cut them off all the same');
  await page.keyboard.press('Enter');
  await page.getByText('shop is revoked. The gateway has applied it.').waitFor();
  await page.getByRole('heading', { name: 'shop revoked' }).waitFor();
  assert.equal(await send(text), 403);
  await page.getByRole('button', { name: 'Ask every gateway' }).click();
  await page.getByText('The key was revoked.').first().waitFor();
  await picture('key-revoked');
});

test('a key is revealed where its type allows it, and the audit log has it', async (t) => {
  const secret = Buffer.alloc(32, 7).toString('base64');
  const config = { keys: { revealable: { types: ['sensor' as const], encryptionKey: { id: 'test', secret } } } };
  const { page, signIn, open, keys } = await openStage(t, browser, { config });
  const sensor = await keys.create({ kind: 'ingestion', name: 'agents', type: 'sensor' }, ACTOR);
  const other = await keys.create({ kind: 'ingestion', name: 'shop' }, ACTOR);
  await signIn('admin');
  const reveal = async (id: string): Promise<void> => {
    await open(`keys/${id}`);
    await page.getByRole('button', { name: 'Reveal' }).click();
    await page.getByRole('button', { name: 'Reveal the key' }).click();
  };
  await reveal(other.record.id);
  await page.getByRole('dialog').getByRole('alert').getByText('keys.revealable.types').waitFor();
  await page.keyboard.press('Escape');
  await reveal(sensor.record.id);
  await page.getByText(sensor.text, { exact: true }).waitFor();
  await open('audit');
  assert.match(
    (await page.locator('tbody tr').first().textContent()) ?? '',
    /revealed.*agents.*alice \([0-9]+\).*admin-api, from 127\.0\.0\.1/,
  );
});
