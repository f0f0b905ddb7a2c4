import { h, replace } from './dom.js';
import { copyButton } from './parts.js';
import { snippets } from './snippets.js';

/**
 * A key or a token, shown once: it is in this page and nowhere else, and gone when the page is left.
 *
 * @param {HTMLElement} main
 * @param {{ what: string, name: string, text: string, note?: import('./dom.js').Child, isAgain?: boolean,
 *   back: [href: string, text: string], signals?: string[] }} options `isAgain`: it can be seen again
 */
export function showSecret(main, { what, name, text, note, isAgain = false, back, signals }) {
  const [href, label] = back;
  const heading = h('h1', { tabindex: '-1' }, isAgain ? `The ${what} ${name}` : `Copy the ${what} ${name} now`);
  replace(
    main,
    heading,
    h(
      'p',
      {},
      isAgain
        ? 'That you saw it is in the audit log.'
        : `It is shown here and never again: Keygate keeps only its digest.`,
    ),
    h(
      'div',
      { class: 'secret' },
      h('code', { class: 'secret-text', tabindex: '0' }, text),
      copyButton(text, `the ${what}`, 'primary'),
    ),
    note,
    what === 'ingestion key' && snippets({ key: text, signals }),
    h('p', {}, h('a', { class: 'button', href }, isAgain ? label : `I have stored it. ${label}`)),
  );
  document.title = `${heading.textContent} - Keygate`;
  heading.focus();
  scrollTo(0, 0);
}
