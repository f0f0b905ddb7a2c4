import { h, replace, say } from './dom.js';
import { readSession, forgetSession } from './session.js';
import { showShell } from './shell.js';
import { showSignIn } from './sign-in.js';

/** What is shown now can be left: it ends its timers and requests. */
let leave = () => {};

function place() {
  return /** @type {HTMLElement} */ (document.getElementById('app'));
}

/** @param {string} [why] */
function toSignIn(why) {
  leave();
  forgetSession();
  leave = showSignIn(place(), { why, done: toShell });
}

function toShell() {
  leave();
  leave = showShell(place(), { signedOut: () => toSignIn('You are signed out.') });
}

addEventListener('signed-out', () => {
  toSignIn('Your session has ended. Sign in again to go on.');
  say('Your session has ended.');
});

async function start() {
  try {
    if ((await readSession()) === undefined) toSignIn();
    else toShell();
  } catch (error) {
    const again = h('button', { type: 'button', class: 'primary', on: { click: start } }, 'Try again');
    replace(
      place(),
      h(
        'main',
        { class: 'alone' },
        h('h1', {}, 'Keygate'),
        h('p', { role: 'alert' }, /** @type {Error} */ (error).message),
        again,
      ),
    );
  }
}

void start();
