/** Finds what a module imports, type imports included, by the shapes that its imports and re-exports can have. */

const STATEMENTS = [
  /^import\s+(?:type\s+)?[\w$*{}\s,]+?\s+from\s*'([^']+)'/gm,
  /^import\s*'([^']+)'/gm,
  /^export\s+(?:type\s+)?(?:\*(?:\s+as\s+[\w$]+)?|\{[^}]*\})\s*from\s*'([^']+)'/gm,
  // Dynamic imports, and types written as import('./x.ts').Name.
  /\bimport\(\s*'([^']+)'\s*\)/g,
];

/** The specifiers a source imports, each once, in the order of their statements' shapes. */
export function readImports(source: string): string[] {
  const code = withoutBlockComments(source);
  const specifiers = STATEMENTS.flatMap((statement) =>
    [...code.matchAll(statement)].map(([, specifier]) => specifier ?? ''),
  );
  return [...new Set(specifiers)];
}

/** Only comments that begin a line: "/*" within a line may be part of a glob or a regular expression. */
function withoutBlockComments(source: string): string {
  return source.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, '');
}
