import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guardHandlers } from '../../../src/rpc/guard.js';
import type { ArgumentSchemas } from '../../../src/rpc/guard.js';
import { connect, type Handlers } from '../../../src/rpc/rpc.js';
import {
  anything,
  bytes,
  either,
  fields,
  list,
  nothing,
  oneOf,
  optional,
  text,
  wholeNumber,
  type Schema,
} from '../../../src/rpc/schema.js';
import { isWireMessage } from '../../../src/rpc/wire.js';

const read = <T>(schema: Schema<T>, value: unknown): T => schema.read(value, 'here');

const UNLIKE_TEXT = [null, undefined, 1, NaN, true, [], ['a'], {}, { length: 1 }, new String('a')];

describe('a schema', () => {
  it.each<[string, Schema<unknown>, readonly unknown[], readonly unknown[]]>([
    ['nothing', nothing, [null], [undefined, 0, '', {}]],
    ['text', text(3), ['', 'abc'], ['abcd', ...UNLIKE_TEXT]],
    ['oneOf', oneOf('a', 'b'), ['a', 'b'], ['', 'c', 'toString', ['a'], ...UNLIKE_TEXT]],
    [
      'wholeNumber',
      wholeNumber(1, 9),
      [1, 9],
      [0, 10, 1.5, NaN, Infinity, '1', 1n, null, [1], { valueOf: () => 1 }, 2 ** 53],
    ],
    ['list', list(text(1), 2), [[], ['a', 'b']], [['a', 'b', 'c'], ['ab'], [1], 'ab', { 0: 'a' }]],
    [
      'fields',
      fields({ a: text(1), b: optional(text(1)) }),
      [{ a: 'a' }, { a: 'a', b: 'b' }, { a: 'a', b: undefined }],
      [
        {},
        { b: 'b' },
        { a: 'a', b: null },
        { a: 'a', c: 1 },
        ['a'],
        null,
        'a',
        Object.create({ a: 'a' }),
      ],
    ],
    [
      'bytes',
      bytes(3, [1, 2]),
      [Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3)],
      [Uint8Array.of(1), Uint8Array.of(2, 2), Uint8Array.of(1, 2, 3, 4), [1, 2], { 0: 1, 1: 2 }],
    ],
    ['either', either(text(1), wholeNumber(0, 1)), ['a', 1], ['ab', 2, null]],
  ])('%s takes what it names and nothing else', (_, schema, good, bad) => {
    for (const value of good) expect(read(schema, value)).toEqual(value);
    for (const value of bad) {
      expect(() => read(schema, value)).toThrow(/^here[^\n]*: expected [^\n]+$/);
    }
  });

  it('hands on what it has read and not what it was given', () => {
    const given = JSON.parse('{"tensors":["a"],"__proto__":{"admin":true}}');
    const schema = fields({ tensors: list(text(9), 9) });
    expect(() => read(schema, given)).toThrow('here: expected no fields but tensors');
    const good = { tensors: ['a'] };
    const got = read(schema, good);
    expect(got).toEqual(good);
    expect(got).not.toBe(good);
    expect(got.tensors).not.toBe(good.tensors);
  });

  it('says where in one line, and quotes nothing', () => {
    const schema = fields({ tensors: list(fields({ name: text(3) }), 9) });
    const bad = { tensors: [{ name: 'a' }, { name: '<b>\n\u202e'.repeat(9) }] };
    expect(() => read(schema, bad)).toThrow(
      /^here\.tensors\[1\]\.name: expected a text of at most 3 characters$/,
    );
  });

  it('looks at no item of a list that is too long', () => {
    let looked = 0;
    const item: Schema<unknown> = { read: () => looked++ };
    expect(() => read(list(item, 10), new Array(1e7))).toThrow('at most 10 items');
    expect(looked).toBe(0);
  });
});

interface Api {
  rename(argument: { readonly name: string }): Promise<string>;
  stop(argument: null): Promise<void>;
}

const schemas: ArgumentSchemas<Api> = { rename: fields({ name: text(5) }), stop: nothing };

