import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import type { Scope } from './scope.ts';

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
  readonly certPath: string;
  readonly keyPath: string;
}

/**
 * A self-signed certificate for localhost and 127.0.0.1, which is also its own authority; for a year, or until then. Those that are
 * trusted together must differ in their names.
 */
export async function createCertificate(t: Scope, endsAt?: Date, name = 'localhost'): Promise<TestCertificate> {
  const directory = await mkdtemp(join(tmpdir(), 'keygate-tls-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    ...(endsAt && { notAfterDate: endsAt }),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  const certPath = join(directory, 'cert.pem');
  const keyPath = join(directory, 'key.pem');
  await writeFile(certPath, cert);
  await writeFile(keyPath, key, { mode: 0o600 });
  return { cert, key, certPath, keyPath };
}
