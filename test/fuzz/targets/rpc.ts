import { connect, type MessageChannelEnd } from '../../../src/rpc/rpc.js';
import { decodeNumbers, encodeNumbers } from '../../../src/rpc/wireNumbers.js';
import { textInput, textOf, withPart, type Input } from '../input.js';
import { evaluateTree, parseTree } from '../json.js';
import { mutateJson } from '../mutateJson.js';
import { promise, type FuzzTarget } from '../target.js';

const MESSAGES = 'messages.json';
const VALUE = 'value.json';

const WORDS = [
  ...[
    '"t"',
    '"q"',
    '"s"',
    '"m"',
    '"a"',
    '"i"',
    '"r"',
    '"e"',
    '"o"',
    '"invoke"',
    '"cancel"',
    '"progress"',
  ],
  ...[
    '"echo"',
    '"fail"',
    '[1,"echo",2]',
    '{"t":"q"}',
    '"$number"',
    '"$object"',
    '{"$number":"NaN"}',
  ],
  ...['{"$object":{"$number":1}}', '{"$number":{}}', '"$close"', '"$call"', '"__defineGetter__"'],
];

interface Echo {
  echo(value: unknown): unknown;
  fail(value: unknown): unknown;
}

/** Both ends of a channel in this thread, whose messages are copied as between threads. */
function makeChannel(): [MessageChannelEnd, MessageChannelEnd] {
  const listeners: (((message: unknown) => void) | undefined)[] = [undefined, undefined];
  const endOf = (own: 0 | 1): MessageChannelEnd => ({
    post(message) {
      const copy: unknown = structuredClone(message);
      queueMicrotask(() => listeners[1 - own]?.(copy));
    },
    listen(listener) {
      listeners[own] = listener;
      return () => (listeners[own] = undefined);
    },
  });
  return [endOf(0), endOf(1)];
}

function valueOf(input: Input, name: string): unknown {
  const tree = parseTree(textOf(input, name));
  return tree && evaluateTree(tree);
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Messages of any kind: the connection takes them, and answers the next proper call all the same. */
export const rpc: FuzzTarget = {
  name: 'rpc',
  seeds: () =>
    [
      '[{"t":"q","i":"x","m":"invoke","a":[1,"echo",{"a":1}]},{"t":"q","m":"cancel","a":[1]}]',
      '[{"t":"s","i":"x","r":{"value":1}},{"t":"q","m":"progress","a":[1,{"done":1,"total":2}]}]',
      '[{"t":"q","i":"y","m":"invoke","a":[2,"fail",null]},{"t":"q","i":"z","m":"none","a":[]}]',
    ].map((text) => textInput(MESSAGES, text)),
  mutate(input, random, pool) {
    const donors = [textOf(random.pick(pool), MESSAGES)];
    return withPart(
      input,
      MESSAGES,
      mutateJson(textOf(input, MESSAGES), random, { donors, words: WORDS }),
    );
  },
  async check(input) {
    const list = valueOf(input, MESSAGES);
    if (!Array.isArray(list)) return false;
    const [here, there] = makeChannel();
    const handlers = {
      echo: (value: unknown) => value,
      fail: () => {
        throw new Error('as asked');
      },
    };
    const server = connect<Echo, Record<never, never>>(here, handlers);
    const client = connect<Record<never, never>, Echo>(there, {});
    for (const message of list.slice(0, 50) as unknown[]) there.post(decodeNumbers(message));
    await turn();
    const wanted = { still: 'there' };
    const got = await Promise.race([
      client.remote.echo(wanted),
      turn()
        .then(turn)
        .then(() => 'nothing'),
    ]);
    promise(
      JSON.stringify(got) === JSON.stringify(wanted),
      `a call after them answers ${JSON.stringify(got)}`,
    );
    server.close();
    client.close();
    await turn();
    return true;
  },
};

/** Equal, as far as JSON's own numbers can say it: it has no −0. */
function sameValue(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || one === null || typeof other !== 'object' || other === null) {
    return Object.is(one, other) || one === other;
  }
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const [entries, others] = [Object.entries(one), new Map(Object.entries(other))];
  return (
    entries.length === others.size &&
    entries.every(([key, value]) => others.has(key) && sameValue(value, others.get(key)))
  );
}

/** Numbers on their way to a page: every value arrives as it was sent; hostile messages are borne. */
export const wireNumbers: FuzzTarget = {
  name: 'wire-numbers',
  seeds: () =>
    [
      '{"a":NaN,"b":[Infinity,-Infinity,1.5],"$number":"NaN","c":{"$object":{"$number":1}}}',
      '[{"$object":{"$object":{}}},{"$number":"1"},[],{},null,"NaN"]',
    ].map((text) => textInput(VALUE, text)),
  mutate(input, random, pool) {
    const words = [...WORDS, 'NaN', 'Infinity', '-Infinity'];
    const donors = [textOf(random.pick(pool), VALUE)];
    return withPart(input, VALUE, mutateJson(textOf(input, VALUE), random, { donors, words }));
  },
  check(input) {
    const tree = parseTree(textOf(input, VALUE));
    if (!tree || textOf(input, VALUE).includes('undefined')) return false;
    const value = evaluateTree(tree);
    const sent = JSON.stringify(encodeNumbers(value));
    promise(
      !/null/.test(sent) || /null/.test(textOf(input, VALUE)),
      `a number was lost: ${sent.slice(0, 200)}`,
    );
    promise(
      sameValue(decodeNumbers(JSON.parse(sent)), value),
      `the value arrives otherwise: ${sent.slice(0, 200)}`,
    );
    // As if it had come from a page.
    decodeNumbers(value);
    return true;
  },
};
