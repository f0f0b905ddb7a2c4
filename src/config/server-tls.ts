import { z } from 'zod';
import { inputFile } from './values.ts';

export interface ServerTlsWords {
  /** What holds with it, and without. */
  readonly about: string;
  /** What becomes of clients without a certificate. */
  readonly without: string;
}

/** TLS of a port. A new certificate is shown to whoever connects next, so these options need no restart. */
export function serverTls({ about, without }: ServerTlsWords) {
  return z
    .strictObject({
      cert: inputFile
        .describe('PEM file with the certificate chain.')
        .meta({ examples: ['/etc/keygate/tls.crt'], reloads: 'yes' }),
      key: inputFile
        .describe('PEM file with the private key.')
        .meta({ examples: ['/etc/keygate/tls.key'], reloads: 'yes' }),
      clientCa: inputFile
        .nullable()
        .default(null)
        .describe(`PEM file of the authorities whose client certificates are verified. ${without}`)
        .meta({ reloads: 'unless null' }),
    })
    .nullable()
    .default(null)
    .describe(about);
}
