import type { Case } from './judge.ts';

/** Reads the JUnit report that `h2spec --junit-report` writes; a case that was skipped is left out. */
export function readReport(xml: string): readonly Case[] {
  return Array.from(
    xml.matchAll(/<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([^]*?)<\/testcase>/g),
    ([, section = '', description = '', inner = '']) => ({
      name: unescape(`${section} ${description}`),
      failure: /<failure>([^]*?)<\/failure>|<error>([^]*?)<\/error>/.exec(inner)?.slice(1).join(''),
      skipped: inner.includes('<skipped>'),
    }),
  )
    .filter(({ skipped }) => !skipped)
    .map(({ name, failure }) => ({ name, failure: failure && unescape(failure).trim().replaceAll(/\s+/g, ' ') }));
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name: string) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(String(hex), 16));
    return ENTITIES[name] ?? whole;
  });
}
