import { encodeSentencePieces } from '../sentencePieces.js';
import { encodeGguf } from '../../../scripts/lib/writeGguf.mjs';
import { readConfigFile } from '../../../src/checkpoint/configFile.js';
import { containerOf } from '../../../src/checkpoint/containers.js';
import { parseJson } from '../../../src/checkpoint/jsonText.js';
import { nameLayers } from '../../../src/checkpoint/layers.js';
import { findShardRows } from '../../../src/checkpoint/shardNames.js';
import { openCheckpoint } from '../../../src/checkpoint/openCheckpoint.js';
import { describeQuantization } from '../../../src/checkpoint/quantizable.js';
import type { ModelTensor } from '../../../src/checkpoint/types.js';
import { formatInspection, TERMINAL_BOUNDS } from '../../../src/cli/inspectText.js';
import { formatNotes } from '../../../src/cli/notesText.js';
import { ProgressLine } from '../../../src/cli/progress.js';
import { formatTable } from '../../../src/cli/tables.js';
import { describeCheck } from '../../../src/jobs/check/describeCheck.js';
import { makeExpressionMatcher } from '../../../src/jobs/check/expressionMatcher.js';
import { compileGlob } from '../../../src/jobs/globs/globMatcher.js';
import { describeLayers } from '../../../src/jobs/inspection/describeLayers.js';
import { describeModel } from '../../../src/jobs/inspection/describeModel.js';
import { listModel } from '../../../src/jobs/inspection/listModel.js';
import { parseRecipe } from '../../../src/jobs/recipes/recipe.js';
import { makeTensorMatcher, selectTensors } from '../../../src/jobs/selection.js';
import { nameArchitecture, summarizeConfig } from '../../../src/model/config/configSummary.js';
import { Configuration } from '../../../src/model/config/configuration.js';
import { findOrientation } from '../../../src/model/config/orientation.js';
import type { ModelPlan } from '../../../src/model/config/plan.js';
import { textConfigOf } from '../../../src/model/config/textConfig.js';
import { canonicalName, unwrappedName } from '../../../src/model/config/tensorNames.js';
import { noteUnusedTensors } from '../../../src/model/config/unusedTensors.js';
import { openModel } from '../../../src/model/openModel.js';
import { makeGgufEncoder } from '../../../src/model/text/ggufTokenizer.js';
import { readGgufTokens } from '../../../src/model/text/ggufTokens.js';
import { makeScoredPairs } from '../../../src/model/text/steps/scoredPairs.js';
import { KeyReader } from '../../../src/gguf/keyReader.js';
import { sentencePieceDocuments } from '../../../src/model/text/sentencePieceDocument.js';
import { readSentencePieceModel } from '../../../src/model/text/sentencePieceModel.js';
import { makeTekkenEncoder } from '../../../src/model/text/tekken.js';
import {
  bertConfiguration,
  bertDocument,
  parseVocabularyLines,
} from '../../../src/model/text/bertFiles.js';
import { parseMerges } from '../../../src/model/text/gpt2Files.js';
import { checkTokenizerDocument } from '../../../src/model/text/tokenizerDocument.js';
import { makeTextEncoder } from '../../../src/model/text/textEncoder.js';
import {
  parseTokenIdWindows,
  readTokenIdWindows,
  splitDocuments,
} from '../../../src/model/text/windows.js';
import type { Finding } from '../../../src/reports/checkReport.js';
import { formatCsv } from '../../../src/reports/csv.js';
import { formatFindingsCsv } from '../../../src/reports/findings.js';
import { embedJson } from '../../../src/reports/htmlReport.js';
import { formatJsonParts } from '../../../src/reports/jsonParts.js';
import { makeModelTitle } from '../../../src/reports/modelTitle.js';
import { formatComparisonCsv, formatReportJson } from '../../../src/reports/present.js';
import type { CheckpointReport, ComparisonReport } from '../../../src/reports/reports.js';
import { recognizePlaceholder } from '../../../src/storage/placeholders.js';
import { nameStorage } from '../../../src/reports/storedAs.js';
import { groupParts, nameWeightInLayer } from '../../../src/reports/weightParts.js';
import { recognizeForeign } from '../../../src/safetensors/foreignFiles.js';
import { parseHeader } from '../../../src/safetensors/header.js';
import { parseShardIndex } from '../../../src/safetensors/shardIndex.js';
import { describeError, describeSystemError } from '../../../src/storage/describeError.js';
import { shorten } from '../../../src/storage/shorten.js';
import { listQuoted, quoted, visible } from '../../../src/storage/errors.js';
import { sortNaturally } from '../../../src/storage/naturalOrder.js';
import { runAtOnce } from '../../../src/storage/slices.js';
import { isUtf8 } from '../../../src/storage/text.js';
import {
  flatRows,
  gridTree,
  NAME_COLUMN,
  visibleGridRows,
} from '../../../webview/comparison/gridModel.js';
import { shortestTails, shortNames, visibleName } from '../../../webview/components/names.js';
import { filterWords, TreeModel } from '../../../webview/editor/treeModel.js';
import { memoryFiles } from '../memoryFileSystem.js';
import { sampleComparison } from '../sampleComparison.js';
import { sampleCheckpoint } from '../sampleModel.js';
import { jsons, names, texts, type Labelled } from './inputs.js';

