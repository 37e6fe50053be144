type Fields = Readonly<Record<string, unknown>>;

/** A configuration of a language model, and where in `config.json` it stands. */
export interface TextConfig {
  readonly fields: Fields;
  /** Name of the object within; absent: the whole file. */
  readonly section?: string;
}

/** Where models of several kinds of input keep the configuration of their language model. */
const SECTIONS = ['text_config', 'llm_config', 'language_config'];

/** What such a model is where the object within leaves it to the class, by the outer `model_type`. */
const USUAL_TYPES: ReadonlyMap<unknown, string> = new Map([
  ['gemma3', 'gemma3_text'],
  ['mistral3', 'mistral'],
  ['llava', 'llama'],
  ['llava_next', 'llama'],
  ['idefics3', 'llama'],
  ['smolvlm', 'llama'],
  ['qwen2_vl', 'qwen2_vl_text'],
  ['qwen2_5_vl', 'qwen2_5_vl_text'],
  ['qwen3_vl', 'qwen3_vl_text'],
]);

/**
 * The language model that a configuration describes: the file itself, or an object within where the model
 * also sees or hears. What only the file says of tied weights holds for the object.
 */
export function textConfigOf(config: Fields): TextConfig {
  for (const section of SECTIONS) {
    const held = config[section];
    if (typeof held !== 'object' || held === null || Array.isArray(held)) continue;
    const inner = held as Fields;
    // Without a type on either side, the object is about something else: the file itself is the model.
    if ((inner.model_type ?? undefined) === undefined && !USUAL_TYPES.has(config.model_type))
      continue;
    const fields = {
      ...inner,
      model_type: inner.model_type ?? USUAL_TYPES.get(config.model_type),
      tie_word_embeddings: inner.tie_word_embeddings ?? config.tie_word_embeddings,
    };
    return { fields, section };
  }
  return { fields: config };
}
