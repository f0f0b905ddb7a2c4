import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { blocksOf, openShell, textOf } from '../support/runbook.ts';
import type { Block } from '../support/runbook.ts';
import type { TestRedis } from '../support/redis.ts';
import type { Scope } from '../support/scope.ts';
import { atRedis } from './gateways.ts';

/** What the commands of the page are run against. */
export interface Scene {
  readonly keygate: KeygateProcess;
  /** Where its keys are, if that is looked at. */
  readonly redis?: Pick<TestRedis, 'port' | 'url'>;
  readonly token?: string;
}

export interface How {
  /** What the page calls ID. */
  readonly id?: string;
  /** Only this one of its blocks. */
  readonly block?: number;
  /** Another scene than the first one. */
  readonly at?: Scene;
  /** Commands are to find something wrong, and may say so by their exit code. */
  readonly findsFaults?: boolean;
}

/** docs/operations.md, followed to the letter while its alerts fire. */
export interface Runbooks {
  /** Runs the shell blocks of a section, or one of them, in their order; each has to succeed. Resolves with what they printed. */
  follow(section: string, how?: How): Promise<string>;
  /** Sections whose blocks nobody has run yet, in their order; an alert has one section. */
  left(): readonly string[];
}

const PAGE = 'docs/operations.md';
/** What stands before the alerts, and each of them. */
const FOLLOWED = /^(?:Operations|Keygate\w+)$/;

export interface RunbooksOptions {
  readonly scene: Scene;
  readonly prometheusUrl: string;
  /** The path of one. */
  readonly certificate: () => string;
}

export function openRunbooks(scope: Scope, { scene, prometheusUrl, certificate }: RunbooksOptions): Runbooks {
  const place = mkdtempSync(join(tmpdir(), 'keygate-runbooks-'));
  scope.after(() => rmSync(place, { recursive: true, force: true }));
  let followed = 0;
  const blocks = blocksOf(PAGE).filter(
    ({ heading, language, notRun }) => language === 'sh' && notRun === undefined && FOLLOWED.test(heading),
  );
  const ran = new Set<Block>();

  return {
    async follow(section, { id = '', block, at = scene, findsFaults = false } = {}) {
      const { keygate, redis, token = '' } = at;
      const own = blocks.filter(({ heading }) => heading === section);
      const chosen = block === undefined ? own : own.slice(block, block + 1);
      assert.ok(chosen.length > 0, `${PAGE} has nothing to run in ${section}`);
      // Several are followed at the same time, each at a gateway of its own.
      const log = join(place, `log-${(followed += 1)}`);
      const shell = openShell(scope, {
        names: [
          ['http://gateway:7070', `http://${keygate.addresses.admin}`],
          ['http://gateway:9464', `http://${keygate.addresses.ops}`],
          ['gateway:4317', keygate.addresses.grpc],
          ['gateway:4318', keygate.addresses.http],
          ['http://prometheus:9090', prometheusUrl],
          ...(redis === undefined ? [] : [['-h redis', `-h 127.0.0.1 -p ${redis.port}`] as const]),
          ['/etc/keygate/keygate.yaml', keygate.configFile],
          ['/etc/keygate/tls/tls.crt', certificate()],
          [/\bID\b/g, id],
        ],
        env: { TOKEN: token, ...(redis && atRedis(redis.url)) },
        // There is no cluster here: the log is the gateway's own all the same.
        programs: { kubectl: `test "$1" = logs && exec cat ${log}` },
      });
      let output = '';
      for (const each of chosen) {
        writeFileSync(log, textOf(keygate.log()));
        const { code, output: printed } = await shell.run(findsFaults ? `set +e\n${each.text}` : each.text);
        assert.equal(code, 0, `${PAGE}, ${section}:\n${each.text}\n${printed}`);
        ran.add(each);
        output += printed;
      }
      return output;
    },
    left: () => [...new Set(blocks.filter((each) => !ran.has(each)).map(({ heading }) => heading))],
  };
}
