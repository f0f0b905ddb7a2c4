import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import { createDigester } from '../../src/credential/digest.ts';
import type { AuditEntry } from '../../src/keys/audit.ts';
import { createKeyService } from '../../src/keys/service.ts';
import type { KeyService, KeyServiceOptions } from '../../src/keys/service.ts';
import { KeyServiceError } from '../../src/keys/service-error.ts';
import type { KeyServiceFault } from '../../src/keys/service-error.ts';
import type { KeyStore } from '../../src/store/port.ts';
import { createSqliteStore } from '../../src/store/sqlite/store.ts';

export const DAY_MS = 86_400_000;

/** A service on a store of its own, with a clock that the test sets; `wrap` stands between the two. */
export function setUpService(
  t: TestContext,
  wrap: (store: KeyStore) => KeyStore = (store) => store,
  options: Partial<KeyServiceOptions> = {},
) {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-service-'));
  const store = createSqliteStore({ path: join(directory, 'keygate.db') });
  t.after(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });
  let nowMs = 1_700_000_000_000;
  const audited: AuditEntry[] = [];
  const service = createKeyService({
    store: wrap(store),
    digester: createDigester({}),
    now: () => nowMs,
    random: randomBytes,
    tombstoneMs: 30 * DAY_MS,
    audited: (entry) => audited.push(entry),
    ...options,
  });
  return { service, store, audited, now: () => nowMs, advance: (ms: number) => void (nowMs += ms) };
}

/** The keys in a store that gateways use, from outside, as the command line has them. */
export function openKeyService(store: KeyStore): KeyService {
  return createKeyService({
    store,
    digester: createDigester({}),
    now: Date.now,
    random: randomBytes,
    tombstoneMs: DAY_MS,
  });
}

/** For assert.rejects: the fault, and the words that say what to do about it. */
export function failsWith(code: KeyServiceFault, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof KeyServiceError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}
