import { of, perSecond, sumBy } from './panels.ts';
import type { Row } from './panels.ts';

export const COLLECTOR_ROW: Row = {
  title: 'The collector',
  open: false,
  panels: [
    {
      show: 'lines',
      title: 'Addresses of the collector',
      about:
        'ejected: requests failed there, so it gets none while others are well, and is asked again after 1 s to 30 s. None healthy: docs/operations.md#keygateupstreamfailing. Fewer than you run: its name does not resolve to all of them.',
      width: 8,
      unit: 'short',
      queries: [
        {
          expr: sumBy('instance, protocol, state', of('keygate_upstream_addresses')),
          legend: '{{instance}}: {{protocol}}, {{state}}',
        },
      ],
    },
    {
      show: 'lines',
      title: 'What failed behind the gateway',
      about:
        'upstream_unavailable: it refuses or breaks connections. upstream_timeout: it hangs. upstream_overloaded: it is at its limit, or limits.maxHeld is spent here. Mend the collector; Keygate goes on by itself.',
      width: 8,
      unit: 'reqps',
      queries: [
        {
          expr: sumBy('reason, protocol', perSecond('keygate_requests_total', 'reason=~"upstream_.*"')),
          legend: '{{reason}}, {{protocol}}',
        },
        {
          expr: sumBy('protocol', perSecond('keygate_upstream_ejections_total')),
          legend: 'addresses ejected, {{protocol}}',
        },
      ],
    },
    {
      show: 'lines',
      title: 'Connections to the collector',
      about:
        'upstream.connections to each address over gRPC; over HTTP as many as requests wait at once. A saw that comes down again and again is a collector, or something before it, that ends connections.',
      width: 8,
      unit: 'short',
      queries: [
        { expr: sumBy('instance, protocol', of('keygate_upstream_connections')), legend: '{{instance}}: {{protocol}}' },
      ],
    },
  ],
};

export const SENDERS_ROW: Row = {
  title: 'Connections and abuse',
  open: false,
  panels: [
    {
      show: 'lines',
      title: 'Connections of senders',
      about:
        'Watch it against limits.maxConnections (10,000 for each port). One gateway with far fewer than the others is new: gRPC keeps its connections (docs/load-balancer.md).',
      width: 12,
      unit: 'short',
      queries: [{ expr: sumBy('instance, port', of('keygate_connections')), legend: '{{instance}}: {{port}}' }],
    },
    {
      show: 'lines',
      title: 'Connections turned away, by cause',
      about:
        'No request tells of them. limit: limits.maxConnections are open. handshake: senders do not trust the certificate, or speak no TLS; checks of a load balancer are a flat line. certificate: the client has one of another authority (docs/operations.md#keygateconnectionsturnedaway).',
      width: 12,
      unit: 'cps',
      queries: [
        {
          expr: sumBy('instance, port, cause', perSecond('keygate_connections_turned_away_total')),
          legend: '{{instance}}: {{port}}, {{cause}}',
        },
      ],
    },
    {
      show: 'lines',
      title: 'Budgets spent',
      about:
        'Connections of senders that cost more than they should. warned: asked to go; ended: cut. An attack, or a library that misbehaves; docs/wire.md says what each budget is, `keygate top` who it may be. Others are not held up.',
      width: 12,
      unit: 'cps',
      queries: [{ expr: sumBy('budget, how', perSecond('keygate_budget_spent_total')), legend: '{{budget}}, {{how}}' }],
    },
    {
      show: 'lines',
      title: 'Lines left out of the log',
      about:
        'A flood of refusals cannot fill a disk. source: many of one sender; refusals: of many senders. Nothing is lost by it but words: `keygate top` and the metrics count every request (docs/logs.md).',
      width: 12,
      unit: 'cps',
      queries: [{ expr: sumBy('bound', perSecond('keygate_log_lines_dropped_total')), legend: '{{bound}}' }],
    },
  ],
};

