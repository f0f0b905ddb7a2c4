import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { openBrowser, openStage } from './stage.ts';

let browser: Browser;
before(async () => void (browser = await openBrowser()));
after(() => browser.close());

test('one signs in with the keyboard alone, and the token stays nowhere in the browser', async (t) => {
  const { page, url, tokenFor } = await openStage(t, browser);
  const token = await tokenFor('viewer');
  await page.goto(`${url}/`);
  assert.equal(page.url(), `${url}/console/`);
  await page.getByLabel('Service token').waitFor();
  await page.keyboard.type(token); // the field has the focus already
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Ingestion keys' }).waitFor();

  const kept = await page.evaluate(
    'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state])',
  );
  assert.equal(kept, JSON.stringify([{}, {}, '', `${url}/console/#/keys`, null]));
  const cookies = await page.context().cookies();
  assert.deepEqual(
    cookies.map(({ name, httpOnly, sameSite, expires }) => ({ name, httpOnly, sameSite, expires })),
    [{ name: 'keygate-session', httpOnly: true, sameSite: 'Strict', expires: -1 }],
  );
  assert.ok(!(await page.content()).includes(token) && !JSON.stringify(cookies).includes(token));

  await page.reload();
  await page.getByRole('heading', { name: 'Ingestion keys' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).press('Enter');
  await page.getByText('You are signed out.').waitFor();
  await page.reload();
  await page.getByLabel('Service token').waitFor();
});

test('a wrong token is refused with what to do, and the field is ready for another one', async (t) => {
  const { page, url, picture } = await openStage(t, browser);
  await page.goto(`${url}/console/`);
  await page.getByLabel('Service token').fill('nobody-knows-this-one');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('not known here').waitFor();
  assert.equal(await page.getByLabel('Service token').inputValue(), '');
  assert.equal(await page.evaluate('document.activeElement.id'), 'token');
  await picture('sign-in-refused');
});

test('what the roles do not permit is not offered', async (t) => {
  const { page, signIn, open, keys } = await openStage(t, browser);
  const { record } = await keys.create({ kind: 'ingestion', name: 'shop' }, { name: 'a test' });
  await signIn('viewer');
  const links = async (): Promise<string[]> =>
    page.getByRole('navigation', { name: 'Pages' }).getByRole('link').allTextContents();
  assert.deepEqual(await links(), ['Keys', 'Live', 'Service ids', 'Users', 'Service tokens']);
  assert.equal(await page.getByRole('link', { name: 'Create a key' }).count(), 0);
  await open(`keys/${record.id}`);
  await page.getByRole('heading', { name: 'shop' }).waitFor();
  for (const name of ['Rotate', 'Disable', 'Reveal', 'Revoke']) {
    assert.equal(await page.getByRole('button', { name }).count(), 0, name);
  }
  await open('audit');
  await page.getByText('There is no such page').waitFor();

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('You are signed out.').waitFor();
  await signIn('auditor');
  assert.deepEqual(await links(), ['Audit']);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('You are signed out.').waitFor();
  await signIn('validator');
  await page.getByText('Nothing to see').waitFor();
});

test('a session that has ended leads to the sign-in, and says so', async (t) => {
  const { page, signIn, keys } = await openStage(t, browser);
  await signIn('viewer');
  const [token] = await keys.list('service');
  await keys.disable('service', token?.id ?? '', { name: 'a test' });
  await page.getByRole('link', { name: 'Users' }).click();
  await page.getByText('Your session has ended.').first().waitFor();
  await page.getByLabel('Service token').waitFor();
});

test('a key that looks like markup is a name, on every page that shows it', async (t) => {
  const { page, faults, signIn, open, keys, send } = await openStage(t, browser);
  const name = '<img src=x onerror="window.stolen=document.cookie">';
  const by = { name: '<svg onload=window.stolen=2>' };
  const user = await keys.createOwner(
    { kind: 'user', name: 'javascript:window.stolen=3', description: name, roles: ['Sender'] },
    by,
  );
  const { record, text } = await keys.create(
    { kind: 'ingestion', name, description: `${name} "'`, owner: user.id },
    by,
  );
  const token = await keys.create({ kind: 'service', name, roles: ['viewer'] }, by);
  await keys.disable('ingestion', record.id, by);
  for (let i = 0; i < 3; i++) await send(text, { 'user-agent': '<script>window.stolen=4</script>' });
  await signIn('admin');
  const places = [
    'keys',
    `keys/${record.id}`,
    'tokens',
    `tokens/${token.record.id}`,
    'users',
    `users/${user.id}`,
    'audit',
    'live',
    encodeURIComponent(name),
  ];
  for (const place of places) {
    await open(place);
    if (!place.startsWith('%') && !place.startsWith('users/')) await page.getByText(name).first().waitFor();
    assert.deepEqual(
      await page.evaluate('[window.stolen ?? null, document.querySelectorAll("img, svg[onload], main script").length]'),
      [null, 0],
      place,
    );
  }
  await open(`keys/${record.id}`);
  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('heading', { name: `Revoke ${name}?` }).waitFor();
  assert.equal(await page.evaluate('window.stolen ?? null'), null);
  // And should somebody forget: the browser itself makes no markup out of text here.
  const refused = await page.evaluate(
    '(() => { try { document.body.innerHTML = "<b>x</b>"; return "made" } catch (error) { return error.name } })()',
  );
  assert.equal(refused, 'TypeError');
  assert.match(faults.splice(0).join(), /requires 'TrustedHTML' assignment/);
});
