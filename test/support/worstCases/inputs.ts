/** Something for a reader to read, under a name for people. */
export type Labelled<Input> = readonly [label: string, input: Input];

/** What regular expressions, splitters, decoders and collators may stumble over. */
const PIECES = {
  letters: 'a',
  capitals: 'aA',
  dots: '.',
  'dotted parts': 'a.',
  'dotted numbers': '0.',
  digits: '1',
  zeros: '0',
  'digits and letters': 'a1',
  dashes: '-',
  spaces: ' ',
  'line breaks': '\n',
  'carriage returns': '\r',
  'controls ': '\u0001',
  directions: '\u202e',
  accents: '\u0301',
  pictures: '🦙',
  'quotation marks': '"',
  'escaped quotation marks': '\\"',
  backslashes: '\\',
  brackets: '[',
  braces: '{"a":',
  'closing brackets': ']',
  commas: ',',
  slashes: '/',
  layers: 'model.layers.0.',
  'GPT-2 layers': 'h.0.attn.c_attn.',
  norms: 'norm',
  NaN: 'NaN,',
  minus: '-Infinity',
  numbers: '1e5,',
  tags: '<a ',
  pairs: 'ab',
} as const;

const encoder = new TextEncoder();

/** `piece` over and over, in so many bytes of UTF-8. */
function fill(piece: string, bytes: number): string {
  return piece.repeat(Math.max(1, Math.floor(bytes / encoder.encode(piece).length)));
}

/** Texts of a size in bytes: each piece over and over, alone, after and before something else. */
export function* texts(bytes: number): Generator<Labelled<string>> {
  for (const [label, piece] of Object.entries(PIECES)) {
    const many = fill(piece, bytes - 2);
    yield [label, many];
    yield [`${label}, then another`, `${many}!x`];
    yield [`${label} after another`, `x!${many}`];
  }
}

/** What an entry of a header takes beside its name, so that names come as many as a file has. */
const ENTRY_BYTES = 55;

/** So many long names. */
const MANY = 300;

/** Different names of one file, of a size in bytes. */
export function* names(bytes: number): Generator<Labelled<string[]>> {
  for (const [label, piece] of Object.entries(PIECES)) {
    yield [`one name of ${label}`, [fill(piece, bytes)]];
    const each = fill(piece, bytes / MANY - ENTRY_BYTES - 20);
    // Differences in front that do not decide an order, and behind, where they do.
    const name = (i: number) => `${i % 2 ? 'A' : 'a'}${each}${i % 3 ? 'b' : '.weight'}${i}`;
    yield [`${MANY} names of ${label}`, Array.from({ length: MANY }, (_, i) => name(i))];
  }
  const most = Math.floor(bytes / (ENTRY_BYTES + 7));
  yield ['numbers', Array.from({ length: most }, (_, i) => String(i))];
  // Keys that are numbers may be hashed to themselves, so that these share their buckets.
  yield ['multiples', Array.from({ length: Math.min(most, 4096) }, (_, i) => String(i * 4096))];
  yield ['layers backwards', Array.from({ length: most }, (_, i) => `a.${most - i}.b`)];
  yield ['stacks', Array.from({ length: most }, (_, i) => `s${i.toString(36)}x.0.b`)];
  const chain = Math.floor(Math.sqrt(bytes));
  yield ['a chain', Array.from({ length: chain }, (_, i) => 'a.'.repeat(i) + '0.b')];
}

/** JSON texts of a size in bytes: whole and broken, deep and wide. */
export function* jsons(bytes: number): Generator<Labelled<string>> {
  for (const [label, piece] of Object.entries(PIECES)) {
    const many = fill(piece, bytes - 10);
    yield [`bare ${label}`, many];
    yield [`a string of ${label}`, `{"a":"${many}"}`];
    yield [`an open string of ${label}`, `{"a": "${many}`];
    yield [`a list of ${label}`, `{"a":[${many}0]}`];
  }
  yield ['nesting', `${'['.repeat(bytes / 2)}${']'.repeat(bytes / 2)}`];
  yield ['nested objects', `${'{"a":'.repeat(bytes / 6)}1${'}'.repeat(bytes / 6)}`];
  const entries = (count: number, entry: (i: number) => string) =>
    `{${Array.from({ length: count }, (_, i) => entry(i)).join()}}`;
  yield ['many keys', entries(bytes / 12, (i) => `"k${i}":1`)];
  yield ['numbers as keys', entries(bytes / 12, (i) => `"${bytes - i}":1`)];
  yield ['one key', entries(bytes / 6, () => '"a":1')];
  yield ['a long number', `{"a":${'1'.repeat(bytes)}}`];
  yield ['a long fraction', `{"a":0.${'0'.repeat(bytes)}1}`];
  yield ['a long exponent', `{"a":1e${'1'.repeat(bytes)}}`];
  yield [
    'shapes of objects',
    `{"a":[${Array.from({ length: bytes / 14 }, (_, i) => `{"k${i}":1}`).join()}]}`,
  ];
}
