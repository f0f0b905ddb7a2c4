/**
 * A timeout for something that is read from a socket. Node runs timers before it reads: where this process was busy for longer than it
 * would have waited, a plain timer says "late" of an answer that has been lying there all the time. This one has what has come
 * read first; `act` finds out whether there is still anything to wait for.
 */
export function patientTimeout(act: () => void, ms: number): NodeJS.Timeout {
  return setTimeout(() => setImmediate(act), ms);
}
