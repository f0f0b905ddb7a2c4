import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Cell } from '../interop/neighbour.ts';
import { readResults } from '../interop/page.ts';
import { SITUATIONS } from '../interop/sdks/situations.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/outages.md'), 'utf8');

/** What an SDK could keep, in the words of the page. */
function keptOf(cell: Cell | undefined): string {
  if (cell?.outcome !== 'pass') return '?';
  return cell.saw.startsWith('all ') ? 'everything' : 'a part';
}

test('docs/outages.md says of each SDK what its last run showed', () => {
  const rows = readResults()
    .filter(({ name }) => name.startsWith('sdk-'))
    .flatMap(({ title, tables }) =>
      tables.flatMap(({ columns, rows }) =>
        columns.map((protocol) => {
          const kept = (['away2', 'away60', 'away60-known'] as const).map((happening) =>
            keptOf(rows.find(({ name }) => name === SITUATIONS[happening].title)?.cells[protocol]),
          );
          return `| ${[title.replace('OpenTelemetry SDK for ', ''), protocol, ...kept].join(' | ')} |`;
        }),
      ),
    );
  const [, table = ''] = /\n\| SDK \|[^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n)+)/.exec(page) ?? [];
  assert.deepEqual(table.trim().split('\n').toSorted(), rows.toSorted());
});
