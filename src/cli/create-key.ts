import type { KeyAdmin } from './key-admin.ts';
import { reserveKeyFile } from './key-file.ts';
import type { Session } from './session.ts';

export interface CreateFlags {
  readonly file?: string;
}

/** How one kind of key is created, and how that is told. */
export interface Creation<T extends object> {
  readonly create: (admin: KeyAdmin) => Promise<T>;
  /** The field of the result that holds the secret. */
  readonly secret: keyof T & string;
  /** "Ingestion API Key generated" */
  readonly message: string;
  /** The key of the result in JSON output. */
  readonly jsonKey: string;
  /** It can be shown again another time, so it is not shown when its file fails. */
  readonly canBeHadAgain?: boolean;
  /** What else is to be said in text output. */
  readonly remark?: (created: T) => string;
  /** What is done at last, in whatever format it was told; may throw. */
  readonly afterwards?: (created: T) => void;
}

/**
 * Creates a key and hands out its text, once: on standard output or, with --file, in that file and nowhere else. Should
 * the file fail at the last moment, the key is shown after all: it cannot be had again.
 */
export async function createAndShow<T extends object>(
  { flags: { file }, printer, withKeyAdmin }: Session<CreateFlags>,
  { create, secret, message, jsonKey, canBeHadAgain = false, remark, afterwards }: Creation<T>,
): Promise<void> {
  const keyFile = file === undefined ? undefined : reserveKeyFile(file);
  const created = await withKeyAdmin(create).catch((error: unknown) => {
    keyFile?.discard();
    throw error;
  });
  const text = String(created[secret]);

  const tellMore = (): void => {
    if (remark !== undefined && !printer.json) printer.line(remark(created));
    afterwards?.(created);
  };
  const show = (): void => {
    if (printer.json) printer.printJson({ [jsonKey]: created });
    else printer.success(`${message}: ${printer.emphasise(text)}\n`);
    tellMore();
  };
  if (keyFile === undefined) return show();
  try {
    keyFile.write(text);
  } catch (error) {
    if (!canBeHadAgain) show();
    throw error;
  }
  const { [secret]: _hidden, ...rest } = created;
  if (printer.json) printer.printJson({ [jsonKey]: { ...rest, file: keyFile.path } });
  else printer.success(`${message}, and written to ${keyFile.path}`);
  tellMore();
}
