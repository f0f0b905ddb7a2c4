import { z } from 'zod';

/** Durations and sizes are written with their unit ("100ms", "5s", "64MiB") and read as milliseconds and bytes. */

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_UNITS = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

type Units = Readonly<Record<string, number>>;

/** A quantity written with one of these units; the bounds are written the same way, and named in every fault. */
function quantity(units: Units, what: string, min: string, max: string) {
  const names = Object.keys(units);
  const form = new RegExp(`^([0-9]+(?:\\.[0-9]+)?)(${names.join('|')})$`);
  const read = (text: string): number => {
    const [, amount, unit = ''] = form.exec(text) ?? [];
    return Math.round(Number(amount) * (units[unit] ?? Number.NaN));
  };
  const lowest = read(min);
  const highest = read(max);
  if (!(lowest <= highest)) throw new TypeError(`bounds must be written as ${what}: ${min}, ${max}`);
  const fault = `must be ${what} from ${min} to ${max}, with its unit: ${names.join(', ')}`;
  return z
    .string(fault)
    .regex(form, fault)
    .transform((text, context) => {
      const value = read(text);
      if (value >= lowest && value <= highest) return value;
      context.addIssue({ code: 'custom', message: fault });
      return z.NEVER;
    })
    .meta({ form: `${what} from ${min} to ${max}` });
}

/** Milliseconds, written as a number and ms, s, m, h or d. */
export const duration = (min: string, max: string) => quantity(DURATION_UNITS, 'a duration', min, max);

/** Bytes, written as a number and B, KiB, MiB or GiB. */
export const size = (min: string, max: string) => quantity(SIZE_UNITS, 'a size', min, max);
