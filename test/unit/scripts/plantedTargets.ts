// Program of fuzzing threads whose readers have planted faults: what finds none of them finds nothing.
import { textInput, textOf } from '../../fuzz/input.js';
import { mutateJson } from '../../fuzz/mutateJson.js';
import { serveFuzzing } from '../../fuzz/serve.js';
import type { FuzzTarget } from '../../fuzz/target.js';

const FILE = 'planted.json';

function makeTarget(name: string, check: (text: string) => boolean | Promise<boolean>): FuzzTarget {
  return {
    name,
    seeds: () => [textInput(FILE, '{"sizes":[1,2,3],"name":"abc","other":{"deep":[true,null]}}')],
    mutate: (input, random) => [
      { name: FILE, bytes: mutateJson(textOf(input, FILE), random, { words: ['"hang"'] }) },
    ],
    check: (input) => check(textOf(input, FILE)),
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

serveFuzzing([
  makeTarget('sound', isJson),
  makeTarget('accident', (text) => {
    if (/"sizes":\[[^\]]*-/.test(text)) throw new TypeError('A size below nothing');
    return isJson(text);
  }),
  makeTarget('hang', (text) => {
    if (text.includes('"hang"')) for (;;);
    return isJson(text);
  }),
  makeTarget('stray', (text) => {
    if (text.includes('null,null')) void Promise.reject(new Error('Nobody waits for this'));
    return isJson(text);
  }),
  makeTarget('memory', (text) => {
    const kept: number[][] = [];
    while (text.includes('"hang"')) kept.push(new Array<number>(1e6).fill(kept.length));
    return isJson(text);
  }),
]);
