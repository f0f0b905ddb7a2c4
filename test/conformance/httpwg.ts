import { spawn } from 'node:child_process';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { judge } from './judge.ts';
import type { Case } from './judge.ts';
import { assertUnharmed, PLANE, startSubject } from './subject.ts';
import { cargoProgram } from './toolchain.ts';

/**
 * httpwg: what RFC 9113 asks of a server, by people who wrote their cases after it. It asks for "/" without a key, so that
 * all its requests are refused. It needs Linux with io_uring, which containers often forbid.
 */

const httpwg = cargoProgram({ crate: 'httpwg-cli', version: '0.2.5', program: 'httpwg' });

/** As many as this version has. */
const CASES = 107;

/** How long it waits for a frame before it says that none came. */
const PATIENCE_MS = 1_000;

describe(`httpwg over cleartext, plane: ${PLANE}`, () => {
  it('refused', async (t) => {
    const subject = await startSubject(t);
    const cases = await run(t, subject.gateway.addresses.grpc);
    await assertUnharmed(t, subject);
    judge('httpwg', 'cleartext', cases, CASES);
  });
});

async function run(t: TestContext, address: string): Promise<readonly Case[]> {
  const child = spawn(httpwg, ['-v', '-a', address, '--frame-timeout', String(PATIENCE_MS)], {
    // One after the other: all at once, as it would else, they would wait for each other.
    env: { ...process.env, SEQUENTIAL: '1', RUST_LOG: 'off', RUST_BACKTRACE: '0', NO_COLOR: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(() => void child.kill());
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  return readOutput(output.replaceAll(/\u001B\[[0-9;]*m/g, ''));
}

/** A case that panics says nothing but that it began. */
function readOutput(output: string): readonly Case[] {
  const begun = Array.from(output.matchAll(/Running test: (.*)/g), ([, name = '']) => name);
  const passed = new Set(Array.from(output.matchAll(/Test passed: (.*)/g), ([, name = '']) => name));
  const failed = new Map(
    Array.from(output.matchAll(/Test failed: (.*)\n\s*0: (.*)/g), ([, name = '', why = '']) => [name, why]),
  );
  return begun
    .map((name) => ({ name, failure: passed.has(name) ? undefined : (failed.get(name) ?? 'it panicked') }))
    .toSorted((one, other) => one.name.localeCompare(other.name));
}
