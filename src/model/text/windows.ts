import { parseJson } from '../../checkpoint/jsonText.js';
import type { Remedy } from '../../storage/errors.js';
import { describeId, findUnusualNumber } from './tokenIds.js';
import type { BosWindows, Protocol } from './textProtocol.js';

/** What a model scores: token ids in windows, and how they came about. */
export interface Windows {
  /** Each has at least one target: two ids. */
  readonly ids: readonly Int32Array[];
  readonly protocol: Protocol;
  /** Most ids that a window may have. */
  readonly context: number;
  readonly totalTokens: number;
  /** Which windows begin with BOS; absent where ids are given and nobody knows. */
  readonly bos?: BosWindows;
}

/** What a model allows windows to be. */
export interface WindowLimits {
  readonly vocabularySize: number;
  readonly maxPositions: number;
  /** True where longer windows are impossible and not only untrained. */
  readonly positionsAreHard: boolean;
}

export interface WindowRequest {
  /** Ids per window; default: the model's positions, at most {@link DEFAULT_CONTEXT}. */
  readonly context?: number;
  /** Only the first so many windows. */
  readonly windows?: number;
  /** True: each begins with BOS; false: where the tokenizer puts it; default: as the model's family needs it. */
  readonly bosEveryWindow?: boolean;
}

/** Where a model's positions go further, figures of papers are at this length. */
const DEFAULT_CONTEXT = 2048;

/** A text or list of ids that cannot be scored; one line, without the name of its file. */
export class WindowError extends Error {
  override readonly name = 'WindowError';

  constructor(
    message: string,
    readonly remedy?: Remedy,
  ) {
    super(message);
  }
}

/**
 * Ids per window.
 * @throws WindowError where the model has fewer positions, and cannot have more
 */
export function chooseContext(request: WindowRequest, limits: WindowLimits): number {
  const { context = Math.min(limits.maxPositions, DEFAULT_CONTEXT) } = request;
  if (limits.positionsAreHard && context > limits.maxPositions) {
    throw new WindowError(
      `windows of ${context} tokens are too long: the model has ${limits.maxPositions} positions`,
    );
  }
  return context;
}

function tokens(count: number): string {
  return count === 1 ? '1 token' : `${count} tokens`;
}

function finish(
  all: Iterable<Int32Array>,
  protocol: Protocol,
  context: number,
  totalTokens: number,
  request: WindowRequest,
): Windows {
  const ids: Int32Array[] = [];
  for (const window of all) {
    if (ids.length >= (request.windows ?? Infinity)) break;
    ids.push(window);
  }
  return { ids, protocol, context, totalTokens };
}

/** @throws WindowError where an id of the tokenizer is none of the model's */
function checkTokenizerIds(ids: Int32Array, { vocabularySize }: WindowLimits): void {
  const place = ids.findIndex((id) => id < 0 || id >= vocabularySize);
  if (place >= 0) {
    throw new WindowError(
      `the tokenizer gives id ${ids[place]}, but the model's vocabulary has ${vocabularySize} tokens: they do not belong together`,
    );
  }
}

/** The ids behind a BOS, which they may begin with. */
function behindBos(ids: Int32Array, bos: number | undefined): Int32Array {
  if (bos === undefined || ids[0] === bos) return ids;
  const all = new Int32Array(ids.length + 1);
  all[0] = bos;
  all.set(ids, 1);
  return all;
}

/** Which windows begin with a token. */
export function findBosWindows(ids: readonly Int32Array[], bos: number | undefined): BosWindows {
  const beginning = bos === undefined ? 0 : ids.filter((window) => window[0] === bos).length;
  if (beginning === ids.length) return 'every';
  return beginning === 0 ? 'none' : ids[0][0] === bos && beginning === 1 ? 'first' : 'some';
}

/**
 * The stream protocol: windows of `context` ids that do not overlap; the tail is dropped.
 * @param text ids of the whole text, tokenized once
 * @param bos what every window is to begin with: it stands in the place of the window's first id, which is no
 * target, as in llama.cpp, so that windows lie where they lie without it
 * @throws WindowError where the text has no whole window
 */
