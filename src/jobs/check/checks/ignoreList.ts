import { section, text } from '../../../layouts/entries/shared.js';
import type { QuantizationConfig } from '../../../layouts/layout.js';
import { quoted } from '../../../storage/errors.js';
import type { Check, CheckSubject } from '../check.js';
import { makeExpressionMatcher } from '../expressionMatcher.js';
import { compileGlob } from '../../globs/globMatcher.js';

/** What a configuration says stays as it is. */
interface IgnoreList {
  /** Whole names of modules. */
  readonly names: ReadonlySet<string>;
  readonly patterns: readonly IgnorePattern[];
}

/** An entry that may match several modules. */
interface IgnorePattern {
  readonly text: string;
  /** Absent where it is not understood here. */
  readonly matches?: (module: string) => boolean;
}

/** More entries than any model has modules; more patterns than it has kinds of them. */
const MAX_ENTRIES = 1_000_000;
const MAX_PATTERNS = 256;

function strings(config: QuantizationConfig, key: string): string[] {
  const value = Object.hasOwn(config, key) ? config[key] : undefined;
  return Array.isArray(value)
    ? value.filter((each): each is string => typeof each === 'string').slice(0, MAX_ENTRIES)
    : [];
}

/** Reads the list in the ways of the tools that write it. */
function readIgnoreList(quantization: QuantizationConfig): IgnoreList {
  const names = new Set<string>();
  const patterns: IgnorePattern[] = [];
  const addPattern = (entry: string, make: () => IgnorePattern['matches']) => {
    // What comes behind very many others is left out, and counts as not understood.
    patterns.push({ text: entry, matches: patterns.length < MAX_PATTERNS ? make() : undefined });
  };
  for (const entry of [
    ...strings(quantization, 'ignore'),
    ...strings(quantization, 'exclude_modules'),
  ]) {
    if (entry.startsWith('re:')) addPattern(entry, () => makeExpressionMatcher(entry.slice(3)));
    else if (entry.includes('*')) addPattern(entry, () => matchGlob(entry));
    else names.add(entry);
  }
  // By parts of names: "lm_head", "mlp.gate".
  for (const entry of strings(quantization, 'modules_to_not_convert')) {
    addPattern(entry, () => (module) => module.includes(entry));
  }
  for (const key of Object.keys(section(quantization, 'dynamic'))) {
    if (key.startsWith('-:')) addPattern(key, () => makeExpressionMatcher(key.slice(2)));
  }
  return { names, patterns };
}

/** The entry that a module is on the list for. */
function findEntry({ names, patterns }: IgnoreList, module: string): string | undefined {
  if (names.has(module)) return module;
  return patterns.find(({ matches }) => matches?.(module))?.text;
}

/** ModelOpt writes globs of `*` alone. */
function matchGlob(entry: string): IgnorePattern['matches'] {
  for (const character of '?[]{}()!\\') if (entry.includes(character)) return undefined;
  return entry.length > MAX_NAME ? undefined : compileGlob(entry);
}

/** Names of modules are not longer. */
const MAX_NAME = 1000;

const ignoredButQuantized: Check = {
  id: 'ignored-but-quantized',
  source: 'https://github.com/vllm-project/vllm/pull/51495',
  *find({ weights, quantization }) {
    const list = readIgnoreList(quantization);
    for (const { tensor, module } of weights) {
      const entry = findEntry(list, module);
      if (entry === undefined) continue;
      yield {
        ...{ severity: 'error', file: tensor.file, tensor: tensor.name },
        message: `the configuration leaves it unquantized (${quoted(entry)}), but it is stored as ${tensor.storage!.label}`,
      };
    }
  },
};

/** The modules that have tensors, and those that contain them. */
function listModules({ stored }: CheckSubject): Set<string> {
  const modules = new Set<string>();
  for (const name of stored.keys()) {
    if (name.length > MAX_NAME) continue;
    for (let end = name.lastIndexOf('.'); end > 0; end = name.lastIndexOf('.', end - 1)) {
      const module = name.slice(0, end);
      if (modules.has(module)) break;
      modules.add(module);
    }
  }
  return modules;
}

const namesNothing: Check = {
  id: 'ignore-list-names-nothing',
  source: 'https://github.com/vllm-project/vllm/issues/40252',
  *find(subject) {
    const { model, quantization, weights } = subject;
    // Entries of whole names alone: expressions are written for several models. A tied head has no tensor.
    const names = [...readIgnoreList(quantization).names].filter(
      (entry) => entry.includes('.') && !entry.endsWith('lm_head'),
    );
    if (names.length === 0 || weights.length === 0) return;
    const modules = listModules(subject);
    const unknown = names.filter((entry) => !modules.has(entry));
    if (unknown.length === 0) return;
    yield {
      ...{ severity: 'warning', file: model.files[0].name },
      message: `${unknown.length} of ${names.length} names that the configuration leaves unquantized are no module of the checkpoint (${quoted(unknown[0])}${unknown.length > 1 ? ', …' : ''})`,
    };
  },
};

/** True where everything linear that is not on the list is quantized, as the configuration has it. */
function quantizesAllLinear(quantization: QuantizationConfig): boolean {
  if (text(quantization, 'quant_method') !== 'compressed-tensors') return false;
  const groups = section(quantization, 'config_groups');
  return Object.keys(groups).some((name) =>
    strings(section(groups, name), 'targets').includes('Linear'),
  );
}

const plainButNotIgnored: Check = {
  id: 'unquantized-but-not-ignored',
  source: 'https://github.com/vllm-project/vllm/issues/40252',
  *find({ model, weights, quantization }) {
    if (weights.length === 0 || !quantizesAllLinear(quantization)) return;
    const list = readIgnoreList(quantization);
    if (list.patterns.some(({ matches }) => !matches)) return;
    for (const { name, file, storage, shape, quantizedByDefault } of model.tensors) {
      if (storage || !quantizedByDefault || shape.length !== 2 || !name.endsWith('.weight'))
        continue;
      const module = name.slice(0, -'.weight'.length);
      if (findEntry(list, module) !== undefined) continue;
      yield {
        ...{ severity: 'warning', file, tensor: name },
        message:
          'it is stored unquantized, but the configuration has all linear layers quantized and does not leave it out ("ignore"): loaders look for codes',
      };
    }
  },
};

export const ignoreListChecks: readonly Check[] = [
  ...[ignoredButQuantized, namesNothing, plainButNotIgnored],
];
