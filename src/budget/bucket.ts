/** A token bucket: fills steadily up to its burst. It may be drawn below zero, and then pays that back first. */
export interface Bucket {
  level: number;
  /** When that was its level. */
  atMs: number;
}

/** Kept apart from the bucket, since those of a key can change while its bucket is in use. */
export interface Flow {
  readonly perSecond: number;
  readonly burst: number;
}

export function fullBucket({ burst }: Flow, nowMs: number): Bucket {
  return { level: burst, atMs: nowMs };
}

/** Brings the bucket up to now. */
export function refill(bucket: Bucket, { perSecond, burst }: Flow, nowMs: number): void {
  bucket.level = Math.min(burst, bucket.level + ((nowMs - bucket.atMs) / 1_000) * perSecond);
  bucket.atMs = nowMs;
}

/** How long until the bucket, brought up to now, has this much; 0 if it does. */
export function msUntil(bucket: Bucket, { perSecond }: Flow, level: number): number {
  return Math.max(0, ((level - bucket.level) / perSecond) * 1_000);
}
