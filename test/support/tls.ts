import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { generate } from 'selfsigned';
import type { Scope } from './scope.ts';

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
  readonly certPath: string;
  readonly keyPath: string;
}

const LOOPBACK_NAMES = {
  name: 'subjectAltName' as const,
  altNames: [
    { type: 2 as const, value: 'localhost' },
    { type: 7 as const, ip: '127.0.0.1' },
  ],
};
const AUTHORITY = { name: 'basicConstraints' as const, cA: true, critical: true };

/**
 * A self-signed certificate for localhost and 127.0.0.1, which is also its own authority; for a year, or until then. Those that are
 * trusted together must differ in their names.
 */
export async function createCertificate(t: Scope, endsAt?: Date, name = 'localhost'): Promise<TestCertificate> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    ...(endsAt && { notAfterDate: endsAt }),
    extensions: [AUTHORITY, LOOPBACK_NAMES],
  });
  return keep(t, cert, key);
}

/** One that an authority has signed, as organisations have it: strict clients take none that is an authority itself. */
export async function createSignedCertificate(t: Scope): Promise<TestCertificate & { readonly authorityPath: string }> {
  const options = { keyType: 'ec' as const, algorithm: 'sha256' }; // its default is SHA-1, which clients refuse
  const authority = await generate([{ name: 'commonName', value: 'an authority' }], {
    ...options,
    extensions: [AUTHORITY],
  });
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    ...options,
    extensions: [LOOPBACK_NAMES],
    ca: { cert: authority.cert, key: authority.private },
  });
  const { certPath: authorityPath } = await keep(t, authority.cert, authority.private);
  return { ...(await keep(t, cert, key)), authorityPath };
}

async function keep(t: Scope, cert: string, key: string): Promise<TestCertificate> {
  const directory = await mkdtemp(join(tmpdir(), 'keygate-tls-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const certPath = join(directory, 'cert.pem');
  const keyPath = join(directory, 'key.pem');
  await writeFile(certPath, cert);
  await writeFile(keyPath, key, { mode: 0o600 });
  return { cert, key, certPath, keyPath };
}

/** What identifies a certificate. */
export const identityOf = ({ cert }: Pick<TestCertificate, 'cert'>): string => new X509Certificate(cert).fingerprint256;

/** That of the certificate that whoever connects to this host:port is shown. */
export async function identityAt(address: string): Promise<string> {
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  try {
    return await new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('secureConnect', () => resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? ''));
    });
  } finally {
    socket.destroy();
  }
}
