import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findCycles, MAX_LINES } from './rules.ts';

/** What holds for the pages of the console, which no compiler and no room sees. */

const folder = join(import.meta.dirname, '../../src/console/pages');
const files = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
const scripts = [...files].filter(([name]) => name.endsWith('.js'));
const sheets = [...files.keys()].filter((name) => name.endsWith('.css'));
const index = files.get('index.html') ?? '';

const WAYS_OF_MARKUP =
  /\b(innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|setHTML\w*|parseHTML\w*|document\.write|srcdoc\s*=|eval\(|new Function)/;
const MEMORIES = /\b(localStorage|sessionStorage|indexedDB|document\.cookie|caches\.|serviceWorker)\b/;

test('no script makes markup out of text, and none keeps anything in the browser', () => {
  assert.ok(scripts.length > 20);
  for (const [name, text] of scripts) {
    assert.doesNotMatch(text, WAYS_OF_MARKUP, name);
    assert.doesNotMatch(text, MEMORIES, name);
  }
});

test('nothing is loaded from elsewhere, and the page itself holds neither scripts nor styles', () => {
  for (const [name, text] of files) {
    const addresses = [...text.matchAll(/\b(?:https?:)?\/\/[\w.]+[^\s'"`]*/g)].map(([address]) => address);
    // The name of SVG, and what stands in a field as an example.
    const foreign = addresses.filter(
      (address) => !/^http:\/\/www\.w3\.org\/|^https:\/\/[a-z.]+\.example\.com$/.test(address),
    );
    assert.deepEqual(foreign, [], name);
  }
  assert.doesNotMatch(index, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
});

test('what the page asks for is there, and every style sheet is asked for', () => {
  const asked = [...index.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, name = '']) => name);
  assert.deepEqual(
    asked.filter((name) => !files.has(name)),
    [],
  );
  assert.deepEqual(
    sheets.filter((name) => !asked.includes(name)),
    [],
  );
});

test('scripts import what is there, without cycles, and every script is reached from the page', () => {
  const importsOf = (text: string): string[] =>
    [...text.matchAll(/^(?:import|\} from|export .* from) .*?'(\.[^']+)';$/gm)].map(([, name = '']) =>
      name.replace('./', ''),
    );
  const graph = new Map(scripts.map(([name, text]) => [name, importsOf(text)]));
  const missing = [...graph].flatMap(([name, targets]) =>
    targets.filter((target) => !files.has(target)).map((target) => `${name}: ${target}`),
  );
  assert.deepEqual(missing, []);
  assert.deepEqual(findCycles(graph), []);
  const reached = new Set(['main.js', ...[...graph.values()].flat()]);
  assert.deepEqual(
    scripts.map(([name]) => name).filter((name) => !reached.has(name)),
    [],
  );
});

test('files are of bounded size', () => {
  const long = [...files].filter(([, text]) => text.split('\n').length - 1 > MAX_LINES).map(([name]) => name);
  assert.deepEqual(long, []);
});
