import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';

/** A file of the console, as it is sent. */
export interface Page {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * What the pages may do: load and ask nothing but what is here, be shown in no frame, and make no markup out of texts (Trusted
 * Types), so that a name that looks like markup stays a name even if we forget. W3C Content Security Policy Level 3; OWASP,
 * "Cross-Site Scripting Prevention".
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

export const PAGE_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

const FOLDER = join(import.meta.dirname, 'pages');

/** The files of the console by their names, in memory: some dozens, with some hundred kilobytes together. */
export function readPages(): ReadonlyMap<string, Page> {
  const pages = new Map<string, Page>();
  for (const name of readdirSync(FOLDER)) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const bytes = readFileSync(join(FOLDER, name));
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
    pages.set(name, {
      bytes,
      etag,
      // The files hold no data. They are asked for again each time, so that those of two versions are never mixed.
      headers: { ...PAGE_HEADERS, 'content-type': type, 'cache-control': 'no-cache', etag },
    });
  }
  if (!pages.has('index.html')) throw new Error(`the pages of the console are missing in ${FOLDER}: build them anew`);
  return pages;
}
