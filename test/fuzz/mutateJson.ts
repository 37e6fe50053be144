import { copyTree, parseTree, printTree, slotsOf, type JsonNode, type Slot } from './json.js';
import { mutateBytes } from './mutateBytes.js';
import type { Random } from './random.js';

const NUMBERS = [
  ...[
    '0',
    '-0',
    '1',
    '-1',
    '2',
    '3',
    '7',
    '0.1',
    '0.5',
    '1.5',
    '1e-7',
    '1e-45',
    '1e-300',
    '5e-324',
  ],
  ...['127', '255', '256', '1000', '65536', '1e6', '2147483647', '2147483648', '4294967295'],
  ...['4294967296', '9007199254740991', '9007199254740992', '9223372036854775807'],
  ...['18446744073709551615', '18446744073709551616', '1e38', '1e39', '1e300', '1e308', '1e309'],
  ...['-1e309', 'NaN', 'Infinity', '-Infinity', '0x10', '01', '1.', '.5', '1e', '+1', '1_000'],
  '9'.repeat(400),
];
const STRINGS = [
  ...['', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', '__metadata__'],
  ...['length', 'then', 'NaN', '-0', '1e999', 'true', 'a\\nb', 'a\\u0000b', '\\u0000', '\\ud800'],
  ...['\\udc00\\ud800', '\\u202e', '\\u001b[31m', '\\ud83d\\ude00', '\u00e9', 'e\u0301', '\ufeff'],
  ...['../x', '..', '.', '/etc/passwd', 'C:\\\\x', 'a/b', 'a\\\\b', '\\x', '\\u12', '%00', 'a.0.b'],
  ...['\u2028', '<img src=x>', "=cmd|'/C x'!A0", 'CON', 'x'.repeat(3000), '.'.repeat(3000)],
].map((text) => `"${text}"`);
const WORDS = ['null', 'true', 'false', 'undefined', 'None'];
/** As many as a reader must bear, and more than one that nests calls could. */
const DEPTHS = [2, 30, 130, 2000];

/** What a mutation may draw on. */
export interface JsonMaterial {
  /** Other texts, whose parts are taken over. */
  readonly donors?: readonly string[];
  /** Tokens that mean something to the reader, as they are written. */
  readonly words?: readonly string[];
}

function hostileNode(random: Random, { words = [] }: JsonMaterial): JsonNode {
  switch (random.below(words.length > 0 ? 8 : 6)) {
    case 0:
    case 1:
      return token(random.pick(NUMBERS));
    case 2:
    case 3:
      return token(random.pick(STRINGS));
    case 4:
      return token(random.pick(WORDS));
    case 5:
      return random.chance(0.5) ? { kind: 'array', items: [] } : { kind: 'object', members: [] };
    default:
      return token(random.pick(words));
  }
}

function token(text: string): JsonNode {
  return { kind: 'token', text };
}

/** A number near the one that is written, or a text near it. */
function nearby(text: string, random: Random): string {
  const value = Number(text);
  if (text.startsWith('"') || !Number.isFinite(value)) {
    const at = 1 + random.below(Math.max(1, text.length - 1));
    const inserted = random.pick(STRINGS).slice(1, -1).slice(0, 40);
    const dropped = random.chance(0.5) ? 0 : random.length(4);
    return `${text.slice(0, at)}${inserted}${text.slice(at + dropped) || '"'}`;
  }
  const changed = random.pick([
    value + 1,
    value - 1,
    value * 2,
    Math.floor(value / 2),
    -value,
    value + 0.5,
    value * 2 ** 32,
  ]);
  return String(changed);
}

/** A place in a tree; outer ones more often than those within large lists. */
function pickSlot(root: JsonNode, random: Random): Slot | undefined {
  let slots = slotsOf(root);
  if (slots.length === 0) return undefined;
  for (;;) {
    const slot = random.pick(slots);
    const inner = slotsOf(slot.node);
    if (inner.length === 0 || random.chance(0.3)) return slot;
    slots = inner;
  }
}

function pickContainer(root: JsonNode, random: Random): JsonNode {
  const node = pickSlot(root, random)?.node;
  return node && node.kind !== 'token' && random.chance(0.6) ? node : root;
}

/** Changes the order or number of what a container holds. */
function rearrange(node: JsonNode, random: Random): void {
  const list: unknown[] =
    node.kind === 'object' ? node.members : node.kind === 'array' ? node.items : [];
  if (list.length === 0) return;
  const [one, other] = [random.below(list.length), random.below(list.length)];
  if (random.chance(0.4)) {
    [list[one], list[other]] = [list[other], list[one]];
    return;
  }
  const copies = random.chance(0.1) ? random.length(500) : 1;
  for (let i = 0; i < copies; i++) {
    if (node.kind === 'array') node.items.push(copyTree(node.items[one]));
    // The key stands twice then.
    if (node.kind === 'object') {
      const { key, value } = node.members[one];
      const unlike = copies > 1 ? `"${i}${key.slice(1)}` : key;
      node.members.splice(other, 0, { key: unlike, value: copyTree(value) });
    }
  }
}

function nest(node: JsonNode, random: Random): JsonNode {
  let nested = node;
  for (let depth = random.pick(DEPTHS); depth > 0; depth--) {
    nested = { kind: 'array', items: [nested] };
  }
  return nested;
}

function changeOnce(root: JsonNode, random: Random, material: JsonMaterial): void {
  const slot = pickSlot(root, random);
  const container = pickContainer(root, random);
  switch (random.below(10)) {
    case 0:
      return slot?.remove();
    case 1:
    case 2:
      return rearrange(container, random);
    case 3: {
      const name = random.pick([
        ...STRINGS,
        ...(material.words ?? []).filter((word) => word.startsWith('"')),
      ]);
      if (container.kind !== 'object') return;
      if (container.members.length > 0 && random.chance(0.5)) {
        random.pick(container.members).key = name;
      } else container.members.push({ key: name, value: hostileNode(random, material) });
      return;
    }
    case 4: {
      const donors = material.donors ?? [];
      const donor = donors.length > 0 ? parseTree(random.pick(donors)) : root;
      const graft = donor && pickSlot(donor, random)?.node;
      return graft && slot?.replace(copyTree(graft));
    }
    case 5:
      return random.chance(0.2) ? slot?.replace(nest(slot.node, random)) : undefined;
    case 6:
    case 7:
      return slot?.node.kind === 'token'
        ? slot.replace(token(nearby(slot.node.text, random)))
        : undefined;
    default:
      return slot?.replace(hostileNode(random, material));
  }
}

/** Changes a tree in a few places. */
export function mutateTree(root: JsonNode, random: Random, material: JsonMaterial = {}): void {
  for (let count = 1 + random.length(4); count > 0; count--) changeOnce(root, random, material);
}

const encoder = new TextEncoder();

/** A JSON text with a few changes to its structure or, now and then, to its bytes. */
export function mutateJson(text: string, random: Random, material: JsonMaterial = {}): Uint8Array {
  const tree = random.chance(0.12) ? undefined : parseTree(text);
  if (!tree) {
    const { donors = [] } = material;
    const donor = encoder.encode(donors.length > 0 ? random.pick(donors) : text);
    return mutateBytes(encoder.encode(text), random, donor);
  }
  mutateTree(tree, random, material);
  return encoder.encode(
    printTree(tree, random.chance(0.1) ? random.pick([' ', '\n\t', '\r\n']) : ''),
  );
}
