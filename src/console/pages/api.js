/** The admin API, as the session allows it. */

export class ApiError extends Error {
  /** @param {number} status @param {string[]} messages @param {string} [type] */
  constructor(status, messages, type = '') {
    super(messages.join(' '));
    this.status = status;
    this.messages = messages;
    this.type = type;
  }
}

const AWAY = 'The gateway does not answer. Check that it runs and that you can reach it, then try again.';

/** Somebody did something in this page since the last request: the session is in use. */
let touched = true;
for (const event of ['pointerdown', 'keydown']) addEventListener(event, () => (touched = true), { capture: true });

/**
 * @param {'GET' | 'POST' | 'PATCH' | 'DELETE'} method
 * @param {string} path below the root of the admin port, such as api/overview
 * @param {{ query?: Record<string, any>, body?: unknown, poll?: boolean, signal?: AbortSignal }} [options]
 * @returns {Promise<any>}
 */
export async function call(method, path, { query = {}, body, poll = false, signal } = {}) {
  const url = new URL(`../${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '' && value !== false) url.searchParams.set(name, String(value));
  }
  /** @type {Record<string, string>} */
  const headers = {};
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (poll && !touched) headers['x-keygate-poll'] = '1';
  touched = false;
  let response;
  let text;
  try {
    response = await fetch(url, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal: signal ?? null,
    });
    text = await response.text();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, [AWAY]);
  }
  if (response.ok) return text === '' ? undefined : JSON.parse(text);
  const fault = faultOf(response.status, text);
  if (response.status === 401 && path !== 'console/session') dispatchEvent(new Event('signed-out'));
  throw fault;
}

/** @param {number} status @param {string} text */
function faultOf(status, text) {
  try {
    const { errors, message } = JSON.parse(text);
    const [first] = errors ?? [];
    if (typeof message === 'string') return new ApiError(status, [message]);
    return new ApiError(
      status,
      errors.map((/** @type {any} */ each) => each.message),
      first?.['_type'],
    );
  } catch {
    return new ApiError(status, [`The gateway answered ${status}, and nothing that explains it.`]);
  }
}

export const KEYS = 'api/security/ingestion/api_keys';
export const TOKENS = 'api/security/tokens';
export const SERVICE_IDS = 'api/security/service_ids';
export const USERS = 'api/security/users';
export const AUDIT = 'api/security/audit';
export const EXPLAIN = 'api/security/explain';
export const TRAFFIC = 'api/traffic';
export const OVERVIEW = 'api/overview';
