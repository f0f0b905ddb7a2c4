import type { TestContext } from 'node:test';
import { startAdmin } from './admin-server.ts';
import { createCliHome } from './run-cli.ts';
import type { CliHome, CliResult } from './run-cli.ts';

/** The two ways of a command to its keys. */
export type Through = 'store' | 'admin API';

export interface Commands extends Pick<CliHome, 'at'> {
  run(...args: string[]): Promise<CliResult>;
}

/** Commands straight on a store of their own, or through the admin API of a server. */
export async function commandsThrough(t: TestContext, through: Through): Promise<Commands> {
  const cli = createCliHome();
  t.after(() => cli.remove());
  let env: Record<string, string> = {};
  if (through === 'admin API') {
    const admin = await startAdmin({ path: cli.at('server.db') });
    t.after(() => admin.close());
    admin.setNow(Date.now());
    env = { KEYGATE_URL: admin.url, KEYGATE_SERVICE_TOKEN: await admin.tokenFor(['admin'], 'root') };
  }
  return { at: cli.at, run: (...args) => cli.run(args, env) };
}
