/** A collector that owes answers and says nothing for this long is asked whether it is still there. */
const QUIET_MS = 10_000;
/** How long it may take to say so. */
const PING_TIMEOUT_MS = 20_000;
/** grpc-go's servers end connections whose pings come more often than every 5 minutes, or while nothing is under way. */
const PING_GAP_MS = 330_000;

/** Notices when the other side of a connection is gone without a word. */
export class Liveness {
  #quietSinceMs: number;
  #pingedAtMs = -Infinity;
  #isPinged = false;
  #wasHeard = false;

  constructor(nowMs: number) {
    this.#quietSinceMs = nowMs;
  }

  /** Something has come. */
  heard(): void {
    this.#wasHeard = true;
  }

  /** Looked at a few times a second. */
  check(nowMs: number, owesAnswers: boolean): 'well' | 'ping' | 'dead' {
    if (this.#wasHeard || (!owesAnswers && !this.#isPinged)) {
      this.#wasHeard = false;
      this.#isPinged = false;
      this.#quietSinceMs = nowMs;
      return 'well';
    }
    if (this.#isPinged) return nowMs - this.#pingedAtMs > PING_TIMEOUT_MS ? 'dead' : 'well';
    if (nowMs - this.#quietSinceMs < QUIET_MS || nowMs - this.#pingedAtMs < PING_GAP_MS) return 'well';
    this.#isPinged = true;
    this.#pingedAtMs = nowMs;
    return 'ping';
  }
}
