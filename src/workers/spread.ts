import type { Socket } from 'node:net';
import type { Port } from '../plane/plane.ts';

/** A worker, as far as connections are concerned. */
export interface Seat {
  /** Hands the connection over; `taken` is to be told when it has arrived. */
  pass(port: Port, socket: Socket): void;
}

/** Which worker serves which connection. */
export interface Spread<S extends Seat> {
  join(seat: S): void;
  /** It gets no more; those that it has are counted until it leaves. */
  dismiss(seat: S): void;
  /** Its connections are over, but for those that it has not been given yet: others get them. */
  leave(seat: S): void;
  arrived(port: Port, socket: Socket): void;
  taken(seat: S): void;
  closed(seat: S, port: Port, connections: number): void;
  /** Hands over those that wait, however busy the workers are: no others will come. */
  flush(): void;
}

export interface SpreadOptions {
  /** The most connections of each port; those above are closed. So many may wait for a worker, too. */
  readonly maxConnections: () => number;
  /** One was closed, because there were so many. */
  readonly turnedAway: (port: Port, peer: string | undefined) => void;
}

interface Place {
  readonly open: Record<Port, number>;
  /** A connection is on its way to it. */
  isBusy: boolean;
  isDismissed: boolean;
}

/**
 * Gives each new connection to the worker that has the fewest. Connections of HTTP/2 live for days: taken in turn, a worker that was
 * replaced would have next to none for as long. Each worker is given one at a time, so one that is stuck holds up no more than one.
 */
export function createSpread<S extends Seat>({ maxConnections, turnedAway }: SpreadOptions): Spread<S> {
  const places = new Map<S, Place>();
  const waiting: { readonly port: Port; readonly socket: Socket }[] = [];
  const waitingOn = noneOpen();

  function openOn(port: Port): number {
    let count = waitingOn[port];
    for (const { open } of places.values()) count += open[port];
    return count;
  }

  /** The one with the fewest connections; those before it in turn are as good. */
  function quietest(mayBeBusy: boolean): readonly [S, Place] | undefined {
    let best: readonly [S, Place] | undefined;
    for (const entry of places) {
      const { isBusy, isDismissed } = entry[1];
      const isFree = !isDismissed && (mayBeBusy || !isBusy);
      if (isFree && (best === undefined || sum(entry[1]) < sum(best[1]))) best = entry;
    }
    return best;
  }

  function handOver(mayBeBusy = false): void {
    while (waiting.length > 0) {
      const free = quietest(mayBeBusy);
      const next = free && waiting.shift();
      if (free === undefined || next === undefined) return;
      const [seat, place] = free;
      waitingOn[next.port] -= 1;
      place.open[next.port] += 1;
      place.isBusy = true;
      seat.pass(next.port, next.socket);
    }
  }

  return {
    join(seat) {
      places.set(seat, { open: noneOpen(), isBusy: false, isDismissed: false });
      handOver();
    },
    dismiss(seat) {
      const place = places.get(seat);
      if (place !== undefined) place.isDismissed = true;
    },
    leave(seat) {
      places.delete(seat);
    },
    arrived(port, socket) {
      if (openOn(port) >= maxConnections()) {
        turnedAway(port, socket.remoteAddress);
        socket.destroy();
        return;
      }
      waiting.push({ port, socket });
      waitingOn[port] += 1;
      handOver();
    },
    taken(seat) {
      const place = places.get(seat);
      if (place === undefined) return;
      place.isBusy = false;
      handOver();
    },
    closed(seat, port, connections) {
      const place = places.get(seat);
      if (place !== undefined) place.open[port] -= connections;
    },
    flush() {
      handOver(true);
      // Nobody is there to take them: their senders go elsewhere.
      for (const { port, socket } of waiting.splice(0)) {
        waitingOn[port] -= 1;
        socket.destroy();
      }
    },
  };
}

/** Nothing of any port. */
export function noneOpen(): Record<Port, number> {
  return { grpc: 0, http: 0, authz_grpc: 0, authz_http: 0 };
}

function sum({ open }: Place): number {
  return open.grpc + open.http + open.authz_grpc + open.authz_http;
}
