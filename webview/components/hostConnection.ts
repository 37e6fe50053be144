import type { Connection, Handlers, MessageChannelEnd, Methods } from '../../src/rpc/rpc.js';
import { connect } from '../../src/rpc/rpc.js';
import { decodeNumbers, encodeNumbers } from '../../src/rpc/wireNumbers.js';

interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): VsCodeApi;

let api: VsCodeApi | undefined;

// VS Code hands its API out once per page.
function vscode(): VsCodeApi {
  api ??= acquireVsCodeApi();
  return api;
}

const channel: MessageChannelEnd = {
  post: (message) => vscode().postMessage(encodeNumbers(message)),
  listen(listener) {
    const onMessage = (event: MessageEvent<unknown>): void => {
      if (typeof event.data === 'object' && event.data !== null) {
        listener(decodeNumbers(event.data));
      }
    };
    window.addEventListener('message', onMessage);
    return () => window.removeEventListener('message', onMessage);
  },
};

/** Joins this page to the extension host. */
export function connectToHost<Page extends Methods<Page>, Host extends Methods<Host>>(
  handlers: Handlers<Page>,
): Connection<Host> {
  return connect<Page, Host>(channel, handlers);
}

/** What this page last stored with {@link saveState}; VS Code keeps it while the page is hidden. */
export function restoreState<State extends object>(): Partial<State> {
  const state = vscode().getState();
  return typeof state === 'object' && state !== null ? state : {};
}

/** Stores plain data that the page is rebuilt from. */
export function saveState(state: object): void {
  vscode().setState(state);
}