export function cutStreamWindows(
  text: Int32Array,
  request: WindowRequest,
  limits: WindowLimits,
  bos?: number,
): Windows {
  const context = chooseContext(request, limits);
  const ids = behindBos(text, bos);
  checkTokenizerIds(ids, limits);
  if (ids.length < 2) {
    throw new WindowError(`the text has ${tokens(ids.length)}; at least 2 are needed`);
  }
  if (ids.length < context) {
    throw new WindowError(
      `the text has ${tokens(ids.length)}, too few for a single window of ${context}; a longer text or a shorter context is needed`,
      'shorter-context',
    );
  }
  function* cut() {
    for (let end = context; end <= ids.length; end += context) {
      const window = ids.subarray(end - context, end);
      if (bos === undefined || window[0] === bos) {
        yield window;
      } else {
        const begun = window.slice();
        begun[0] = bos;
        yield begun;
      }
    }
  }
  return finish(cut(), 'stream', context, ids.length, request);
}

/** The documents of a text: what stands between separators, trimmed; empty ones are left out. */
export function splitDocuments(text: string, separator: string): string[] {
  return text
    .split(separator)
    .map((document) => document.trim())
    .filter((document) => document !== '');
}

/**
 * The per-document protocol: each document is a window, cut to `context` ids.
 * @param texts ids of each, tokenized by itself
 * @param bos what each is to begin with, put in front where it is not there
 * @throws WindowError where no document has a token to predict
 */
export function cutDocumentWindows(
  texts: readonly Int32Array[],
  request: WindowRequest,
  limits: WindowLimits,
  bos?: number,
): Windows {
  const context = chooseContext(request, limits);
  const documents = texts.map((ids) => behindBos(ids, bos));
  let total = 0;
  for (const ids of documents) {
    checkTokenizerIds(ids, limits);
    total += ids.length;
  }
  const scored = documents.filter(({ length }) => length >= 2);
  if (scored.length === 0) {
    const count = documents.length === 1 ? 'document' : 'documents';
    throw new WindowError(
      `none of the text's ${documents.length} ${count} has at least 2 tokens, so there is nothing to predict`,
    );
  }
  const cut = scored.map((ids) => ids.subarray(0, context));
  return finish(cut, 'per-document', context, total, request);
}

/**
 * Windows as given: a JSON array of ids is one window, an array of arrays one window each.
 * @throws WindowError that names the place which is not an id of the model
 */
export function readTokenIdWindows(
  json: unknown,
  request: WindowRequest,
  limits: WindowLimits,
): Windows {
  if (!Array.isArray(json)) throw new WindowError('a JSON array of token ids is wanted');
  if (json.length === 0) throw new WindowError('there are no token ids');
  const nested = json.some(Array.isArray);
  const list: unknown[] = nested ? json : [json];
  const limit = request.context ?? Infinity;
  const windows = list.map((each, index) => {
    const name = nested ? `window ${index + 1}` : 'the window';
    if (!Array.isArray(each)) throw new WindowError(`${name} is not an array of token ids`);
    if (each.length < 2) {
      throw new WindowError(`${name} has ${tokens(each.length)}; at least 2 are needed`);
    }
    if (each.length > limit) {
      throw new WindowError(`${name} has ${each.length} tokens, more than the context of ${limit}`);
    }
    if (limits.positionsAreHard && each.length > limits.maxPositions) {
      throw new WindowError(
        `${name} has ${each.length} tokens, but the model has ${limits.maxPositions} positions`,
      );
    }
    return readIds(each, nested ? `${name}, ` : '', limits.vocabularySize);
  });
  const total = windows.reduce((sum, { length }) => sum + length, 0);
  const longest = windows.reduce((most, { length }) => Math.max(most, length), 0);
  return finish(windows, 'token-ids', request.context ?? longest, total, request);
}

function readIds(list: readonly unknown[], place: string, vocabularySize: number): Int32Array {
  return Int32Array.from(list, (id, index) => {
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocabularySize) return id;
    throw notAnId(`${place}id ${index + 1}`, describeId(id), vocabularySize);
  });
}

function notAnId(place: string, shown: string, vocabularySize: number): WindowError {
  return new WindowError(
    `${place}: ${shown} is not a token id of the model (0 to ${vocabularySize - 1})`,
  );
}

/**
 * The windows of a JSON text, as {@link readTokenIdWindows} takes them; its ids must be written as
 * whole numbers, too.
 * @throws WindowError that names the place which is not an id of the model; a SyntaxError
 */
export function parseTokenIdWindows(
  text: string,
  request: WindowRequest,
  limits: WindowLimits,
): Windows {
  const windows = readTokenIdWindows(parseJson(text), request, limits);
  const unusual = findUnusualNumber(text);
  if (!unusual) return windows;
  const { window, id, written } = unusual;
  const place = window === undefined ? '' : `window ${window}, `;
  throw notAnId(`${place}id ${id}`, written.slice(0, 60), limits.vocabularySize);
}