export const PROCESS_ROW: Row = {
  title: 'The process',
  open: false,
  panels: [
    {
      show: 'states',
      title: 'Its configuration',
      about:
        'refused: a file was changed and has a fault, so the gateway goes on with what it had, and would not start with what is there now. The log names each fault, so does `keygate check-config`: docs/operations.md#keygateconfigrefused.',
      width: 12,
      queries: [{ expr: of('keygate_config_last_reload_successful'), legend: '{{instance}}' }],
      words: ['refused', 'good'],
      good: 1,
    },
    {
      show: 'lines',
      title: 'New configurations, and what waits for a restart',
      about:
        'Files that were read while running, a second, by what became of them; and options that say something else than what holds, until the gateway is restarted: do that when it suits you (docs/operations.md#reloading).',
      width: 12,
      unit: 'short',
      queries: [
        { expr: sumBy('result', perSecond('keygate_config_reloads_total')), legend: '{{result}}, a second' },
        { expr: of('keygate_config_options_awaiting_restart'), legend: '{{instance}}: options that wait' },
      ],
    },
    {
      show: 'states',
      title: 'Draining',
      about:
        'After SIGTERM a gateway finishes what it has and tells senders to go elsewhere. One that drains for longer than limits.drainTimeout (30 s) is killed too late, or hangs.',
      width: 12,
      queries: [{ expr: of('keygate_draining'), legend: '{{instance}}' }],
      words: ['no', 'draining'],
      good: 0,
    },
    {
      show: 'table',
      title: 'What is running',
      about: 'More than one version is a rollout; if it stays, one that got stuck.',
      width: 12,
      query: `count by (version, node, job) (${of('keygate_build_info')})`,
      columns: { version: 'Keygate', node: 'Node', job: 'Job' },
      value: 'Gateways',
      unit: 'short',
      order: 'most first',
    },
    {
      show: 'lines',
      title: 'Workers, and those that ended',
      about:
        'Processes that serve senders; and those that ended without being told to, and were replaced. killed: as a rule there was no memory left; crashed or hung: a fault of ours, report it with its log (docs/operations.md#keygateworkercrashes).',
      width: 24,
      unit: 'short',
      queries: [
        { expr: of('keygate_workers'), legend: '{{instance}}: workers' },
        { expr: sumBy('why', perSecond('keygate_worker_restarts_total')), legend: '{{why}}, a second' },
      ],
    },
    {
      show: 'lines',
      title: 'CPU',
      about:
        'Cores in use. A worker uses one core for requests: from 0.7 for each of them on, add workers or replicas (docs/operations.md#sizing).',
      width: 8,
      unit: 'short',
      queries: [{ expr: sumBy('instance', perSecond('process_cpu_seconds_total')), legend: '{{instance}}' }],
    },
    {
      show: 'lines',
      title: 'Memory',
      about:
        'rss is what the limit of the container counts. It grows with keys in memory and with what waits for a slow collector (limits.maxHeld). One that only ever grows: take a heap snapshot, and report it.',
      width: 8,
      unit: 'bytes',
      queries: [
        { expr: of('process_resident_memory_bytes'), legend: '{{instance}}: rss' },
        { expr: of('nodejs_heap_size_used_bytes'), legend: '{{instance}}: heap' },
      ],
    },
    {
      show: 'lines',
      title: 'Event loop, and garbage',
      about:
        'How late the process comes to what it should do: milliseconds as a rule. Tens of milliseconds: a full core, or a machine that is shared. Garbage is the share of time that its collection takes.',
      width: 8,
      unit: 's',
      queries: [
        { expr: of('nodejs_eventloop_lag_p99_seconds'), legend: '{{instance}}: lag p99' },
        {
          expr: sumBy('instance', perSecond('nodejs_gc_duration_seconds_sum')),
          legend: '{{instance}}: garbage, s a second',
        },
      ],
    },
  ],
};
