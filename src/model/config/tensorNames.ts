import type { ModelTensor } from '../../checkpoint/types.js';

/** What training code puts between the parts of names when it wraps a module. */
const WRAPPERS: ReadonlySet<string> = new Set([
  '_orig_mod',
  '_fsdp_wrapped_module',
  '_checkpoint_wrapped_module',
  'base_layer',
]);

/** What stands in front of all names of a wrapped model. */
const FRONTS = ['module.', 'base_model.model.'];

/** Where models of several kinds of input keep their language model. */
const TEXT_PARTS = ['language_model.', 'model.language_model.', 'text_model.', 'model.text_model.'];

/** A tensor's name without what wrappers added: torch.compile, data parallelism, adapters. */
export function unwrappedName(name: string): string {
  let rest = name;
  for (let stripped = true; stripped;) {
    stripped = false;
    for (const front of ['_orig_mod.', ...FRONTS]) {
      if (rest.startsWith(front) && rest.length > front.length) {
        rest = rest.slice(front.length);
        stripped = true;
      }
    }
  }
  const parts = rest.split('.');
  return parts.some((part) => WRAPPERS.has(part))
    ? parts.filter((part) => !WRAPPERS.has(part)).join('.')
    : rest;
}

/** What models of one kind are given in front of all names, or of all but the head's. */
const OWN_FRONTS = [...TEXT_PARTS, 'model.', 'transformer.', 'gpt_neox.'];

/**
 * What a tensor is called in all checkpoints of its model: without wrappers, without the place of a language model
 * among others, and without the model's own prefix, which some tools leave out. To compare names, not to find tensors.
 */
export function canonicalName(name: string): string {
  let rest = unwrappedName(name);
  for (let stripped = true; stripped;) {
    const front = OWN_FRONTS.find((each) => rest.startsWith(each) && rest.length > each.length);
    stripped = front !== undefined;
    if (front !== undefined) rest = rest.slice(front.length);
  }
  return rest;
}

/** Tensors by the name that the model's code has for them; a name that needs no unwrapping comes first. */
export function tensorsByName(tensors: readonly ModelTensor[]): ReadonlyMap<string, ModelTensor> {
  const byName = new Map<string, ModelTensor>();
  const wrapped: [name: string, tensor: ModelTensor][] = [];
  for (const tensor of tensors) {
    const name = unwrappedName(tensor.name);
    if (name === tensor.name) byName.set(name, tensor);
    else wrapped.push([name, tensor]);
  }
  for (const [name, tensor] of wrapped) if (!byName.has(name)) byName.set(name, tensor);
  return byName;
}

/** An adapter's matrix, which changes what the weight beside it means. */
export function isAdapter(name: string): boolean {
  return name.split('.').some((part) => part.startsWith('lora_'));
}

/** Prefixes under which an architecture's tensors may stand, the usual ones first. */
export function withTextParts(prefixes: readonly string[]): readonly string[] {
  return [...prefixes, ...TEXT_PARTS.flatMap((part) => prefixes.map((prefix) => part + prefix))];
}

/** Names that a head of a model with several kinds of input may have. */
export function headNames(head: string): readonly string[] {
  return [head, `language_model.${head}`, `model.language_model.${head}`];
}
