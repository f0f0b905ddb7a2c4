/** A gateway that is busy still answers within this; a container's probe must not wait for one that is stuck. */
const TIMEOUT_MS = 2_000;

/**
 * The exit code of `keygate health`: 0 if the gateway at this URL is alive, 1 if not. It is what the container image asks
 * about itself, so it needs nothing but the runtime, and says in one line what is wrong.
 */
export async function health(url: string, say: (line: string) => void, timeoutMs = TIMEOUT_MS): Promise<number> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' });
    await response.body?.cancel();
    if (response.ok) return 0;
    say(`${url} answered ${response.status}`);
  } catch (error) {
    say(`${url} did not answer: ${causeOf(error)}`);
  }
  return 1;
}

/** Where a gateway that listens on `ops.address` can be asked from the same machine. */
export function livezUrl(opsAddress: string): string {
  const portAt = opsAddress.lastIndexOf(':');
  const host = opsAddress.slice(0, portAt);
  return `http://${LOOPBACK[host] ?? host}${opsAddress.slice(portAt)}/livez`;
}

/** All addresses of a machine can be listened on, but not connected to everywhere. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '[::]': '[::1]' };

/** fetch says only "fetch failed"; what failed is in its cause. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}
