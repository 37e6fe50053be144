import { section, text } from '../../../layouts/entries/shared.js';
import type { QuantizationConfig } from '../../../layouts/layout.js';
import { quoted } from '../../../storage/errors.js';
import type { Check, CheckSubject } from '../check.js';
import { makeExpressionMatcher } from '../expressionMatcher.js';
import { compileGlob } from '../../globs/globMatcher.js';

/** An entry of a list of modules that are left as they are. */
interface IgnoreEntry {
  readonly text: string;
  /** Absent where the entry is an expression that is not understood here. */
  readonly matches?: (module: string) => boolean;
}

/** More entries than a model has kinds of modules, or layers. */
const MAX_ENTRIES = 10_000;

function strings(config: QuantizationConfig, key: string): string[] {
  const value = Object.hasOwn(config, key) ? config[key] : undefined;
  return Array.isArray(value)
    ? value.filter((each): each is string => typeof each === 'string').slice(0, MAX_ENTRIES)
    : [];
}

/** What the configuration says stays as it is, in the ways of the tools that write it. */
function readIgnoreList(quantization: QuantizationConfig): IgnoreEntry[] {
  const entries = strings(quantization, 'ignore').map((entry): IgnoreEntry => {
    if (entry.startsWith('re:')) {
      return { text: entry, matches: makeExpressionMatcher(entry.slice('re:'.length)) };
    }
    return { text: entry, matches: matchGlobOrName(entry) };
  });
  const excluded = strings(quantization, 'exclude_modules').map((entry): IgnoreEntry => ({
    text: entry,
    matches: matchGlobOrName(entry),
  }));
  // By parts of names: "lm_head", "mlp.gate".
  const kept = strings(quantization, 'modules_to_not_convert').map((entry): IgnoreEntry => ({
    text: entry,
    matches: (module) => module.includes(entry),
  }));
  const skipped = Object.keys(section(quantization, 'dynamic'))
    .filter((key) => key.startsWith('-:'))
    .slice(0, MAX_ENTRIES)
    .map((key): IgnoreEntry => ({
      text: key,
      matches: makeExpressionMatcher(key.slice('-:'.length)),
    }));
  return [...entries, ...excluded, ...kept, ...skipped];
}

/** ModelOpt writes globs of `*` alone; names of compressed-tensors have none. */
function matchGlobOrName(entry: string): IgnoreEntry['matches'] {
  if (!entry.includes('*')) return (module) => module === entry;
  for (const character of '?[]{}()!\\') if (entry.includes(character)) return undefined;
  return compileGlob(entry);
}

const ignoredButQuantized: Check = {
  id: 'ignored-but-quantized',
  source: 'https://github.com/vllm-project/vllm/pull/51495',
  *find({ weights, quantization }) {
    const entries = readIgnoreList(quantization);
    for (const { tensor, module } of weights) {
      const entry = entries.find(({ matches }) => matches?.(module));
      if (!entry) continue;
      yield {
        ...{ severity: 'error', file: tensor.file, tensor: tensor.name },
        message: `the configuration leaves it unquantized (${quoted(entry.text)}), but it is stored as ${tensor.storage!.label}`,
      };
    }
  },
};

/** The modules that have tensors, and those that contain them. */
function listModules({ stored }: CheckSubject): Set<string> {
  const modules = new Set<string>();
  for (const name of stored.keys()) {
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
    const names = [...strings(quantization, 'ignore'), ...strings(quantization, 'exclude_modules')]
      .filter((entry) => !entry.startsWith('re:') && !entry.includes('*') && entry.includes('.'))
      .filter((entry) => !entry.endsWith('lm_head'));
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
    const entries = readIgnoreList(quantization);
    if (entries.some(({ matches }) => !matches)) return;
    for (const { name, file, storage, shape, quantizedByDefault } of model.tensors) {
      if (storage || !quantizedByDefault || shape.length !== 2 || !name.endsWith('.weight'))
        continue;
      const module = name.slice(0, -'.weight'.length);
      if (entries.some(({ matches }) => matches!(module))) continue;
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
