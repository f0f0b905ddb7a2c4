import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import type { PeerCertificate } from 'node:tls';
import { ChannelCredentials, Client, Metadata, experimental } from '@grpc/grpc-js';
import type { ChannelOptions, ClientDuplexStream } from '@grpc/grpc-js';
import { authority } from './target.ts';
import type { UpstreamTarget, UpstreamTls } from './target.ts';

/** Bytes of the HTTP/2 stream, as they came and as they go: gRPC's length-prefixed messages, compressed or not. */
export type RawCall = ClientDuplexStream<Buffer, Buffer>;

export interface GrpcChannel {
  /**
   * Opens a call whose bytes are relayed. What is written need not end at message boundaries; what is read is whole
   * messages, each with its 5-byte prefix. Fields that gRPC cannot carry are a problem, not an exception.
   */
  open(
    path: string,
    fields: readonly (readonly [string, string])[],
    deadlineMs: number,
  ): RawCall | { problem: 'bad_request' };
  /** Takes no new calls; those that were opened are finished. */
  close(): void;
}

/** A response of the collector is at most a few hundred bytes; the OTLP specification recommends 4 MiB as the limit. */
const MAX_RESPONSE_BYTES = 4 << 20;

const OPTIONS: ChannelOptions = {
  'grpc.max_receive_message_length': MAX_RESPONSE_BYTES,
  'grpc.max_send_message_length': -1, // our own limit counts bytes as they pass
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 5_000,
  // grpc-go's servers punish pings that come more often than every 5 minutes.
  'grpc.keepalive_time_ms': 330_000,
  'grpc.keepalive_timeout_ms': 20_000,
  // A call that the collector refused before it began (REFUSED_STREAM, GOAWAY) is sent once more, if no more of it than this
  // has come; of all calls together, this much is kept for it.
  'grpc.per_rpc_retry_buffer_size': 65_536,
  'grpc.retry_buffer_size': 4 << 20,
  'grpc.use_local_subchannel_pool': 1,
};

export function createGrpcChannel(target: UpstreamTarget, tls: UpstreamTls): GrpcChannel {
  const { credentials, options } = target.secure
    ? secureChannel(target, tls)
    : { credentials: ChannelCredentials.createInsecure(), options: OPTIONS };
  // dns: resolves an IP address to itself.
  const client = new Client(`dns:${authority(target)}`, credentials, options);
  removeCodec(client);
  let callsOpen = 0;
  let isClosing = false;

  /** grpc-js fails calls that have no connection yet when its channel is closed, and they do not get one in the turn they are made. */
  function closeWhenIdle(): void {
    if (isClosing && callsOpen === 0) client.close();
  }

  function ended(): void {
    callsOpen--;
    closeWhenIdle();
  }

  return {
    open(path, fields, deadlineMs) {
      const metadata = toMetadata(fields);
      if (metadata === undefined) return { problem: 'bad_request' };
      const call = client.makeBidiStreamRequest<Buffer, Buffer>(path, same, same, metadata, { deadline: deadlineMs });
      callsOpen++;
      call.once('status', ended);
      return call;
    },
    close() {
      isClosing = true;
      closeWhenIdle();
    },
  };
}

/**
 * A certificate for an IP address is checked against that address; but a TLS server name must be a host name (RFC 6066
 * section 3) and grpc-js sends the target whatever it is, which Node refuses. So an address goes under a name that no
 * certificate has.
 */
function secureChannel({ host }: UpstreamTarget, { ca, cert, key }: UpstreamTls) {
  const checkTarget = (_name: string, peer: PeerCertificate) => checkServerIdentity(host, peer);
  return {
    credentials: ChannelCredentials.createSsl(ca ?? null, key ?? null, cert ?? null, {
      checkServerIdentity: checkTarget,
    }),
    options: isIP(host) === 0 ? OPTIONS : { ...OPTIONS, 'grpc.ssl_target_name_override': 'address.invalid' },
  };
}

const same = (bytes: Buffer): Buffer => bytes;

/**
 * grpc-js deflates, inflates and frames messages in one filter of the channel, and knows only gzip and deflate: zstd and
 * snappy, which collectors use, would be refused. Without that filter the channel carries bytes as they are, and the
 * encoding headers pass like any others. The filter stack is private to the channel, so this stands alone here, the
 * library's version is pinned, and a version without it fails at start instead of mangling payloads.
 */
function removeCodec(client: Client): void {
  const channel: unknown = Reflect.get(client.getChannel(), 'internalChannel');
  if (typeof channel !== 'object' || channel === null || !Reflect.has(channel, 'filterStackFactory')) {
    throw new Error('this version of @grpc/grpc-js is not the one Keygate was built for: its codec cannot be removed');
  }
  const factory = new experimental.FilterStackFactory([{ createFilter: () => new PassThrough() }]);
  Reflect.set(channel, 'filterStackFactory', factory);
}

/** Leaves everything as it is. The channel needs one filter at least: an empty stack would hand it no promise. */
class PassThrough extends experimental.BaseFilter {}

/** Set by the channel itself for its own connection. */
const SET_BY_CHANNEL: ReadonlySet<string> = new Set(['content-type', 'user-agent', 'grpc-timeout', 'content-length']);

function toMetadata(fields: readonly (readonly [string, string])[]): Metadata | undefined {
  const metadata = new Metadata();
  try {
    for (const [name, value] of fields) {
      if (SET_BY_CHANNEL.has(name)) continue;
      if (!name.endsWith('-bin')) metadata.add(name, value);
      else for (const part of value.split(',')) metadata.add(name, Buffer.from(part, 'base64'));
    }
    return metadata;
  } catch {
    return undefined; // a name or value that gRPC does not allow
  }
}
