import { REASONS } from '../../verdict/reasons.ts';
import type { Row } from '../../verdict/reasons.ts';
import { inTheHourBefore, of, orZero, perSecond, quantiles, sumBy } from './panels.ts';
import type { Row as PanelRow } from './panels.ts';

/** Refused, and the sender comes back with the same data: nothing is lost by it. */
const COMES_BACK = Object.entries<Row>(REASONS)
  .filter(([, { verdict, retrySeconds }]) => verdict === 'deny' && retrySeconds !== undefined)
  .map(([reason]) => reason)
  .join('|');
const LOST = `verdict="deny", reason!~"${COMES_BACK}"`;

const REQUESTS = 'keygate_requests_total';
const SOURCES = 'keygate_refused_source_requests_per_second';
const SOURCE_LABELS = 'worked, reason, peer, key_id, fingerprint, user_agent';

/** What somebody needs to know before anything else. */
export const LOSS: PanelRow = {
  title: 'Is telemetry being lost, and whose?',
  open: true,
  panels: [
    {
      show: 'number',
      title: 'Lost for good',
      about:
        'Requests a second that were refused with a positive no (403, 404, 413 ...). Their senders delete the data. A little is normal: scanners, keys that were never changed. Above its usual height: who it is stands in the table below, what to do in docs/403-spike.md.',
      width: 4,
      unit: 'reqps',
      query: orZero(`sum(${perSecond(REQUESTS, LOST)})`),
      odd: 0.1,
      bad: 10,
    },
    {
      show: 'number',
      title: 'Lost, of all',
      about:
        'The same as a share of all requests. KeygateRefusalSpike fires above 1 % if a reason is also three times as frequent as in the hour before.',
      width: 4,
      unit: 'percentunit',
      query: orZero(`sum(${perSecond(REQUESTS, LOST)}) / sum(${perSecond(REQUESTS)})`),
      odd: 0.001,
      bad: 0.01,
    },
    {
      show: 'number',
      title: 'Senders cut off',
      about:
        'Senders that were let through within a day and are refused now. These are the ones who will call. The table below names them, with the reason; docs/operations.md#keygateworkingsenderrefused says how to help each.',
      width: 4,
      unit: 'short',
      query: orZero(`count(sum by (${SOURCE_LABELS}) (${of(SOURCES, `worked="true", reason!~"${COMES_BACK}"`)}))`),
      bad: 1,
    },
    {
      show: 'number',
      title: 'Asked to retry',
      about:
        'Not lost: requests a second that were answered with a doubt (503, 504, UNAVAILABLE). Senders keep the data until their queues are full, which with the defaults of collectors takes minutes and of SDKs seconds. "Asked to retry, by reason" says whether it is the key store or the collector.',
      width: 4,
      unit: 'reqps',
      query: orZero(`sum(${perSecond(REQUESTS, 'verdict="undecided"')})`),
      odd: 0.1,
      bad: 10,
    },
    {
      show: 'number',
      title: 'Let through',
      about:
        'Requests a second that the collector has answered, whatever it said. If this falls and nothing else here is red, senders do not reach the gateway: look at the load balancer, DNS and certificates (docs/operations.md#keygatetrafficdrops).',
      width: 4,
      unit: 'reqps',
      query: `sum(${perSecond(REQUESTS, 'verdict="allow"')})`,
    },
    {
      show: 'number',
      title: 'Not scraped',
      about:
        'Gateways that Prometheus does not reach: ended, hanging, or cut off. Senders go to the others. docs/operations.md#keygatedown.',
      width: 4,
      unit: 'short',
      query: orZero('count(up{job=~"$job", instance=~"$instance"} == 0)'),
      bad: 1,
    },
    {
      show: 'table',
      title: 'Who is refused most, now',
      about:
        'Refused sources of the last minutes. Worked: it was let through within a day, so its data is being lost and it does not know why: begin there. `keygate explain <key id>` says what each gateway answers and why; `keygate top` shows the same live. docs/403-spike.md goes through it step by step.',
      width: 16,
      // Apart, so that no flood pushes out one that worked and sends once a minute.
      query: ['true', 'false']
        .map((worked) => `topk(20, ${sumBy(SOURCE_LABELS, of(SOURCES, `worked="${worked}"`))})`)
        .join(' or '),
      columns: {
        worked: {
          title: 'Worked',
          width: 90,
          words: { true: { text: 'yes', colour: 'orange' }, false: { text: 'no', colour: 'text' } },
          isFirst: true,
        },
        reason: { title: 'Reason', width: 155 },
        peer: { title: 'From', width: 110 },
        key_id: { title: 'Key id', width: 150 },
        fingerprint: { title: 'Fingerprint', width: 120 },
        user_agent: 'Program',
      },
      value: 'Requests/s',
      valueWidth: 110,
      unit: 'reqps',
      order: 'most first',
    },
    {
      show: 'table',
      title: 'Alerts that fire',
      about:
        'From config/prometheus/keygate.rules.yaml. Each has a section of its name in docs/operations.md: what it means, what to look at, what to do.',
      width: 8,
      query: 'sum by (severity, alertname) (ALERTS{alertname=~"Keygate.*", alertstate="firing", job=~"$job"})',
      columns: {
        severity: {
          title: 'Severity',
          width: 90,
          words: {
            critical: { text: 'critical', colour: 'red' },
            warning: { text: 'warning', colour: 'orange' },
            info: { text: 'info', colour: 'blue' },
          },
        },
        alertname: 'Alert',
      },
      value: 'Times',
      valueWidth: 70,
      unit: 'short',
      order: 'most first',
    },
  ],
};

