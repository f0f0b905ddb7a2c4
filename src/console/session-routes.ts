import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { answerTo, errors, notLetIn } from '../admin/answer.ts';
import type { Answer } from '../admin/answer.ts';
import { readBody } from '../admin/body.ts';
import { nameOf } from '../admin/caller.ts';
import { permissionsOf } from '../admin/roles.ts';
import type { Credential, Gate } from '../gate.ts';
import { endsAt } from '../keys/record.ts';
import type { KeyRecord } from '../keys/record.ts';
import type { Attempts } from './attempts.ts';
import { sessionCookie } from './cookie.ts';
import type { Sessions } from './sessions.ts';

/** What became of an attempt to sign in, for the log. */
export interface ConsoleObserver {
  readonly signIn: (attempt: SignInAttempt) => void;
}

export interface SignInAttempt {
  readonly outcome: 'signed in' | 'refused' | 'undecided' | 'too many';
  readonly address: string;
  /** Name and id of the token, if it was let in. */
  readonly caller?: string;
}

export interface SessionRouteOptions {
  readonly gate: Gate;
  readonly sessions: Sessions;
  readonly attempts: Attempts;
  readonly version: string;
  readonly now: () => number;
  readonly observe: ConsoleObserver;
}

const signInSchema = z.strictObject({ token: z.string() });

const PASTE_IT = 'Paste a service token: it begins with "svctok-", and is shown once, when it is made.';

/** Signing in and asking who one is. The permissions are for what the pages offer; the API decides by itself each time. */
export function createSessionRoutes({ gate, sessions, attempts, version, now, observe }: SessionRouteOptions) {
  const stamp = { now };

  function told(key: KeyRecord): unknown {
    const expiration = endsAt(key);
    const roles = key.roles ?? [];
    return {
      name: key.name,
      id: Number(key.id),
      roles,
      permissions: [...permissionsOf(roles)],
      ...(expiration !== undefined && { expiration }),
      version,
    };
  }

  async function signIn(request: IncomingMessage, isSecure: boolean): Promise<Answer> {
    const address = request.socket.remoteAddress ?? '';
    const waitMs = attempts.take(address);
    if (waitMs > 0) {
      observe.signIn({ outcome: 'too many', address });
      const seconds = Math.ceil(waitMs / 1_000);
      const message = `Too many tokens were refused that came from this address. Try again in ${seconds} s.`;
      return { ...errors(stamp, 429, 'TooManyRequests', [message]), headers: { 'retry-after': String(seconds) } };
    }
    try {
      const parsed = await readBody(stamp, request, signInSchema);
      if ('refused' in parsed) return parsed.refused;
      const credential = gate.read(['x-api-key', parsed.value.token.trim()]);
      if ('problem' in credential) {
        observe.signIn({ outcome: 'refused', address });
        return credential.problem === 'bad_checksum'
          ? notLetIn(stamp, credential.problem)
          : errors(stamp, 401, 'Unauthorized', [PASTE_IT]);
      }
      const { decision } = await gate.judgeCredential(credential, { to: 'manage' });
      if (decision.verdict === 'refuse') {
        const answer = notLetIn(stamp, decision.reason);
        const isDoubt = answer.status === 503;
        if (isDoubt) attempts.giveBack(address);
        observe.signIn({ outcome: isDoubt ? 'undecided' : 'refused', address });
        return answer;
      }
      attempts.giveBack(address);
      observe.signIn({ outcome: 'signed in', address, caller: nameOf(decision.key) });
      const id = sessions.open(credential, decision.key.id);
      return { status: 200, body: told(decision.key), headers: { 'set-cookie': sessionCookie(id, isSecure) } };
    } catch (error) {
      return answerTo(stamp, error);
    }
  }

  async function who(credential: Credential | { readonly refused: Answer } | undefined): Promise<Answer> {
    if (credential === undefined) return errors(stamp, 401, 'Unauthorized', ['Nobody is signed in.']);
    if ('refused' in credential) return credential.refused;
    const { decision } = await gate.judgeCredential(credential, { to: 'manage' });
    return decision.verdict === 'refuse' ? notLetIn(stamp, decision.reason) : { status: 200, body: told(decision.key) };
  }

  return { signIn, who };
}
