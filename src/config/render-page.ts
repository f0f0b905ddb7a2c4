import type { Option, Reloads, SectionOption } from './describe.ts';
import { toYaml, variablesOf } from './render-yaml.ts';

const INTRO = `\
<!-- Generated from src/config/schema.ts by \`node src/config/generate.ts\`. -->

# Configuration

Keygate reads one YAML file, named by \`--config\` or \`KEYGATE_CONFIG\`, and the environment. Neither has to say much:
every option has a default except the collector behind the gateway. [config/keygate.yaml](../config/keygate.yaml) lists
all options with their defaults, ready to be copied.

\`\`\`sh
keygate check-config --config keygate.yaml
\`\`\`

names everything that is wrong with a configuration, all at once, each fault with its place in the file, and starts
nothing. \`keygate serve\` makes the same checks before it listens.

## Precedence

1. An environment variable, or a file named by its \`_FILE\` form.
2. The configuration file.
3. The default. With \`--dev\` the defaults differ in two points: all ports listen on 127.0.0.1 only, and without
   \`upstream\` a built-in collector takes the telemetry.

A gateway that runs notices when one of its files changes, and reads all of them again on SIGHUP: the column "reload" says whether an
option then changes at once, or waits for a restart. A new configuration with a fault is refused as a whole, and the old one stays
([operations.md](operations.md#reloading)). Variables are those that the process was started with; the files that they name are read
again.

## The file

Durations and sizes are written with their unit: \`100ms\`, \`5s\`, \`2m\`, \`1h\`, \`30d\`; \`16KiB\`, \`64MiB\`, \`1GiB\`.
Relative paths are relative to the directory that Keygate is started in. Options that do not exist are faults, so a
mistyped name cannot silently mean the default.

The smallest useful file puts the gateway in front of a collector, with keys in a SQLite file:

\`\`\`yaml
upstream:
  grpc: http://collector:4317
  http: http://collector:4318
\`\`\`

Several gateways behind a load balancer share their keys in Redis; senders use TLS:

\`\`\`yaml
listen:
  grpc:
    tls: { cert: /etc/keygate/tls.crt, key: /etc/keygate/tls.key }
  http:
    tls: { cert: /etc/keygate/tls.crt, key: /etc/keygate/tls.key }
upstream:
  grpc: http://collector:4317
  http: http://collector:4318
store:
  redis:
    url: rediss://keygate:password@redis:6379/0
keys:
  receiverKeys:
    - name: legacy-agents
      keyFile: /run/secrets/legacy-agents
log:
  format: json
\`\`\`

Editors that know the YAML language server complete and check the file when it begins with
\`# yaml-language-server: $schema=<path of config/keygate.schema.json>\`.

## The environment

Every option has a variable: \`KEYGATE_\` and the option's path in upper snake case, so that \`limits.maxBody\` is
\`KEYGATE_LIMITS_MAX_BODY\`.

\`\`\`sh
KEYGATE_UPSTREAM_GRPC=http://collector:4317
KEYGATE_STORE_REDIS_URL_FILE=/run/secrets/redis-url
KEYGATE_KEYS_CARRIERS=x-api-key,x-ingest-key
KEYGATE_KEYS_RECEIVER_KEYS_FILE=/run/secrets/receiver-keys.yaml
\`\`\`

- Text, numbers, durations and sizes are taken as written. An option that can be null is set to null by \`null\`.
- A list of words is written with commas, other lists and groups as YAML or JSON: \`[{name: agents, key: 4f0c…}]\`.
- A variable that is set to nothing counts as not set. An empty list is written \`[]\`.
- Setting an option inside a group that is null makes the group: \`KEYGATE_STORE_REDIS_URL\` alone turns Redis on.
- Secrets, and lists with secrets in them, also come from a file: \`<NAME>_FILE\` holds its path, and the file holds what
  the variable would. A newline at its end is not part of the value. Setting both is a fault.
- A variable that begins with \`KEYGATE_\` and belongs to no option is a fault too. Left alone are those that Kubernetes
  makes for services whose name begins with "keygate", and the CLI's own: \`KEYGATE_CONFIG\`, \`KEYGATE_URL\`,
  \`KEYGATE_SERVICE_TOKEN\`, \`KEYGATE_SERVICE_TOKEN_FILE\`.

No fault ever shows a secret.

## Options
`;

/** docs/config.md: how configuration works, and a table of the options of each section. */
export function renderPage(root: SectionOption): string {
  const sections = root.children.map((option) => {
    const isSection = option.kind === 'section' || option.kind === 'group';
    // An option that stands alone says in its row what it is for.
    const head = isSection ? `### ${option.name}\n\n${option.description}` : `### ${option.name}`;
    const options = isSection ? option.children : [option];
    return `${head}\n\n${TABLE_HEAD}\n${options.flatMap(rows).join('\n')}`;
  });
  return `${[INTRO.trimEnd(), ...sections].join('\n\n')}\n`;
}

const TABLE_HEAD =
  '| Option and variable | What it is for | Allowed | Default | Reload |\n| --- | --- | --- | --- | --- |';

const RELOADS: Readonly<Record<Reloads, string>> = {
  yes: 'yes',
  'unless null': 'yes, but not from or to null',
  no: 'restart',
};

/** The rows of an option and of all those inside it; a section is only there for its options. */
function rows(option: Option): string[] {
  switch (option.kind) {
    case 'section':
      return option.children.flatMap(rows);
    case 'group':
      return [row(option), ...option.children.flatMap(rows)];
    case 'list':
      return option.item.kind === 'section' ? [row(option), ...option.item.children.flatMap(rows)] : [row(option)];
    case 'text':
    case 'number':
    case 'flag':
      return [row(option)];
  }
}

function row(option: Option): string {
  const names = option.path.includes('[]') ? [option.name] : [option.name, ...variablesOf(option)];
  const cells = [
    names.map(code).join('<br>'),
    prose(option.description) + (option.secret && option.kind === 'text' ? ' **Secret.**' : ''),
    option.kind === 'group' ? 'the options below, or null' : option.allowed,
    option.defaultValue === undefined ? 'required' : code(toYaml(option.defaultValue)),
    RELOADS[option.reloads],
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function code(text: string): string {
  return `\`${text}\``;
}

/** Descriptions are plain text; in Markdown an angle bracket would begin a tag. */
function prose(text: string): string {
  return text.replaceAll('<', '&lt;');
}
