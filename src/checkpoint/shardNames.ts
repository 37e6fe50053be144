/** More shards than any model has; a number beyond is part of a name. */
const MAX_SHARDS = 100_000;

/** What stands between the number of a shard and how many there are. */
const OF = '-of-';

/** A file's name read as that of a shard: "model-00002-of-00005.safetensors". */
export interface ShardName {
  /** Before the number: "model-". */
  readonly before: string;
  readonly number: number;
  /** Digits of the number, with zeros in front. */
  readonly digits: number;
  readonly count: number;
  /** After the number: "-of-00005.safetensors". */
  readonly after: string;
}

/** Reads a name as that of a shard; undefined where it is none. */
export function parseShardName(name: string): ShardName | undefined {
  for (let at = name.indexOf(OF); at >= 0; at = name.indexOf(OF, at + 1)) {
    let first = at;
    while (first > 0 && isDigit(name, first - 1)) first--;
    let end = at + OF.length;
    while (isDigit(name, end)) end++;
    const number = Number(name.slice(first, at));
    const count = Number(name.slice(at + OF.length, end));
    if (first === at || end === at + OF.length) continue;
    if (count < 1 || count > MAX_SHARDS || number > count) continue;
    return {
      before: name.slice(0, first),
      number,
      digits: at - first,
      count,
      after: name.slice(at),
    };
  }
  return undefined;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0x30 && code <= 0x39;
}

/** The name of another shard of the same row. */
export function nameShard({ before, digits, after }: ShardName, number: number): string {
  return before + String(number).padStart(digits, '0') + after;
}

/** Shards of one model by their names, without an index that says so. */
export interface ShardRow {
  /** One of them that is there. */
  readonly shard: ShardName;
  /** The row in one word: "model-*-of-00005.safetensors". */
  readonly label: string;
  readonly first: number;
  readonly last: number;
  /** How many of them are there. */
  readonly present: number;
}

/** The rows in which files are numbered, by the names of a folder; what is no shard is left out. */
export function findShardRows(fileNames: readonly string[]): ShardRow[] {
  const rows = new Map<string, ShardName[]>();
  for (const name of fileNames) {
    const shard = parseShardName(name);
    if (!shard) continue;
    const label = labelOfRow(shard);
    const row = rows.get(label);
    if (row) row.push(shard);
    else rows.set(label, [shard]);
  }
  return [...rows].map(([label, shards]) => {
    const [shard] = shards;
    const numbers = new Set(shards.map(({ number }) => number));
    // Some tools count from 0 and some from 1.
    const first = numbers.has(0) ? 0 : 1;
    const last = numbers.has(0) && !numbers.has(shard.count) ? shard.count - 1 : shard.count;
    return { shard, label, first, last, present: numbers.size };
  });
}

/** Names of all shards of a row in order, those that are not there included. */
export function namesOfRow({ shard, first, last }: ShardRow): string[] {
  return Array.from({ length: last - first + 1 }, (_, at) => nameShard(shard, first + at));
}

/** A shard's row in one word: "model-*-of-00005.safetensors". */
export function labelOfRow({ before, after }: ShardName): string {
  return `${before}*${after}`;
}
