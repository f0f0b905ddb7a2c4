import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Port } from '../plane/plane.ts';
import type { Others } from '../reload.ts';
import { addUp, countsIn } from '../telemetry/figures.ts';
import type { Figures } from '../telemetry/figures.ts';
import type { Log } from '../telemetry/log.ts';
import type { WorkerEnd } from '../telemetry/worker-metrics.ts';
import { countsOf } from '../traffic/merged.ts';
import type { ToldTraffic } from '../traffic/merged.ts';
import { createAgreement } from './agreement.ts';
import { causeOf, pauseBefore, STEADY_MS, whyOf } from './ends.ts';
import { Member } from './member.ts';
import type { End } from './member.ts';
import type { Assignment, ToOffice, ToWorker } from './messages.ts';
import { createSpread } from './spread.ts';

export interface TeamOptions {
  readonly size: number;
  /** What each is to know, from 1 on; asked each time that one is started. */
  readonly assign: (worker: number) => Assignment;
  /** Starts a process that will hear messages. */
  readonly startProcess: (worker: number) => ChildProcess;
  readonly maxConnections: () => number;
  readonly observe: TeamObserver;
  readonly log: Log;
  /** What a worker is to hear when it begins to serve, beside what it was told to begin with. */
  readonly welcome: () => ToWorker;
  /** How long a worker that is to end has for what is in flight. */
  readonly drainTimeoutMs: () => number;
  /** All of them are about to be told to end: none has to go before the others. */
  readonly isEnding: () => boolean;
  /** How often it is seen whether a worker still answers. */
  readonly beatMs?: number;
}

export interface TeamObserver {
  /** So many serve now. */
  running(count: number): void;
  replaced(why: WorkerEnd): void;
  /** A connection was closed, because there were too many. */
  turnedAway(port: Port, peer: string | undefined): void;
  /** A worker did not do in time what it was asked for. */
  unanswered(): void;
  keys(used: Extract<ToOffice, { kind: 'keys' }>['used']): void;
  found(digests: Extract<ToOffice, { kind: 'found' }>['digests']): void;
}

/** The processes that serve senders: started together, replaced when they end, and drained together. */
export interface Team extends Others {
  /** Resolves once all of them could serve; rejects, and ends all, if one cannot. */
  start(): Promise<void>;
  /** A connection for one of them. */
  arrived(port: Port, socket: Socket): void;
  serving(): number;
  /** For each of them. */
  say(message: ToWorker): void;
  /** Has all of them tell their figures, and waits for no answer longer than a second. */
  tell(): Promise<void>;
  /** What was told last, and what those had counted that are gone. */
  figures(): readonly Figures[];
  traffic(): readonly ToldTraffic[];
  /** Resolves when the last one has ended: after the time for what is in flight and a little more, at the latest. */
  drain(): Promise<void>;
  /** Ends them at once. */
  close(): Promise<void>;
}

interface Place {
  readonly worker: number;
  member: Member | undefined;
  startedAtMs: number;
  /** How often in a row it ended soon after its start. */
  failures: number;
  /** How often in a row it did not answer. */
  silences: number;
  pause: NodeJS.Timeout | undefined;
}

const START_WITHIN_MS = 30_000;
const BEAT_MS = 10_000;
/** Half a minute: longer than any pause of a process that will ever go on. */
const MAX_SILENCES = 3;
/** Beyond the time for requests: to close what is open, and to write what is to be kept. */
const ENDING_MS = 10_000;

