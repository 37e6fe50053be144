import { nameStorage, nameUndecoded } from '../../src/reports/storedAs.js';
import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { LightElement } from '../components/lightElement.js';
import '../components/messageBar.js';
import { visibleName } from '../components/names.js';
import { countOf, formatInteger, formatSize } from '../components/numbers.js';
import type { Checkpoint } from '../components/protocolTypes.js';

/** Problems listed before the rest is counted; the host sends few, with the last ones counting others. */
const MAX_PROBLEMS = 12;

/** What the file is: architecture, types, files, metadata, problems. Sends `header-toggled`, `whole-model-asked` and `check-asked`. */
@customElement('qs-checkpoint-header')
export class CheckpointHeader extends LightElement {
  @property({ attribute: false }) checkpoint!: Checkpoint;
  @property({ type: Boolean }) expanded = false;

  override render(): TemplateResult {
    const { checkpoint } = this;
    const { files } = checkpoint;
    const fileText =
      files.length === 1
        ? `one file, header ${formatInteger(files[0].headerBytes)} B`
        : countOf(files.length, 'file');
    return html`<header class="checkpoint">
        <span class="checkpoint-name"
          ><bdi>${visibleName(checkpoint.architecture ?? checkpoint.name)}</bdi></span
        >
        <span class="checkpoint-summary">
          ${[checkpoint.configSummary, dtypeSummary(checkpoint)].filter(Boolean).join(' · ')}
        </span>
        <button
          class="link checkpoint-files"
          aria-expanded=${this.expanded ? 'true' : 'false'}
          aria-controls="checkpoint-facts"
          @click=${() => this.emit('header-toggled')}
        >
          ${fileText}
        </button>
        <button
          class="link"
          title="Read all weights and look for what is known to go wrong with checkpoints"
          @click=${() => this.emit('check-asked')}
        >
          Check Integrity
        </button>
      </header>
      ${this.expanded ? this.renderFacts() : nothing} ${this.renderProblems()}`;
  }

  private renderFacts(): TemplateResult {
    const { files, metadata } = this.checkpoint;
    const entries = Object.entries(metadata);
    return html`<div id="checkpoint-facts" class="checkpoint-facts">
      <table>
        <thead>
          <tr>
            <th scope="col">File</th>
            <th scope="col" class="number">Size</th>
            <th scope="col" class="number">Bytes</th>
            <th scope="col" class="number">Header bytes</th>
          </tr>
        </thead>
        <tbody>
          ${files.map(
            (file) =>
              html`<tr>
                <th scope="row"><bdi>${visibleName(file.name)}</bdi></th>
                <td class="number">${formatSize(file.sizeBytes)}</td>
                <td class="number">${formatInteger(file.sizeBytes)}</td>
                <td class="number">${formatInteger(file.headerBytes)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
      ${
        entries.length
          ? html`<table>
              <thead>
                <tr>
                  <th scope="col">Metadata</th>
                  <th scope="col">Value</th>
                </tr>
              </thead>
              <tbody>
                ${entries.map(
                  ([key, value]) =>
                    html`<tr>
                      <th scope="row"><bdi>${visibleName(key)}</bdi></th>
                      <td class="metadata-value"><bdi>${value}</bdi></td>
                    </tr>`,
                )}
              </tbody>
            </table>`
          : html`<p class="note">The header has no metadata.</p>`
      }
    </div>`;
  }

  private renderProblems(): TemplateResult {
    const { problems, tensors, unlistedTensors = 0, isPartOfModel } = this.checkpoint;
    const shown = problems.slice(0, MAX_PROBLEMS);
    const rest = problems.length - shown.length;
    return html`${shown.map(
      (problem) =>
        html`<qs-message-bar
          kind="warning"
          .text=${visibleName(problem.message)}
        ></qs-message-bar>`,
    )}
    ${
      isPartOfModel
        ? html`<qs-message-bar
            kind="info"
            .text=${'This file is one shard of a model.'}
            .actions=${[{ label: 'Open the whole model', run: () => this.emit('whole-model-asked') }]}
          ></qs-message-bar>`
        : nothing
    }
    ${
      unlistedTensors > 0
        ? html`<qs-message-bar
            kind="warning"
            .text=${`Only the first ${countOf(tensors.length, 'tensor')} are listed: this model has ${formatInteger(unlistedTensors)} more, and the command line lists them all (quantscope inspect --json).`}
          ></qs-message-bar>`
        : nothing
    }
    ${
      rest > 0
        ? html`<qs-message-bar
            kind="warning"
            .text=${`${countOf(rest, 'more problem')} like these.`}
          ></qs-message-bar>`
        : nothing
    }`;
  }
}

/** "all BF16", or "BF16 (30), F32 (8)" with the most frequent type first. */
function dtypeSummary(checkpoint: Checkpoint): string {
  const counts = new Map<string, number>();
  const undecoded = new Set<string>();
  for (const tensor of checkpoint.tensors) {
    const { partOf } = tensor;
    if (partOf && undecoded.has(partOf.weight)) continue;
    if (partOf) undecoded.add(partOf.weight);
    const type = partOf ? nameUndecoded(partOf) : nameStorage(tensor);
    counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  const types = [...counts].sort((a, b) => b[1] - a[1]);
  if (types.length === 0) return 'no tensors';
  if (types.length === 1) return `all ${types[0][0]}`;
  return types.map(([dtype, count]) => `${dtype} (${formatInteger(count)})`).join(', ');
}
