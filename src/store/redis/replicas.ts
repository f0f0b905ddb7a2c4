import type { ReplicaState, ReplicaStore } from '../replica-port.ts';
import { readReplica, writeReplica } from '../replica-json.ts';
import type { Connection } from './connection.ts';
import { answersName, CHANGES_FIELD, STORE_FIELD } from './scripts.ts';
import type { KeyNames } from './scripts.ts';

/**
 * Gateways that share a Redis, seen through it. Nothing here asks whose store this is: a replica says which one it reads,
 * and what lies in a store that is not ours is gone within the hour.
 */
export function createRedisReplicas(connection: Connection, keys: KeyNames): ReplicaStore {
  return {
    beatMs: 1_000,
    liveForMs: 5_000,

    async acknowledge(acknowledgement) {
      const { id, appliedAt } = acknowledgement;
      const now = await connection.run((redis) =>
        redis.keygateAcknowledge(keys.replicas, id, appliedAt?.toString() ?? '', writeReplica(acknowledgement)),
      );
      return Number(now);
    },

    leave: async (id) => void (await connection.run((redis) => redis.hdel(keys.replicas, id))),

    async replicas() {
      const [now, store, changes, stored] = await connection.run((redis) =>
        redis.keygateRoll(keys.digests, keys.replicas, STORE_FIELD, CHANGES_FIELD),
      );
      const replicas: ReplicaState[] = [];
      for (let i = 0; i + 1 < stored.length; i += 2) {
        const [, seenAt, appliedAt, json = ''] = /^(\d+) (\d+) (.*)$/s.exec(stored[i + 1] ?? '') ?? [];
        const stamps = { seenAt: Number(seenAt), appliedAt: Number(appliedAt) };
        const replica = readReplica(stored[i] ?? '', json, stamps, store);
        if (replica !== undefined) replicas.push(replica);
      }
      return { now: Number(now), lastChange: Number(changes ?? 0), replicas };
    },

    async changeOf(digest) {
      const [id, madeAt] = await connection.run((redis) => redis.keygateChangeOf(keys.changes, digest));
      if (id === undefined || madeAt === undefined || madeAt === null) return undefined;
      return { number: Number.parseInt(id, 10), madeAt: Number(madeAt) };
    },

    ask: (question) => connection.run((redis) => redis.keygateAsk(keys.questions, question)),

    answer: async (questionId, replicaId, answer) =>
      void (await connection.run((redis) => redis.keygateAnswer(answersName(keys, questionId), replicaId, answer))),

    answers: async (questionId) =>
      new Map(Object.entries(await connection.run((redis) => redis.hgetall(answersName(keys, questionId))))),
  };
}
