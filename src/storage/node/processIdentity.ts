import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';

function tryRead(read: () => string): string {
  try {
    return read().trim();
  } catch {
    return '';
  }
}

/**
 * Names, in hexadecimal digits, where process ids mean what they mean here: this machine since it
 * was started, and within it the container.
 */
export const MACHINE_ID: string = createHash('sha256')
  .update(
    JSON.stringify([
      hostname(),
      tryRead(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
      tryRead(() => readlinkSync('/proc/self/ns/pid')),
      process.platform === 'linux' ? [] : hardwareAddresses(),
    ]),
  )
  .digest('hex')
  .slice(0, 12);

/** Other systems have no boot id; the network cards tell machines of the same name apart. */
function hardwareAddresses(): string[] {
  const cards = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return [...new Set(cards.filter(({ internal }) => !internal).map(({ mac }) => mac))].sort();
}

/** State and start time of a process as Linux tells them; undefined elsewhere. */
function readProcess(pid: number): { readonly state: string; readonly start: string } | undefined {
  const text = tryRead(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  // The program's name, in parentheses, may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields.length > 19 ? { state: fields[0], start: fields[19] } : undefined;
}

/** When this process started, in clock ticks since the machine did; "0" where that is not known. */
export const PROCESS_START: string = readProcess(process.pid)?.start ?? '0';

/**
 * True unless a process of this machine (`MACHINE_ID`) has surely ended.
 * @param start its `PROCESS_START`, since ids are given out again
 */
export function isProcessAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Anything else, such as the process of another user, is alive.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const found = readProcess(pid);
  if (!found) return true;
  const ended = found.state === 'Z' || found.state === 'X';
  return !ended && (start === '0' || found.start === start);
}
