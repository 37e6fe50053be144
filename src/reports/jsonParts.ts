/** Characters of a part, roughly: short enough to be dropped before the memory is searched for what is old. */
const PART_CHARACTERS = 48 * 1024;

/** Members that are made into text at once, and how long that text may be for there to be as many. */
const MAX_BATCH = 32;
const BATCH_CHARACTERS = 32 * 1024;

/** What stands before and behind the members of a list or an object that is itself the only member. */
const BEFORE = '{\n  "": [\n'.length;
const BEHIND = '\n  ]\n}'.length;

/**
 * The JSON of an object in parts, so that a million tensors are never one text. Joined, they are what
 * `JSON.stringify(report, undefined, 2)` gives, with a line break at the end and unseen characters escaped.
 * @param report an object whose numbers are finite. Lists that are not arrays are gone through once
 */
export function* formatJsonParts(
  report: Readonly<Record<string, unknown>>,
): Generator<string, void, void> {
  let part = '{';
  let separator = '\n';
  for (const [key, value] of Object.entries(report)) {
    if (value === undefined) continue;
    part += `${separator}  ${JSON.stringify(key)}: `;
    separator = ',\n';
    const members = membersOf(value);
    if (!members) {
      part += JSON.stringify(value);
      continue;
    }
    part += members.open;
    let first = true;
    for (const text of members.texts) {
      part += `${first ? '' : ','}\n${text}`;
      first = false;
      if (part.length < PART_CHARACTERS) continue;
      yield escapeUnseen(part);
      part = '';
    }
    part += `${first ? '' : '\n  '}${members.close}`;
  }
  yield escapeUnseen(`${part}${separator === '\n' ? '' : '\n'}}\n`);
}

interface Members {
  readonly open: string;
  readonly close: string;
  /** One or several members each. */
  readonly texts: Iterable<string>;
}

/** The members of an object or a list, indented as in the whole; undefined for a plain value. */
function membersOf(value: unknown): Members | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return isIterable(value)
    ? { open: '[', close: ']', texts: elementsOf(value) }
    : { open: '{', close: '}', texts: entriesOf(value as Readonly<Record<string, unknown>>) };
}

function elementsOf(list: Iterable<unknown>): Iterable<string> {
  return inBatches(list, (elements) => elements);
}

function entriesOf(object: Readonly<Record<string, unknown>>): Iterable<string> {
  const keys = Object.keys(object).filter((key) => object[key] !== undefined);
  // Entries define properties, so a key "__proto__" stays a key.
  return inBatches(keys, (some) => Object.fromEntries(some.map((key) => [key, object[key]])));
}

/** Members of a list or an object as text, several at a time where they are short. */
function* inBatches<Item>(
  items: Iterable<Item>,
  gather: (items: readonly Item[]) => object,
): Generator<string, void, void> {
  let batch: Item[] = [];
  let size = 1;
  const format = (): string => {
    const text = JSON.stringify({ '': gather(batch) }, undefined, 2).slice(BEFORE, -BEHIND);
    size = text.length < BATCH_CHARACTERS ? Math.min(2 * size, MAX_BATCH) : 1;
    batch = [];
    return text;
  };
  for (const item of items) {
    batch.push(item);
    if (batch.length >= size) yield format();
  }
  if (batch.length > 0) yield format();
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value;
}

/** Characters that JSON need not escape, but that a terminal would obey or a reader not see. */
const UNSEEN = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** JSON of the same meaning without characters that a terminal would obey or a reader not see. */
export function escapeUnseen(json: string): string {
  // Nearly all text is plain, which this finds out much faster.
  return /[^\n -~]/.test(json) ? json.replace(UNSEEN, escapeUnits) : json;
}

function escapeUnits(character: string): string {
  const known = knownEscapes.get(character);
  if (known !== undefined) return known;
  let escape = '';
  for (let at = 0; at < character.length; at++) {
    escape += `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  }
  knownEscapes.set(character, escape);
  return escape;
}

/** By character; there are a few hundred of them. */
const knownEscapes = new Map<string, string>();
