import fc from 'fast-check';

/**
 * Requests of one connection: good ones, some of them again and again; at most one that is odd, sometimes only by a field
 * more than what is known already; and a good one behind it.
 */
export function sequence<Plan extends { readonly fields: readonly unknown[] }>(
  clean: fc.Arbitrary<Plan>,
  odd: fc.Arbitrary<Plan>,
): fc.Arbitrary<(Plan & { readonly isOdd?: boolean })[]> {
  const again = fc
    .tuple(clean, fc.integer({ min: 1, max: 3 }))
    .map(([plan, times]) => Array.from({ length: times }, () => plan));
  return fc
    .tuple(fc.array(again, { maxLength: 2 }), fc.option(odd, { freq: 4, nil: undefined }), fc.boolean(), clean)
    .map(([groups, plan, isNearly, behind]) => {
      const before = groups.flat();
      const last = before.at(-1);
      if (plan === undefined) return [...before, behind];
      const near = isNearly && last !== undefined ? { ...last, fields: [...last.fields, ...plan.fields] } : plan;
      return [...before, { ...near, isOdd: true }, behind];
    });
}
