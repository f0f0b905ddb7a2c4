import type * as net from 'node:net';
import { Duplex } from 'node:stream';

/** One end of a connection that needs no kernel. */
class End extends Duplex {
  other: End | undefined;
  #taken: (() => void) | undefined;

  override _read(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error) => void): void {
    const { other } = this;
    if (other === undefined || other.destroyed) callback(new Error('the other side has gone'));
    else if (other.push(chunk)) setImmediate(callback);
    else other.#taken = callback;
  }

  override _final(callback: () => void): void {
    this.other?.push(null);
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const { other } = this;
    setImmediate(() => other?.destroy());
    callback(error);
  }
}

/** Both ends of a connection: thousands of them a second. `near` is for a transport. */
export function memorySocket(): { readonly near: net.Socket; readonly far: Duplex } {
  const near = new End();
  const far = new End();
  near.other = far;
  far.other = near;
  const asSocket = Object.assign(near, {
    remoteAddress: '127.0.0.1',
    setNoDelay: () => asSocket,
    setKeepAlive: () => asSocket,
    setTimeout: () => asSocket,
    ref: () => asSocket,
    unref: () => asSocket,
  }) as unknown as net.Socket;
  near.on('error', () => {});
  far.on('error', () => {});
  return { near: asSocket, far };
}
