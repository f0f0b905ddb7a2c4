import type { WorkerEnd } from '../telemetry/worker-metrics.ts';
import type { End, Member } from './member.ts';

// How workers end though nobody told them to, and when another one is started in their place.

/** Whoever has served for so long is replaced at once when it ends; who ends sooner, after a pause that grows. */
export const STEADY_MS = 60_000;
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 30_000;

/** After so many ends in a row; the first time it is replaced at once. */
export function pauseBefore(failures: number): number {
  return failures <= 1 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (failures - 2), LAST_PAUSE_MS);
}

export function whyOf({ isHung, stage, objection }: Member, { signal }: End): WorkerEnd {
  if (isHung) return 'hung';
  if (stage === 'starting' || objection !== undefined) return 'unable';
  return signal === null ? 'crashed' : 'killed';
}

export function causeOf({ objection }: Member, { code, signal }: End): string {
  if (objection !== undefined) return objection;
  if (signal === 'SIGKILL') return 'it was killed (SIGKILL), which is what happens when memory runs out';
  if (signal !== null) return `it was ended by ${signal}`;
  return code === null
    ? 'its process could not be started'
    : `it ended with exit code ${code}; its last words are above`;
}
