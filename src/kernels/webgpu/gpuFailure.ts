/**
 * The device cannot be used any more, or could not do what was asked of it: it was lost, its memory is
 * exhausted, its process or page has ended. Nothing that was computed since is to be trusted; the same work
 * can be done elsewhere.
 */
export class GpuFailure extends Error {
  override readonly name = 'GpuFailure';
}

/** Tells failures of the device from errors in what it was given; across threads names are what is left. */
export function isGpuFailure(error: unknown): error is Error {
  return error instanceof Error && error.name === 'GpuFailure';
}
