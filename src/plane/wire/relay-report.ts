import { randomUUID } from 'node:crypto';
import type { RawFields } from '../../credential/read.ts';
import type { KeyRecord } from '../../keys/record.ts';
import type { Protocol, RequestReport } from '../plane.ts';
import { traceIdIn } from '../trace-context.ts';
import type { RequestHead } from './request-head.ts';

/** What is told of a request when it has ended, as it comes to be known. */
export abstract class RelayReport implements RequestReport {
  readonly head: RequestHead;
  outcome: RequestReport['outcome'] = 'cancelled';
  upstreamStatus: number | undefined;
  key: KeyRecord | undefined;
  fingerprint: string | undefined;
  receivedBytes = 0;
  sentBytes = 0;

  protected readonly startedAtMs = performance.now();
  protected judgedAtMs = 0;
  protected sentUpAtMs = 0;
  protected answeredAtMs = 0;
  /** The fields of this request alone. */
  protected varying: RawFields | undefined;
  private id: string | undefined;

  constructor(head: RequestHead) {
    this.head = head;
  }

  get requestId(): string {
    return (this.id ??= randomUUID()); // most requests are never spoken of
  }
  get traceId(): string | undefined {
    return this.varying && traceIdIn(this.varying);
  }
  get protocol(): Protocol {
    return this.head.protocol;
  }
  get route(): RequestReport['route'] {
    return this.head.route?.name;
  }
  get signal(): RequestReport['signal'] {
    return this.head.route?.signal;
  }
  get peer(): string {
    return this.head.use.peer;
  }
  get userAgent(): string | undefined {
    return this.head.userAgent;
  }
  get decisionSeconds(): number {
    return this.judgedAtMs === 0 ? 0 : (this.judgedAtMs - this.startedAtMs) / 1_000;
  }
  get upstreamSeconds(): number | undefined {
    return this.sentUpAtMs === 0 ? undefined : ((this.answeredAtMs || performance.now()) - this.sentUpAtMs) / 1_000;
  }
}
