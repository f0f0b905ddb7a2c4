import type { PlaneLimits } from '../plane.ts';

/**
 * What the bodies of all requests together make the gateway hold. Each of them is bounded by its sender's window; but there may be
 * many, all before one collector that has stopped to read.
 */
export class HeldBytes {
  total = 0;
  readonly #limits: Pick<PlaneLimits, 'maxHeldBytes'>;

  constructor(limits: Pick<PlaneLimits, 'maxHeldBytes'>) {
    this.#limits = limits;
  }

  get isTooMuch(): boolean {
    return this.total > this.#limits.maxHeldBytes;
  }
}
