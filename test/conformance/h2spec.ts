import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { TRACES_PATH } from '../support/grpc-client.ts';
import { createCertificate } from '../support/tls.ts';
import { readReport } from './h2spec-report.ts';
import { judge } from './judge.ts';
import type { Case } from './judge.ts';
import { assertUnharmed, listenOn, PLANE, startSubject } from './subject.ts';
import { goProgram } from './toolchain.ts';

/**
 * h2spec: what RFC 9113 and RFC 7541 ask of a server, case by case, over cleartext and TLS. Requests are sent in three ways,
 * because a gateway has as many: refused at their head, relayed as HTTP, and relayed as gRPC.
 */

/** h2spec can send no fields of its own choice, and ignores the size that a server allows its header table. */
const h2spec = goProgram({
  folder: 'h2spec',
  package: 'github.com/summerwind/h2spec/cmd/h2spec',
  edits: [
    {
      file: 'github.com/summerwind/h2spec/spec/util.go',
      text: '	return []hpack.HeaderField{\n		HeaderField(":method", "GET"),',
      instead: '	return withChosenFields([]hpack.HeaderField{\n		HeaderField(":method", "GET"),',
    },
    {
      file: 'github.com/summerwind/h2spec/spec/util.go',
      text: 'HeaderField(":authority", authority),\n	}\n}\n',
      instead: `HeaderField(":authority", authority),
	})
}

// withChosenFields adds the fields that the environment names, one a line; with any, the method is POST.
func withChosenFields(headers []hpack.HeaderField) []hpack.HeaderField {
	for _, line := range strings.Split(os.Getenv("H2SPEC_FIELDS"), "\\n") {
		if name, value, found := strings.Cut(line, ": "); found {
			headers[0].Value = "POST"
			headers = append(headers, HeaderField(name, value))
		}
	}
	return headers
}
`,
    },
    { file: 'github.com/summerwind/h2spec/spec/util.go', text: '	"fmt"\n', instead: '	"fmt"\n	"os"\n	"strings"\n' },
    {
      file: 'github.com/summerwind/h2spec/spec/connection.go',
      text: '					conn.Settings[setting.ID] = setting.Val\n					return nil\n				})\n				conn.WriteSettingsAck()',
      instead: `					conn.Settings[setting.ID] = setting.Val
					if setting.ID == http2.SettingHeaderTableSize {
						conn.encoder.SetMaxDynamicTableSizeLimit(setting.Val)
					}
					return nil
				})
				conn.WriteSettingsAck()`,
    },
  ],
});

/** As many as this version has: fewer would mean that the report could not be read. */
const CASES = 146;

/** The ways, and what each sends besides what h2spec sends anyway. */
const WAYS = {
  refused: { path: '/v1/traces', fields: () => [] },
  'relayed as HTTP': { path: '/v1/traces', fields: (key: string) => [`x-api-key: ${key}`] },
  'relayed as gRPC': {
    path: TRACES_PATH,
    fields: (key: string) => ['content-type: application/grpc', 'te: trailers', `x-api-key: ${key}`],
  },
} as const;

for (const over of ['cleartext', 'TLS'] as const) {
  describe(`h2spec over ${over}, plane: ${PLANE}`, () => {
    for (const [way, { path, fields }] of Object.entries(WAYS)) {
      it(way, async (t) => {
        const certificate = over === 'TLS' ? await createCertificate(t) : undefined;
        const subject = await startSubject(t, { listen: listenOn(certificate) });
        const port = subject.gateway.addresses.grpc.split(':')[1] ?? '';
        const cases = await run(
          t,
          ['-p', port, '-P', path, ...(certificate ? ['-t', '-k'] : [])],
          fields(subject.gateway.key),
        );
        await assertUnharmed(t, subject, certificate?.cert);
        judge('h2spec', over, cases, CASES);
      });
    }
  });
}

async function run(t: TestContext, args: readonly string[], fields: readonly string[]): Promise<readonly Case[]> {
  const folder = await mkdtemp(join(tmpdir(), 'h2spec-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const report = join(folder, 'report.xml');
  const child = spawn(h2spec, [...args, '-h', '127.0.0.1', '-S', '-j', report], {
    env: { ...process.env, H2SPEC_FIELDS: fields.join('\n') },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  t.after(() => void child.kill());
  await new Promise((resolve) => child.once('close', resolve));
  return readReport(await readFile(report, 'utf8'));
}
