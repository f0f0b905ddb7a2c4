import { showAudit } from './audit.js';
import { showKeys } from './keys.js';
import { showLive } from './live.js';
import { showServiceIds, showUsers } from './owners.js';
import { may } from './session.js';
import { showTokens } from './tokens.js';

/**
 * The pages of the console, in the order of the navigation.
 *
 * @typedef {{ path: string, title: string, isOffered: () => boolean,
 *   show: (main: HTMLElement, route: import('./route.js').Route, signal: AbortSignal) => Promise<void> }} View
 */

/** @type {View[]} */
export const VIEWS = [
  { path: 'keys', title: 'Keys', isOffered: () => may('get-ingestion-api-keys'), show: showKeys },
  { path: 'live', title: 'Live', isOffered: () => may('get-traffic'), show: showLive },
  { path: 'service-ids', title: 'Service ids', isOffered: () => may('get-service-ids'), show: showServiceIds },
  { path: 'users', title: 'Users', isOffered: () => may('get-users'), show: showUsers },
  { path: 'tokens', title: 'Service tokens', isOffered: () => may('get-service-tokens'), show: showTokens },
  { path: 'audit', title: 'Audit', isOffered: () => may('get-audit'), show: showAudit },
];
