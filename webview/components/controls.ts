import type { TemplateResult } from 'lit';
import { html } from 'lit';
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeProgressRing,
} from '@vscode/webview-ui-toolkit';

/** Defines the toolkit's elements that the pages use. The only file that knows the toolkit. */
export function registerControls(): void {
  provideVSCodeDesignSystem().register(
    vsCodeButton(),
    vsCodeDropdown(),
    vsCodeOption(),
    vsCodeProgressRing(),
  );
}

/** The value of a toolkit dropdown that sent a change event. */
export function dropdownValue(event: Event): string {
  return (event.target as HTMLElement & { readonly value: string }).value;
}

/** A labelled choice of one among several. @param options values with what is shown for them */
export function renderDropdown(
  id: string,
  label: string,
  value: string,
  options: readonly (readonly [value: string, text: string])[],
  choose: (value: string) => void,
): TemplateResult {
  return html`<span class="control-pair">
    <label class="field" for=${id}>${label}</label>
    <vscode-dropdown
      id=${id}
      aria-label=${label}
      .value=${value}
      @change=${(event: Event) => choose(dropdownValue(event))}
    >
      ${options.map(
        ([option, text]) =>
          html`<vscode-option value=${option} ?selected=${option === value}
            >${text}</vscode-option
          >`,
      )}
    </vscode-dropdown>
  </span>`;
}
