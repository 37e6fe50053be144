import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { cancelledError } from '../protocol/rpc.js';
import { systemReason, visible } from '../safetensors/errors.js';
import type { TokenizerReply, TokenizerStart } from './tokenizerWorker.js';

export interface TokenizeRequest {
  /** Each is tokenized by itself, with its own special tokens. */
  readonly texts: readonly string[];
  /** Folder of `tokenizerWorker.js`; default: beside the running bundle. */
  readonly assetsFolder?: string;
  readonly signal?: AbortSignal;
}

/** Memory of the tokenizing thread: a token takes some 200 bytes there on its way. */
const RESOURCES = { maxOldGenerationSizeMb: 4096, stackSizeMb: 64 };

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw new Error(`${visible(path)}: ${systemReason(error)}`, { cause: error });
  }
}

/** Why there is nothing to tokenize with, and what would help. */
async function missingTokenizer(folder: string): Promise<Error> {
  const path = visible(join(folder, 'tokenizer.json'));
  const present = [];
  for (const other of ['tokenizer.model', 'vocab.json', 'vocab.txt', 'spiece.model']) {
    if (await isFile(join(folder, other))) present.push(other);
  }
  const cannot =
    present.length > 0 ? ` (${present.join(', ')} alone cannot be read: convert it to that)` : '';
  return new Error(
    `${path}: there is no such file, and a text cannot be tokenized without it${cannot}; ids from elsewhere can be scored (--token-ids)`,
  );
}

/**
 * Token ids of texts by a model folder's `tokenizer.json`, with the special tokens that it adds
 * itself. Runs in a thread of its own.
 * @returns one list of ids per text
 * @throws an Error of one line that names the file at fault; an AbortError when cancelled
 */
export async function tokenize(folder: string, request: TokenizeRequest): Promise<Int32Array[]> {
  const { texts, signal, assetsFolder = __dirname } = request;
  const tokenizerFile = join(folder, 'tokenizer.json');
  if (!(await isFile(tokenizerFile))) throw await missingTokenizer(folder);
  const configurationFile = join(folder, 'tokenizer_config.json');
  const start: TokenizerStart = {
    tokenizerFile,
    configurationFile: (await isFile(configurationFile)) ? configurationFile : undefined,
    texts,
  };
  if (signal?.aborted) throw cancelledError();
  const worker = new Worker(join(assetsFolder, 'tokenizerWorker.js'), {
    workerData: start,
    resourceLimits: RESOURCES,
  });
  let onAbort: (() => void) | undefined;
  try {
    const reply = await new Promise<TokenizerReply>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          error.code === 'ERR_WORKER_OUT_OF_MEMORY'
            ? new Error(`${visible(tokenizerFile)}: the text is too long to be tokenized at once`)
            : error,
        ),
      );
      worker.once('exit', () => reject(new Error('The tokenizing thread ended unexpectedly')));
      onAbort = () => reject(cancelledError());
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    if ('ids' in reply) return [...reply.ids];
    const problem = visible(reply.problem.split('\n')[0]);
    throw new Error(`${visible(reply.file)}: this is no tokenizer that can be used: ${problem}`);
  } finally {
    if (onAbort) signal?.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}
