import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { callHttp } from '../support/http-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess, PlaceFile } from '../support/keygate-process.ts';
import { placeByRename, placeInMount } from '../support/place-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { until } from '../support/wait.ts';

const CHANGED = 'the configuration has changed';
const REFUSED = 'the new configuration is refused; the old one stays';
const BODY = Buffer.alloc(4_096);
/** Watching may fail where the tests run; then it is noticed when the files are polled. */
const NOTICED_MS = 20_000;

const send = async ({ addresses, key }: KeygateProcess): Promise<number> =>
  (await callHttp(`http://${addresses.http}`, { headers: { 'x-api-key': key }, body: BODY })).status;

const times = (keygate: KeygateProcess, result: string): Promise<number> =>
  keygate.metric('keygate_config_reloads_total', `result="${result}"`);

for (const plane of ['wire', 'library'] as const) {
  describe(`plane: ${plane}`, () => {
    it('a configuration in whose file another one was written holds from SIGHUP on', async (t) => {
      const { httpUrl: http } = await startCollector(t);
      const keygate = await startKeygateProcess(t, { plane, upstream: { http } });
      assert.equal(await send(keygate), 200);
      await keygate.configure({ plane, upstream: { http }, limits: { maxBody: '1KiB' } });
      keygate.signal('SIGHUP');
      await until('it holds', async () => (await send(keygate)) === 413);
      assert.deepEqual(
        keygate.logged(CHANGED).map(({ options }) => options),
        ['limits.maxBody'],
      );
      assert.ok((await times(keygate, 'applied')) >= 1);
    });

    it('a configuration with a fault is refused as a whole, with all its faults; the old one stays until a good one comes', async (t) => {
      const { httpUrl: http } = await startCollector(t);
      const keygate = await startKeygateProcess(t, { plane, upstream: { http } });
      const startedAt = await keygate.metric('keygate_config_last_reload_success_timestamp_seconds');
      assert.equal(await keygate.metric('keygate_config_last_reload_successful'), 1);

      await keygate.configure({
        plane,
        upstream: { http },
        limits: { maxBody: '1KiB', maxHeaders: 3 },
        log: { level: 'loud' },
      });
      keygate.signal('SIGHUP');
      await until('it is refused', () => keygate.logged(REFUSED).length > 0);
      assert.equal(await send(keygate), 200);
      const faults = keygate.logged('a fault of the new configuration').slice(0, 2);
      assert.deepEqual(
        faults.map(({ level, option, option_value: value, cause }) => ({ level, option, value, cause })),
        [
          { level: 'error', option: 'limits.maxHeaders', value: '3', cause: 'must be a whole number from 16 to 1,000' },
          {
            level: 'error',
            option: 'log.level',
            value: '"loud"',
            cause: 'must be one of trace, debug, info, warn, error, fatal, silent',
          },
        ],
      );
      assert.match(String(faults[0]?.['where']), /keygate\.yaml:\d+:\d+$/);
      assert.ok((await times(keygate, 'refused')) >= 1);
      assert.equal(await keygate.metric('keygate_config_last_reload_successful'), 0);
      assert.equal(await keygate.metric('keygate_config_last_reload_success_timestamp_seconds'), startedAt);

      await keygate.configure({ plane, upstream: { http }, limits: { maxBody: '1KiB' } });
      keygate.signal('SIGHUP');
      await until('a good one holds', async () => (await send(keygate)) === 413);
      assert.equal(await keygate.metric('keygate_config_last_reload_successful'), 1);
      assert.ok((await keygate.metric('keygate_config_last_reload_success_timestamp_seconds')) > startedAt);
    });
  });
}

const ways: readonly (readonly [string, PlaceFile])[] = [
  ['written over it', writeFile],
  ['given its name, as editors do', placeByRename],
  ['put behind its link, as Kubernetes does', placeInMount],
];
for (const [how, place] of ways) {
  it(`a configuration is noticed without a signal when it is ${how}, again and again`, async (t) => {
    const { httpUrl: http } = await startCollector(t);
    const keygate = await startKeygateProcess(t, { upstream: { http } }, { place });
    for (const [maxBody, status] of [
      ['1KiB', 413],
      ['1MiB', 200],
      ['2KiB', 413],
    ] as const) {
      await keygate.configure({ upstream: { http }, limits: { maxBody } });
      await until(`maxBody is ${maxBody}`, async () => (await send(keygate)) === status, NOTICED_MS);
    }
  });
}

it('an option that only a restart changes keeps its old value, which is said for as long as that is so', async (t) => {
  const { httpUrl: http } = await startCollector(t);
  const keygate = await startKeygateProcess(t, { upstream: { http } });
  const waiting = () => keygate.metric('keygate_config_options_awaiting_restart');
  await keygate.configure({ upstream: { http }, cache: { maxKeys: 500 }, limits: { maxBody: '1KiB' } });
  keygate.signal('SIGHUP');
  await until('what can be changed has', async () => (await send(keygate)) === 413);
  assert.deepEqual([await waiting(), await times(keygate, 'applied')], [1, 0]);
  assert.ok((await times(keygate, 'partial')) >= 1);
  const [line] = keygate.logged('some options have changed that only a restart changes; they keep their old value');
  assert.deepEqual([line?.['level'], line?.['options']], ['warn', 'cache.maxKeys']);

  const readings = async (): Promise<number> => (await times(keygate, 'partial')) + (await times(keygate, 'unchanged'));
  const before = await readings();
  keygate.signal('SIGHUP');
  await until('it was read again', async () => (await readings()) > before);
  assert.equal(await waiting(), 1);

  await keygate.configure({ upstream: { http }, limits: { maxBody: '1KiB' } });
  keygate.signal('SIGHUP');
  await until('nothing waits any more', async () => (await waiting()) === 0);
});

it('SIGHUP where nothing has changed is counted, and changes nothing', async (t) => {
  const { httpUrl: http } = await startCollector(t);
  const keygate = await startKeygateProcess(t, { upstream: { http } });
  keygate.signal('SIGHUP');
  await until('it was read', async () => (await times(keygate, 'unchanged')) === 1);
  assert.deepEqual([await send(keygate), keygate.logged(CHANGED)], [200, []]);
});

it('the file of a receiver key is watched: the old text is refused, the new one is let through', async (t) => {
  const { httpUrl: http } = await startCollector(t);
  const file = join(await temporaryDirectory(t), 'agents');
  await writeFile(file, 'the-first-text-of-the-key\n');
  const keygate = await startKeygateProcess(t, {
    upstream: { http },
    keys: { receiverKeys: [{ name: 'agents', keyFile: file }] },
  });
  const sendWith = (key: string): Promise<number> => send({ ...keygate, key });
  assert.deepEqual(
    [await sendWith('the-first-text-of-the-key'), await sendWith('the-second-text-of-the-key')],
    [200, 403],
  );
  await placeByRename(file, 'the-second-text-of-the-key\n');
  await until(
    'the first one is refused',
    async () => (await sendWith('the-first-text-of-the-key')) === 403,
    NOTICED_MS,
  );
  // What was not known is forgotten at once: the configuration is asked first.
  assert.equal(await sendWith('the-second-text-of-the-key'), 200);
  assert.equal(JSON.stringify(keygate.logged(CHANGED)).includes('-text-of-the-key'), false);
});
