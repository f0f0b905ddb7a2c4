import { Cleanups } from '../support/scope.ts';
import { startWireServer } from '../support/wire-server.ts';
import { memorySocket } from './memory-socket.ts';
import { chop } from './mutate.ts';
import { turns, withKey } from './target.ts';
import type { Target } from './target.ts';

/** What an answer may say beside the body that it repeats, for each byte that was sent: refusals are longer than heads. */
const MAX_ANSWER_FACTOR = 120;
const MAX_ANSWER_BYTES = 128 * 1_024;
const MAX_TURNS = 200;

/** A whole connection of a sender, before a collector that answers with what it gets. */
export async function serverTarget(protocol: 'http1' | 'http2'): Promise<Target> {
  const cleanups = new Cleanups();
  const server = await startWireServer(cleanups);

  return {
    async run(input, chance) {
      const bytes = withKey(input, server.key);
      const { near, far } = memorySocket();
      let answered = 0;
      far.on('data', (chunk: Buffer) => (answered += chunk.length));
      server.serve(near, protocol);
      for (const piece of chop(bytes, chance)) {
        if (!far.destroyed && far.writable) far.write(piece);
        if (chance.below(4) === 0) await turns(1);
      }
      await turns(4);
      if (chance.below(2) === 0) far.end();
      else far.destroy();
      near.destroy();
      for (let i = 0; server.connections.size + server.underWay.size > 0; i++) {
        if (i === MAX_TURNS)
          return `${server.connections.size} connections and ${server.underWay.size} requests are left`;
        await turns(1);
      }
      if (server.held.total !== 0) return `${server.held.total} bytes of bodies are still counted as held`;
      (server.calls as unknown[]).length = 0;
      (server.reports as unknown[]).length = 0;
      (server.handedOver as unknown[]).length = 0;
      (server.spent as unknown[]).length = 0;
      const bound = MAX_ANSWER_BYTES + MAX_ANSWER_FACTOR * bytes.length;
      return answered > bound ? `${bytes.length} bytes were answered with ${answered}` : undefined;
    },
    close: () => cleanups.run(),
  };
}
