import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** A gateway that takes longer is not going to answer; a person is waiting. */
export const TIMEOUT_MS = 10_000;
/** A list of a hundred thousand keys has about 20 MB. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

export interface HttpRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** PEM text of the authorities that may sign the server's certificate; the system's if not set. */
  readonly ca?: string | undefined;
  readonly skipSsl: boolean;
  readonly timeoutMs?: number;
}

export interface HttpResponse {
  readonly status: number;
  readonly statusText: string;
  readonly contentType: string;
  readonly body: string;
}

/** One request on a connection of its own. Rejects with an error whose message says what to do. */
export async function sendRequest(request: HttpRequest): Promise<HttpResponse> {
  const { url, method, headers, body, ca, skipSsl, timeoutMs = TIMEOUT_MS } = request;
  const signal = AbortSignal.timeout(timeoutMs);
  const options = { method, headers, signal, agent: false } as const;
  const outgoing =
    url.protocol === 'https:'
      ? httpsRequest(url, { ...options, ...(ca !== undefined && { ca }), rejectUnauthorized: !skipSsl })
      : httpRequest(url, options);
  try {
    const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.on('response', resolve).on('error', reject).end(body);
    });
    return {
      status: incoming.statusCode ?? 0,
      statusText: incoming.statusMessage ?? '',
      contentType: incoming.headers['content-type']?.split(';', 1)[0]?.trim() ?? '',
      body: await readAll(incoming),
    };
  } catch (error) {
    throw new Error(signal.aborted ? `no answer within ${timeoutMs / 1000} s` : explain(error), { cause: error });
  } finally {
    outgoing.destroy();
  }
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MAX_RESPONSE_BYTES) throw new Error(`the answer is larger than ${MAX_RESPONSE_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const TRUST =
  'its certificate is not trusted: name its authority with --ca-cert-path, or use --skip-ssl to trust anyone';

const EXPLANATIONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: nothing listens there',
  ENOTFOUND: 'there is no host of this name',
  EAI_AGAIN: 'the name of the host could not be looked up',
  ECONNRESET: 'the connection was closed without an answer',
  EPROTO: 'it does not speak TLS: try http:// instead of https://',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS: try http:// instead of https://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS: try http:// instead of https://',
  HPE_INVALID_CONSTANT: 'it does not speak HTTP: is the port right?',
  DEPTH_ZERO_SELF_SIGNED_CERT: TRUST,
  SELF_SIGNED_CERT_IN_CHAIN: TRUST,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: TRUST,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: TRUST,
  UNABLE_TO_GET_ISSUER_CERT: TRUST,
};

/** Connecting to a name with several addresses fails with one error for each: the first one speaks for them. */
function explain(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (!(first instanceof Error)) return String(first);
  const code = 'code' in first && typeof first.code === 'string' ? first.code : '';
  return EXPLANATIONS[code] ?? first.message;
}
