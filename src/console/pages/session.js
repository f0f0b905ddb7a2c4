import { call } from './api.js';

/**
 * Who is signed in. The token itself is sent once, and kept nowhere in the browser: from then on a cookie that no script can
 * read names the session.
 *
 * @typedef {{ name: string, id: number, roles: string[], permissions: string[], expiration?: number, version: string }} Who
 */

const PATH = 'console/session';

/** @type {Who | undefined} */
let who;

/** @returns {Promise<Who | undefined>} */
export async function readSession() {
  try {
    who = await call('GET', PATH);
  } catch (error) {
    who = undefined;
    if (/** @type {any} */ (error).status !== 401) throw error;
  }
  return who;
}

/** @param {string} token */
export async function signIn(token) {
  who = await call('POST', PATH, { body: { token } });
}

export async function signOut() {
  await call('DELETE', PATH);
  who = undefined;
}

export function forgetSession() {
  who = undefined;
}

export function whoIsIn() {
  return who;
}

/** What is not permitted is not offered. The API refuses it anyway. @param {string} permission */
export function may(permission) {
  return who?.permissions.includes(permission) ?? false;
}
