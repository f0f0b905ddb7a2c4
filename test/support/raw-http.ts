import type { TestContext } from 'node:test';
import { connectRaw } from './http-client.ts';

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
}

export interface Conversation {
  /** Every answer that came, in their order. */
  readonly answers: readonly RawAnswer[];
  /** Just their statuses. */
  readonly statuses: readonly number[];
  /** All that came, as it came. */
  readonly text: string;
}

const PATIENCE_MS = 5_000;

/**
 * Writes these bytes on a connection of its own and reads until the other side closes it. Fails if it stays open: either
 * the bytes make the gateway close it, or they must ask for that (`Connection: close`).
 */
export async function converse(t: TestContext, port: number, bytes: string | Buffer): Promise<Conversation> {
  const socket = await connectRaw(t, port);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  const closed = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the connection stayed open after: ${text}`)), PATIENCE_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  await closed;
  const answers = Array.from(text.matchAll(/HTTP\/1\.1 (\d{3}) [^]*?\r\n\r\n/g), ([head, status]) => ({
    status: Number(status),
    head,
  }));
  return { answers, statuses: answers.map(({ status }) => status), text };
}

/** A request head, or a whole request if a body follows; lines end as HTTP wants them to. */
export function request(line: string, fields: readonly string[], body = ''): string {
  return `${[line, ...fields].join('\r\n')}\r\n\r\n${body}`;
}
