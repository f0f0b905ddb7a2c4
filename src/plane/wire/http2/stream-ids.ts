/** What is known of the ids of a peer's streams (RFC 9113 section 5.1.1), also of those that are over. */
export class StreamIds {
  /** The largest that was begun. */
  last = 0;
  /** Ids between these two were passed over, and are no stream's. */
  #passedFrom = 0;
  #passedTo = 0;
  /** Those that we have reset last: what was under way then is no error of the peer. */
  #reset: Int32Array | undefined;
  #resets = 0;
  readonly #maxStreams: number;

  constructor(maxStreams: number) {
    this.#maxStreams = maxStreams;
  }

  begin(streamId: number): void {
    if (streamId > this.last + 2) {
      this.#passedFrom = this.last;
      this.#passedTo = streamId;
    }
    this.last = streamId;
  }

  /** Whether the peer could begin it now or later. */
  isIdle(streamId: number): boolean {
    return streamId > this.last || (streamId & 1) === 0;
  }

  wasPassedOver(streamId: number): boolean {
    return streamId > this.#passedFrom && streamId < this.#passedTo;
  }

  rememberReset(streamId: number): void {
    this.#reset ??= new Int32Array(2 * this.#maxStreams); // twice as many as could be open at once
    this.#reset[this.#resets % this.#reset.length] = streamId;
    this.#resets += 1;
  }

  wasReset(streamId: number): boolean {
    return this.#reset?.includes(streamId) ?? false;
  }
}
