import { h, replace, say } from './dom.js';
import { faultBox } from './parts.js';
import { readRoute } from './route.js';
import { signOut, whoIsIn } from './session.js';
import { VIEWS } from './views.js';

/** The frame around all pages: who is in, where one can go, and the page itself. */

/** @param {HTMLElement} place @param {{ signedOut: () => void }} options */
export function showShell(place, { signedOut }) {
  const who = whoIsIn();
  const views = VIEWS.filter((view) => view.isOffered());
  const links = views.map((view) => ({
    view,
    link: h('a', { href: `#/${view.path}` }, view.title),
  }));
  const main = h('main', { id: 'main', tabindex: '-1' });
  /** @type {AbortController} */
  let visit = new AbortController();
  let isFirst = true;

  async function leave() {
    try {
      await signOut();
      signedOut();
    } catch (error) {
      say(/** @type {Error} */ (error).message);
    }
  }

  async function show() {
    visit.abort();
    visit = new AbortController();
    const { signal } = visit;
    const route = readRoute(location.hash);
    const found = links.find(({ view }) => view.path === route.path[0]);
    if (found === undefined) {
      const [first] = views;
      if (first === undefined) replace(main, nothingToSee());
      else if (route.path[0] === '') location.replace(`#/${first.path}`);
      else replace(main, notHere(first));
      return;
    }
    for (const { view, link } of links) {
      if (view !== found.view) link.removeAttribute('aria-current');
      else {
        link.setAttribute('aria-current', 'page');
        // On a phone there is no room for all of them.
        link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
      }
    }
    try {
      await found.view.show(main, route, signal);
    } catch (error) {
      if (signal.aborted) return;
      replace(main, h('h1', {}, found.view.title), faultBox(error), retry());
    }
    if (signal.aborted) return;
    const heading = main.querySelector('h1');
    document.title = `${heading?.textContent ?? found.view.title} - Keygate`;
    // A change of page is told to those who do not see it. A sort or a filter is a change within one.
    if (!isFirst && !route.isWithin) main.focus();
    isFirst = false;
    if (!route.isWithin) scrollTo(0, 0);
  }

  const retry = () => h('button', { type: 'button', on: { click: show } }, 'Try again');

  replace(
    place,
    h(
      'a',
      { class: 'skip', href: '#main', on: { click: (/** @type {Event} */ event) => skip(event, main) } },
      'Skip to the content',
    ),
    h(
      'header',
      { class: 'top' },
      h('div', { class: 'brand' }, h('span', { class: 'mark', 'aria-hidden': 'true' }), 'Keygate'),
      h('nav', { 'aria-label': 'Pages' }, h('ul', {}, ...links.map(({ link }) => h('li', {}, link)))),
      h(
        'div',
        { class: 'who' },
        h(
          'span',
          { class: 'who-name', title: who?.roles.join(', ') },
          who?.name,
          ' ',
          h('small', {}, who?.roles.join(', ')),
        ),
        h('button', { type: 'button', class: 'quiet', on: { click: leave } }, 'Sign out'),
      ),
    ),
    main,
    h('footer', {}, `Keygate ${who?.version ?? ''}. Times are UTC.`),
  );
  const changed = () => void show();
  addEventListener('hashchange', changed);
  changed();
  return () => {
    visit.abort();
    removeEventListener('hashchange', changed);
  };
}

/** The address is left as it is: it says which page this is. @param {Event} event @param {HTMLElement} main */
function skip(event, main) {
  event.preventDefault();
  main.focus();
}

function nothingToSee() {
  return [
    h('h1', {}, 'Nothing to see'),
    h(
      'p',
      {},
      'The roles of this token permit nothing that the console shows. Sign in with another one, or ask for a role such as viewer or key-manager.',
    ),
  ];
}

/** @param {{ path: string, title: string }} first */
function notHere(first) {
  return [
    h('h1', {}, 'There is no such page'),
    h(
      'p',
      {},
      'It does not exist, or the roles of this token do not permit it. ',
      h('a', { href: `#/${first.path}` }, `Go to ${first.title}`),
    ),
  ];
}
