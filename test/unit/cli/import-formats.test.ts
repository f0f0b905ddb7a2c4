import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliError } from '../../../src/cli/errors.ts';
import { prepareLine } from '../../../src/cli/foreign-key.ts';
import { readEntries } from '../../../src/cli/import-formats.ts';
import type { ImportFormat } from '../../../src/cli/import-formats.ts';
import { MAX_LINE_BYTES } from '../../../src/cli/lines.ts';
import { createProgress } from '../../../src/cli/progress.ts';
import { createDigester } from '../../../src/credential/digest.ts';
import { createKeyText } from '../../../src/credential/key-text.ts';
import { digestOf } from '../../support/stores.ts';

const HEADER = '{"format":"keygate-keys","version":1}';
const WITH_TRAILER = '{"format":"keygate-keys","version":1,"trailer":true}';

/** The bytes in pieces of this size, as a slow pipe would bring them. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

/** What a file says, line by line: a JSON text or a problem; the fault that ended it comes last. */
async function read(
  content: string | Uint8Array,
  { format = 'keygate-keys', size = 7 }: { readonly format?: ImportFormat; readonly size?: number } = {},
) {
  const told: string[] = [];
  try {
    for await (const entry of readEntries(pieces(Buffer.from(content), size), format)) {
      told.push(`${entry.number} ${'value' in entry ? JSON.stringify(entry.value) : entry.problem}`);
    }
  } catch (error) {
    assert.ok(error instanceof CliError);
    assert.equal(error.exitCode, 5);
    told.push(error.message.replace('the file cannot be imported: ', ''));
  }
  return told;
}

test('lines are read whatever pieces they come in, with their numbers as an editor counts them', async () => {
  const file = `\uFEFF${HEADER}\r\n\r\n{"a":"ä€😀"}\r\n   \n\n{"b":2}`;
  for (const size of [1, 2, 3, 5, 64, 4096])
    assert.deepEqual(await read(file, { size }), ['3 {"a":"ä€😀"}', '6 {"b":2}']);
});

test('a line that cannot be read is named, and the ones after it are read', async () => {
  const long = `{"x":"${'x'.repeat(3 * MAX_LINE_BYTES)}"}`;
  const file = [HEADER, '{"a":1}', long, '[1]', 'iapikeyok-secret', '{"cut":', '{"b":2}', ''].join('\n');
  const noObject = 'is not a JSON object, or only a part of one';
  assert.deepEqual(await read(file, { size: 4096 }), [
    '2 {"a":1}',
    `3 is longer than ${MAX_LINE_BYTES} bytes`,
    `4 ${noObject}`,
    `5 ${noObject}`,
    `6 ${noObject}`,
    '7 {"b":2}',
  ]);
  const fits = `{"x":"${'x'.repeat(MAX_LINE_BYTES - 9)}"}`;
  assert.match((await read(`${HEADER}\n${fits}\n`, { size: 1_000 }))[0] ?? '', /^2 \{"x":"x+"\}$/);
  const latin1 = Buffer.concat([Buffer.from(`${HEADER}\n`), Buffer.from('{"name":"M\xfcnchen"}\n{"b":2}\n', 'latin1')]);
  assert.deepEqual(await read(latin1), ['2 is not UTF-8 text', '3 {"b":2}']);
});

test('a file that is something else is refused at its first line', async () => {
  const first = `its first line must be ${HEADER}. For keys of another system, see --format`;
  for (const content of ['{"key":"x"}', 'iapikeyok-secret\n', '[]', '{"format":"other","version":1}', '\x00\x01'])
    assert.deepEqual(await read(content), [first]);
  assert.deepEqual(await read(Buffer.from(`\uFEFF${HEADER}\n`, 'utf16le')), [first]);
  assert.deepEqual(await read(''), [`it is empty: its first line must be ${HEADER}`]);
  assert.deepEqual(await read('{"format":"keygate-keys","version":2}\n{"a":1}'), [
    'its version is 2, and this Keygate knows 1. Use the Keygate it came from',
  ]);
});

test('an export that was cut is noticed, wherever the cut is', async () => {
  const whole = `${WITH_TRAILER}\n{"a":1}\n{"b":2}\n{"format":"keygate-keys","keys":2}\n`;
  assert.deepEqual(await read(whole), ['2 {"a":1}', '3 {"b":2}']);
  const bytes = Buffer.from(whole);
  for (let length = WITH_TRAILER.length; length < bytes.length - 1; length++) {
    const told = await read(bytes.subarray(0, length));
    assert.match(told.at(-1) ?? '', /^it was cut: the last line of an export is missing/, `${length} bytes`);
  }
  assert.match((await read(whole.replace('{"a":1}\n', ''))).at(-1) ?? '', /it has 1 keys, and says that there are 2/);
  assert.match((await read(`${whole}{"c":3}\n`)).at(-1) ?? '', /line 5 comes after the last line/);
});

