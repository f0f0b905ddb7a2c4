/** Values as a file or the environment wrote them, before anyone has judged them. */
export type Tree = Record<string, unknown>;

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A copy of a tree that shares nothing, neither with the original nor, as aliases of a file do, within itself. */
export function copyOf(tree: Tree): Tree {
  const copy = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(copy);
    return isTree(value) ? copyOf(value) : value;
  };
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, copy(value)]));
}

/** What stands at a path, or undefined. Only own properties count: a file may well say `constructor`. */
export function valueAt(tree: unknown, path: readonly PropertyKey[]): unknown {
  let value = tree;
  for (const part of path) {
    if (Array.isArray(value)) value = (value as unknown[])[Number(part)];
    else value = isTree(value) && Object.hasOwn(value, part) ? value[String(part)] : undefined;
  }
  return value;
}

/** Sets a value, making the objects on the way to it; false if something else stands in the way. */
export function setAt(tree: Tree, path: readonly string[], value: unknown): boolean {
  const [key, ...rest] = path;
  if (key === undefined) return false;
  if (rest.length === 0) {
    tree[key] = value;
    return true;
  }
  const inner = tree[key] ?? {};
  if (!isTree(inner)) return false;
  tree[key] = inner;
  return setAt(inner, rest, value);
}

/** Removes what stands at a path; false if there is nothing. */
export function removeAt(tree: Tree, path: readonly PropertyKey[]): boolean {
  const owner = valueAt(tree, path.slice(0, -1));
  const key = String(path.at(-1));
  if (!isTree(owner) || !Object.hasOwn(owner, key)) return false;
  delete owner[key];
  return true;
}
