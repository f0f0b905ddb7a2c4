/** Where a collector is, and how to speak TLS to it. */
export interface UpstreamTarget {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

export interface UpstreamTls {
  /** The system's authorities if absent. */
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/** Reads `http://host:port` or `https://host:port`; the configuration has checked the form. */
export function parseTarget(url: string): UpstreamTarget {
  const { protocol, hostname, port } = new URL(url);
  const secure = protocol === 'https:';
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? (secure ? 443 : 80) : Number(port), secure };
}

export function authority({ host, port }: UpstreamTarget): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