test('other formats give keys a name', async () => {
  const text = await read('the-first-old-key\n\nthe-second-old-key\r\n', { format: 'text' });
  assert.deepEqual(text, [
    '1 {"key":"the-first-old-key","name":"key-1"}',
    '3 {"key":"the-second-old-key","name":"key-3"}',
  ]);
  const list = [
    { id: 'a', name: 'agents', key: 'gcik_1', type: 'sensor', tags: [], createdBy: 'x' },
    { name: 'b' },
    { name: 'c', key: 'k', tags: ['eu'] },
  ];
  assert.deepEqual(await read(JSON.stringify(list), { format: 'groundcover' }), [
    '1 {"name":"agents","key":"gcik_1","type":"sensor"}',
    '2 must have a name and a key',
    '3 {"name":"c","key":"k","tags":["eu"]}',
  ]);
  assert.deepEqual(await read('{}', { format: 'groundcover' }), [
    'it must be a JSON list of keys, each with name, key and type',
  ]);
});

test('the text of a key is replaced by its digest', () => {
  const digestsOf = createDigester({});
  const line = { key: 'a-key-of-another-system', name: 'agents', type: 'sensor', expiration: '2090-01-01' };
  assert.deepEqual(prepareLine(line, digestsOf), {
    line: { name: 'agents', type: 'sensor', expiresAt: Date.parse('2090-01-01'), digest: digestOf(line.key) },
  });
  const peppered = createDigester({ pepper: { id: 'p', secret: 'a pepper of the tests' } });
  const { digest, alternates } = peppered(line.key);
  assert.deepEqual(prepareLine({ key: line.key, name: 'a', expiration: 5 }, peppered), {
    line: { name: 'a', expiresAt: 5, digest, alternates },
  });
  const ours = createKeyText('ingestion');
  assert.deepEqual(prepareLine({ key: ours, name: 'ours' }, digestsOf), {
    line: { name: 'ours', digest: digestOf(ours) },
  });
  const other = { id: '1', digest: 'x' };
  assert.deepEqual(prepareLine(other, digestsOf), { line: other });
});

test('a text that could never be used, or be guessed, is refused without being repeated', () => {
  const ours = createKeyText('ingestion');
  const cases: [object, RegExp][] = [
    [{ key: 5 }, /^key: must be 1 to 512 visible ASCII characters/],
    [{ key: 'with a space in it, really' }, /^key: must be 1 to 512/],
    [{ key: 'ä'.repeat(20) }, /^key: must be 1 to 512/],
    [{ key: 'x'.repeat(513) }, /^key: must be 1 to 512/],
    [{ key: 'short-secret' }, /^key: must have at least 16 characters/],
    [{ key: createKeyText('service') }, /^key: is a service token/],
    [{ key: ours.slice(0, -1) }, /^key: looks like one of Keygate/],
    [{ key: ours, digest: 'x' }, /has a key and an id or a digest/],
    [{ key: ours, id: '5' }, /has a key and an id or a digest/],
    [{ key: ours, expiration: '2090-02-30' }, /^expiration: must be a day that the calendar has/],
  ];
  for (const [line, expected] of cases) {
    const prepared = prepareLine({ name: 'x', ...line }, createDigester({}));
    assert.ok('problem' in prepared);
    assert.match(prepared.problem, expected);
    for (const value of Object.values(line))
      assert.ok(!prepared.problem.includes(String(value)) || value === 5 || value === 'x' || value === '5');
  }
});

function progressOn(isTTY: boolean) {
  let nowMs = 0;
  const written: string[] = [];
  const stderr = { isTTY, write: (text: string) => void written.push(text) };
  const progress = createProgress({ stderr, now: () => nowMs, verb: 'read' });
  return { progress, written, advance: (ms: number) => void (nowMs += ms) };
}

test('a short run shows no progress', () => {
  for (const isTTY of [true, false]) {
    const { progress, written, advance } = progressOn(isTTY);
    for (let count = 0; count < 9; count++) {
      progress.at(count, count / 9);
      advance(100);
    }
    progress.end();
    assert.deepEqual(written, []);
  }
});

test('on a terminal a bar is drawn over, and gone in the end', () => {
  const { progress, written, advance } = progressOn(true);
  advance(2_000);
  progress.at(500_000, 0.5);
  advance(50);
  progress.at(510_000, 0.51);
  advance(1_950);
  progress.at(1_000_000);
  progress.interrupt();
  progress.end();
  assert.deepEqual(written, [
    '[############            ]  50%  500,000 read, 250,000/s',
    '\r\u{1b}[2K',
    '1,000,000 read, 250,000/s',
    '\r\u{1b}[2K',
  ]);
});

test('elsewhere there is a line every ten seconds', () => {
  const { progress, written, advance } = progressOn(false);
  for (let second = 1; second <= 25; second++) {
    advance(1_000);
    progress.at(second * 1_000, second / 100);
  }
  progress.end();
  assert.deepEqual(written, [
    'keygate: 1,000 read, 1,000/s,   1%\n',
    'keygate: 11,000 read, 1,000/s,  11%\n',
    'keygate: 21,000 read, 1,000/s,  21%\n',
  ]);
});
