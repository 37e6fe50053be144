import { withPart, type Input } from './input.js';
import { allSlots, copyTree, parseTree, printTree, type JsonNode, type Slot } from './json.js';

/** Whether an input fails in the same way as the one that is made smaller. */
export type StillFails = (input: Input) => Promise<boolean>;

const encoder = new TextEncoder();
const LENGTH_FIELD_BYTES = 8;

/** A JSON text within a file: all of it, or what follows a length in front (safetensors). */
interface Lens {
  readonly text: string;
  put(text: string): Uint8Array;
}

function lensesOf(bytes: Uint8Array): Lens[] {
  const decoder = new TextDecoder();
  const whole: Lens = { text: decoder.decode(bytes), put: (text) => encoder.encode(text) };
  if (bytes.length < LENGTH_FIELD_BYTES) return [whole];
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > bytes.length - LENGTH_FIELD_BYTES) return [whole];
  const text = decoder.decode(bytes.subarray(LENGTH_FIELD_BYTES, LENGTH_FIELD_BYTES + length));
  const rest = bytes.subarray(LENGTH_FIELD_BYTES + length);
  const put = (smaller: string) => {
    const json = encoder.encode(smaller);
    const file = new Uint8Array(LENGTH_FIELD_BYTES + json.length + rest.length);
    new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
    file.set(json, LENGTH_FIELD_BYTES);
    file.set(rest, LENGTH_FIELD_BYTES + json.length);
    return file;
  };
  return [whole, { text, put }];
}

/** What a value may be replaced by to be simpler; undefined: taken away. */
function simplerThan(node: JsonNode): (JsonNode | undefined)[] {
  if (node.kind === 'token') {
    if (node.text.length <= 2) return [undefined];
    const simple = node.text.startsWith('"')
      ? ['""', `${node.text.slice(0, Math.ceil(node.text.length / 2))}"`]
      : ['0'];
    return [undefined, ...simple.map((text): JsonNode => ({ kind: 'token', text }))];
  }
  const inner = node.kind === 'array' ? node.items : node.members.map(({ value }) => value);
  return [undefined, ...inner.slice(0, 3)];
}

/** Takes values away from a JSON text, or makes them simpler, as long as it still fails. */
async function shrinkTree(
  tree: JsonNode,
  stillFails: (tree: JsonNode) => Promise<boolean>,
  deadline: number,
): Promise<JsonNode> {
  let smallest = tree;
  for (let at = 0; performance.now() < deadline;) {
    const count = allSlots(smallest).length;
    if (at >= count) break;
    let shrunk = false;
    for (const simple of simplerThan(allSlots(smallest)[at].node)) {
      const candidate = copyTree(smallest);
      const slot: Slot = allSlots(candidate)[at];
      if (simple) slot.replace(copyTree(simple));
      else slot.remove();
      if (await stillFails(candidate)) {
        smallest = candidate;
        shrunk = true;
        break;
      }
    }
    if (!shrunk) at++;
  }
  return smallest;
}

/** Takes pieces away, large ones first, as long as it still fails. */
async function shrinkBytes(
  bytes: Uint8Array,
  stillFails: (bytes: Uint8Array) => Promise<boolean>,
  deadline: number,
): Promise<Uint8Array> {
  let smallest = bytes;
  for (let size = bytes.length; size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < smallest.length && performance.now() < deadline;) {
      const candidate = new Uint8Array(Math.max(at, smallest.length - size));
      candidate.set(smallest.subarray(0, at));
      candidate.set(smallest.subarray(at + size), at);
      if (await stillFails(candidate)) smallest = candidate;
      else at += size;
    }
  }
  return smallest;
}

/**
 * Makes an input that fails smaller: files taken away, values of JSON texts, then bytes.
 * @param milliseconds that it may take
 */
export async function shrink(
  input: Input,
  stillFails: StillFails,
  milliseconds: number,
): Promise<Input> {
  const deadline = performance.now() + milliseconds;
  let smallest = input;
  const keep = async (candidate: Input): Promise<boolean> => {
    if (performance.now() >= deadline || !(await stillFails(candidate))) return false;
    smallest = candidate;
    return true;
  };
  for (const { name } of input) await keep(smallest.filter((part) => part.name !== name));
  for (const { name, bytes } of smallest) {
    for (const { text, put } of lensesOf(bytes)) {
      const tree = parseTree(text);
      if (!tree) continue;
      const fails = (each: JsonNode) => keep(withPart(smallest, name, put(printTree(each))));
      if (await fails(tree)) await shrinkTree(tree, fails, deadline);
    }
  }
  for (const { name } of smallest) {
    const { bytes } = smallest.find((part) => part.name === name)!;
    await shrinkBytes(bytes, (each) => keep(withPart(smallest, name, each)), deadline);
  }
  return smallest;
}
