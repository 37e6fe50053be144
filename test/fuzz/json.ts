/**
 * A JSON text as a tree that keeps what `JSON.parse` would lose: keys that stand twice, digits,
 * escapes, and words that JSON does not have.
 */
export type JsonNode =
  | { readonly kind: 'object'; readonly members: Member[] }
  | { readonly kind: 'array'; readonly items: JsonNode[] }
  /** A string, number or word as it is written. */
  | { readonly kind: 'token'; text: string };

export interface Member {
  /** As it is written, in quotation marks. */
  key: string;
  value: JsonNode;
}

const TOKEN = /[\s\ufeff]*(?:([{}[\],:])|("[^"\\]*(?:\\[^][^"\\]*)*")|([^\s{}[\],:"]+))/y;
const MAX_DEPTH = 100;

/** The tree of a text that is about JSON; undefined where it is too far from it. */
export function parseTree(text: string): JsonNode | undefined {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let match; (match = TOKEN.exec(text));) tokens.push(match[1] ?? match[2] ?? match[3]);
  let at = 0;
  const read = (depth: number): JsonNode | undefined => {
    const token = tokens[at++];
    if (token === undefined || depth > MAX_DEPTH) return undefined;
    if (token === '[') {
      const items: JsonNode[] = [];
      while (tokens[at] !== ']') {
        if (items.length > 0 && tokens[at++] !== ',') return undefined;
        const item = read(depth + 1);
        if (!item) return undefined;
        items.push(item);
      }
      at++;
      return { kind: 'array', items };
    }
    if (token === '{') {
      const members: Member[] = [];
      while (tokens[at] !== '}') {
        if (members.length > 0 && tokens[at++] !== ',') return undefined;
        const key = tokens[at++];
        if (key === undefined || !key.startsWith('"') || tokens[at++] !== ':') return undefined;
        const value = read(depth + 1);
        if (!value) return undefined;
        members.push({ key, value });
      }
      at++;
      return { kind: 'object', members };
    }
    return /^[\]},:]/.test(token) ? undefined : { kind: 'token', text: token };
  };
  const root = read(0);
  return at === tokens.length ? root : undefined;
}

/** The text of a tree. */
export function printTree(node: JsonNode, space = ''): string {
  if (node.kind === 'token') return node.text;
  if (node.kind === 'array') {
    return `[${node.items.map((item) => printTree(item, space)).join(`,${space}`)}]`;
  }
  const members = node.members.map(({ key, value }) => `${key}:${space}${printTree(value, space)}`);
  return `{${members.join(`,${space}`)}}`;
}

/** A place in a tree whose node can be replaced or taken away. */
export interface Slot {
  readonly node: JsonNode;
  readonly depth: number;
  replace(node: JsonNode): void;
  remove(): void;
}

function slotsOfNode(node: JsonNode, depth: number): Slot[] {
  if (node.kind === 'token') return [];
  if (node.kind === 'array') {
    const { items } = node;
    return items.map((item, i) => ({
      node: item,
      depth,
      replace: (other) => (items[i] = other),
      remove: () => items.splice(i, 1),
    }));
  }
  const { members } = node;
  return members.map((member, i) => ({
    node: member.value,
    depth,
    replace: (other) => (member.value = other),
    remove: () => members.splice(i, 1),
  }));
}

/** The places directly within a node. */
export function slotsOf(node: JsonNode): Slot[] {
  return slotsOfNode(node, 1);
}

/** All places of a tree, the outer ones first. */
export function allSlots(root: JsonNode): Slot[] {
  const slots = slotsOfNode(root, 1);
  // Grows while it is walked.
  for (const { node, depth } of slots)
    for (const slot of slotsOfNode(node, depth + 1)) slots.push(slot);
  return slots;
}

export function copyTree(node: JsonNode): JsonNode {
  if (node.kind === 'token') return { ...node };
  if (node.kind === 'array') return { kind: 'array', items: node.items.map(copyTree) };
  const members = node.members.map(({ key, value }) => ({ key, value: copyTree(value) }));
  return { kind: 'object', members };
}

/** The value that a tree stands for, JavaScript's own numbers included (NaN, -0, Infinity). */
export function evaluateTree(node: JsonNode): unknown {
  if (node.kind === 'array') return node.items.map(evaluateTree);
  if (node.kind === 'object') {
    // An entry of the name "__proto__" stays an entry.
    return Object.fromEntries(
      node.members.map(({ key, value }) => [String(readToken(key)), evaluateTree(value)]),
    );
  }
  return readToken(node.text);
}

function readToken(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    if (text.startsWith('"')) return text;
    if (text === 'undefined') return undefined;
    return Number(text);
  }
}
