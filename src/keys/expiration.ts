/** A day as people write it, and the instant that Keygate takes it for. */
export type ExpirationResult = { readonly expiresAt: number } | { readonly problem: string };

/** `yyyy-MM-dd` means 00:00 UTC at the start of that day: on that day the key no longer works. */
export function parseExpirationDate(text: string): ExpirationResult {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text))
    return { problem: 'must be a date as yyyy-MM-dd, such as 2030-12-31' };
  const expiresAt = Date.parse(`${text}T00:00:00Z`);
  // Some days that no calendar has, such as 02-30, are read as a day of the next month.
  const isReal = !Number.isNaN(expiresAt) && new Date(expiresAt).toISOString().startsWith(text);
  return isReal ? { expiresAt } : { problem: 'must be a day that the calendar has' };
}
