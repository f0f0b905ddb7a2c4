import type * as net from 'node:net';
import * as tls from 'node:tls';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { MethodDefinition, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { createEntrance } from '../plane/entrance.ts';
import type { EntranceOptions } from '../plane/entrance.ts';
import type { PlaneLimits } from '../plane/plane.ts';
import { decodeCheckRequest, encodeCheckResponse } from './check-messages.ts';
import { createHealth, HEALTH_SERVICE } from './health.ts';
import type { Judge, Question } from './judge.ts';
import type { AuthzSide } from './side.ts';

export interface ExtAuthzOptions extends Omit<EntranceOptions, 'enter'> {
  readonly judge: Judge;
  readonly notReady: () => string | undefined;
  readonly limits: EntranceOptions['limits'] & Pick<PlaneLimits, 'maxStreams'>;
}

const AUTHORIZATION = 'envoy.service.auth.v3.Authorization';

/** Of one question: a head, and of a body what Envoy was told to send, which is not read. */
const MAX_QUESTION_BYTES = 4 << 20;

type AskedOver = Omit<Question, 'port'>;

const same = (bytes: Buffer): Buffer => bytes;
const CHECK = {
  path: `/${AUTHORIZATION}/Check`,
  requestStream: false,
  responseStream: false,
  requestSerialize: () => {
    throw new TypeError('Keygate is asked, and asks nobody');
  },
  requestDeserialize: decodeCheckRequest,
  responseSerialize: same,
  responseDeserialize: same,
} satisfies MethodDefinition<AskedOver, Buffer>;

/** Answers Envoy over gRPC (ext_authz v3), and says whether it should be asked (grpc.health.v1). */
export function createExtAuthz(options: ExtAuthzOptions): AuthzSide {
  const { judge, notReady, limits, onTurnedAway } = options;
  const health = createHealth({ notReady, services: [AUTHORIZATION] });
  const server = new Server({
    'grpc.max_concurrent_streams': limits.maxStreams,
    'grpc.max_receive_message_length': MAX_QUESTION_BYTES,
  });
  server.addService(
    { Check: CHECK },
    {
      Check({ request }: ServerUnaryCall<AskedOver, Buffer>, reply: sendUnaryData<Buffer>): void {
        void judge({ port: 'authz_grpc', ...request }).then((answer) => reply(null, encodeCheckResponse(answer)));
      },
    },
  );
  server.addService(HEALTH_SERVICE, health.handlers);

  // Connections are taken here and handed over, past TLS, as where another process takes them.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const entrance = createEntrance({ ...options, enter });

  function enter(socket: net.Socket | tls.TLSSocket): void {
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    // Node would answer with 403, which a proxy may take for ours.
    if (socket instanceof tls.TLSSocket && socket.alpnProtocol !== 'h2') {
      onTurnedAway('handshake', socket.remoteAddress, 'no ALPN protocol h2');
      socket.destroy();
    } else injector.injectConnection(socket);
  }

  function shut(): void {
    entrance.shut();
    health.close();
  }

  return {
    ...entrance,
    async drain() {
      shut();
      const ended = [...entrance.open].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
      injector.drain(LAST_MS);
      // Who has said nothing yet has nothing to finish, and may be in the middle of a handshake.
      for (const socket of entrance.open) if (socket.bytesRead === 0) socket.destroy();
      await Promise.all(ended);
    },
    async close() {
      shut();
      for (const socket of entrance.open) socket.destroy();
      server.forceShutdown();
    },
  };
}

/** A question is answered within 150 ms; whoever goes on after that has been told to go. */
const LAST_MS = 1_000;
