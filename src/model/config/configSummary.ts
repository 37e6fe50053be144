import { textConfigOf } from './textConfig.js';

/** config.json as far as it is looked at here: anything may be missing or of the wrong type. */
export type ModelConfig = Readonly<Record<string, unknown>>;

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** What is no count is left out. */
function count(value: unknown): string | undefined {
  const isCount = typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
  return isCount ? value.toLocaleString('en-US') : undefined;
}

/** Architecture class ("LlamaForCausalLM"), or the model type where none is named. */
export function nameArchitecture(config: ModelConfig | undefined): string | undefined {
  const { architectures } = config ?? {};
  return (
    text(Array.isArray(architectures) ? architectures[0] : undefined) ?? text(config?.model_type)
  );
}

/** One line of the sizes that config.json gives, those of the language model where there are several. */
export function summarizeConfig(whole: ModelConfig | undefined): string | undefined {
  if (!whole) return undefined;
  const config = textConfigOf(whole).fields;
  const layers = count(config.num_hidden_layers ?? config.n_layer);
  const hidden = count(config.hidden_size ?? config.n_embd);
  const heads = count(config.num_attention_heads ?? config.n_head);
  const keyValueHeads = count(config.num_key_value_heads);
  const mlp = count(config.intermediate_size ?? config.ffn_dim ?? config.n_inner);
  const vocabulary = count(config.vocab_size);
  const parts = [
    layers && `${layers} layers`,
    hidden && `hidden ${hidden}`,
    heads &&
      `${heads} heads${keyValueHeads && keyValueHeads !== heads ? `, ${keyValueHeads} KV` : ''}`,
    mlp && `MLP ${mlp}`,
    vocabulary && `vocabulary ${vocabulary}`,
    config.tie_word_embeddings === true && 'tied embeddings',
  ];
  return parts.filter(Boolean).join(' · ') || undefined;
}
