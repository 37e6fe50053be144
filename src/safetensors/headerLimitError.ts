import type { CheckpointRule } from '../storage/errors.js';

/** Raised where a header keeps to the format and yet asks for more than anybody needs; one line. */
export class HeaderLimitError extends Error {
  override readonly name = 'HeaderLimitError';

  constructor(
    readonly rule: CheckpointRule,
    detail: string,
  ) {
    super(detail);
  }
}
