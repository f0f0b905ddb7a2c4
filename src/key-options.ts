import { randomBytes } from 'node:crypto';
import type { Config } from './config/schema.ts';
import { createDigester } from './credential/digest.ts';
import type { Digester } from './credential/digest.ts';
import { createTokens } from './credential/token.ts';
import type { Tokens } from './credential/token.ts';
import { createSealer } from './keys/seal.ts';
import type { Sealer } from './keys/seal.ts';

// The configuration, in the words of those who make keys: gateways and commands must agree about each.

export function digesterOf({ pepper, previousPeppers }: Config['keys']): Digester {
  return createDigester({ pepper: pepper ?? undefined, previousPeppers });
}

/** Absent where no secret is known by which a token could be told from any text. */
export function tokensOf({ tokens: { secret, previousSecrets, lifetime } }: Config['keys']): Tokens | undefined {
  const [first, ...others] = secret === null ? previousSecrets : [secret, ...previousSecrets];
  if (first === undefined) return undefined;
  return createTokens({ secret: first, previousSecrets: others, lifetimeMs: lifetime });
}

export function sealerOf({ revealable: { types, encryptionKey, previousEncryptionKeys } }: Config['keys']): Sealer {
  return createSealer({
    types,
    key: encryptionKey ?? undefined,
    previousKeys: previousEncryptionKeys,
    random: randomBytes,
  });
}
