import { call, OVERVIEW, TRAFFIC } from './api.js';
import { h, replace } from './dom.js';
import { time } from './format.js';
import { createHistory } from './history.js';
import { reasonTable, sourceTable, verdictTiles } from './live-traffic.js';
import { gatewayTiles, replicaTable } from './live-gateway.js';
import { faultBox } from './parts.js';

/** What passes this gateway now, who is refused, and how it is. */

const INTERVAL_MS = 2_000;
const SOURCES = 20;

/** @type {import('./views.js').View['show']} */
export async function showLive(main, _route, signal) {
  const history = createHistory();
  let isPaused = false;
  const about = h('p', { class: 'muted' });
  const fault = h('div', {});
  const verdicts = h('div', { class: 'tiles' });
  const reasons = h('div', {});
  const sources = h('div', {});
  const gateway = h('div', { class: 'tiles' });
  const replicas = h('div', {});
  const pause = h('button', { type: 'button', 'aria-pressed': 'false', on: { click: toggle } }, 'Pause');

  function toggle() {
    isPaused = !isPaused;
    pause.setAttribute('aria-pressed', String(isPaused));
    pause.textContent = isPaused ? 'Go on' : 'Pause';
  }

  async function look() {
    try {
      const [traffic, overview] = await Promise.all([
        call('GET', TRAFFIC, { signal, poll: true, query: { sources: SOURCES } }),
        call('GET', OVERVIEW, { signal, poll: true }),
      ]);
      if (signal.aborted) return;
      history.note(traffic);
      about.textContent = `${traffic.gateway}, ${time(traffic.at)}${overview.workers > 1 ? `, ${overview.workers} processes` : ''}`;
      replace(fault);
      renew(verdicts, verdictTiles(history));
      renew(reasons, reasonTable(history));
      renew(sources, sourceTable(traffic));
      renew(gateway, gatewayTiles(overview));
      renew(replicas, replicaTable(overview));
    } catch (error) {
      if (!signal.aborted)
        replace(
          fault,
          faultBox(error),
          h('p', { class: 'help' }, 'What is below is from before. This is tried again.'),
        );
    }
  }

  /** The next look begins after this one has ended: a gateway in trouble is not asked more and more. */
  async function goOn() {
    if (signal.aborted) return;
    // Nobody looks at a page that is hidden.
    if (!isPaused && document.visibilityState === 'visible') await look();
    if (!signal.aborted) setTimeout(goOn, INTERVAL_MS);
  }

  replace(
    main,
    h('div', { class: 'heading' }, h('div', {}, h('h1', {}, 'Live'), about), h('div', { class: 'row' }, pause)),
    fault,
    h(
      'section',
      { 'aria-labelledby': 'live-requests' },
      h('h2', { id: 'live-requests' }, 'Requests a second'),
      verdicts,
    ),
    h('section', { 'aria-labelledby': 'live-reasons' }, h('h2', { id: 'live-reasons' }, 'Refusals by reason'), reasons),
    h(
      'section',
      { 'aria-labelledby': 'live-sources' },
      h('h2', { id: 'live-sources' }, 'Who is refused most'),
      sources,
    ),
    h('section', { 'aria-labelledby': 'live-gateway' }, h('h2', { id: 'live-gateway' }, 'This gateway'), gateway),
    h(
      'section',
      { 'aria-labelledby': 'live-replicas' },
      h('h2', { id: 'live-replicas' }, 'Gateways that share the store'),
      replicas,
    ),
  );
  await look();
  if (!signal.aborted) setTimeout(goOn, INTERVAL_MS);
}

/** What somebody is on, with the keyboard or to copy it, is not taken away. @param {HTMLElement} place @param {import('./dom.js').Child} content */
function renew(place, content) {
  const selection = getSelection();
  const isMarked = selection !== null && !selection.isCollapsed && place.contains(selection.anchorNode);
  if (!isMarked && !place.contains(document.activeElement)) replace(place, content);
}
