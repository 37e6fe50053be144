import { describe, expect, it } from 'vitest';
import {
  GpuMachine,
  nameArithmetic,
  type GpuConnection,
  type GpuMachineOptions,
} from '../../../src/compute/webgpu/gpuMachine.js';
import type { GpuServiceApi } from '../../../src/compute/webgpu/gpuService.js';
import type { HostSourcesApi } from '../../../src/compute/webgpu/hostSources.js';
import { connectGpu } from '../../../src/compute/webgpu/node/connectGpu.js';
import { End, type GpuLink } from '../../../src/compute/webgpu/node/gpuLink.js';
import { LentGpu, lendGpu } from '../../../src/jobs/backends/node/lentGpu.js';
import { measureInThread } from '../../../src/jobs/perplexity/measureInThread.js';
import { GpuFailure } from '../../../src/kernels/webgpu/gpuFailure.js';
import { openStoredSources } from '../../../src/layouts/node/openStored.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { connect, type Handlers } from '../../../src/rpc/rpc.js';
import { createPool, HOST, SAMPLE } from '../../support/checkpoints.js';

const ADAPTER = {
  vendor: 'test',
  architecture: '',
  description: 'An adapter',
  isSoftware: false,
};

const REQUEST = {
  formats: [],
  tensors: [],
  scaleDtype: 'f16' as const,
  perLayer: false,
  settings: { context: 16, windows: 1 },
};

/** Somebody who serves a device that is none. */
function serveFake(service: object = {}) {
  const end = new End();
  let ended = '';
  end.on((reason) => (ended = reason));
  let toHost: (message: unknown) => void = () => undefined;
  let toService: (message: unknown) => void = () => undefined;
  const handlers = {
    describe: () => ({ adapter: ADAPTER, limits: {} }),
    begin: () => undefined,
    ...service,
  } as unknown as Handlers<GpuServiceApi>;
  const { remote: host } = connect<GpuServiceApi, HostSourcesApi>(
    {
      post: (message) => setImmediate(() => toHost(message)),
      listen(listener) {
        toService = listener;
        return () => undefined;
      },
    },
    handlers,
  );
  const link: GpuLink = {
    channel: {
      post: (message) => setImmediate(() => toService(message)),
      listen(listener) {
        toHost = listener;
        return () => undefined;
      },
    },
    onEnd: (listener) => end.on(listener),
    end: () => end.come('It was given back'),
  };
  return { link, end, host, ended: () => ended };
}

