import type * as vscode from 'vscode';
import { guardHandlers } from '../rpc/guard.js';
import type { ArgumentSchemas } from '../rpc/guard.js';
import { connect, isCancelled } from '../rpc/rpc.js';
import type { Connection, Handlers, MessageChannelEnd, Methods, Remote } from '../rpc/rpc.js';
import { decodeNumbers, encodeNumbers } from '../rpc/wireNumbers.js';
import { describeError } from '../storage/describeError.js';
import { log } from './log.js';

function logRefused(reason: string): void {
  log.warn(`Refused what a page sent: ${reason}`);
}

function channelOf(webview: vscode.Webview): MessageChannelEnd {
  return {
    post: (message) => {
      try {
        void webview.postMessage(encodeNumbers(message));
      } catch {
        // The panel was closed while an answer was on its way.
      }
    },
    listen: (listener) => {
      const subscription = webview.onDidReceiveMessage((message) => {
        let decoded: unknown;
        try {
          decoded = decodeNumbers(message);
        } catch (error) {
          // Nested deeper than anything a page of ours sends.
          return logRefused(describeError(error));
        }
        listener(decoded);
      });
      return () => subscription.dispose();
    },
  };
}

/** Handlers whose errors are one line for people: pages show them as they come. */
function describeErrors<Api extends Methods<Api>>(handlers: Handlers<Api>): Handlers<Api> {
  const describing = <Name extends keyof Api>(name: Name): Handlers<Api>[Name] =>
    (async (argument, context) => {
      try {
        return await handlers[name](argument, context);
      } catch (error) {
        if (isCancelled(error)) throw error;
        throw new Error(describeError(error), { cause: error });
      }
    }) as Handlers<Api>[Name];
  const names = Object.keys(handlers) as (keyof Api)[];
  return Object.fromEntries(names.map((name) => [name, describing(name)])) as Handlers<Api>;
}

/**
 * The connection to the page of a panel. VS Code discards a hidden page; what it had asked for is
 * then aborted, and the page that is built when the panel shows again starts afresh.
 */
export class WebviewConnection<Page extends Methods<Page>> implements vscode.Disposable {
  private connection: Connection<Page>;
  private readonly subscriptions: vscode.Disposable[] = [];
  private disposed = false;

  /** @param onClose hears why a page is gone */
  constructor(
    panel: vscode.WebviewPanel,
    open: (channel: MessageChannelEnd) => Connection<Page>,
    private readonly onClose: (reason: string) => void = () => undefined,
  ) {
    const channel = channelOf(panel.webview);
    this.connection = open(channel);
    let visible = panel.visible;
    this.subscriptions.push(
      panel.onDidChangeViewState(() => {
        if (visible && !panel.visible && !this.disposed) {
          this.close('The page was hidden');
          this.connection = open(channel);
        }
        visible = panel.visible;
      }),
      panel.onDidDispose(() => this.dispose()),
    );
  }

  /**
   * Joins a panel's page by the interfaces of both sides; the page's arguments are checked.
   * @param onClose hears why a page is gone: the panel was closed, or hidden
   */
  static connect<Host extends Methods<Host>, Page extends Methods<Page>>(
    panel: vscode.WebviewPanel,
    handlers: Handlers<Host>,
    schemas: ArgumentSchemas<Host>,
    onClose?: (reason: string) => void,
  ): WebviewConnection<Page> {
    const guarded = guardHandlers(describeErrors(handlers), schemas, logRefused);
    return new WebviewConnection<Page>(
      panel,
      (channel) =>
        connect<Host, Page>(channel, guarded, () => logRefused('not a message of a call')),
      onClose,
    );
  }

  /** The page as it is now. Calls wait until its script runs. */
  get remote(): Remote<Page> {
    return this.connection.remote;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.close('The panel was closed');
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private close(reason: string): void {
    this.connection.close(reason);
    this.onClose(reason);
  }
}
