import type { RawCall } from './grpc-channel.ts';

/**
 * Cancels a call; a no-op on one that has ended. grpc-js opens a call that is cancelled in the turn of the loop in which it
 * was made all the same, after it has forgotten about it, and nothing would ever end it: so it is told twice.
 */
export function cancelCall(call: RawCall): void {
  call.cancel();
  setImmediate(() => call.cancel());
}
