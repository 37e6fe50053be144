import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../../src/host/host.js';
import { readWindows } from '../../../src/jobs/perplexity/node/evaluationText.js';
import type { TextRequest } from '../../../src/jobs/perplexity/measurement.js';
import type { LanguageModel } from '../../../src/model/evaluation/types.js';
import type { Windows } from '../../../src/model/text/windows.js';
import type { TokenizerRequest } from '../../../src/model/text/tokenizerApi.js';
import { bytesOf, textInput, textOf, withPart, type Input } from '../input.js';
import { filesOf, FOLDER } from '../memoryFiles.js';
import { mutateBytes } from '../mutateBytes.js';
import { mutateJson } from '../mutateJson.js';
import { scratchFolder } from '../scratch.js';
import { plainRefusal, promise, type FuzzTarget } from '../target.js';

const IDS = 'ids.json';
const TEXT = 'text.txt';
const REQUEST = 'request.json';
const VOCABULARY = 50;
const PLAN = { modelType: 'llama', vocabularySize: VOCABULARY, maxPositions: 64 };

/** A host whose tokenizer gives one id for each UTF-16 unit. */
const HOST = {
  assets: { path: () => 'none' },
  startThread: () => ({
    remote: {
      tokenize: async ({ texts }: TokenizerRequest) => ({
        ids: texts.map((text) => Int32Array.from(text, (each) => each.charCodeAt(0) % VOCABULARY)),
        bos: { id: 1, needed: texts.length % 2 === 0 },
      }),
    },
    whileAlive: (work: Promise<unknown>) => work,
    terminate: async () => undefined,
  }),
} as unknown as Host;
const TOKENIZER_FILES = filesOf([
  ...textInput('tokenizer.json', '{}'),
  ...textInput('tokenizer_config.json', '{}'),
]);

let folder: string | undefined;

/** Reads the windows of a file, which lies on the disk. */
async function read(
  bytes: Uint8Array,
  request: TextRequest,
  file: 'textFile' | 'tokenIdsFile',
  positionsAreHard: boolean,
): Promise<Windows | undefined> {
  folder ??= scratchFolder();
  const path = join(folder, file);
  writeFileSync(path, bytes);
  const opened = { folder: FOLDER, fileSystem: TOKENIZER_FILES, files: [] };
  const model = { opened, plan: { ...PLAN, positionsAreHard } } as unknown as LanguageModel;
  try {
    const { windows, source } = await readWindows(HOST, model, { ...request, [file]: path });
    promise(source === path, `another file was read: ${source}`);
    return windows;
  } catch (error) {
    plainRefusal(error);
    const { message } = error as Error;
    promise(
      message.includes(path) || message.includes('positions'),
      `the message names no file: ${message}`,
    );
    return undefined;
  }
}

function promiseWindows({ ids, totalTokens, context }: Windows): void {
  promise(ids.length > 0, 'there is no window');
  let total = 0;
  for (const window of ids) {
    promise(window.length >= 2 && window.length <= context, `a window has ${window.length} ids`);
    const wrong = window.find((id) => id < 0 || id >= VOCABULARY);
    promise(wrong === undefined, `id ${wrong} is outside of the vocabulary`);
    total += window.length;
  }
  promise(
    Number.isSafeInteger(totalTokens) && totalTokens >= total,
    `${totalTokens} tokens in all`,
  );
}

/** Token ids in a JSON file: windows hold those numbers and no others. */
export const tokenIds: FuzzTarget = {
  name: 'token-ids',
  seeds: () =>
    ['[1,2,3]', '[[1,2],[49,0,5]]', '[0,1,2,3,4,5,6,7,8,9]'].map((text) => textInput(IDS, text)),
  mutate(input, random, pool) {
    const words = ['49', '50', '[1,2]', '0.0', '1e1', '2147483648', '4294967297', '"1"', '-0'];
    const donors = [textOf(random.pick(pool), IDS)];
    return withPart(input, IDS, mutateJson(textOf(input, IDS), random, { donors, words }));
  },
  async check(input) {
    const bytes = bytesOf(input, IDS);
    const windows = await read(bytes, {}, 'tokenIdsFile', bytes.length % 2 === 0);
    if (!windows) return false;
    promiseWindows(windows);
    const stated = JSON.parse(textOf(input, IDS)) as (number | number[])[];
    const same =
      JSON.stringify(stated.flat()) === JSON.stringify(windows.ids.flatMap((each) => [...each]));
    promise(same, 'the ids are not those of the file');
    return true;
  },
};

/** An evaluation text, cut into windows or documents as a request says. */
export const text: FuzzTarget = {
  name: 'text',
  seeds: () =>
    [
      '{"context":4}',
      '{"context":3,"windows":2}',
      '{"perDocument":"\\n\\n"}',
      '{"perDocument":"a"}',
    ].map((request): Input => [
      ...textInput(TEXT, 'Once upon a time\n\nthere was a cat.\n\n\n\nIt sat.\r\n😀 é\n'),
      ...textInput(REQUEST, request),
    ]),
  mutate(input, random, pool) {
    const donor = random.pick(pool);
    if (random.chance(0.7)) {
      return withPart(input, TEXT, mutateBytes(bytesOf(input, TEXT), random, bytesOf(donor, TEXT)));
    }
    const request = mutateJson(textOf(input, REQUEST), random, {
      donors: [textOf(donor, REQUEST)],
    });
    return withPart(input, REQUEST, request);
  },
  async check(input) {
    const request = requestOf(textOf(input, REQUEST));
    const windows = await read(bytesOf(input, TEXT), request, 'textFile', false);
    if (!windows) return false;
    promiseWindows(windows);
    promise(
      windows.ids.length <= (request.windows ?? Infinity),
      'there are more windows than asked for',
    );
    promise(
      windows.protocol === (request.perDocument === undefined ? 'stream' : 'per-document'),
      'another protocol',
    );
    return true;
  },
};

/** A request as whoever asks has checked it: counts from 1, separators that are not empty. */
function requestOf(json: string): TextRequest {
  let fields: Record<string, unknown>;
  try {
    fields = { ...(JSON.parse(json) as object) };
  } catch {
    return {};
  }
  const count = (value: unknown, least: number) =>
    Number.isSafeInteger(value) && (value as number) >= least ? (value as number) : undefined;
  const { perDocument } = fields;
  return {
    context: count(fields.context, 2),
    windows: count(fields.windows, 1),
    perDocument: typeof perDocument === 'string' && perDocument !== '' ? perDocument : undefined,
  };
}
