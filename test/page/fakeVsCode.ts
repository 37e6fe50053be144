import type { Theme } from './themes.js';

/** What a page starts with. */
export interface PageStart {
  readonly theme: Theme;
  /** What the page stored before it was destroyed. */
  readonly state?: unknown;
}

declare global {
  interface Window {
    pageStart: PageStart;
    toHost(message: string): void;
    fromHost(message: string): void;
    keepState(state: string): void;
    violations: string[];
    applyTheme(theme: Theme): void;
    acquireVsCodeApi(): unknown;
  }
}

/** Runs in the page before the page's own script: what VS Code offers there. Refers to nothing else. */
export function fakeVsCode(): void {
  window.violations = [];
  document.addEventListener('securitypolicyviolation', (event) => {
    window.violations.push(`${event.effectiveDirective} ${event.sourceFile}: ${event.sample}`);
  });
  window.applyTheme = ({ bodyClass, variables }) => {
    const { style } = document.documentElement;
    for (const name of [...style]) style.removeProperty(name);
    for (const [name, value] of Object.entries(variables)) {
      style.setProperty(`--vscode-${name}`, value);
    }
    document.body.className = bodyClass;
  };
  // Messages pass through JSON, as those of a real webview do, with arrays of numbers beside it.
  const arraysToJson = (_: string, value: unknown): unknown => {
    if (!ArrayBuffer.isView(value)) return value;
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
    return { array: value.constructor.name, base64: btoa(text) };
  };
  const arrays = { Uint8Array, Int32Array, Uint32Array, Float32Array, Float64Array };
  const jsonToArrays = (_: string, value: unknown): unknown => {
    const { array, base64 } = (value ?? {}) as { array?: keyof typeof arrays; base64?: string };
    if (array === undefined || base64 === undefined) return value;
    return new arrays[array](Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer);
  };
  window.fromHost = (message) => window.postMessage(JSON.parse(message, jsonToArrays), '*');
  let stored = window.pageStart.state;
  let acquired = false;
  window.acquireVsCodeApi = () => {
    if (acquired) throw new Error('An instance of the VS Code API has already been acquired');
    acquired = true;
    return {
      postMessage: (message: unknown) => window.toHost(JSON.stringify(message, arraysToJson)),
      getState: () => stored,
      setState(value: unknown) {
        stored = value;
        window.keepState(JSON.stringify(value));
      },
    };
  };
  window.applyTheme(window.pageStart.theme);
}
