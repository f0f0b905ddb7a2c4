/** The static table of RFC 7541 appendix A: "name" or "name=value" of the entries 1 to 61. */
const ENTRIES =
  ':authority :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https :status=200 :status=204 ' +
  ':status=206 :status=304 :status=400 :status=404 :status=500 accept-charset accept-encoding=gzip,_deflate ' +
  'accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control ' +
  'content-disposition content-encoding content-language content-length content-location content-range content-type ' +
  'cookie date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since ' +
  'last-modified link location max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after ' +
  'server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate';

const PAIRS = ENTRIES.split(' ').map((entry) => entry.replace('_', ' ').split('='));

/** Both begin at 1, as the indices do. */
export const STATIC_NAMES: readonly string[] = ['', ...PAIRS.map(([name]) => name ?? '')];
export const STATIC_VALUES: readonly string[] = ['', ...PAIRS.map(([, value]) => value ?? '')];
export const STATIC_LENGTH = PAIRS.length;

/** The first entry of each name; others of the same name follow it. */
export const STATIC_INDEX: ReadonlyMap<string, number> = new Map(
  PAIRS.map(([name]): [string, number] => [name ?? '', STATIC_NAMES.indexOf(name ?? '')]),
);

/** What an entry counts beyond its name and value, here (RFC 7541 section 4.1) and in header lists (RFC 9113 section 6.5.2). */
export const ENTRY_OVERHEAD = 32;

/**
 * The dynamic table (RFC 7541 section 2.3.2): what the peer told us to remember, newest first. Bounded by its size, which
 * also bounds the number of entries, as none counts less than 32.
 */
export class DynamicTable {
  /** Oldest first; names and values stand at the same place. */
  #names: string[] = [];
  #values: string[] = [];
  /** Where the oldest entry is; what is before it has been evicted. */
  #first = 0;
  #bytes = 0;
  #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#names.length - this.#first;
  }

  /** Of the entry at this distance from the newest, which is at 0. */
  nameAt(distance: number): string | undefined {
    return distance < this.length ? this.#names[this.#names.length - 1 - distance] : undefined;
  }

  valueAt(distance: number): string | undefined {
    return distance < this.length ? this.#values[this.#values.length - 1 - distance] : undefined;
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evictTo(maxBytes);
  }

  /** An entry larger than the table empties it, and is no error (RFC 7541 section 4.4). */
  add(name: string, value: string): void {
    const bytes = name.length + value.length + ENTRY_OVERHEAD;
    this.#evictTo(Math.max(0, this.#maxBytes - bytes));
    if (bytes > this.#maxBytes) return;
    this.#bytes += bytes;
    this.#names.push(name);
    this.#values.push(value);
  }

  #evictTo(maxBytes: number): void {
    while (this.#bytes > maxBytes) {
      const name = this.#names[this.#first] as string;
      const value = this.#values[this.#first] as string;
      this.#names[this.#first] = '';
      this.#values[this.#first] = '';
      this.#bytes -= name.length + value.length + ENTRY_OVERHEAD;
      this.#first += 1;
    }
    if (this.#first === 0 || (this.#first < MOST_EVICTED && this.length > 0)) return;
    this.#names = this.#names.slice(this.#first);
    this.#values = this.#values.slice(this.#first);
    this.#first = 0;
  }
}

/** Places of evicted entries are given up this many at a time. */
const MOST_EVICTED = 128;
