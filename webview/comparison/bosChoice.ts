import type { TemplateResult } from 'lit';
import { html } from 'lit';
import type { BosChoice } from '../../src/reports/comparisonPage.js';
import type { SegmentedOption } from '../components/segmented.js';
import '../components/segmented.js';

const LABEL = 'Windows begin with BOS';

const OPTIONS: readonly (SegmentedOption & { readonly value: BosChoice })[] = [
  {
    value: 'default',
    label: 'by family',
    hint: 'All of them where the model’s family needs that, as Gemma does; else as the tokenizer puts it',
  },
  {
    value: 'every',
    label: 'every one',
    hint: 'In the place of the window’s first token, as in llama.cpp',
  },
  {
    value: 'tokenizer',
    label: 'as tokenized',
    hint: 'Where the tokenizer puts it: in a text of one stream, before the first window alone',
  },
];

/** How the next perplexity's windows begin; those of the one shown are described with it. */
export function renderBosChoice(
  value: BosChoice,
  changed: (choice: BosChoice) => void,
): TemplateResult {
  return html`<span class="control-pair">
    <span class="field" aria-hidden="true">${LABEL}</span>
    <qs-segmented
      label=${LABEL}
      .value=${value}
      .options=${OPTIONS}
      @choice-changed=${(event: CustomEvent<BosChoice>) => changed(event.detail)}
    ></qs-segmented>
  </span>`;
}
