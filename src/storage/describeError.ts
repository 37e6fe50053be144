import { shorten } from './shorten.js';
import { MAX_PATH_CHARACTERS, visible } from './errors.js';

/** What systems call their refusals, in words. */
const SYSTEM_ERRORS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file or folder'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EISDIR', 'it is a folder'],
  ['ENOTDIR', 'a part of the path is not a folder'],
  ['EEXIST', 'it exists already'],
  ['ENOTEMPTY', 'the folder is not empty'],
  ['ENOSPC', 'no space is left on the disk'],
  ['EDQUOT', 'no space is left on the disk'],
  ['EFBIG', 'the file is larger than the disk or a limit of the system allows'],
  ['EROFS', 'the disk is read-only'],
  ['EMFILE', 'too many files are open'],
  ['ENFILE', 'too many files are open'],
  ['EBUSY', 'another program is using the file'],
  ['ETXTBSY', 'another program is using the file'],
  ['ELOOP', 'its links lead in a circle'],
  ['ENAMETOOLONG', 'the name is too long'],
  ['EINVAL', 'the system does not take this name or operation'],
  ['EIO', 'the disk reports an error'],
  ['ENXIO', 'it is a device or pipe with nobody at its other end'],
  ['ENODEV', 'there is no such device'],
  ['EXDEV', 'it lies on another disk'],
  ['ENOTSUP', 'the file system cannot do this'],
  ['EOPNOTSUPP', 'the file system cannot do this'],
  ['ESTALE', 'the network drive has lost the file'],
  ['ETIMEDOUT', 'the network drive does not answer'],
  ['EHOSTDOWN', 'the network drive does not answer'],
  ['EAGAIN', 'the system is short of something for the moment'],
  ['ENOMEM', 'there is not enough memory'],
]);

/** How system errors begin once their code is lost, on the way between threads. */
const CODE = /^(E[A-Z0-9]{2,20}): /;

/** Messages of engines where something is larger than they can hold. */
const TOO_LARGE =
  /^(Invalid (typed )?array length|Invalid (typed array|string|array|array buffer|DataView) length|Array buffer allocation failed|WebAssembly\.Memory|could not allocate memory|Data cannot be cloned, out of memory|Set maximum size exceeded|Map maximum size exceeded)/;

/** Errors that no file or user may cause: their messages are about code. */
const FAULTS: ReadonlySet<string> = new Set([
  'TypeError',
  'RangeError',
  'ReferenceError',
  'EvalError',
  'URIError',
  'DataCloneError',
  'RuntimeError',
  'CompileError',
  'LinkError',
  'InternalError',
]);

/** What an error of the engine means, which nobody wrote for people; undefined where it is no such. */
function describeFault({ name, message }: Error): string | undefined {
  if (!FAULTS.has(name)) return undefined;
  if (TOO_LARGE.test(message)) return 'there is not enough memory for what it asks for';
  if (message === 'Maximum call stack size exceeded') return 'it is nested too deeply';
  return `Quantscope cannot deal with this, which is a fault of its own (${name}); please report it`;
}

/** What the operating system said, as one short line without the path it repeats. */
export function describeSystemError(error: unknown): string {
  if (!(error instanceof Error)) return visible(String(error));
  const { code = CODE.exec(error.message)?.[1] ?? '' } = error as { readonly code?: string };
  const known = SYSTEM_ERRORS.get(code);
  if (known !== undefined) return known;
  const fault = describeFault(error);
  if (fault !== undefined) return fault;
  const [line] = error.message.split('\n', 1);
  // "EFOO: what it means, open '/path'"
  const said = CODE.test(line) ? line.slice(line.indexOf(': ') + 2).split(',', 1)[0] : line;
  return shorten(said, MAX_MESSAGE_CHARACTERS, visible);
}

/** No message is longer: names within are shortened before, but there may be several. */
const MAX_MESSAGE_CHARACTERS = 2000;

/**
 * Any error as one line for people. Errors of ours say what is wrong themselves; those of the system and
 * of the engine are put into words.
 */
export function describeError(error: unknown): string {
  const { message } = error instanceof Error ? error : { message: String(error) };
  const isSystem = error instanceof Error && 'syscall' in error;
  if (isSystem || CODE.test(message)) {
    const { path } = error as { readonly path?: string };
    const said = describeSystemError(error);
    return path === undefined ? said : `${shorten(path, MAX_PATH_CHARACTERS, visible)}: ${said}`;
  }
  const said = (error instanceof Error && describeFault(error)) || message;
  return shorten(said.replace(/\s+/g, ' ').trim(), MAX_MESSAGE_CHARACTERS, visible);
}
