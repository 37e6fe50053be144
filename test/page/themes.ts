import { readFileSync } from 'node:fs';

/** A theme as a webview sees it. The values are those of VS Code 1.139's own themes. */
export interface Theme {
  readonly bodyClass: string;
  /** By name without `--vscode-`. */
  readonly variables: Readonly<Record<string, string>>;
}

export type ThemeName = 'dark' | 'light' | 'high-contrast';

export const THEMES = JSON.parse(
  readFileSync(new URL('./themes.json', import.meta.url), 'utf8'),
) as Readonly<Record<ThemeName, Theme>>;
