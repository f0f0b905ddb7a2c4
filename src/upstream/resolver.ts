import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** The addresses of a host, in any order. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** As every other program on this machine does it: the hosts file, then DNS. */
export const resolveBySystem: Resolve = async (host) =>
  (await lookup(host, { all: true })).map(({ address }) => address);

export interface ResolverOptions {
  readonly host: string;
  readonly resolve: Resolve;
  readonly intervalMs: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** From 0 to 1, without 1. */
  readonly random: () => number;
  /** At least one, each once. */
  readonly found: (addresses: ReadonlySet<string>) => void;
  /** Hears when the name cannot be resolved any more, or can again; of the first time, only if it cannot. */
  readonly changed: ((outcome: 'ok' | 'failed', error?: Error) => void) | undefined;
}

export interface Resolver {
  /** Asks without waiting for the interval to pass. */
  soon(): void;
  close(): void;
}

/** Whatever goes wrong, a name is asked for no more often than this. */
const MIN_GAP_MS = 1_000;

/** Asks for the addresses of a name at once, and again and again, one question at a time. */
export function createResolver(options: ResolverOptions): Resolver {
  const { host, resolve, intervalMs, now, random, found, changed } = options;
  let timer: NodeJS.Timeout | undefined;
  let askedAt = 0;
  let isAsking = false;
  let isSoon = false;
  let isFailing = false;
  let isClosed = false;

  function plan(inMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => void ask(), inMs).unref();
  }

  async function ask(): Promise<void> {
    isAsking = true;
    isSoon = false;
    askedAt = now();
    const answer = await addressesOf(host, resolve);
    isAsking = false;
    if (isClosed) return;
    // Gateways that were started together do not go on asking together.
    plan(answer instanceof Error ? MIN_GAP_MS * (1 + random()) : intervalMs * (0.9 + 0.2 * random()));
    if (answer instanceof Error) {
      if (!isFailing) changed?.('failed', answer);
      isFailing = true;
      return;
    }
    if (isFailing) changed?.('ok');
    isFailing = false;
    found(answer);
  }

  void ask();

  return {
    soon() {
      if (isAsking || isSoon || isClosed) return;
      isSoon = true;
      plan(Math.max(askedAt + MIN_GAP_MS - now(), 0));
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

async function addressesOf(host: string, resolve: Resolve): Promise<ReadonlySet<string> | Error> {
  try {
    const addresses = new Set((await resolve(host)).filter((address) => isIP(address) !== 0));
    return addresses.size > 0 ? addresses : new Error(`${host} has no address`);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
