import type * as net from 'node:net';

/**
 * What a read may bring at once. All connections read into the same memory, one after the other, so that quiet ones hold none and
 * busy ones allocate none; it is never given away. It is also what one connection can make of work before others have their turn.
 */
const READ_BYTES = 64 * 1024;

let shared: Buffer | undefined;

/**
 * Node reads into memory of the caller's choice for outgoing sockets only (the option `onread`); for accepted ones the same
 * machinery is set here as its constructor would set it. Where a Node does not have it as expected, nothing is touched.
 */
type Slots = Record<symbol, unknown> & {
  readonly _handle?: { readonly useUserBuffer?: ((memory: Buffer) => void) | undefined } | null;
};

interface Names {
  /** Holds the memory that is read into. */
  readonly memory: symbol;
  /** Holds the function that is called with the number of bytes that were read; `false` stops the reading. */
  readonly callback: symbol;
}

/**
 * From now on what this connected socket receives is told to `onBytes`, in memory that is valid until it returns only. False when
 * that cannot be done; then it still comes as `data`. The socket's own `pause` and `resume` work as ever, and so do its other events.
 */
export function readShared(socket: net.Socket, onBytes: (chunk: Buffer) => void): boolean {
  const slots = socket as unknown as Slots;
  const names = namesOf(slots);
  // oxlint-disable-next-line no-underscore-dangle -- the name is Node's
  const handle = slots._handle;
  if (names === undefined || typeof handle?.useUserBuffer !== 'function' || socket.readableLength > 0) return false;
  const memory = (shared ??= Buffer.allocUnsafeSlow(READ_BYTES));
  slots[names.memory] = memory;
  // Where there may be more, the others come first: libuv would read it on and on, up to 32 times.
  const readOn = (): void => {
    if (!socket.destroyed && !socket.isPaused()) socket.resume();
  };
  slots[names.callback] = (size: number): boolean => {
    onBytes(memory.subarray(0, size));
    if (size < READ_BYTES) return true;
    setImmediate(readOn);
    return false;
  };
  handle.useUserBuffer(memory);
  return true;
}

/** The opposite: what arrives from now on is read from the socket as from any stream. */
export function readAsStream(socket: net.Socket): void {
  const slots = socket as unknown as Slots;
  const names = namesOf(slots);
  if (names === undefined || !(slots[names.memory] instanceof Buffer)) return;
  // The memory is known to the handle and stays; what lies in it is not the stream's to keep.
  const memory = slots[names.memory] as Buffer;
  slots[names.callback] = (size: number): boolean => socket.push(Buffer.from(memory.subarray(0, size)));
}

let known: Names | undefined;

function namesOf(slots: Slots): Names | undefined {
  if (known !== undefined) return known;
  const symbols = Object.getOwnPropertySymbols(slots);
  const memory = symbols.find((symbol) => symbol.description === 'kBuffer');
  const callback = symbols.find((symbol) => symbol.description === 'kBufferCb');
  if (memory === undefined || callback === undefined) return undefined;
  if (slots[memory] !== null || slots[callback] !== null) return undefined;
  known = { memory, callback };
  return known;
}
