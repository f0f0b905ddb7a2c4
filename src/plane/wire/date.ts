let second = 0;
let text = '';

/** The time as answers say it (RFC 9110 section 5.6.7): the same text for a second. */
export function httpDate(): string {
  const now = Math.floor(Date.now() / 1_000);
  if (now !== second) {
    second = now;
    text = new Date(now * 1_000).toUTCString();
  }
  return text;
}