/** A function that takes text from a file. */
export interface Reader {
  readonly name: string;
  /** Where it is, from the project's root. */
  readonly file: string;
  /**
   * The worst that files of a size may hold for it. Each is prepared by the first call, which is not
   * measured; the second is.
   */
  cases(bytes: number): Iterable<Labelled<() => () => unknown>>;
}

const encoder = new TextEncoder();

/** Every case of some inputs. */
function over<Input, Prepared>(
  inputs: (bytes: number) => Iterable<Labelled<Input>>,
  prepare: (input: Input) => Prepared,
  run: (prepared: Prepared) => unknown,
): Reader['cases'] {
  return function* (bytes) {
    for (const [label, input] of inputs(bytes)) {
      yield [
        label,
        () => {
          const prepared = prepare(input);
          return () => run(prepared);
        },
      ];
    }
  };
}

const same = <Input>(input: Input): Input => input;
const ofTexts = (run: (text: string) => unknown) => over(texts, same, run);
const ofNames = (run: (names: string[]) => unknown) => over(names, same, run);
const ofBytes = (run: (bytes: Uint8Array) => unknown) =>
  over(jsons, (text) => encoder.encode(text), run);

/** A file of empty tensors of these names. */
function fileOf(list: readonly string[]): Uint8Array {
  const entry = { dtype: 'U8', shape: [0], data_offsets: [0, 0] };
  // Put together by hand: keys that are numbers would be sorted.
  const entries = list.map((name) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`);
  const header = encoder.encode(`{${entries.join()}}`);
  const file = new Uint8Array(8 + header.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  return file;
}

/** A file whose header is this text. */
function fileWithHeader(text: string): Uint8Array {
  const header = encoder.encode(text);
  const file = new Uint8Array(8 + header.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  return file;
}

function indexOf(list: readonly string[]): Uint8Array {
  const entries = list.map((name, i) => {
    const shard = name.replaceAll(/[\\/\0]/g, '-').slice(0, 40) + i;
    return `${JSON.stringify(name)}:${JSON.stringify(shard)}`;
  });
  return encoder.encode(`{"weight_map":{${entries.join()}}}`);
}

function tensorsOf(list: readonly string[]): ModelTensor[] {
  const placeOf = nameLayers(list);
  const [sample] = sampleCheckpoint.tensors;
  return list.map((name) => {
    const tensor = {
      ...sample,
      name,
      shape: [64, 32],
      source: { kind: 'local', path: '' } as never,
    };
    return { ...tensor, ...placeOf(name), ...describeQuantization(tensor) };
  });
}

function checkpointOf(list: readonly string[]): CheckpointReport {
  const tensors = tensorsOf(list);
  return { ...sampleCheckpoint, tensors, layers: describeLayers(tensors) };
}

function findingsOf(list: readonly string[]): Finding[] {
  return list.map((name) => ({
    ...{ severity: 'error', id: 'weights-not-finite', file: name, tensor: name },
    ...{ message: name, source: '' },
  }));
}

const report = sampleComparison(128, 'layers.0');

function comparisonOf(list: readonly string[]): ComparisonReport {
  const [format] = report.formats;
  const tensors = tensorsOf(list).map((tensor) => ({ ...format.tensors[0], ...tensor }));
  const layers = [...new Set(tensors.map(({ layer }) => layer))].map((layer) => ({
    ...format.layers[0],
    layer,
  }));
  return { ...report, formats: [{ ...format, tensors, layers }] };
}

const modelOf = (list: readonly string[]) => ({
  ...sampleCheckpoint,
  path: 'model.safetensors',
  folder: '',
  files: [],
  notes: [],
  tensors: tensorsOf(list),
  fileSystem: memoryFiles({}),
  inputs: new Map(),
  decodedFrom: [],
  absent: new Set<string>(),
  undecodable: new Map(),
});

/** Reads nothing, so that every tensor is left over. */
const EMPTY_PLAN = {
  embedding: { tokens: '' },
  blocks: [],
  head: { weight: '' },
} as unknown as ModelPlan;

const GLOBS = ['*a*a*a*a*b', '*.*.*.*.!(weight)', '+(a|aa|*.)b', '{*a,*.}{0,1}?', '*[!a][0-9]x'];
const LIMITS = { vocabularySize: 100, maxPositions: 1e9, positionsAreHard: true };

/** Byte-pair encoding with these merges behind nothing. */
function tokenizerOf(merges: readonly (string | string[])[], vocab: readonly string[]) {
  const model = {
    type: 'BPE',
    vocab: Object.fromEntries(vocab.map((token, id) => [token, id])),
    merges,
    unk_token: '<unk>',
  };
  return { model };
}

/** Header of a SentencePiece vocabulary. */
/** Runs what may refuse its input, with an error. */
function refusing(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

/** A tekken.json of some tokens, after one for each byte. */
function tekkenOf(tokens: readonly string[]): Readonly<Record<string, unknown>> {
  const bytes = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const all = [...bytes, ...tokens.map((token) => encoder.encode(token))];
  return {
    config: {
      pattern: '\\S+|\\s+',
      default_vocab_size: all.length,
      default_num_special_tokens: 0,
    },
    vocab: all.map((token, rank) => ({ rank, token_bytes: Buffer.from(token).toString('base64') })),
    special_tokens: [{ rank: 0, token_str: '<s>' }],
  };
}

function ggufOf(tokens: readonly string[]): Uint8Array {
  return encodeGguf(
    [
      ['tokenizer.ggml.model', 'string', 'llama'],
      ['tokenizer.ggml.tokens', 'strings', tokens],
      ['tokenizer.ggml.scores', 'float32s', tokens.map((_, id) => -id)],
      ['tokenizer.ggml.token_type', 'int32s', tokens.map((_, id) => (id % 8 === 1 ? 4 : 1))],
    ],
    [],
  );
}

/** Tokens of one character and of its doublings. */
function doublings(text: string): Map<string, number> {
  const tokens = new Map([...new Set(text)].map((character, id) => [character, id]));
  const [first] = text;
  for (let run = first + first; run.length < 4096; run += run) tokens.set(run, tokens.size);
  return tokens;
}

/**
 * Every function that takes text from a file, by room. A test holds the list against the files of the
 * rooms that read: a new file is listed here or among {@link TAKES_NO_TEXT}.
 */
export const READERS: readonly Reader[] = [
  // Storage
  { name: 'visible', file: 'src/storage/errors.ts', cases: ofTexts(visible) },
  { name: 'quoted', file: 'src/storage/errors.ts', cases: ofTexts(quoted) },
  { name: 'listQuoted', file: 'src/storage/errors.ts', cases: ofNames(listQuoted) },
  {
    name: 'describeSystemError',
    file: 'src/storage/describeError.ts',
    cases: ofTexts((text) => describeSystemError(new Error(text))),
  },
  {
    name: 'describeError',
    file: 'src/storage/describeError.ts',
    cases: ofTexts((text) => describeError(new Error(text))),
  },
  {
    name: 'shorten',
    file: 'src/storage/shorten.ts',
    cases: ofTexts((text) => shorten(text, 100, visible)),
  },
  {
    name: 'sortNaturally',
    file: 'src/storage/naturalOrder.ts',
    cases: ofNames((list) => sortNaturally(list, same)),
  },
  {
    name: 'recognizePlaceholder',
    file: 'src/storage/placeholders.ts',
    cases: over(texts, (text) => encoder.encode(text), recognizePlaceholder),
  },
  {
    name: 'isUtf8',
    file: 'src/storage/text.ts',
    cases: ofBytes((bytes) => runAtOnce(isUtf8(bytes))),
  },

  // safetensors
  {
    name: 'recognizeForeign',
    file: 'src/safetensors/foreignFiles.ts',
    cases: over(texts, (text) => encoder.encode(text), recognizeForeign),
  },
  {
    name: 'parseHeader, of any text',
    file: 'src/safetensors/header.ts',
    cases: over(jsons, fileWithHeader, (file) => runAtOnce(parseHeader(file, file.length, 'x'))),
  },
  ...[
    'src/safetensors/sharedStrings.ts',
    'src/safetensors/sharedShapes.ts',
    'src/safetensors/plainTensors.ts',
    'src/safetensors/duplicateNames.ts',
    'src/storage/asciiText.ts',
  ].map((file): Reader => ({
    name: `parseHeader, of names (${file})`,
    file,
    cases: over(names, fileOf, (bytes) => runAtOnce(parseHeader(bytes, bytes.length, 'x'))),
  })),
  {
    name: 'parseHeader, of names',
    file: 'src/safetensors/headerText.ts',
    cases: over(names, fileOf, (file) => runAtOnce(parseHeader(file, file.length, 'x'))),
  },
  {
    name: 'parseHeader, of metadata',
    file: 'src/safetensors/strictJson.ts',
    cases: over(
      jsons,
      (text) => fileWithHeader(`{"__metadata__":${text}}`),
      (file) => runAtOnce(parseHeader(file, file.length, 'x')),
    ),
  },
  {
    name: 'parseShardIndex, of any text',
    file: 'src/safetensors/strictJsonError.ts',
    cases: ofBytes((bytes) => runAtOnce(parseShardIndex(bytes, 'x'))),
  },
  {
    name: 'parseShardIndex, of names',
    file: 'src/safetensors/shardIndex.ts',
    cases: over(names, indexOf, (bytes) => runAtOnce(parseShardIndex(bytes, 'x'))),
  },

  // Checkpoint
  {
    name: 'parseJson',
    file: 'src/checkpoint/jsonText.ts',
    cases: over(jsons, same, (text) => parseJson(text)),
  },
  {
    name: 'readConfigFile',
    file: 'src/checkpoint/configFile.ts',
    cases: over(
      jsons,
      (text) => memoryFiles({ 'config.json': encoder.encode(text) }),
      (fileSystem) => readConfigFile('memory:/model', fileSystem),
    ),
  },
  {
    name: 'findShardRows',
    file: 'src/checkpoint/shardNames.ts',
    cases: ofNames((list) => findShardRows(list.map((name) => `${name}1-of-2`))),
  },
  { name: 'containerOf', file: 'src/checkpoint/containers.ts', cases: ofTexts(containerOf) },
  {
    name: 'nameLayers',
    file: 'src/checkpoint/layers.ts',
    cases: ofNames((list) => list.map(nameLayers(list))),
  },
  {
    name: 'describeQuantization',
    file: 'src/checkpoint/quantizable.ts',
    cases: ofNames((list) =>
      list.map((name) => describeQuantization({ ...sampleCheckpoint.tensors[0], name })),
    ),
  },
  ...[
    'src/checkpoint/shards.ts',
    'src/checkpoint/mergeMetadata.ts',
    'src/checkpoint/mergeShards.ts',
    'src/checkpoint/shardProblems.ts',
  ].map((file): Reader => ({
    name: `openCheckpoint, of an index without its shards (${file})`,
    file,
    cases: over(
      names,
      (list) => memoryFiles({ 'model.safetensors.index.json': indexOf(list) }),
      (fileSystem) => openCheckpoint('memory:/model', fileSystem),
    ),
  })),
  ...[
    'src/checkpoint/findEntry.ts',
    'src/checkpoint/loneShard.ts',
    'src/checkpoint/experts.ts',
    'src/checkpoint/tensorRoles.ts',
  ].map((file): Reader => ({
    name: `openModel (${file})`,
    file,
    cases: over(
      names,
      (list) => memoryFiles({ 'model-1-of-3.safetensors': fileOf(list) }),
      (fileSystem) => openModel('memory:/model/model-1-of-3.safetensors', fileSystem),
    ),
  })),
  {
    name: 'nameStorage',
    file: 'src/reports/storedAs.ts',
    cases: ofTexts((label) => nameStorage({ dtype: 'F32', storage: { label, parts: [] } })),
  },
  {
    name: 'groupParts',
    file: 'src/reports/weightParts.ts',
    cases: ofNames((list) => {
      const parts = list.map((name) => ({
        ...{ name, layer: 'a', nameInLayer: name.slice(1) },
        partOf: { weight: `${name}b`, label: 'EXL2' },
      }));
      return groupParts(parts).map(([first]) => nameWeightInLayer(first, first.partOf.weight));
    }),
  },
  {
    name: 'openModel',
    file: 'src/checkpoint/openCheckpoint.ts',
    cases: over(
      names,
      (list) => memoryFiles({ 'model.safetensors': fileOf(list) }),
      (fileSystem) => openModel('memory:/model', fileSystem),
    ),
  },

  // Model
  {
    name: 'findOrientation',
    file: 'src/model/config/orientation.ts',
    cases: over(names, tensorsOf, (tensors) => runAtOnce(findOrientation(undefined, tensors))),
  },
  {
    name: 'summarizeConfig, nameArchitecture',
    file: 'src/model/config/configSummary.ts',
    cases: ofTexts((text) => {
      const config = { architectures: [text], model_type: text, num_hidden_layers: text };
      return [summarizeConfig(config), nameArchitecture(config)];
    }),
  },
  {
    name: 'Configuration',
    file: 'src/model/config/configuration.ts',
    cases: over(
      texts,
      (text) => new Configuration({ [text]: text, list: Array(1000).fill(text) }, text),
      (config) => config.positives('list', 1000),
    ),
  },
  {
    name: 'parseTokenIdWindows',
    file: 'src/model/text/tokenIds.ts',
    cases: over(jsons, same, (text) => parseTokenIdWindows(text, {}, LIMITS)),
  },
  {
    name: 'checkTokenizerDocument',
    file: 'src/model/text/tokenizerDocument.ts',
    cases: ofNames((list) =>
      checkTokenizerDocument({
        model: { type: list[0], vocab: Object.fromEntries(list.map((name, id) => [name, id])) },
        added_tokens: list.map((content, id) => ({ content: `${content}x`, id })),
      }),
    ),
  },
  {
    name: 'unwrappedName',
    file: 'src/model/config/tensorNames.ts',
    cases: ofTexts(unwrappedName),
  },
  {
    name: 'unwrappedName, of wrappers within wrappers',
    file: 'src/model/config/tensorNames.ts',
    cases: over(
      (bytes) => [['module. over and over', 'module.'.repeat(bytes / 7)]],
      same,
      unwrappedName,
    ),
  },
  {
    name: 'canonicalName, of prefixes within prefixes',
    file: 'src/model/config/tensorNames.ts',
    cases: over(
      (bytes) => [
        ['model.language_model. over and over', 'model.language_model.'.repeat(bytes / 21)],
      ],
      same,
      canonicalName,
    ),
  },
  {
    name: 'textConfigOf',
    file: 'src/model/config/textConfig.ts',
    cases: ofTexts((text) => textConfigOf({ [text]: text, text_config: { model_type: text } })),
  },
  {
    name: 'noteUnusedTensors',
    file: 'src/model/config/unusedTensors.ts',
    cases: over(names, modelOf, (model) => noteUnusedTensors(EMPTY_PLAN, model.tensors)),
  },
  {
    name: 'splitDocuments',
    file: 'src/model/text/windows.ts',
    cases: ofTexts((text) =>
      ['\n', 'a', '<|endoftext|>'].map((each) => splitDocuments(text, each)),
    ),
  },
  {
    name: 'readTokenIdWindows',
    file: 'src/model/text/windows.ts',
    cases: function* (bytes) {
      const ids = Array.from({ length: bytes / 2 }, () => 1);
      const wrong = { text: 'a'.repeat(bytes) };
      const lists = {
        ids,
        'one list each': Array.from({ length: bytes / 6 }, () => [1, 1]),
        'a long text': [1, 'a'.repeat(bytes)],
        'an object': [1, wrong],
      };
      for (const [label, list] of Object.entries(lists)) {
        yield [label, () => () => readTokenIdWindows(list, {}, LIMITS)];
      }
    },
  },
  {
    name: 'makeTextEncoder, of merges',
    file: 'src/model/text/textEncoder.ts',
    cases: over(
      texts,
      (text) =>
        tokenizerOf(
          [
            [text, 'b'],
            ['a', text],
          ],
          [...new Set(['a', 'b', '<unk>', text, `${text}b`, `a${text}`])],
        ),
      (tokenizer) => makeTextEncoder(tokenizer, {})('ab'.repeat(200)),
    ),
  },
  {
    name: 'makeGgufEncoder, of tokens',
    file: 'src/model/text/ggufTokenizer.ts',
    cases: over(
      names,
      (list) => ggufOf(list.map((name) => name.slice(0, 1000))),
      // Names that were made equal, or a character without a token.
      (header) => refusing(() => makeGgufEncoder(header, '')('a.0 layers '.repeat(2000))),
    ),
  },
  {
    name: 'readGgufTokens',
    file: 'src/model/text/ggufTokens.ts',
    cases: over(
      names,
      (list) => ggufOf(list.map((name, id) => id + name.slice(0, 1000))),
      (header) => readGgufTokens(new KeyReader(header, '')),
    ),
  },
  {
    name: 'makeScoredPairs, of a text',
    file: 'src/model/text/steps/scoredPairs.ts',
    cases: over(
      (bytes) =>
        ['a', 'ab', 'a.', '\u0301'].map((piece) => [
          `"${piece}" over and over`,
          piece.repeat(bytes / encoder.encode(piece).length),
        ]),
      (text) => ({ text, vocabulary: doublings(text) }),
      ({ text, vocabulary }) => makeScoredPairs(vocabulary, vocabulary).encode(text, []),
    ),
  },
  {
    name: 'readSentencePieceModel, of any bytes',
    file: 'src/model/text/protobuf.ts',
    cases: over(
      texts,
      (text) => encoder.encode(text),
      (bytes) => refusing(() => readSentencePieceModel(bytes)),
    ),
  },
  ...['src/model/text/sentencePieceModel.ts', 'src/model/text/sentencePieceDocument.ts'].map(
    (file): Reader => ({
      name: `sentencePieceDocuments, of pieces (${file})`,
      file,
      cases: over(
        names,
        (list) =>
          encodeSentencePieces(['<unk>', '<s>', '</s>', ...list.map((name) => name.slice(0, 500))]),
        (bytes) => refusing(() => sentencePieceDocuments(bytes, {}, {}, 'llama')),
      ),
    }),
  ),
  {
    name: 'makeTekkenEncoder, of tokens',
    file: 'src/model/text/tekken.ts',
    cases: over(
      names,
      (list) => tekkenOf(list.map((name) => name.slice(0, 1000))),
      (document) => refusing(() => makeTekkenEncoder(document)('a.0 layers '.repeat(2000))),
    ),
  },
  {
    name: 'bertDocument, of lines',
    file: 'src/model/text/bertFiles.ts',
    cases: ofTexts((text) => {
      const vocabulary = parseVocabularyLines(`[UNK]\n[CLS]\n[SEP]\n${text}`);
      const configuration = bertConfiguration({}, 'bert');
      const document = bertDocument(vocabulary, configuration);
      return makeTextEncoder(document, configuration)('a.0 layers '.repeat(1000));
    }),
  },
  {
    name: 'parseMerges',
    file: 'src/model/text/gpt2Files.ts',
    cases: ofTexts((text) => parseMerges(text)),
  },

  // Jobs
  {
    name: 'parseRecipe',
    file: 'src/jobs/recipes/recipe.ts',
    cases: ofTexts((text) => parseRecipe(text, 'recipe.json')),
  },
  ...GLOBS.map((glob): Reader => ({
    name: `compileGlob ${glob}`,
    file: 'src/jobs/globs/globMatcher.ts',
    cases: ofNames((list) => list.map(compileGlob(glob))),
  })),
  {
    name: 'makeExpressionMatcher',
    file: 'src/jobs/check/expressionMatcher.ts',
    cases: ofNames((list) => [
      list.map(makeExpressionMatcher('.*(a|layers).*a$')!),
      list.map(makeExpressionMatcher),
    ]),
  },
  {
    name: 'selectTensors',
    file: 'src/jobs/selection.ts',
    cases: over(names, modelOf, (model) => [
      selectTensors(model, { tensorGlobs: ['*a*'] }),
      model.tensors.map(({ name }) => makeTensorMatcher(['x'])(name)),
    ]),
  },
  {
    name: 'describeLayers',
    file: 'src/jobs/inspection/describeLayers.ts',
    cases: over(names, tensorsOf, describeLayers),
  },
  {
    name: 'describeModel',
    file: 'src/jobs/inspection/describeModel.ts',
    cases: over(names, modelOf, describeModel),
  },

  // Reports and the terminal
  { name: 'makeModelTitle', file: 'src/reports/modelTitle.ts', cases: ofTexts(makeModelTitle) },
  {
    name: 'formatJsonParts',
    file: 'src/reports/jsonParts.ts',
    cases: over(names, comparisonOf, (report) => [...formatJsonParts({ ...report })]),
  },
  {
    name: 'formatReportJson',
    file: 'src/reports/present.ts',
    cases: over(names, comparisonOf, formatReportJson),
  },
  {
    name: 'formatComparisonCsv',
    file: 'src/reports/present.ts',
    cases: over(names, comparisonOf, formatComparisonCsv),
  },
  {
    name: 'embedJson',
    file: 'src/reports/htmlReport.ts',
    cases: over(names, comparisonOf, embedJson),
  },
  {
    name: 'formatFindingsCsv',
    file: 'src/reports/findings.ts',
    cases: over(names, findingsOf, formatFindingsCsv),
  },
  {
    name: 'formatCsv',
    file: 'src/reports/csv.ts',
    cases: ofNames((list) => formatCsv([list])),
  },
  {
    name: 'describeCheck',
    file: 'src/jobs/check/describeCheck.ts',
    cases: over(
      names,
      (list) => ({ model: modelOf(list), findings: findingsOf(list) }),
      ({ model, findings }) => describeCheck(model, findings),
    ),
  },
  {
    name: 'formatInspection',
    file: 'src/cli/inspectText.ts',
    cases: over(names, modelOf, (model) => {
      const listing = runAtOnce(listModel(model, model.tensors, TERMINAL_BOUNDS));
      return formatInspection({ path: model.path, files: 1, metadata: {} }, listing);
    }),
  },
  {
    name: 'formatTable',
    file: 'src/cli/tables.ts',
    cases: ofNames((list) =>
      formatTable(
        [
          { title: 'a', align: 'left' },
          { title: 'b', align: 'right' },
        ],
        list.map((name) => [name, 'b']),
      ),
    ),
  },
  {
    name: 'formatNotes',
    file: 'src/cli/notesText.ts',
    cases: ofNames((list) => formatNotes([{ id: 'int4', notes: list }])),
  },
  {
    name: 'ProgressLine',
    file: 'src/cli/progress.ts',
    cases: ofTexts((message) => {
      let time = 0;
      const stream = { write: () => true, isTTY: true };
      const line = new ProgressLine(stream, false, () => (time += 1000));
      for (let done = 0; done < 100; done++) line.report({ done, total: 100, message });
    }),
  },

  // Pages
  {
    name: 'visibleName',
    file: 'webview/components/names.ts',
    cases: ofNames((list) => list.map(visibleName)),
  },
  { name: 'shortNames', file: 'webview/components/names.ts', cases: ofNames(shortNames) },
  { name: 'shortestTails', file: 'webview/components/names.ts', cases: ofNames(shortestTails) },
  { name: 'filterWords', file: 'webview/editor/treeModel.ts', cases: ofTexts(filterWords) },
  {
    name: 'TreeModel',
    file: 'webview/editor/treeModel.ts',
    cases: over(names, checkpointOf, (report) => {
      const tree = new TreeModel(report);
      return tree.view(() => true, 'weight a');
    }),
  },
  {
    name: 'gridTree',
    file: 'webview/comparison/gridModel.ts',
    cases: over(names, comparisonOf, (report) => flatRows(gridTree(report))),
  },
  {
    name: 'visibleGridRows, by name',
    file: 'webview/comparison/sorting.ts',
    cases: over(
      names,
      (list) => gridTree(comparisonOf(list)),
      (root) => {
        const sorting = { column: NAME_COLUMN, direction: 'descending' } as const;
        return visibleGridRows(root, { measure: 'mse', sorting, formats: [] }, new Set(), true);
      },
    ),
  },
];

/** Folders whose files read what files hold. */
export const READING_FOLDERS = [
  'src/storage',
  'src/safetensors',
  'src/checkpoint',
  'src/model/config',
  'src/model/text',
  'src/jobs/globs',
  'src/reports',
] as const;

/** Files there that take no text from a file, or hand it on as it is. */
export const TAKES_NO_TEXT: readonly string[] = [
  'src/checkpoint/longNames.ts',
  'src/checkpoint/matrixShape.ts',
  'src/checkpoint/types.ts',
  'src/jobs/globs/parseGlob.ts',
  'src/model/config/languageModel.ts',
  'src/model/config/pairPlans.ts',
  'src/model/config/plan.ts',
  'src/model/config/presentTensors.ts',
  'src/model/config/rotary.ts',
  'src/model/config/rotaryScaling.ts',
  'src/model/config/tensorIndex.ts',
  'src/model/text/ggufPreTokenizers.ts',
  'src/model/text/specialTokens.ts',
  'src/model/text/textProtocol.ts',
  'src/model/text/tokenizer.ts',
  'src/model/text/tokenizerApi.ts',
  'src/model/text/tokenizerFiles.ts',
  'src/model/text/windowCheck.ts',
  'src/reports/checkReport.ts',
  'src/reports/comparisonPage.ts',
  'src/reports/editorPage.ts',
  'src/reports/gpuPage.ts',
  'src/reports/naturalOrder.ts',
  'src/reports/pageArguments.ts',
  'src/reports/pageLimits.ts',
  'src/reports/recommendation.ts',
  'src/reports/reports.ts',
  'src/reports/sensitivity.ts',
  'src/reports/training.ts',
  'src/safetensors/container.ts',
  'src/safetensors/dtypes.ts',
  'src/safetensors/headerLimitError.ts',
  'src/safetensors/layout.ts',
  'src/safetensors/size.ts',
  'src/storage/byteSource.ts',
  'src/storage/container.ts',
  'src/storage/elementTypes.ts',
  'src/storage/elementValues.ts',
  'src/storage/fileSystem.ts',
  'src/storage/inputs.ts',
  'src/storage/openSources.ts',
  'src/storage/slices.ts',
  'src/storage/sourceRef.ts',
  'src/storage/wholeFiles.ts',
];
