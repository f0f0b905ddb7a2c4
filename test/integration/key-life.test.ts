import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callHttp } from '../support/http-client.ts';
import { createCliHome } from '../support/run-cli.ts';
import type { CliHome } from '../support/run-cli.ts';
import { sharedStoreKinds } from '../support/shared-stores.ts';
import { until } from '../support/wait.ts';

/** A gateway, and the command line that works on the same store behind its back. */
interface Site {
  readonly gateway: Gateway;
  cli(...args: string[]): ReturnType<CliHome['run']>;
  /** As a process of its own. */
  spawnCli(...args: string[]): ReturnType<CliHome['spawn']>;
  /** What a sender with this key hears. */
  send(key: string): Promise<number>;
}

for (const kind of sharedStoreKinds()) {
  describe(`the life of a key, seen by its senders, with a store in ${kind.name}`, { timeout: 60_000 }, () => {
    before(kind.begin);
    after(kind.end);

    async function setUp(t: TestContext): Promise<Site> {
      const directory = mkdtempSync(join(tmpdir(), 'keygate-life-'));
      const home = createCliHome();
      t.after(() => {
        home.remove();
        rmSync(directory, { recursive: true });
      });
      const collector = await startCollector(t);
      const { config, env } = kind.store(directory);
      const gateway = await startGateway(t, { upstream: { http: collector.httpUrl }, store: config });
      return {
        gateway,
        cli: (...args) => home.run(args, env),
        spawnCli: (...args) => home.spawn(args, env),
        send: async (key) => (await callHttp(gateway.httpUrl, { headers: { 'x-api-key': key } })).status,
      };
    }

    /** Sends with a key without a pause until it is told to stop; the statuses that came back. */
    function stream(send: Site['send'], key: string) {
      const statuses: number[] = [];
      const stopping = new AbortController();
      const running = (async () => {
        while (!stopping.signal.aborted) statuses.push(await send(key));
      })();
      return {
        statuses,
        async stop() {
          stopping.abort();
          await running;
          return statuses;
        },
      };
    }

    it('takes both keys during the grace and the new one after it, and refuses nothing in between', async (t) => {
      const { gateway, send } = await setUp(t);
      const { text: old, id } = await gateway.createKey({ name: 'shop' });
      assert.equal(await send(old), 200);
      const sender = stream(send, old);
      const graceMs = 600;
      const rotatedAt = Date.now();
      const { text, predecessor } = await gateway.app.keys.rotate('ingestion', id, { graceMs }, { name: 'test' });
      const next = stream(send, text);
      await until('the old key is refused', () => sender.statuses.includes(403));
      const refusedAt = Date.now();
      const [ofOld, ofNew] = [await sender.stop(), await next.stop()];

      const end = predecessor.retireAt ?? 0;
      assert.ok(end >= rotatedAt + graceMs && refusedAt >= end, 'it was refused before its grace was over');
      const accepted = ofOld.indexOf(403);
      assert.ok(accepted > 2, `only ${accepted} requests were sent in the grace`);
      assert.deepEqual(new Set(ofOld.slice(0, accepted)), new Set([200]));
      assert.deepEqual(new Set(ofOld.slice(accepted)), new Set([403]));
      assert.deepEqual(new Set(ofNew), new Set([200]));
      assert.ok(ofNew.length > 2);
    });

    it('refuses a disabled key with its next request, and takes an enabled one', async (t) => {
      const { gateway, send } = await setUp(t);
      const { text, id } = await gateway.createKey();
      const { keys } = gateway.app;
      assert.equal(await send(text), 200);
      for (let round = 0; round < 5; round++) {
        await keys.disable('ingestion', id, { name: 'test' });
        const refused = await callHttp(gateway.httpUrl, {
          headers: { 'x-api-key': text, 'content-type': 'application/json' },
        });
        assert.equal(refused.status, 403);
        assert.match(refused.body.toString(), /The key is disabled/);
        await keys.enable('ingestion', id, { name: 'test' });
        assert.equal(await send(text), 200);
      }
    });

    it('hears of what the command line does to a key behind its back', async (t) => {
      const { gateway, cli, spawnCli, send } = await setUp(t);
      const { text, id } = await gateway.createKey({ name: 'shop' });
      assert.equal(await send(text), 200);
      const hears = (what: string, key: string, status: number) =>
        until(what, async () => (await send(key)) === status, 1_000);

      assert.equal((await cli('ingestion-api-key', 'disable', id)).code, 0);
      await hears('the disabled key is refused', text, 403);
      assert.equal((await cli('ingestion-api-key', 'enable', id)).code, 0);
      await hears('the enabled key is taken', text, 200);

      const rotated = await spawnCli('ingestion-api-key', 'rotate', id, '--now', '-o', 'json');
      const { apiKey } = (JSON.parse(rotated.stdout) as Record<string, { apiKey: string }>)['ingestion-api-key'] ?? {};
      await hears('the replaced key is refused', text, 403);
      assert.equal(await send(apiKey ?? ''), 200);

      const listed = await cli('audit', 'list', '--key', id, '-o', 'json');
      const { audit } = JSON.parse(listed.stdout) as { audit: { action: string; via: string }[] };
      assert.deepEqual(
        audit.map(({ action, via }) => `${action} by ${via}`),
        ['rotated by cli', 'enabled by cli', 'disabled by cli', 'created by gateway'],
      );
    });

    it('logs each change made through it, with who made it and what changed, and without any key', async (t) => {
      const { gateway } = await setUp(t);
      const { text, id } = await gateway.createKey({ name: 'shop' });
      const actor = { name: 'ops (1)', via: 'admin-api', address: '10.0.0.7' } as const;
      await gateway.app.keys.disable('ingestion', id, actor);
      const lines = gateway.log.map((line) => JSON.parse(line) as Record<string, unknown>);
      const line = lines.find(({ change }) => change === 'disabled');
      const { message, key_id, key_name, actor: who, via, address, before: old, after: now } = line ?? {};
      assert.deepEqual(
        { message, key_id, key_name, who, via, address, old, now },
        {
          message: 'ingestion API key disabled',
          key_id: id,
          key_name: 'shop',
          who: 'ops (1)',
          via: 'admin-api',
          address: '10.0.0.7',
          old: '{"state":"active"}',
          now: '{"state":"disabled"}',
        },
      );
      assert.ok(!gateway.log.join('').includes(text));
    });
  });
}
