import { h, replace } from './dom.js';
import { faultBox } from './parts.js';
import { signIn } from './session.js';
import { submitting } from './submit.js';

/** @param {HTMLElement} place @param {{ why?: string | undefined, done: () => void }} options */
export function showSignIn(place, { why, done }) {
  document.title = 'Sign in - Keygate';
  // A name and a value that no browser is to remember: autocomplete is off, and the field is emptied at once.
  const token = h('input', {
    id: 'token',
    type: 'password',
    name: 'token',
    autocomplete: 'off',
    spellcheck: 'false',
    autocapitalize: 'none',
    required: true,
    'aria-describedby': 'token-help',
  });
  const faults = h('div', {});
  const button = h('button', { type: 'submit', class: 'primary wide' }, 'Sign in');

  async function work() {
    const text = token.value.trim();
    token.value = '';
    if (text === '') throw new Error('A service token is more than blanks.');
    await signIn(text);
    done();
  }
  const submit = submitting({
    go: button,
    faults,
    work,
    failed: (error) => {
      token.focus();
      return faultBox(error);
    },
  });

  replace(
    place,
    h(
      'main',
      { class: 'alone' },
      h('h1', {}, h('span', { class: 'mark', 'aria-hidden': 'true' }), 'Keygate'),
      why && h('p', { class: 'note', role: 'status' }, why),
      h(
        'form',
        { class: 'card stack', on: { submit } },
        h('div', { class: 'field' }, h('label', { for: 'token' }, 'Service token'), token),
        h('p', { id: 'token-help', class: 'help' }, 'It is exchanged for a session and kept nowhere in this browser.'),
        faults,
        button,
      ),
      h(
        'details',
        { class: 'help' },
        h('summary', {}, 'I have no token'),
        h(
          'p',
          {},
          'Somebody who may create service tokens makes one for you here, or on the machine of the key store:',
        ),
        h('pre', { tabindex: '0' }, 'keygate service-token create --name alice --roles key-manager'),
      ),
    ),
  );
  token.focus();
  return () => {};
}
