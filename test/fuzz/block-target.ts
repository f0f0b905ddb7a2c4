import { isDeepStrictEqual } from 'node:util';
import { RequestReader } from '../../src/plane/wire/http2/request-reader.ts';
import { Cleanups } from '../support/scope.ts';
import { startWireServer } from '../support/wire-server.ts';
import { withKey } from './target.ts';
import type { Target } from './target.ts';

/**
 * Header blocks, each behind its length in two bytes: one reader remembers those that it has read, and must make the same of
 * all of them as one that has never read another. A third has a table, as before our settings are acknowledged.
 */
export async function blockTarget(): Promise<Target> {
  const cleanups = new Cleanups();
  const { context, key } = await startWireServer(cleanups);
  const stateless = (): RequestReader => {
    const reader = new RequestReader(context, '127.0.0.1');
    reader.settingsHold();
    return reader;
  };

  return {
    async run(input) {
      const bytes = withKey(input, key);
      const remembering = stateless();
      const withTable = new RequestReader(context, '127.0.0.1');
      for (let at = 0; at + 2 <= bytes.length;) {
        const end = at + 2 + bytes.readUInt16BE(at);
        const block = bytes.subarray(at + 2, end);
        at = end;
        const endsWithHead = block.length % 2 === 0;
        const [one, other] = [remembering.read(block, endsWithHead), stateless().read(block, endsWithHead)];
        if (!isDeepStrictEqual(one, other))
          return `${JSON.stringify(one)} was remembered, and read anew it is ${JSON.stringify(other)}`;
        withTable.read(block, endsWithHead);
        withTable.readTrailers(block);
      }
      return undefined;
    },
    close: () => cleanups.run(),
  };
}
