/** What moves a cursor, breaks a line, or turns the reading direction round to show another text than the one that is meant. */
export const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** Whether a text can be shown, logged and stored as it is. */
export function isPlainText(text: string, maxLength: number): boolean {
  return text.length <= maxLength && text.isWellFormed() && !UNPRINTABLE.test(text);
}

/** The same of a name: it is there, and has no spaces at its ends, which nobody would see. */
export function isPlainName(text: string, maxLength: number): boolean {
  return text.length >= 1 && text.trim() === text && isPlainText(text, maxLength);
}
