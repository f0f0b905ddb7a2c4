import * as net from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { MethodDefinition, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { listenAt } from '../plane/listen-at.ts';
import type { ListenerOptions, PlaneLimits, TurnedAway } from '../plane/plane.ts';
import { decodeCheckRequest, encodeCheckResponse } from './check-messages.ts';
import { createHealth, HEALTH_SERVICE } from './health.ts';
import type { Judge, Question } from './judge.ts';
import type { AuthzSide } from './side.ts';

export interface ExtAuthzOptions {
  readonly judge: Judge;
  readonly notReady: () => string | undefined;
  readonly listener: Pick<ListenerOptions, 'host' | 'port'>;
  readonly limits: Pick<PlaneLimits, 'maxConnections' | 'maxStreams'>;
  readonly onConnections: (open: number) => void;
  readonly onTurnedAway: (why: TurnedAway, peer: string | undefined) => void;
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
  const { judge, notReady, listener, limits, onConnections, onTurnedAway } = options;
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

  // Connections are taken here and handed over, as where another process takes them.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<net.Socket>();
  const front = net.createServer(accept);
  front.maxConnections = limits.maxConnections;
  front.on('drop', (dropped) => onTurnedAway('limit', dropped?.remoteAddress));

  function accept(socket: net.Socket): void {
    sockets.add(socket);
    onConnections(sockets.size);
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      onConnections(sockets.size);
    });
    injector.injectConnection(socket);
  }

  function shut(): void {
    if (front.listening) front.close();
    health.close();
  }

  return {
    listen: () => listenAt(front, listener),
    accept,
    async drain() {
      shut();
      const ended = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
      injector.drain(LAST_MS);
      await Promise.all(ended);
    },
    async close() {
      shut();
      for (const socket of sockets) socket.destroy();
      server.forceShutdown();
    },
    renew: () => void (front.maxConnections = limits.maxConnections),
  };
}

/** A question is answered within 150 ms; whoever goes on after that has been told to go. */
const LAST_MS = 1_000;
