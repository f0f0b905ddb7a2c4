import { replace } from './dom.js';
import { faultBox } from './parts.js';

/**
 * What sending a form does: once at a time, with what was wrong before out of the way; what goes wrong is said where the form is, and
 * not to whoever has gone elsewhere meanwhile. The button stays as it is after a success, because then the form goes.
 *
 * @param {{ go: HTMLButtonElement, faults: HTMLElement, work: () => Promise<void>, isGone?: () => boolean,
 *   failed?: (error: unknown) => import('./dom.js').Child }} form `failed` puts the form in order again, and says what went wrong
 * @returns {(event: Event) => Promise<void>}
 */
export function submitting({ go, faults, work, isGone = () => false, failed = faultBox }) {
  return async (event) => {
    event.preventDefault();
    if (go.disabled) return;
    go.disabled = true;
    replace(faults);
    try {
      await work();
    } catch (error) {
      if (isGone()) return;
      go.disabled = false;
      replace(faults, failed(error));
    }
  };
}
