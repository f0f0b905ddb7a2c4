import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { openBrowser, openStage } from './stage.ts';

let browser: Browser;
before(async () => void (browser = await openBrowser()));
after(() => browser.close());

const ACTOR = { name: 'cli:bob' };

test('a service id is made, locked, unlocked and deleted, and its keys stop with it', async (t) => {
  const { page, signIn, open, keys, send } = await openStage(t, browser);
  await signIn('admin');
  await open('service-ids');
  await page.getByText('There are no service ids.').waitFor();
  await page.getByRole('button', { name: 'Create a service id' }).click();
  await page.getByLabel('Name').fill('checkout');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByRole('heading', { name: 'checkout active' }).waitFor();
  const { text } = await keys.create({ kind: 'ingestion', name: 'checkout-eu', owner: 'checkout' }, ACTOR);
  assert.equal(await send(text), 200);

  const act = async (name: string): Promise<void> => {
    await page.getByRole('button', { name, exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name, exact: true }).click();
  };
  await page.reload();
  await act('Lock');
  await page.getByRole('heading', { name: 'checkout locked' }).waitFor();
  assert.equal(await send(text), 403);
  await act('Unlock');
  await page.getByRole('heading', { name: 'checkout active' }).waitFor();
  assert.equal(await send(text), 200);
  await act('Lock');
  await page.getByRole('heading', { name: 'checkout locked' }).waitFor();
  await act('Delete');
  await page.getByRole('heading', { name: 'checkout deleted' }).waitFor();
  assert.equal(await send(text), 403);
});

test('a service token is made, shown once, rotated and revoked', async (t) => {
  const { page, signIn, open, gateway } = await openStage(t, browser);
  await signIn('admin');
  await open('tokens');
  await page.getByRole('link', { name: 'Create a token' }).click();
  await page.getByLabel('Name').fill('terraform');
  await page.getByRole('button', { name: 'Create the token' }).click();
  await page.getByRole('alert').getByText('must name at least one role').waitFor();
  await page.getByLabel('key-manager').check();
  await page.getByRole('button', { name: 'Create the token' }).click();
  await page.getByRole('heading', { name: 'Copy the service token terraform now' }).waitFor();
  const info = async (token: string): Promise<number> =>
    (
      await fetch(`http://127.0.0.1:${gateway.addresses.admin.port}/api/server/info`, {
        headers: { 'x-api-key': token },
      })
    ).status;
  const first = (await page.locator('.secret-text').textContent()) ?? '';
  assert.equal(await info(first), 200);

  await page.getByRole('link', { name: 'I have stored it' }).click();
  await page.getByRole('button', { name: 'Rotate' }).click();
  await page.getByLabel('The old one goes on working for').selectOption({ label: 'no longer: it leaked' });
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
  await page.getByText('The old one does not work any more.').waitFor();
  const second = (await page.locator('.secret-text').textContent()) ?? '';
  assert.deepEqual([await info(first), await info(second)], [401, 200]);

  await page.getByRole('link', { name: 'I have stored it' }).click();
  await page.getByRole('heading', { name: 'terraform active' }).waitFor();
  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  const dialog = page.getByRole('dialog');
  await dialog
    .waitFor({ state: 'detached', timeout: 3_000 })
    .catch(() => dialog.getByRole('button', { name: 'Cut them off' }).click());
  await page.getByRole('heading', { name: 'terraform revoked' }).waitFor();
  assert.equal(await info(second), 401);
});

test('the audit log is read on, and shows the changes of one key', async (t) => {
  const { page, signIn, open, keys } = await openStage(t, browser);
  const { record } = await keys.create({ kind: 'ingestion', name: 'shop' }, ACTOR);
  for (let i = 0; i < 60; i++) await keys.update('ingestion', record.id, { description: `change ${i}` }, ACTOR);
  await keys.create({ kind: 'ingestion', name: 'other' }, ACTOR);
  await signIn('admin');
  await open('audit');
  const rows = page.locator('tbody tr');
  assert.equal(await rows.count(), 50);
  await page.getByRole('button', { name: 'Read on' }).click();
  await page.getByText('change 0').first().waitFor();
  assert.equal(await rows.count(), 63);
  await page.getByLabel('Only changes of').fill(record.id);
  await page.getByRole('button', { name: 'Show' }).click();
  await page.waitForURL(/key=/);
  await page.getByText('change 58 → change 59').waitFor();
  assert.equal(await page.getByText('other', { exact: true }).count(), 0);
});

test('the live page shows what passes, who is refused and why, and how the gateway is', async (t) => {
  const { page, signIn, open, keys, send } = await openStage(t, browser);
  const { record, text } = await keys.create({ kind: 'ingestion', name: 'payments' }, ACTOR);
  await signIn('viewer');
  await open('live');
  await page.getByText('Nothing was refused since this gateway started.').waitFor();
  for (let i = 0; i < 5; i++) assert.equal(await send(text), 200);
  await keys.revoke('ingestion', record.id, ACTOR, { force: true });
  for (let i = 0; i < 7; i++) assert.equal(await send(text), 403);
  const reason = page.locator('#live-reasons + div tbody tr', { hasText: 'revoked_key' });
  await reason.locator('td').last().getByText('7', { exact: true }).waitFor();
  const source = page.locator('#live-sources + div tbody tr', { hasText: 'payments' });
  assert.match((await source.textContent()) ?? '', /127\.0\.0\.1worked .* ago.*revoked_key.*otelcol\/0\.159/);
  const tile = (name: string) => page.getByRole('region', { name, exact: true });
  assert.match((await tile('Allowed').textContent()) ?? '', /5 since the start/);
  assert.match(
    (await tile('Denied').getByRole('img').getAttribute('aria-label')) ?? '',
    /^Denied: .* a second now; between .* and .* since /,
  );
  assert.match((await tile('Key store').textContent()) ?? '', /answers.*SQLite/);
  assert.match((await tile('Change feed').textContent()) ?? '', /is read/);
  await page
    .locator('#live-replicas + div tbody tr', { hasText: 'gateway-1' })
    .getByText('live', { exact: true })
    .waitFor();
});

test('the live page asks again and again, until it is paused', async (t) => {
  const { page, signIn, open } = await openStage(t, browser);
  await page.clock.install();
  await signIn('viewer');
  await open('live');
  const looked = () => page.waitForResponse((response) => response.url().includes('/api/overview'));
  for (let i = 0; i < 3; i++) {
    const next = looked();
    await page.clock.runFor(2_000);
    await (await next).finished();
  }
  await page.getByRole('button', { name: 'Pause' }).click();
  let looks = 0;
  page.on('request', (request) => (looks += request.url().includes('/api/') ? 1 : 0));
  await page.clock.runFor(20_000);
  assert.equal(looks, 0);
  await page.getByRole('button', { name: 'Go on' }).click();
  const next = looked();
  await page.clock.runFor(2_000);
  assert.equal((await next).status(), 200);
});