export const REQUEST_ROW: PanelRow = {
  title: 'Requests',
  open: true,
  panels: [
    {
      show: 'lines',
      title: 'Requests by verdict',
      about:
        'allow: the collector answered. deny: refused for good. undecided: asked to retry. cancelled: the sender left first, most often because its own deadline was over: compare with the time that the collector takes.',
      width: 12,
      unit: 'reqps',
      queries: [{ expr: sumBy('verdict', perSecond(REQUESTS)), legend: '{{verdict}}' }],
      stacked: true,
      colours: { allow: 'green', deny: 'red', undecided: 'orange', cancelled: 'purple' },
    },
    {
      show: 'lines',
      title: 'Refused, by reason, against the hour before',
      about:
        'Each reason now, and dashed its average of the hour that ended ten minutes ago. A line far above its dashes is news: somebody changed a key, a sender, or tries keys. docs/errors.md says what each reason means, `keygate audit list` who changed what.',
      width: 12,
      unit: 'reqps',
      queries: [
        { expr: sumBy('reason', perSecond(REQUESTS, 'verdict="deny"')), legend: '{{reason}}' },
        {
          expr: sumBy('reason', inTheHourBefore(REQUESTS, 'verdict="deny"')),
          legend: '{{reason}}, the hour before',
        },
      ],
      dashed: 'before',
    },
    {
      show: 'lines',
      title: 'Asked to retry, by reason',
      about:
        'store_*: keys could not be checked, see "Keys and their store" and docs/operations.md#keygateundecided. upstream_*: the collector fails, see "The collector" and docs/operations.md#keygateupstreamfailing. draining: a rollout; it ends by itself.',
      width: 8,
      unit: 'reqps',
      queries: [{ expr: sumBy('reason', perSecond(REQUESTS, 'verdict="undecided"')), legend: '{{reason}}' }],
    },
    {
      show: 'lines',
      title: 'Requests by signal and protocol',
      about:
        'A signal that stops while the others go on is a sender, or a pipeline of the collector, that somebody changed.',
      width: 8,
      unit: 'reqps',
      queries: [{ expr: sumBy('signal, protocol', perSecond(REQUESTS)), legend: '{{signal}}, {{protocol}}' }],
    },
    {
      show: 'lines',
      title: 'Bytes of bodies',
      about:
        'As sent, so compressed where senders compress. A rise without more requests is larger batches: think of limits.maxBody and of the memory of the collector.',
      width: 8,
      unit: 'Bps',
      queries: [
        { expr: sumBy('protocol', perSecond('keygate_request_bytes_total')), legend: 'to the collector, {{protocol}}' },
        { expr: sumBy('protocol', perSecond('keygate_response_bytes_total')), legend: 'answers, {{protocol}}' },
      ],
    },
    {
      show: 'lines',
      title: 'Time to a verdict',
      about:
        'From the head of a request to its verdict. Microseconds from memory; a p99 near 0.15 s means that the store is asked and is slow, see "Lookups in the store". A p99 of milliseconds with a quiet store is a full core: see "The process".',
      width: 8,
      unit: 's',
      queries: quantiles('keygate_decision_seconds', 'protocol', '{{protocol}}'),
    },
    {
      show: 'lines',
      title: 'Time of the collector',
      about:
        'From sending a request on to the answer. If it rises, the collector is slow, and requests wait here: "In flight" rises too. Near the deadline of senders (5 s for gRPC of a Collector) they cancel and send again (docs/operations.md#keygatesendersgiveup).',
      width: 8,
      unit: 's',
      queries: quantiles('keygate_upstream_seconds', 'protocol', '{{protocol}}'),
    },
    {
      show: 'lines',
      title: 'In flight',
      about:
        'Requests that have begun and not ended. It rises when the collector is slow; what waits is bounded by limits.maxHeld, and what does not fit is asked to retry (upstream_overloaded).',
      width: 8,
      unit: 'short',
      queries: [
        { expr: sumBy('instance, protocol', of('keygate_requests_in_flight')), legend: '{{instance}}, {{protocol}}' },
      ],
    },
  ],
};
