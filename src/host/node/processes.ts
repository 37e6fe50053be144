import { fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import type { Handlers, MessageChannelEnd, Methods } from '../../rpc/rpc.js';
import type { Thread } from '../host.js';
import { superviseThread } from './threads.js';

/** How long a process may take to end once it was killed. */
const KILL_MILLISECONDS = 5000;
/** Lines of a process's errors that are kept for the message about its end. */
const MAX_ERROR_TEXT = 2000;

/**
 * Starts a process of its own that answers `Api`, so that a crash in it ends nothing else.
 * @param file path of the program, which calls `serveProcess`
 * @param argument plain text that the program begins with
 * @param handlers what the program may ask of this side
 */
export function startProcess<Api extends Methods<Api>, Local extends Methods<Local>>(
  file: string,
  argument: string,
  description: string,
  handlers: Handlers<Local>,
): Thread<Api> {
  const child = fork(file, [argument], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // Some drivers write where this points, and complain where it is missing.
    env: { ...process.env, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir() },
    execArgv: [],
  });
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-MAX_ERROR_TEXT);
  });
  const channel: MessageChannelEnd = {
    post: (message) => {
      // A process that has ended is told of by its end.
      if (child.connected) child.send(message as object, () => undefined);
    },
    listen(listener) {
      child.on('message', listener);
      return () => child.off('message', listener);
    },
  };
  const running = {
    onEnd(listener: (reason: string, cause?: Error) => void) {
      child.once('error', (error) => listener(error.message, error));
      child.once('exit', (code, signal) => {
        const last = errors.trim().split('\n').at(-1);
        const how = signal ? `signal ${signal}` : `exit code ${code}`;
        listener(last ? `${how}: ${last.slice(0, 300)}` : how);
      });
    },
    async terminate() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      // A process that waits inside a driver outlives even that; nobody waits for it, nor is kept alive by it.
      const given = AbortSignal.timeout(KILL_MILLISECONDS);
      await once(child, 'exit', { signal: given }).catch(() => {
        if (child.connected) child.disconnect();
        child.unref();
      });
    },
  };
  return superviseThread<Api, Local>(running, channel, description, handlers);
}
