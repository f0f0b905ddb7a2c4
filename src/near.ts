/** The candidate that a mistyped word was probably meant to be, or undefined if none is close. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const plainWord = plain(word);
  const tolerance = Math.min(3, Math.floor(plainWord.length / 3));
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(plainWord, plain(candidate));
    if (distance <= tolerance && distance < (best?.distance ?? Infinity)) best = { candidate, distance };
  }
  return best?.candidate;
}

/** Spelling conventions are not typing errors: max_body, max-body and MAXBODY are all maxBody. */
export function plain(word: string): string {
  return word.replaceAll(/[_-]/g, '').toLowerCase();
}

const MAX_WORD_LENGTH = 100;

/**
 * How many letters have to be put in, left out, replaced, or swapped with their neighbour (Damerau's and Levenshtein's
 * distance, in its restricted form). Words that no option is as long as are not compared.
 */
function editDistance(a: string, b: string): number {
  if (a.length > MAX_WORD_LENGTH || b.length > MAX_WORD_LENGTH) return Infinity;
  const rows = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    rows.push(current);
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      const isSwapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current[column] = Math.min(
        at(row - 1, column - 1) + (isSame ? 0 : 1),
        at(row - 1, column) + 1,
        at(row, column - 1) + 1,
        isSwapped ? at(row - 2, column - 2) + 1 : Infinity,
      );
    }
  }
  return at(a.length, b.length);
}
