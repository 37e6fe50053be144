import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BosFacts } from '../../../model/text/specialTokens.js';
import { tokenize } from '../../../model/text/tokenizer.js';
import type { LanguageModel } from '../../../model/evaluation/types.js';
import {
  chooseContext,
  cutDocumentWindows,
  splitDocuments,
  cutStreamWindows,
  findBosWindows,
  parseTokenIdWindows,
  WindowError,
  type Windows,
} from '../../../model/text/windows.js';
import type { Host } from '../../../host/host.js';
import type { TextRequest } from '../measurement.js';
import { describeSystemError } from '../../../storage/describeError.js';
import { visible } from '../../../storage/errors.js';
import type { FileSystem } from '../../../storage/fileSystem.js';
import { localFileSystem } from '../../../storage/node/localFileSystem.js';
import { decodeText } from '../../../storage/text.js';
import { WHOLE_FILES, type SizeLimit } from '../../../storage/wholeFiles.js';

export interface EvaluationText {
  readonly windows: Windows;
  /** Path of the file that was read. */
  readonly source: string;
  /** True for the text that comes with Quantscope. */
  readonly bundled: boolean;
  /** What a reader of any number on it must know of its token ids. */
  readonly notes: readonly string[];
}

const OWN_TEXT = 'eval.txt';

async function readText(files: FileSystem, path: string, limit: SizeLimit): Promise<string> {
  return decodeText(path, await files.read(path, limit));
}

/** A model folder's own text, if there is one. */
export async function findOwnTextFile(folder: string): Promise<string | undefined> {
  const path = join(folder, OWN_TEXT);
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? path : undefined;
}

async function readTokenIds(
  files: FileSystem,
  path: string,
  request: TextRequest,
  plan: LanguageModel['plan'],
): Promise<Windows> {
  const text = await readText(files, path, WHOLE_FILES.tokenIds);
  try {
    return parseTokenIdWindows(text, request, plan);
  } catch (error) {
    if (error instanceof WindowError) throw error;
    throw new Error(`${visible(path)}: ${describeSystemError(error)}`, {
      cause: error,
    });
  }
}

/**
 * The id that every window is to begin with, if it is: asked for, or what the model's family needs.
 * @throws WindowError where it is asked for and there is none
 */
function chooseBos(
  asked: boolean | undefined,
  { id, needed }: BosFacts,
  modelType: string,
): number | undefined {
  if (asked === true && id === undefined) {
    throw new WindowError('no window can begin with BOS: the tokenizer has none');
  }
  return (asked ?? (needed || modelType.startsWith('gemma'))) ? id : undefined;
}

/**
 * The windows that a request asks for.
 * @param files the local disk, as it is to be read
 * @throws an Error of one line that names the file at fault; an AbortError when cancelled
 */
export async function readWindows(
  host: Host,
  { opened, plan }: LanguageModel,
  request: TextRequest,
  signal?: AbortSignal,
  files: FileSystem = localFileSystem,
): Promise<EvaluationText> {
  const { textFile, tokenIdsFile, perDocument } = request;
  const bundledText = host.assets.path('sample text');
  const ownPath = join(opened.folder, OWN_TEXT);
  // One that is no file is an error when it is read, and not passed over.
  const defaultText = async () =>
    (await files.kind(ownPath)) === undefined ? bundledText : ownPath;
  const source = tokenIdsFile ?? textFile ?? (await defaultText());
  // The sample's own text is the bundled one; there it belongs to the model.
  const bundled = source === bundledText && source !== ownPath;
  try {
    // Before anything is read: it costs nothing and needs no tokenizer.
    chooseContext(request, plan);
    if (tokenIdsFile) {
      const windows = await readTokenIds(files, source, request, plan);
      return { windows, source, bundled, notes: [] };
    }
    const { streamText, documentsText } = WHOLE_FILES;
    const limit = perDocument === undefined ? streamText : documentsText;
    const text = await readText(files, source, limit);
    const texts = perDocument === undefined ? [text] : splitDocuments(text, perDocument);
    if (texts.length === 0) throw new WindowError('there is no document in the text');
    const { modelType } = plan;
    const { ids, bos, notes } = await tokenize(host, opened, texts, { signal, modelType });
    const begun = chooseBos(request.bosEveryWindow, bos, modelType);
    const windows =
      perDocument === undefined
        ? cutStreamWindows(ids[0], request, plan, begun)
        : cutDocumentWindows(ids, request, plan, begun);
    const bosWindows = findBosWindows(windows.ids, bos.id);
    return { windows: { ...windows, bos: bosWindows }, source, bundled, notes };
  } catch (error) {
    if (!(error instanceof WindowError)) throw error;
    throw new Error(`${visible(source)}: ${error.message}`, { cause: error });
  }
}
