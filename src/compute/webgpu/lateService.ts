import type { Handlers } from '../../rpc/rpc.js';
import type { GpuServiceApi } from './gpuService.js';

const NAMES: readonly (keyof GpuServiceApi)[] = [
  'describe',
  'begin',
  'end',
  'reserve',
  'write',
  'copy',
  'readFloats',
  'run',
  'counts',
];

/**
 * Serves a device that is still being opened: calls wait for it, and where there is none, each says why.
 * @param onError hears why a call failed
 */
export function serveLate(
  service: Promise<Handlers<GpuServiceApi>>,
  onError: (error: unknown) => void = () => undefined,
): Handlers<GpuServiceApi> {
  service.catch(() => undefined);
  const handlers = NAMES.map((name) => [
    name,
    async (call: never, context: never) => {
      try {
        return await (await service)[name](call, context);
      } catch (error) {
        onError(error);
        throw error;
      }
    },
  ]);
  return Object.fromEntries(handlers) as Handlers<GpuServiceApi>;
}
