import type { Writable } from 'node:stream';
import { version } from '../../package.json';
import type { Host } from '../host/host.js';
import { isCancelled, throwIfCancelled } from '../rpc/rpc.js';
import { parseCommandLine } from './arguments.js';
import { compare } from './commands/compare.js';
import { formats } from './commands/formats.js';
import { imatrix } from './commands/imatrix.js';
import { inspect } from './commands/inspect.js';
import { perplexity } from './commands/perplexity.js';
import { quantize } from './commands/quantize.js';
import { recommend } from './commands/recommend.js';
import type { Session } from './commands/session.js';
import { train } from './commands/train.js';
import { getHelp } from './help.js';
import { isBrokenPipe, writeAll } from './output.js';
import { describeError } from '../storage/describeError.js';
import { remedyOf, type Remedy } from '../storage/errors.js';
import { ProgressLine } from './progress.js';
import type { ProgressStream } from './progress.js';
import { UsageError } from './usageError.js';
import { Warnings } from './warnings.js';

export const EXIT = { done: 0, badInput: 1, wrongUsage: 2, interrupted: 130 } as const;

/** What the command line needs of its process. */
export interface Process {
  readonly stdout: Writable;
  readonly stderr: ProgressStream;
  /** Threads and bundled files. */
  readonly host: Host;
  /** Aborted on interruption. */
  readonly signal: AbortSignal;
}

/** @returns false where the result says that the input is bad */
async function dispatch(args: readonly string[], session: Session): Promise<boolean | void> {
  const line = parseCommandLine(args);
  switch (line.command) {
    case 'help':
      return session.write(getHelp(line.topic));
    case 'version':
      return session.write(`${version}\n`);
    case 'formats':
      return formats(line.json, session);
    case 'inspect':
      return inspect(line, session);
    case 'quantize':
      return quantize(line, session);
    case 'compare':
      return compare(line, session);
    case 'perplexity':
      return perplexity(line, session);
    case 'recommend':
      return recommend(line, session);
    case 'imatrix':
      return imatrix(line, session);
    case 'train':
      return train(line, session);
  }
}

/** What errors that know a remedy end with here. */
const REMEDIES: Readonly<Record<Remedy, string>> = {
  'choose-tensors': ' (--tensor)',
  'shorter-context': ' (--context)',
  'token-ids': '; ids from elsewhere can be scored (--token-ids)',
};

/** One line on standard error, and the exit code that goes with it. */
function report(error: unknown, stderr: ProgressStream): number {
  if (isCancelled(error)) {
    stderr.write('quantscope: interrupted\n');
    return EXIT.interrupted;
  }
  const message = describeError(error);
  if (error instanceof UsageError) {
    const help = error.command ? `quantscope ${error.command} --help` : 'quantscope --help';
    stderr.write(`quantscope: ${message}${error.saysWhere ? '' : ` (see ${help})`}\n`);
    return EXIT.wrongUsage;
  }
  const remedy = remedyOf(error);
  stderr.write(`quantscope: ${message}${remedy ? REMEDIES[remedy] : ''}\n`);
  return EXIT.badInput;
}

/**
 * Runs one command line.
 * @param args the arguments after the program's name
 * @returns the exit code
 */
export async function run(args: readonly string[], streams: Process): Promise<number> {
  const quiet = args.includes('--quiet') || args.includes('-q');
  const progress = new ProgressLine(streams.stderr, quiet);
  const warnings = new Warnings(streams.stderr);
  try {
    const good = await dispatch(args, {
      write: async (text) => {
        throwIfCancelled(streams.signal);
        progress.clear();
        await writeAll(streams.stdout, text, streams.signal);
      },
      warn: (message) => {
        progress.clear();
        warnings.add(message);
      },
      host: streams.host,
      options: { signal: streams.signal, onProgress: progress.report },
    });
    warnings.end();
    return good === false ? EXIT.badInput : EXIT.done;
  } catch (error) {
    progress.clear();
    warnings.end();
    // The reader has what it wanted (head, less): not an error of ours.
    if (isBrokenPipe(error)) return EXIT.done;
    return report(error, streams.stderr);
  }
}
