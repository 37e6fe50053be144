import type { OpenedModel } from '../../checkpoint/types.js';
import type { Host } from '../../host/host.js';
import { makeCancelledError } from '../../rpc/rpc.js';
import { visible } from '../../storage/errors.js';
import type { BosFacts } from './specialTokens.js';
import {
  readHeaderTokenizer,
  readTokenizerFiles,
  TokenizerError,
  type TokenizerFiles,
} from './tokenizerFiles.js';
import type { TokenizerApi, TokenizerReply } from './tokenizerApi.js';

/** Memory of the tokenizing thread: a token takes some 200 bytes there on its way. */
const THREAD = {
  description: 'The tokenizing thread',
  maxOldGenerationMB: 4096,
  stackMB: 64,
};

/**
 * How long tokenizing may take. `tokenizer.json` brings regular expressions of its own, and some never
 * finish. Nothing else is meant to reach the limit: where twelve programs share two processors, the
 * sample's text takes a sixtieth of it, and megabytes a twentieth.
 */
const LIMIT = {
  seconds: 60,
  secondsPerMillionCharacters: 60,
  /** What a text costs beside its characters, in characters. */
  charactersPerText: 20,
};

/** Seconds after which texts are given up. */
function limitFor(texts: readonly string[]): number {
  const { seconds, secondsPerMillionCharacters, charactersPerText } = LIMIT;
  const characters = texts.reduce((sum, { length }) => sum + length + charactersPerText, 0);
  return Math.ceil(seconds + (secondsPerMillionCharacters * characters) / 1e6);
}

/** Problems quote the text, which may be one long word. */
const MAX_PROBLEM_CHARACTERS = 200;

export interface TokenizeOptions {
  readonly signal?: AbortSignal;
  /** After this the tokenizer is given up; default: what grows with the texts. */
  readonly limitSeconds?: number;
  /** The model's, which tells the tokenizer where no configuration of it does. */
  readonly modelType?: string;
}

/** Ids of each text, and what the tokenizer says of BOS. */
export interface Tokenized {
  readonly ids: readonly Int32Array[];
  readonly bos: BosFacts;
  /** What a reader of the ids must know of where they come from. */
  readonly notes: readonly string[];
}

/** What of a model its tokenizer is found by. */
export type TokenizedModel = Pick<OpenedModel, 'files' | 'folder' | 'fileSystem'>;

/**
 * Token ids of texts by the vocabulary in the header of the weights (GGUF), or else the files of the model folder
 * (`tokenizer.json` and others), with the special tokens that it adds itself. Runs in a thread of
 * its own, which is ended when it takes too long.
 * @param texts each is tokenized by itself
 * @returns one list of ids per text, and more
 * @throws an Error of one line that names the file at fault; an AbortError when cancelled
 */
export async function tokenize(
  host: Host,
  model: TokenizedModel,
  texts: readonly string[],
  options: TokenizeOptions = {},
): Promise<Tokenized> {
  const { folder, fileSystem } = model;
  const readFiles = () => readTokenizerFiles(folder, fileSystem, options.modelType);
  const own = await readHeaderTokenizer(model, options.signal);
  if (!own) return { ...(await runTokenizer(host, await readFiles(), texts, options)), notes: [] };
  const file = visible(fileSystem.split(own.files.header!).name);
  try {
    const tokenized = await runTokenizer(host, own, texts, options);
    return { ...tokenized, notes: [noteHeader(file)] };
  } catch (error) {
    if (!(error instanceof TokenizerError)) throw error;
    const files = await readFiles().catch((other: unknown) => {
      // Nothing is beside it: what is wrong with its own vocabulary is to be known.
      throw other instanceof TokenizerError ? error : other;
    });
    const tokenized = await runTokenizer(host, files, texts, options);
    return { ...tokenized, notes: [`${error.message}; ids are those of the tokenizer beside it.`] };
  }
}

function noteHeader(file: string): string {
  return `Token ids are those of the vocabulary in ${file}, which does not say everything of its tokenizer: what it leaves open is taken as llama.cpp takes it.`;
}

/** Tokenizes in a thread by what a tokenizer is made of. @throws like {@link tokenize} */
async function runTokenizer(
  host: Host,
  { main, files, contents }: TokenizerFiles,
  texts: readonly string[],
  { signal, limitSeconds = limitFor(texts) }: TokenizeOptions,
): Promise<Omit<Tokenized, 'notes'>> {
  const at = visible(main);
  const request = { ...contents, texts };
  if (signal?.aborted) throw makeCancelledError();
  const thread = host.startThread<TokenizerApi>('tokenizerWorker.js', null, THREAD);
  const limit = AbortSignal.timeout(limitSeconds * 1000);
  const givenUp = signal ? AbortSignal.any([signal, limit]) : limit;
  let reply: TokenizerReply;
  try {
    const call = thread.remote.tokenize(request, { signal });
    reply = await untilAborted(thread.whileAlive(call), givenUp);
  } catch (error) {
    if (limit.aborted && !signal?.aborted) {
      throw new TokenizerError(
        `${at}: its expressions did not finish within ${limitSeconds} seconds on this text`,
      );
    }
    const { code } = ((error as Error).cause ?? {}) as { code?: unknown };
    if (code !== 'ERR_WORKER_OUT_OF_MEMORY') throw error;
    const message = `${at}: the text is too long to be tokenized at once`;
    throw new Error(message, { cause: error });
  } finally {
    // What it is in the midst of may take long to leave: nobody waits for a thread that was given up.
    const ended = thread.terminate();
    if (!givenUp.aborted) await ended;
  }
  if ('ids' in reply) return { ids: reply.ids, bos: reply.bos };
  const problem = visible(reply.problem.slice(0, MAX_PROBLEM_CHARACTERS).split('\n', 1)[0]);
  const message = `${visible(files[reply.file]!)}: this is no tokenizer that can be used: ${problem}`;
  throw reply.file === 'header' ? new TokenizerError(message) : new Error(message);
}

/** Rejects as soon as the signal is aborted: a thread that computes hears of nothing. */
async function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  work.catch(() => undefined);
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(makeCancelledError());
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