export function createTeam(options: TeamOptions): Team {
  const { size, assign, startProcess, observe, log, beatMs = BEAT_MS } = options;
  const spread = createSpread<Member>({ ...options, ...observe });
  const places = Array.from({ length: size }, (_, index): Place => {
    return { worker: index + 1, member: undefined, startedAtMs: 0, failures: 0, silences: 0, pause: undefined };
  });
  let state: 'starting' | 'serving' | 'ending' = 'starting';
  let departed: Figures = [];
  let departedTraffic: ToldTraffic | undefined;
  let beat: NodeJS.Timeout | undefined;
  const starting = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();

  const members = (): Member[] => places.flatMap(({ member }) => member ?? []);
  const serving = (): Member[] => members().filter(({ stage }) => stage === 'serving');
  /** Also those that are leaving: they serve whom they have. */
  const atWork = (): Member[] => members().filter(({ stage }) => stage !== 'starting');

  function begin(place: Place): void {
    place.startedAtMs = performance.now();
    place.silences = 0;
    const member = new Member(assign(place.worker), startProcess(place.worker), {
      heard,
      silent: observe.unanswered,
      ended,
    });
    place.member = member;
    // It does not matter any more when it serves by then, or has ended.
    setTimeout(() => {
      if (member.stage !== 'starting' || place.member !== member) return;
      member.objection ??= `it did not serve within ${START_WITHIN_MS / 1_000} s`;
      member.kill();
    }, START_WITHIN_MS).unref();
  }

  function heard(member: Member, message: ToOffice): void {
    switch (message.kind) {
      case 'serving':
        member.send(options.welcome());
        spread.join(member);
        observe.running(serving().length);
        if (serving().length === size) starting.resolve();
        return letOneGo();
      case 'leaving':
        return letOneGo();
      case 'taken':
        return spread.taken(member);
      case 'closed':
        return spread.closed(member, message.port, message.connections);
      case 'keys':
        return observe.keys(message.used);
      case 'found':
        return observe.found(message.digests);
      case 'news':
        for (const other of atWork()) if (other !== member) other.send(message);
        return;
      case 'unable':
      case 'figures':
      case 'done':
        return; // the member has noted it
    }
  }

  /**
   * One that was told to end by somebody else does so when all others serve: so they go one after the other, each when the successor
   * of the one before is there.
   */
  function letOneGo(): void {
    if (state !== 'serving' || options.isEnding() || serving().length < size) return;
    const member = serving().find(({ wantsToLeave }) => wantsToLeave);
    if (member === undefined) return;
    log('info', 'a worker was told to end: it gets no more connections, and is replaced when those it has are done', {
      worker: member.worker,
    });
    dismiss(member);
    observe.running(serving().length);
  }

  /** It finishes what is in flight, and has some time for that. */
  function dismiss(member: Member): void {
    member.stage = 'leaving';
    spread.dismiss(member);
    member.send({ kind: 'drain' });
    setTimeout(() => {
      if (!members().includes(member)) return;
      member.isHung = true;
      member.kill();
    }, options.drainTimeoutMs() + ENDING_MS).unref();
  }

  function ended(member: Member, end: End): void {
    const place = places.find((one) => one.member === member);
    if (place === undefined) return;
    place.member = undefined;
    spread.leave(member);
    observe.running(serving().length);
    if (member.told !== undefined) {
      departed = addUp([departed, countsIn(member.told.figures)]);
      departedTraffic = countsOf([...(departedTraffic ? [departedTraffic] : []), member.told.traffic]);
    }
    if (state === 'starting') {
      starting.reject(new Error(`worker ${member.worker} cannot start: ${causeOf(member, end)}`));
    } else if (state === 'serving') {
      if (member.stage === 'leaving' && end.code === 0) begin(place);
      else replace(place, member, end);
    } else if (members().length === 0) {
      over.resolve();
    }
  }

  function replace(place: Place, member: Member, end: End): void {
    const why = whyOf(member, end);
    place.failures = performance.now() - place.startedAtMs >= STEADY_MS ? 1 : place.failures + 1;
    const pauseMs = pauseBefore(place.failures);
    observe.replaced(why);
    log('error', 'a worker has ended, and is replaced; its connections are broken, all others go on', {
      worker: member.worker,
      fault: why,
      cause: causeOf(member, end),
      pause_ms: pauseMs,
    });
    place.pause = setTimeout(() => begin(place), pauseMs);
  }

  async function look(place: Place, member: Member): Promise<void> {
    if (await member.tell()) {
      place.silences = 0;
    } else if (++place.silences >= MAX_SILENCES && place.member === member) {
      member.isHung = true;
      member.kill();
    }
  }

  function stopLooking(): void {
    state = 'ending';
    clearInterval(beat);
    for (const { pause } of places) clearTimeout(pause);
    if (members().length === 0) over.resolve();
  }

  const killAll = (): void => {
    for (const member of members()) member.kill();
  };

  async function close(): Promise<void> {
    stopLooking();
    killAll();
    await over.promise;
    process.off('exit', killAll);
  }

  return {
    async start() {
      // However this process ends, unless it is killed itself: then they notice that it is gone.
      process.on('exit', killAll);
      places.forEach(begin);
      try {
        await starting.promise;
      } catch (error) {
        await close();
        throw error;
      }
      state = 'serving';
      beat = setInterval(() => {
        for (const place of places) if (place.member?.stage === 'serving') void look(place, place.member);
      }, beatMs).unref();
      letOneGo();
    },
    arrived: spread.arrived,
    serving: () => serving().length,
    say(message) {
      for (const member of atWork()) member.send(message);
    },
    ...createAgreement(members),
    async tell() {
      await Promise.all(atWork().map((member) => member.tell()));
    },
    figures: () => [departed, ...members().flatMap(({ told }) => (told ? [told.figures] : []))],
    traffic: () => [
      ...(departedTraffic ? [departedTraffic] : []),
      ...members().flatMap(({ told }) => (told ? [told.traffic] : [])),
    ],
    async drain() {
      spread.flush();
      stopLooking();
      for (const member of members()) {
        if (member.stage === 'serving') dismiss(member);
        else if (member.stage === 'starting') member.kill(); // nobody is connected to it yet
      }
      await over.promise;
      process.off('exit', killAll);
    },
    close,
  };
}