/** The host's end of a connection, and what a page can do with the other. */
function host(overrides: Partial<Handlers<Api>> = {}) {
  const ran: unknown[] = [];
  const refused: string[] = [];
  const replies: unknown[] = [];
  let strays = 0;
  let receive: (message: unknown) => void = () => undefined;
  const handlers: Handlers<Api> = {
    rename: (argument) => {
      ran.push(argument);
      return argument.name;
    },
    stop: () => void ran.push('stop'),
    ...overrides,
  };
  connect<Api, Record<never, never>>(
    {
      post: (message) => replies.push(message),
      listen: (listener) => {
        receive = listener;
        return () => undefined;
      },
    },
    guardHandlers(handlers, schemas, (reason) => refused.push(reason)),
    () => strays++,
  );
  /** Sends a message as a page may, and lets what it leads to happen. */
  const send = async (message: unknown) => {
    receive(message);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const invoke = (method: unknown, argument: unknown) =>
    send({ t: 'q', i: 'x', m: 'invoke', a: [1, method, argument] });
  return { send, invoke, ran, refused, replies, strays: () => strays };
}

describe('a guarded connection', () => {
  it('runs a method with an argument of its schema', async () => {
    const { invoke, ran, replies, refused } = host();
    await invoke('rename', { name: 'new' });
    expect(ran).toEqual([{ name: 'new' }]);
    expect(replies).toEqual([{ t: 's', i: 'x', r: { value: 'new' } }]);
    expect(refused).toEqual([]);
  });

  it('runs nothing for another argument, says why to the caller and to the log', async () => {
    const { invoke, ran, replies, refused } = host();
    const bad = [{ name: 'too long' }, { name: 1 }, {}, null, [], { name: 'a', more: 1 }];
    for (const argument of bad) await invoke('rename', argument);
    await invoke('stop', { now: true });
    expect(ran).toEqual([]);
    expect(refused).toHaveLength(bad.length + 1);
    expect(refused.every((line) => /^(rename|stop)[^\n]*: expected [^\n]+$/.test(line))).toBe(true);
    expect(replies[0]).toEqual({
      t: 's',
      i: 'x',
      r: { error: { name: 'SchemaError', message: refused[0] } },
    });
  });

  it('knows no methods but those of its interface', async () => {
    const { invoke, ran, replies } = host();
    const names = ['__proto__', 'constructor', 'then', 'toString', 'hasOwnProperty', '', 'open'];
    for (const name of names) await invoke(name, { name: 'a' });
    expect(ran).toEqual([]);
    expect(replies).toHaveLength(names.length);
    expect(JSON.stringify(replies).match(/Unknown method/g)).toHaveLength(names.length);
  });

  it('leaves alone what is no message of a connection', async () => {
    const { send, ran, replies, strays } = host();
    const name = { name: 'a' };
    const messages = [
      ...[null, undefined, 1, 'q', [], {}, { t: 'q' }, { t: 'x', m: 'invoke', a: [] }],
      ...['constructor', '__proto__', 'then', 'toString', '$close', 'rename', ''].map((m) => ({
        ...{ t: 'q', i: 'x', m, a: [1, 'rename', name] },
      })),
      { t: 'q', i: 'x', m: ['invoke'], a: [1, 'rename', name] },
      { t: 'q', i: 'x', m: 'invoke', a: [1, ['rename'], name] },
      { t: 'q', i: 'x', m: 'invoke', a: [1, { toString: 'rename' }, name] },
      { t: 'q', i: 'x', m: 'invoke', a: { 0: 1, 1: 'rename', 2: name, length: 3 } },
      { t: 'q', i: 'x', m: 'invoke', a: ['1', 'rename', name] },
      { t: 'q', i: 'x', m: 'invoke', a: [1, 'rename', name, 4] },
      { t: 'q', i: 'x', m: 'invoke', o: true, a: [1, 'rename', name] },
      { t: 'q', i: { x: 1 }, m: 'invoke', a: [1, 'rename', name] },
      { t: 'q', m: 'cancel', a: [{}] },
      { t: 'q', m: 'cancel', a: [] },
      { t: 's', r: 1 },
    ];
    for (const message of messages) await send(message);
    expect(strays()).toBe(messages.length);
    expect([ran, replies]).toEqual([[], []]);
  });

  it('does not mind answers to what it has not asked', async () => {
    const { send, ran, replies, strays } = host();
    await send({ t: 's', i: 'never asked', r: { value: 1 } });
    await send({ t: 's', i: '__proto__', e: { name: 'Error' } });
    await send({ t: 'q', m: 'progress', a: [7, { done: 1, total: 2 }] });
    await send({ t: 'q', m: 'cancel', a: [7] });
    expect([ran, replies, strays()]).toEqual([[], [], 0]);
  });

  it('cannot be made to throw, whatever is sent', async () => {
    const { send, ran } = host();
    await fc.assert(
      fc.asyncProperty(
        fc.anything({ withBigInt: true, withNullPrototype: true }),
        async (value) => {
          expect(isWireMessage(value)).toBe(false);
          await send(value);
          await send({ t: 'q', i: 'x', m: 'invoke', a: [1, 'rename', value] });
        },
      ),
      { numRuns: 200 },
    );
    expect(ran).toEqual([]);
  });

  it('cannot be made of a method without a schema', () => {
    const handlers: Handlers<Api> = { rename: ({ name }) => name, stop: () => undefined };
    const incomplete = { rename: schemas.rename };
    // @ts-expect-error: a schema is missing
    expect(() => guardHandlers<Api>(handlers, incomplete, () => undefined)).toThrow(
      'The method stop has no schema',
    );
    const inherited = Object.assign(Object.create({ stop: anything }), incomplete);
    expect(() => guardHandlers<Api>(handlers, inherited, () => undefined)).toThrow(/has no schema/);
  });
});
