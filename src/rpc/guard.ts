import type { Handlers, Methods } from './rpc.js';
import { SchemaError } from './schema.js';
import type { Schema } from './schema.js';

/** What each method of an interface takes. */
export type ArgumentSchemas<Api extends Methods<Api>> = {
  readonly [Name in keyof Api]: Schema<Parameters<Api[Name]>[0]>;
};

/**
 * Handlers for a side that is not trusted: each runs only with an argument that its schema lets
 * through, and with nothing else of what was sent.
 * @param onRefused hears in one line why a call was refused; the caller gets the same line
 * @throws Error where a method has no schema
 */
export function guardHandlers<Api extends Methods<Api>>(
  handlers: Handlers<Api>,
  schemas: ArgumentSchemas<Api>,
  onRefused: (reason: string) => void,
): Handlers<Api> {
  const guard = <Name extends keyof Api & string>(name: Name): Handlers<Api>[Name] => {
    if (!Object.hasOwn(schemas, name)) throw new Error(`The method ${name} has no schema`);
    const schema = schemas[name];
    return (argument, context) => {
      let checked: Parameters<Api[Name]>[0];
      try {
        checked = schema.read(argument, name);
      } catch (error) {
        if (error instanceof SchemaError) onRefused(error.message);
        throw error;
      }
      return handlers[name](checked, context);
    };
  };
  const names = Object.keys(handlers) as (keyof Api & string)[];
  return Object.fromEntries(names.map((name) => [name, guard(name)])) as Handlers<Api>;
}
