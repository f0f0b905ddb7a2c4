import { randomBytes } from 'node:crypto';
import type { Config } from './config/schema.ts';
import { createDigester } from './credential/digest.ts';
import type { Digester } from './credential/digest.ts';
import { createSealer } from './keys/seal.ts';
import type { Sealer } from './keys/seal.ts';

// The configuration, in the words of those who make keys: gateways and commands must agree about each.

export function digesterOf({ pepper, previousPeppers }: Config['keys']): Digester {
  return createDigester({ pepper: pepper ?? undefined, previousPeppers });
}

export function sealerOf({ revealable: { types, encryptionKey, previousEncryptionKeys } }: Config['keys']): Sealer {
  return createSealer({
    types,
    key: encryptionKey ?? undefined,
    previousKeys: previousEncryptionKeys,
    random: randomBytes,
  });
}
