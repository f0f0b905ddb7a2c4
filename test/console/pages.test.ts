import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { furnish } from './furnish.ts';
import { openBrowser, openStage, SIZES } from './stage.ts';
import type { Size } from './stage.ts';

/** Each page in each form: no violation that axe finds, nothing that sticks out to the side; and a picture to look at. */

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** By way of the debugger, which the page's policy does not stop: it is the page as people get it that is looked at. */
async function violationsOn(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = (await page.evaluate(
    `axe.run(document, { runOnly: ${JSON.stringify(TAGS)} }).then(({ violations }) => violations)`,
  )) as readonly Violation[];
  return found.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`));
}

let browser: Browser;
before(async () => void (browser = await openBrowser()));
after(() => browser.close());

const sizes = Object.keys(SIZES) as Size[];

for (const size of sizes) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`every page is usable: ${size}, ${colorScheme}`, async (t) => {
      const stage = await openStage(t, browser, { size, context: { colorScheme } });
      const { page, url, signIn, open, picture } = stage;
      const places = await furnish(stage);

      const look = async (name: string): Promise<void> => {
        assert.deepEqual(await violationsOn(page), [], `${name}, ${size}, ${colorScheme}`);
        const [needed, there] = (await page.evaluate('[document.documentElement.scrollWidth, innerWidth]')) as [
          number,
          number,
        ];
        assert.ok(needed <= there, `${name} is ${needed} pixels wide, and there are ${there}`);
        await picture(`${name}-${size}-${colorScheme}`);
      };

      await page.goto(`${url}/console/`);
      await page.getByLabel('Service token').waitFor();
      await look('sign-in');
      await signIn('admin');
      for (const [name, place, shown] of places) {
        await open(place);
        await page.getByText(shown).first().waitFor();
        await look(name);
      }
      await open(places.find(([name]) => name === 'key')?.[1] ?? '');
      await page.getByRole('button', { name: 'Revoke' }).click();
      await page.getByRole('dialog').waitFor();
      await look('revoke');
    });
  }
}

test('the look at a page can fail: it sees what is wrong', async (t) => {
  const { page, signIn } = await openStage(t, browser);
  await signIn('viewer');
  await page.getByText('There are no ingestion keys yet.').waitFor();
  await page.evaluate("document.querySelector('main').append(document.createElement('button'))");
  assert.match((await violationsOn(page)).join(), /button-name/);
});
