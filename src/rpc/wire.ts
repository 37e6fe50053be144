import {
  anything,
  fields,
  oneOf,
  optional,
  SchemaError,
  text,
  tuple,
  wholeNumber,
} from './schema.js';
import type { Schema } from './schema.js';

/** Names of methods, and the ones that birpc gives to its requests. */
const name = text(64);
const call = wholeNumber(0, Number.MAX_SAFE_INTEGER);

const request = <const M extends string, A extends readonly unknown[]>(m: M, a: Schema<A>) =>
  fields({ t: oneOf('q'), m: oneOf(m), i: optional(name), a });

/** Everything that one end of a connection may send to the other, as birpc writes it. */
const REQUESTS: ReadonlyMap<unknown, Schema<unknown>> = new Map<unknown, Schema<unknown>>([
  ['invoke', request('invoke', tuple(call, name, anything))],
  ['cancel', request('cancel', tuple(call))],
  ['progress', request('progress', tuple(call, anything))],
]);
const REPLY = fields({ t: oneOf('s'), i: name, r: optional(anything), e: optional(anything) });

/** What one end of a connection sent to the other, for those who only pass it on. */
export const wireMessage: Schema<unknown> = {
  read(value, place) {
    if (!isWireMessage(value)) throw new SchemaError(`${place}: expected a message of a call`);
    return value;
  },
};

/** Whether something that arrived is a message of a connection. birpc itself takes anything for one. */
export function isWireMessage(value: unknown): boolean {
  const { t, m } = (value ?? {}) as { readonly t?: unknown; readonly m?: unknown };
  try {
    const schema = t === 's' ? REPLY : REQUESTS.get(m);
    schema?.read(value, 'message');
    return schema !== undefined;
  } catch (error) {
    if (error instanceof SchemaError) return false;
    throw error;
  }
}
