import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

/** Nothing but what the tests do: no sandbox, which needs more than a container has, no graphics card, nothing in the background. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Playwright gives each browser a profile of its own, and removes it. */
export async function launchChromium(program: string): Promise<Browser> {
  return chromium.launch({ executablePath: program, args: FLAGS });
}
