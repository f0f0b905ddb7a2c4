import { freshId, h } from './dom.js';
import { faultBox } from './parts.js';
import { submitting } from './submit.js';

/** @typedef {{ message: string, action: string, work: () => Promise<void> }} Step What may be done all the same, once the message was read */

/**
 * A question with its consequences, in front of the page. Escape and "Cancel" leave everything as it is; the focus goes back
 * to where it was.
 *
 * @param {{ title: string, body: import('./dom.js').Child, action: string, isDangerous?: boolean,
 *   work: () => Promise<void>, refused?: (error: any) => Step | undefined }} options `work` does it; `refused` may offer to go on after an error
 */
export function ask({ title, body, action, isDangerous = false, work, refused }) {
  const opener = document.activeElement;
  const titleId = freshId('dialog');
  const faults = h('div', {});
  const go = h('button', { type: 'submit', class: isDangerous ? 'danger' : 'primary' }, action);
  const cancel = h('button', { type: 'button', on: { click: () => dialog.close() } }, 'Cancel');
  let step = work;
  const submit = submitting({
    go,
    faults,
    work: async () => {
      await step();
      dialog.close();
    },
    isGone: () => !dialog.isConnected,
    failed: (error) => {
      const next = refused?.(error);
      if (next !== undefined) {
        step = next.work;
        go.textContent = next.action;
      }
      // Whoever presses Enter twice has not read what there is to read.
      (next === undefined ? go : cancel).focus();
      return faultBox(next ?? error);
    },
  });
  const form = h(
    'form',
    { class: 'stack', on: { submit } },
    h('h2', { id: titleId }, title),
    body,
    faults,
    h('div', { class: 'row end' }, cancel, go),
  );
  const dialog = h('dialog', { 'aria-labelledby': titleId, on: { close: closed } }, form);

  /** What opened it may be gone by now, since the page is another one: then whoever uses the keyboard begins there. */
  function closed() {
    dialog.remove();
    if (opener?.isConnected !== true) document.getElementById('main')?.focus();
  }

  document.body.append(dialog);
  dialog.showModal();
  // What does harm is not what Enter does at once.
  if (isDangerous) cancel.focus();
  return dialog;
}

/**
 * A button that asks. The question is made anew each time: what somebody left in a field is not there any more.
 *
 * @param {string} text @param {() => Parameters<typeof ask>[0]} question @param {string} [className]
 */
export function askButton(text, question, className) {
  return h('button', { type: 'button', class: className, on: { click: () => void ask(question()) } }, text);
}