it('lends a device to another thread once that asks, until it is given back', async () => {
  const fake = serveFake({ counts: () => ({ buffers: 1, bufferBytes: 2, pipelines: 3 }) });
  let asked = 0;
  const lent = new LentGpu(
    lendGpu(async () => {
      asked++;
      return fake.link;
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(asked).toBe(0);
  const connection = await lent.connect();
  expect(connection.adapter).toEqual(ADAPTER);
  // Scores of the same adapter outside the window are others'.
  const inNode = { ...connection, implementation: 'Dawn in Node' } as const;
  expect(nameArithmetic(connection)).toBe('webgpu browser test  An adapter');
  expect(nameArithmetic(inNode)).not.toBe(nameArithmetic(connection));
  expect(await connection.service.remote.counts(null)).toMatchObject({ pipelines: 3 });

  // What lies here is read by who asks for it, by its key.
  const bytes = new SharedArrayBuffer(8);
  new Uint8Array(bytes).set([1, 2, 3, 4, 5, 6, 7, 8]);
  const source = connection.sources.share({ kind: 'memory', name: 'weights', bytes });
  const key = source.kind === 'host' ? source.key : -1;
  expect(await fake.host.read({ key, offset: 2, bytes: 3 })).toEqual(Uint8Array.of(3, 4, 5));

  connection.end();
  await expect.poll(fake.ended).toBe('It was given back');
  expect(asked).toBe(1);
});

it('reads nothing but what was shared, and no more than tasks need', async () => {
  const { link, host } = serveFake();
  await connectGpu(link, openStoredSources());
  await expect(host.read({ key: 0, offset: 0, bytes: 4 })).rejects.toThrow();
  await expect(host.read({ key: -1, offset: 0, bytes: 4 })).rejects.toThrow('read.key');
  await expect(host.read({ key: 0, offset: 0, bytes: 2 ** 40 })).rejects.toThrow('read.bytes');
  const more = { key: 0, offset: 0, bytes: 4, uri: 'file:///etc/passwd' };
  await expect(host.read(more)).rejects.toThrow('no fields but');
});

it('takes no description that is none', async () => {
  const adapter = { ...ADAPTER, description: 7 };
  const { link, ended } = serveFake({ describe: () => ({ adapter }) });
  await expect(connectGpu(link, openStoredSources())).rejects.toMatchObject({
    name: 'GpuFailure',
    message: expect.stringContaining('adapter.description') as string,
  });
  expect(ended()).toBe('It was given back');
});

it('fails calls under way with the reason for the end', async () => {
  const { link, end } = serveFake({ run: () => new Promise(() => undefined) });
  const connection: GpuConnection = await new LentGpu(lendGpu(async () => link)).connect();
  const machine = new GpuMachine(connection, await createPool(), []);
  const work = machine.runOnDevice('loadBytes', {});
  setTimeout(() => end.come('The page was hidden'), 20);
  await expect(work).rejects.toMatchObject({ name: 'GpuFailure', message: 'The page was hidden' });
});

it('tells the thread of a measurement why there is no GPU', async () => {
  const gpuPort = lendGpu(() => Promise.reject(new GpuFailure('No page is open')));
  const start = { threads: 1, backend: 'webgpu' as const, gpuPort };
  const model = await openLocalModel(SAMPLE);
  const log: string[] = [];
  const options = { log: (line: string) => void log.push(line) };
  const { backend, backendReason } = await measureInThread(HOST, start, model, REQUEST, options);
  const reason =
    'webgpu was asked for, but no GPU can be used (No page is open; to use one beside the files, ' +
    'name the npm package webgpu in the setting quantscope.webgpuPackage)';
  expect({ backend, backendReason }).toEqual({ backend: 'wasm', backendReason: reason });
  expect(log).toEqual([`Runs on wasm: ${reason}.`]);
});

it('tells the thread what machines do, and hears of it again', async () => {
  const rates = { 'a card': { bytes: 1, quantized: 2, flops: 3 } };
  const model = await openLocalModel(SAMPLE);
  let heard = {};
  const options = { onRates: (known: object) => void (heard = known) };
  await measureInThread(HOST, { threads: 1, rates }, model, REQUEST, options);
  expect(heard).toEqual(rates);
});

it('has the thread go on without the GPU when it ends', async () => {
  const model = await openLocalModel(SAMPLE);
  const fake = serveFake({
    reserve: () => fake.end.come('The page was hidden'),
  });
  const gpuPort = lendGpu(async () => fake.link);
  const start = { threads: 1, backend: 'webgpu' as const, gpuPort };
  const log: string[] = [];
  const options = { log: (line: string) => void log.push(line) };
  const measured = await measureInThread(HOST, start, model, REQUEST, options);
  const onThreads = await measureInThread(HOST, { threads: 1 }, model, REQUEST);
  expect(measured.baseline).toEqual(onThreads.baseline);
  expect(measured.notes.join()).toContain('The GPU failed (The page was hidden)');
  expect(log).toEqual([
    expect.stringMatching(/^Runs on webgpu: .*, as asked for\.$/),
    expect.stringMatching(/^The GPU failed \(The page was hidden\); .* wasm went on\.$/),
  ]);
});

describe('a device that hangs', () => {
  const never = () => new Promise(() => undefined);
  const hanging = { reserve: never, write: never, run: never, readFloats: never, end: never };
  const hang = async (service: object, options?: GpuMachineOptions) => {
    const fake = serveFake({ ...hanging, ...service });
    const connection = await connectGpu(fake.link, openStoredSources());
    const machine = new GpuMachine(connection, await createPool(), [], {
      answerMilliseconds: 100,
      ...options,
    });
    return { machine, connection, ended: fake.ended };
  };

  it('holds up no cancel, and is given up with its other jobs', async () => {
    const abort = new AbortController();
    const { machine, connection, ended } = await hang({
      run: () => (abort.abort(), never()),
    });
    const other = new GpuMachine(connection, machine.pool, []);
    const waiting = other.readFloats(0, 1);
    const failed = expect(waiting).rejects.toMatchObject({ name: 'GpuFailure' });
    const tasks = Array.from({ length: 20 }, () => ({}));
    const work = machine.tasks().run('x' as never, tasks, () => undefined, abort.signal);
    await expect(work).rejects.toMatchObject({ name: 'AbortError' });
    expect(ended()).toBe('');
    await machine.end();
    expect(ended()).toBe('It was given back');
    expect(connection.service.ended).toBe(true);
    await failed;
  });

  it('holds up no cancel where a result is read', async () => {
    const abort = new AbortController();
    const readFloats = () => (abort.abort(), never());
    const { machine, ended } = await hang({ readFloats }, { signal: abort.signal });
    await expect(machine.readFloats(0, 1)).rejects.toMatchObject({ name: 'AbortError' });
    await machine.end();
    expect(ended()).toBe('It was given back');
  });

  it('holds up no cancel of the thread that measures', async () => {
    const abort = new AbortController();
    const fake = serveFake({ ...hanging, reserve: () => (abort.abort(), never()) });
    const gpuPort = lendGpu(async () => fake.link);
    const start = { threads: 1, backend: 'webgpu' as const, gpuPort };
    const model = await openLocalModel(SAMPLE);
    const { signal } = abort;
    const measuring = measureInThread(HOST, start, model, REQUEST, { signal });
    await expect(measuring).rejects.toThrow('Cancelled');
    await expect.poll(fake.ended, { timeout: 10_000 }).toBe('It was given back');
  });
});

it('gets the device back when a measurement is cancelled', async () => {
  const controller = new AbortController();
  const fake = serveFake({
    reserve: () => undefined,
    write: () => undefined,
    async run() {
      controller.abort();
      await new Promise((resolve) => setTimeout(resolve, 50));
    },
  });
  const gpuPort = lendGpu(async () => fake.link);
  const start = { threads: 1, backend: 'webgpu' as const, gpuPort };
  const model = await openLocalModel(SAMPLE);
  const { signal } = controller;
  const measuring = measureInThread(HOST, start, model, REQUEST, { signal });
  await expect(measuring).rejects.toThrow('Cancelled');
  await expect.poll(fake.ended, { timeout: 5000 }).toBe('It was given back');
});
