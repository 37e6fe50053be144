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
