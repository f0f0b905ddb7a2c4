import { call, OVERVIEW } from './api.js';
import { freshId, h, replace } from './dom.js';
import { copyButton, field } from './parts.js';
import { may } from './session.js';

/** What to paste where, so that a sender uses the key. */

const DEFAULT_PORTS = { grpc: { port: 4317, tls: false }, http: { port: 4318, tls: false } };
const HOST_FORM = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)$/;

/** @typedef {{ key: string, grpc: string, http: string, isGrpcTls: boolean, signal: string }} Sender */

/** Each with its name and its text. @type {[name: string, about: string, text: (sender: Sender) => string][]} */
export const SNIPPETS = [
  [
    'Collector',
    'In the configuration of an OpenTelemetry Collector that sends here. Before 0.144 the exporter is called otlp.',
    ({ key, grpc, isGrpcTls, signal }) => `exporters:
  otlp_grpc/keygate:
    endpoint: ${grpc}
    headers:
      x-api-key: ${key}${isGrpcTls ? '' : '\n    tls:\n      insecure: true'}

service:
  pipelines:
    ${signal}:
      exporters: [otlp_grpc/keygate]
`,
  ],
  [
    'SDK',
    'In the environment of a program with an OpenTelemetry SDK, whatever its language.',
    ({ key, http }) => `export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_ENDPOINT=${http}
export OTEL_EXPORTER_OTLP_HEADERS=x-api-key=${key}
`,
  ],
  [
    'Agent',
    'Values of the Helm chart open-telemetry/opentelemetry-collector, for an agent on each node of a Kubernetes cluster.',
    ({ key, http }) => `# kubectl create secret generic keygate-key --from-literal=KEYGATE_KEY=${key}
mode: daemonset
image:
  repository: otel/opentelemetry-collector-k8s
extraEnvsFrom:
  - secretRef:
      name: keygate-key
config:
  exporters:
    otlp_http/keygate:
      endpoint: ${http}
      headers:
        x-api-key: \${env:KEYGATE_KEY}
  service:
    pipelines:
      traces: { exporters: [otlp_http/keygate] }
      metrics: { exporters: [otlp_http/keygate] }
      logs: { exporters: [otlp_http/keygate] }
`,
  ],
  [
    'curl',
    'In a shell, to see at once whether the key is taken: 200 if it is, and the reason if not.',
    ({ key, http, signal }) => `curl -i ${http}/v1/${signal} \\
  -H 'X-API-Key: ${key}' \\
  -H 'Content-Type: application/json' \\
  -d '{}'
`,
  ],
];

/** @param {{ key: string, signals?: string[] | undefined }} options */
export function snippets({ key, signals = ['traces'] }) {
  let ports = DEFAULT_PORTS;
  const id = freshId('snippet');
  const host = h('input', { value: location.hostname, spellcheck: 'false', autocomplete: 'off', on: { input: show } });
  const problem = h('p', { class: 'help', role: 'status' });
  const panel = h('div', { role: 'tabpanel', id: `${id}-panel`, class: 'panel' });
  let chosen = 0;
  const tabs = SNIPPETS.map(([name], index) =>
    h(
      'button',
      {
        type: 'button',
        role: 'tab',
        id: `${id}-${index}`,
        'aria-controls': `${id}-panel`,
        on: { click: () => choose(index) },
      },
      name,
    ),
  );

  function senderAt(/** @type {string} */ name) {
    const { grpc, http } = ports;
    return {
      key,
      grpc: `${name}:${grpc.port || DEFAULT_PORTS.grpc.port}`,
      http: `http${http.tls ? 's' : ''}://${name}:${http.port || DEFAULT_PORTS.http.port}`,
      isGrpcTls: grpc.tls,
      signal: signals[0] ?? 'traces',
    };
  }

  function show() {
    tabs.forEach((tab, index) => {
      tab.setAttribute('aria-selected', String(index === chosen));
      tab.tabIndex = index === chosen ? 0 : -1;
    });
    panel.setAttribute('aria-labelledby', `${id}-${chosen}`);
    const name = host.value.trim();
    const isGood = HOST_FORM.test(name);
    problem.textContent = isGood ? '' : 'A host name or an IP address, without a port.';
    const found = SNIPPETS[chosen];
    if (!isGood || found === undefined) return;
    const [title, about, text] = found;
    const content = text(senderAt(name));
    replace(
      panel,
      h('p', { class: 'help' }, about),
      h('pre', { tabindex: '0' }, content),
      copyButton(content, `the ${title} snippet`),
    );
  }

  /** @param {number} index */
  function choose(index) {
    chosen = (index + SNIPPETS.length) % SNIPPETS.length;
    show();
  }

  /** As the WAI-ARIA pattern for tabs has it: arrows go around. @param {KeyboardEvent} event */
  function keyed(event) {
    const steps = /** @type {Record<string, number>} */ ({ ArrowRight: 1, ArrowLeft: -1 });
    const target =
      event.key === 'Home' ? 0 : event.key === 'End' ? SNIPPETS.length - 1 : chosen + (steps[event.key] ?? 0);
    if (target === chosen) return;
    event.preventDefault();
    choose(target);
    tabs[chosen]?.focus();
  }

  show();
  if (may('get-traffic')) {
    call('GET', OVERVIEW).then(
      (overview) => {
        ports = overview.ports;
        show();
      },
      () => {}, // the ports are those that a gateway has as a rule, and can be changed where they are pasted
    );
  }
  return h(
    'section',
    { class: 'card stack', 'aria-labelledby': `${id}-title` },
    h('h2', { id: `${id}-title` }, 'Use it'),
    field('Address of the gateway, as senders see it', host),
    problem,
    h('div', { role: 'tablist', 'aria-label': 'Senders', class: 'tabs', on: { keydown: keyed } }, ...tabs),
    panel,
  );
}
