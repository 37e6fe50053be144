import { describe, expect, it } from 'vitest';
import { OpenSources } from '../../../src/storage/openSources.js';
import { TaskQueue } from '../../../src/compute/taskQueue.js';
import type { ByteSource } from '../../../src/storage/byteSource.js';
import type { SourceRef } from '../../../src/storage/sourceRef.js';

describe('the queue of a worker', () => {
  it('begins a task when the one in front of it has left, failed ones included', async () => {
    const queue = new TaskQueue();
    const log: string[] = [];
    const gates: (() => void)[] = [];
    const task = (name: string, fails = false) =>
      queue.run(async () => {
        log.push(`${name} in`);
        await new Promise<void>((resolve) => gates.push(resolve));
        log.push(`${name} out`);
        if (fails) throw new Error(name);
        return name;
      });
    const opened = async (count: number) => {
      while (gates.length < count) await Promise.resolve();
      gates[count - 1]();
    };
    const tasks = [task('a', true), task('b'), task('c')];
    const outcome = Promise.allSettled(tasks);
    for (const count of [1, 2, 3]) await opened(count);
    expect((await outcome).map(({ status }) => status)).toEqual([
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(log).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
  });
});

describe('the files that a worker keeps open', () => {
  const version = 'one';
  const ref: SourceRef = { kind: 'uri', name: 'a', uri: 'test:a', sizeBytes: 4, version };
  const opening =
    (log: string[], fails = false) =>
    async (wanted: SourceRef) => {
      log.push(`open ${wanted.name}`);
      if (fails) throw new Error('gone');
      const source: ByteSource = {
        name: wanted.name,
        size: 4,
        ref: wanted,
        read: async (offset, target) => void target.fill(offset),
        close: async () => void log.push(`close ${wanted.name}`),
      };
      return source;
    };

  it('are opened once, whatever many reads, and anew after they were closed', async () => {
    const log: string[] = [];
    const sources = new OpenSources(opening(log));
    const target = new Uint8Array(2);
    await Promise.all([sources.read(ref, 1, target), sources.read(ref, 2, target)]);
    expect([...target]).toEqual([2, 2]);
    await sources.close();
    await sources.read(ref, 3, target);
    expect(log).toEqual(['open a', 'close a', 'open a']);
  });

  it('are tried again after a failure, and are others when they were written to', async () => {
    const log: string[] = [];
    const failing = new OpenSources(opening(log, true));
    await expect(failing.read(ref, 0, new Uint8Array(1))).rejects.toThrow('gone');
    await expect(failing.read(ref, 0, new Uint8Array(1))).rejects.toThrow('gone');
    expect(log).toEqual(['open a', 'open a']);
    const sources = new OpenSources(opening(log));
    await sources.read(ref, 0, new Uint8Array(1));
    await sources.read({ ...ref, version: 'other' }, 0, new Uint8Array(1));
    expect(log).toHaveLength(4);
  });
});
