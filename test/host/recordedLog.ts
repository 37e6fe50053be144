import * as vscode from 'vscode';

/**
 * What the extension says in its output channel. It must be listened to from the beginning: the Output view of the
 * browser's VS Code stays empty, since a native module of its logs is not built there.
 */
export const recordedLog: string[] = [];

const create = vscode.window.createOutputChannel.bind(vscode.window) as (
  name: string,
  options: { readonly log: true },
) => vscode.LogOutputChannel;

const METHODS: ReadonlySet<string | symbol> = new Set(['trace', 'debug', 'info', 'warn', 'error']);

// The extension has this object, too: its tests lie in its folder.
Object.assign(vscode.window, {
  createOutputChannel: (name: string, options: { readonly log: true }) =>
    new Proxy(create(name, options), {
      get(channel, method) {
        const value: unknown = Reflect.get(channel, method, channel);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]): unknown => {
          if (METHODS.has(method))
            recordedLog.push(`${name} ${String(method)}: ${String(given[0])}`);
          return (value as (...all: unknown[]) => unknown).apply(channel, given);
        };
      },
    }),
});
